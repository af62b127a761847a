"""Whether a device answers, and how soon, on each path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.api import Errand

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address, Mac


@dataclass(frozen=True, slots=True, order=True)
class PingPath:
    """One way to a device."""

    interface: str
    mac: Mac


@dataclass(frozen=True, slots=True)
class Pong:
    """What came of one query on one path."""

    path: PingPath
    rtt_us: float | None
    """From the query to its answer, microseconds; None if none came in time."""
    tag: int
    """Of the query, 32 bits."""
    buffer_count: int = 0
    firmware_version: int = 0
    sector_count: int = 0
    """As advertised in the answer."""


@dataclass(frozen=True, slots=True)
class Ping(Errand[tuple[Pong, ...]]):
    """Query each path once, and wait up to `wait` seconds; sorted by path.

    Without `paths` everybody is asked, and those who answer are the paths; there may be none.
    """

    address: Address
    paths: tuple[PingPath, ...] = ()
    wait: float = 1.0
    tag: int | None = None
    """The low 20 bits of the first tag; the bits above belong to the engine. None: any."""
