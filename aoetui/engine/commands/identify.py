"""What devices say of themselves in answer to IDENTIFY, in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.api import Errand
from aoetui.engine.protocol.identify_page import IdentifyField, identify_fields, identify_rows, parse_identify_text

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address, Mac

__all__ = [
    "IdentifyField",
    "IdentifyReport",
    "ReadIdentify",
    "identify_fields",
    "identify_rows",
    "parse_identify_text",
]


@dataclass(frozen=True, slots=True)
class IdentifyReport:
    """The page of one MAC that answers for the address."""

    address: Address
    mac: Mac
    interface: str
    """Of this host, over which it answered."""
    words: tuple[int, ...]
    """All 256, each 0 to 65535."""
    fields: tuple[IdentifyField, ...]
    """What they say."""


@dataclass(frozen=True, slots=True)
class ReadIdentify(Errand[tuple[IdentifyReport, ...]]):
    """Ask each MAC of the device for its page, or the one that is named; sorted by MAC, never empty.

    An export of ours tells its page too.
    """

    address: Address
    mac: Mac | None = None
