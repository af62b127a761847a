"""Why a transfer ends before its work is done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Failure(Enum):
    """Why a transfer ended before its work was done."""

    NO_ANSWER = auto()
    """Nothing was answered for the time of its patience."""
    BEYOND_END = auto()
    """IDNF: the device has become smaller."""
    SHRUNK = auto()
    """IDENTIFY says so."""
    REFUSED = auto()
    """ABRT: a read-only device, or one that cannot read at all."""
    BAD_SECTORS = auto()
    """UNC or another error, on a write; on reads, too many of them."""
    OTHER_DISK = auto()
    """Another disk answers at the address now."""
    RESERVED = auto()
    UNAVAILABLE = auto()
    PROTOCOL = auto()
    """Any other AoE error."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure, and where."""

    failure: Failure
    lba: int = 0
    count: int = 0
    code: int = 0
    """ATA error register, or AoE error."""
