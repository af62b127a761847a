"""Every write that came by: what proves, sector by sector, whether a wrong byte was the network's doing or the target's."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .harm import Parcel

SECTOR = 512
KEPT = 1 << 17
"""Writes remembered, the newest ones."""
SHOWN, LINES = 4, 12
"""Of wrong sectors, and of the writes to each."""
_HEADER = struct.Struct(">6s6sHBBHBBI")
"""Ethernet and AoE header (AoEr11, section 2)."""
_ATA = struct.Struct("<BBBBQ")
"""Flags, feature, sector count, command; 6 bytes of LBA and 2 reserved ones (section 3.1)."""
_DATA = _HEADER.size + _ATA.size
_LBA_MASK = (1 << 48) - 1
_ATA_COMMAND = 0
_RESPONSE = 0x08
_WRITES = (0x30, 0x34)


@dataclass(slots=True)
class Write:
    """A write request, as it came from the initiator."""

    number: int
    arrived: float
    tag: int
    lba: int
    sums: tuple[int, ...]
    """CRC-32 of each sector's data."""
    went_on: list[float] = field(default_factory=list)
    """When it, and each copy of it, was given to the target."""
    answered: float | None = None
    """When the target's first answer came by, dropped later or not."""
    stale: bool = False
    """A copy of it was given to the target after newer data."""

    def sum_of(self, sector: int) -> int | None:
        """What it writes to a sector."""
        return self.sums[sector - self.lba] if self.lba <= sector < self.lba + len(self.sums) else None

    def differs(self, other: Write) -> bool:
        """Whether some sector is in both, with other data."""
        both = range(max(self.lba, other.lba), min(self.lba + len(self.sums), other.lba + len(other.sums)))
        return any(self.sum_of(sector) != other.sum_of(sector) for sector in both)


class Ledger:
    """Fed by the wire, with frames of a single initiator and a single target, which serves the file `disk`."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk
        self._writes: dict[int, Write] = {}
        self._by_tag: dict[int, Write] = {}
        self._newest: dict[int, int] = {}
        self.spared = 0
        """Late writes kept from the target: never seen before, and newer data is already there. No target can know better."""
        self.stale_copies = 0
        """Copies of answered writes that were given to the target after newer data: it must not carry them out."""
        self.carried_out: list[str] = []
        """Those that it did, each with what was written to its sector."""

    def request(self, parcel: Parcel) -> None:
        """Note a write when it comes from the initiator; anything else passes unnoticed."""
        write = _write(parcel)
        if write is None:
            return
        self._writes[write.number] = self._by_tag[write.tag] = write
        self._newest.update(zip(range(write.lba, write.lba + len(write.sums)), write.sums, strict=True))
        if len(self._writes) > KEPT:
            oldest = self._writes.pop(next(iter(self._writes)))
            if self._by_tag.get(oldest.tag) is oldest:
                del self._by_tag[oldest.tag]

    def reply(self, parcel: Parcel) -> None:
        """Note an answer when it comes from the target."""
        if len(parcel.frame) < _HEADER.size:
            return
        *_, flags, _, _, _, _, tag = _HEADER.unpack_from(parcel.frame)
        write = self._by_tag.get(tag)
        if not flags & _RESPONSE or write is None:
            return
        if write.answered is None:
            write.answered = parcel.arrived
        elif write.stale:
            self._look_for(write)

    def goes_on(self, parcel: Parcel, now: float) -> bool:
        """Whether this may be given to the target now; if so, that is noted."""
        write = self._writes.get(parcel.number)
        if write is None:
            return True
        if self._overtaken(write):
            if write.answered is None:
                self.spared += 1
                return False
            self.stale_copies += 1
            write.stale = True
        write.went_on.append(now)
        return True

    def _overtaken(self, write: Write) -> bool:
        """Whether the target has been given, before this, other data for its sectors that the initiator sent after it."""
        for other in reversed(self._writes.values()):
            if other.number <= write.number:
                break
            if other.went_on and other.differs(write):
                return True
        return False

    def _look_for(self, stale: Write) -> None:
        """Note if the disk holds the data of this stale copy, which has just been answered, though all that is newer differs."""
        for sector in range(stale.lba, stale.lba + len(stale.sums)):
            newer = {other.sum_of(sector) for other in self._writes.values() if other.number > stale.number and other.went_on}
            held = self._held(sector)
            if newer - {None} and held not in newer and held == stale.sum_of(sector):
                self.carried_out.append(self._story(sector, held))

    def _held(self, sector: int) -> int:
        with self._disk.open("rb") as file:
            file.seek(sector * SECTOR)
            return zlib.crc32(file.read(SECTOR))

    def disagreement(self) -> str:
        """Which sectors of an ended target do not hold what the initiator wrote last, and how that came; empty if all do."""
        held = {sector: self._held(sector) for sector in self._newest}
        wrong = [sector for sector, newest in self._newest.items() if held[sector] != newest]
        shown = [self._story(sector, held[sector]) for sector in wrong[:SHOWN]]
        return "\n".join([f"{len(wrong)} sectors hold not what was written last", *shown]) if wrong else ""

    def _story(self, sector: int, held: int) -> str:
        return f"sector {sector} holds {held:08x}; written were\n{self._history(sector)}"

    def _history(self, sector: int) -> str:
        told = [
            f"  {found:08x} by tag {write.tag:08x}, LBA {write.lba}+{len(write.sums)}: came {write.arrived:.6f}"
            f" went on {', '.join(f'{time:.6f}' for time in write.went_on) or 'never'}"
            f" answered {'never' if write.answered is None else f'{write.answered:.6f}'}"
            for write in self._writes.values()
            if (found := write.sum_of(sector)) is not None
        ]
        return "\n".join(told[-LINES:])


def _write(parcel: Parcel) -> Write | None:
    frame = parcel.frame
    if len(frame) < _DATA:
        return None
    *_, command, tag = _HEADER.unpack_from(frame)
    _, _, count, op, lba = _ATA.unpack_from(frame, _HEADER.size)
    if command != _ATA_COMMAND or op not in _WRITES:
        return None
    data = memoryview(frame)[_DATA:]
    sums = tuple(zlib.crc32(data[at : at + SECTOR]) for at in range(0, count * SECTOR, SECTOR))
    return Write(parcel.number, parcel.arrived, tag, lba & _LBA_MASK, sums)
