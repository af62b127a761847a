"""What the scanner knows of the SAN: frozen values of its devices and paths, and of each change in them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.protocol.ata import Identity


class DeviceState(StrEnum):
    """What the wire says of a device or of one path."""

    UP = "up"
    SILENT = "silent"
    """Missed two broadcasts."""
    GONE = "gone"
    """Nothing for ten minutes."""


class Sameness(StrEnum):
    """Whether the MACs that answer for one address are one disk."""

    SAME = "same"
    UNPROVEN = "unproven"
    """Nothing differs, and no unique serial proves it (vblade, kvblade)."""
    DIFFERENT = "different"
    """Two disks at one address: Linux takes them for two paths of one, and corrupts both."""


@dataclass(frozen=True, slots=True)
class Path:
    """One MAC that answers for an address, as seen from one of our interfaces. Times in seconds of the caller's clock."""

    mac: Mac
    interface: str
    state: DeviceState
    rtt: float | None
    """Seconds that our last IDENTIFY took to be answered; None before one was answered at its first transmission."""
    sector_count: int
    """Sectors of one frame: as the target advertises, or as our own link allows if that is less."""
    first_seen: float
    last_seen: float
    identity: Identity | None
    """None until IDENTIFY is answered."""


@dataclass(frozen=True, slots=True)
class Device:
    """One shelf.slot. Its state is the best of its paths' states; its other values are those of its best and oldest path."""

    address: Address
    state: DeviceState
    identity: Identity | None
    config_string: bytes
    buffer_count: int
    firmware_version: int
    sameness: Sameness
    paths: tuple[Path, ...]
    """Sorted by MAC, then interface."""
    first_seen: float
    last_seen: float
    flapping: bool = False
    """Whether it comes and goes: it fell silent and answered again three times within five minutes, and not ten minutes ago."""
    changed: float | None = None
    """When something about it changed last; None since it was found."""
    why: str = ""
    """What that was. It may hold text from the wire: show it only as plain text."""


@dataclass(frozen=True, slots=True)
class DeviceFound:
    """An address answers that was unknown, or forgotten."""

    address: Address


@dataclass(frozen=True, slots=True)
class PathFound:
    """A MAC answers for an address on an interface where it was unknown."""

    address: Address
    mac: Mac
    interface: str


@dataclass(frozen=True, slots=True)
class DeviceStateChanged:
    """The best of a device's paths went to another state."""

    address: Address
    old: DeviceState
    new: DeviceState


@dataclass(frozen=True, slots=True)
class PathStateChanged:
    """One path went to another state."""

    address: Address
    mac: Mac
    interface: str
    old: DeviceState
    new: DeviceState


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A device answers otherwise than before. `what` may hold text from the wire: show it only as plain text."""

    address: Address
    what: str
    """As `size 10485760 -> 20971520 bytes`."""


@dataclass(frozen=True, slots=True)
class ConflictFound:
    """Different disks answer for one address. `detail` may hold text from the wire: show it only as plain text."""

    address: Address
    detail: str
    """The MACs, and what each answers."""


@dataclass(frozen=True, slots=True)
class ConflictEnded:
    """No two MACs of the address answer differently any more."""

    address: Address


Change = DeviceFound | PathFound | DeviceStateChanged | PathStateChanged | DeviceChanged | ConflictFound | ConflictEnded
