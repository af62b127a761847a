"""Valid frames of every command and sub-command, with edge values where a field has edges: what is then mutated."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fuzz.dice import Dice

AOE = b"\x88\xa2"
EVERYONE = b"\xff" * 6
_NOISE = Random(0).randbytes(1 << 17)  # noqa: S311  # data to write: the same in every run
_ATA_OPS = (0x20, 0x24, 0x30, 0x34, 0x20, 0x24, 0x30, 0x34, 0xEC, 0xE5, 0xE7, 0xEA, 0xB0, 0xEF, 0x00, 0xFF)
_ATA_FLAGS = (0x00, 0x40, 0x41, 0x01, 0x53, 0xFF, 0x10)
_DIRECTIVES = (*(0, 1, 2, 3) * 6, 150, 255)
_HOLDERS = (*(0, 0, 1, 2, 3) * 5, 200, 255)
_WIDE_LBAS = (0x0FFF_FFFF, 0x1000_0000, 0xFFFF_FFFF, 1 << 32, 0xFFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFE, 1 << 47)


@dataclass(frozen=True, slots=True)
class Place:
    """An export that frames are made for."""

    shelf: int
    slot: int
    sectors: int


@dataclass(slots=True)
class World:
    """What frames are made for. MACs are six bytes."""

    mac: bytes
    """The target's."""
    most_sectors: int
    places: Sequence[Place]
    macs: Sequence[bytes]
    """Initiators."""
    strings: Sequence[bytes] = (b"", b"a", b"web01", b"web01-and-more", b"\0" * 8, b"\x1b[2Jtitle", bytes(range(256)) * 4)
    changes: float = 0.5
    """How often a command that can change a list or a string does."""
    questions: list[tuple[bytes, bytes, Place]] = field(default_factory=list)
    """What the scanner asked: its tag, and whom."""


class Requests:
    """Makes valid frames from one generator of random numbers."""

    def __init__(self, rng: Dice, world: World) -> None:
        self._rng = rng
        self._world = world
        self._kinds = (self._ata,) * 9 + (self._config,) * 4 + (self._mask,) * 3 + (self._reserve,) * 2 + (self._other,)

    def request(self) -> bytearray:
        """One request, not padded."""
        rng, world = self._rng, self._world
        place = rng.pick(world.places)
        command, argument = rng.pick(self._kinds)(place)
        shelf, slot = place.shelf, place.slot
        if rng.random() < 0.08:
            shelf, slot = rng.pick(((0xFFFF, 0xFF), (shelf, 0xFF), (0xFFFF, slot)))
        return bytearray(self._header(rng.pick(world.macs), 0x10, shelf, slot, command) + argument)

    def response(self) -> bytearray:
        """One answer of some target: to the scanner's question, or to nobody's."""
        rng, world = self._rng, self._world
        place, source, tag = rng.pick(world.places), rng.pick(world.macs), rng.randbytes(4)
        if world.questions and rng.random() < 0.5:
            tag, source, place = rng.pick(world.questions)
        verfl = 0x1C if rng.random() < 0.1 else 0x18
        if rng.random() < 0.5:
            command, argument = 1, self._config_argument(0, rng.pick(world.strings), rng.pick((0, 1, 2, 16, 255)))
        else:
            command, argument = 0, bytes((0, 0, 0, 0x40)) + bytes(8) + self._page()
        header = self._header(source, verfl, place.shelf, place.slot, command)
        return bytearray(header[:20] + tag + argument)

    def data(self, size: int) -> bytes:
        """Bytes that are hardly ever the same."""
        at = self._rng.below(len(_NOISE) - size)
        return _NOISE[at : at + size]

    def _header(self, source: bytes, verfl: int, shelf: int, slot: int, command: int) -> bytes:
        destination = EVERYONE if self._rng.random() < 0.1 else self._world.mac
        fixed = bytes((verfl, 0)) + shelf.to_bytes(2) + bytes((slot, command))
        return b"".join((destination, source, AOE, fixed, self._rng.randbytes(4)))

    def _ata(self, place: Place) -> tuple[int, bytes]:
        rng, most = self._rng, self._world.most_sectors
        op = rng.pick(_ATA_OPS)
        count = rng.pick((1, 1, 1, 2, most, most + 1, 0, 255)) & 0xFF
        end = place.sectors
        lba = rng.pick((0, 1, end - 1, end - count, end - count + 1, end, rng.below(end), rng.below(end), rng.pick(_WIDE_LBAS)))
        lba = max(0, lba) & 0xFFFF_FFFF_FFFF
        if op in (0x20, 0x30) and rng.random() < 0.5:
            lba |= 0xE0 << 24  # as Linux fills the device byte
        size = count * 512 if op in (0x30, 0x34) and count <= most else 0
        registers = bytes((rng.pick(_ATA_FLAGS), 0, count, op)) + lba.to_bytes(6, "little") + b"\0\0"
        return 0, registers + self.data(size)

    def _config(self, _place: Place) -> tuple[int, bytes]:
        rng = self._rng
        op = rng.pick((3, 4)) if rng.random() < self._world.changes else rng.pick((0, 1, 2, 0, 1, 2, 5, 15))
        string = rng.pick(self._world.strings)
        if rng.random() < 0.3:
            string = self.data(rng.pick((1, 4, 27, 28, 29, 1023, 1024)))
        return 1, self._config_argument(op, string, 0)

    @staticmethod
    def _config_argument(op: int, string: bytes, sectors: int) -> bytes:
        return b"\0\x40\0\1" + bytes((sectors, 0x10 | op)) + len(string).to_bytes(2) + string

    def _mask(self, _place: Place) -> tuple[int, bytes]:
        rng = self._rng
        if rng.random() >= self._world.changes:
            return 2, bytes((0, rng.pick((0, 0, 0, 2, 255)), 0, 0))
        count = rng.pick(_DIRECTIVES)
        lines = (bytes((0, rng.pick((0, 1, 1, 1, 2, 2)))) + self._mac() for _ in range(count))
        return 2, bytes((0, 1, 0, count)) + b"".join(lines)

    def _reserve(self, _place: Place) -> tuple[int, bytes]:
        rng = self._rng
        if rng.random() >= self._world.changes:
            return 3, bytes((rng.pick((0, 0, 0, 3, 255)), 0))
        count = rng.pick(_HOLDERS)
        return 3, bytes((rng.pick((1, 2)), count)) + b"".join(self._mac() for _ in range(count))

    def _mac(self) -> bytes:
        """Mostly one of the initiators."""
        return self._rng.pick(self._world.macs) if self._rng.random() < 0.9 else self._rng.randbytes(6)

    def _other(self, _place: Place) -> tuple[int, bytes]:
        return self._rng.pick((4, 5, 0x7F, 0x80, 0xF0, 0xFF)), self.data(self._rng.pick((0, 4, 36, 512)))

    def _page(self) -> bytes:
        page = bytearray(512)
        page[120:124] = page[200:204] = self._rng.pick(self._world.places).sectors.to_bytes(6, "little")[:4]
        page[167] = page[173] = 0x04
        page[20:40] = page[54:74] = self._rng.pick((b"SERIAL NUMBER 000001", b"\x1b]0;serial\x07        ", bytes(20)))
        return bytes(page)
