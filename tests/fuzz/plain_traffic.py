"""Traffic for a compiled lane: rounds of frames, most of them plain reads and writes that meet each other, the rest strange.

Initiators differ. The careful give a tag to one request alone, and what comes twice is the network's doing; the careless use a
few tags for everything.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.fast.memory import mix
from aoetui.engine.fast.tables import TAGS
from tests.fuzz.lane_rig import INDEX, Slot
from tests.fuzz.mutations import Frames
from tests.fuzz.requests import AOE, EVERYONE, Place, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.dice import Dice

SECTOR = 512
PLAIN = Slot()
_NOISE_SECTORS = 512
_FEW_TAGS = 60
_LATELY = 48
"""Frames that may come again."""
_REGISTERS = struct.Struct("<BBBBIH2x")
_OPS = (0x20, 0x24, 0x30, 0x34, 0x24, 0x34)
_FLAGS = (0x40, 0x40, 0x41, 0x01, 0x00, 0x53, 0xFF, 0x10)


@dataclass(slots=True, eq=False)
class Asker:
    """One initiator of one export."""

    place: Place
    mac: bytes
    few: tuple[int, ...]
    """The tags of a careless one; empty: it is careful."""
    top: int
    """The top bit of its tags."""
    writes: bool = True
    made: int = 0
    last: bytes = b""


class Traffic:
    """The same rounds for the same dice."""

    def __init__(self, rng: Dice, world: World, *, vlan: int) -> None:
        self._rng = rng
        self._world = world
        self._vlan = vlan
        self._noise = rng.randbytes(_NOISE_SECTORS * SECTOR)
        self._askers = [self._asker(place, mac) for place in world.places for mac in world.macs]
        self._frames = Frames(rng, world, responses=0.03)
        self._lately: deque[bytes] = deque(maxlen=_LATELY)
        self._hot = 0
        self.welcome = self._askers
        """Whom the lane serves; most rounds are theirs alone."""
        self._strange: tuple[Callable[[], bytes], ...] = (
            self._mutated,
            self._mutated,
            self._with_another_header,
            self._bounds,
            self._bounds,
            self._cut,
        )

    def _asker(self, place: Place, mac: bytes) -> Asker:
        careless = mac in self._world.macs[-2:]
        return Asker(place, mac, self._few_tags() if careless else (), self._rng.pick((0, 0, 1 << 31)))

    def _few_tags(self) -> tuple[int, ...]:
        """Those that a lane remembers one beside the other, whatever the order."""
        places: dict[int, int] = {}
        while len(places) < _FEW_TAGS:
            tag = self._rng.getrandbits(31)
            places[mix(tag, 1) & (TAGS - 1)] = tag
        return tuple(places.values())[: self._rng.pick((1, 3, _FEW_TAGS))]

    def welcome_these(self, readers: set[tuple[int, int, bytes]], writers: set[tuple[int, int, bytes]]) -> None:
        """Shelf, slot and MAC of whom the lane serves."""
        self.welcome = []
        for asker in self._askers:
            key = asker.place.shelf, asker.place.slot, asker.mac
            asker.writes = key in writers
            if key in readers:
                self.welcome.append(asker)

    def introductions(self, careful: float) -> list[bytes]:
        """A first read by each careless initiator, and by part of the careful: from then on the lane knows them."""
        known = [asker for asker in self._askers if asker.few or self._rng.random() < careful]
        return [self._frame(asker, self._tag(asker), 0x24, 0, 1) for asker in known]

    def misuse(self) -> list[bytes]:
        """Each careless initiator, and seldom a careful one, gives one tag to two requests.

        Of those that are answered: of others the lane learns their use of tags, and the reference path does not.
        """
        several = [asker for asker in self.welcome if asker.few or self._rng.random() < 0.03]
        tags = [self._tag(asker) for asker in several]
        return [self._frame(asker, tag, op, 0, 1) for op in (0x24, 0x20) for asker, tag in zip(several, tags, strict=True)]

    def round(self) -> list[tuple[bytes, Slot]]:
        """Frames that come together."""
        rng = self._rng
        self._hot = rng.below(1 << 16)
        strange, slots = rng.pick(((0.0, 0.0), (0.0, 0.02), (0.01, 0.0), (0.15, 0.1)))
        welcome = self.welcome if self.welcome and rng.random() < 0.8 else self._askers
        askers = rng.sample(welcome, min(len(welcome), rng.pick((1, 2, 99, 99))))
        kinds = rng.pick((_OPS, _OPS, (0x34,), (0x24,)))
        return [
            (
                rng.pick(self._strange)() if rng.random() < strange else self._plain(rng.pick(askers), kinds),
                self._slot() if rng.random() < slots else self._usual_slot,
            )
            for _ in range(rng.pick((1, 2, 7, 30, 64, 64, 90)))
        ]

    def _plain(self, asker: Asker, ops: tuple[int, ...]) -> bytes:
        """A read or write, or one of the last ones once more."""
        rng, again = self._rng, self._rng.random()
        if again < 0.06 and self._lately:
            return rng.pick(self._lately)
        if again < 0.08 and asker.last:
            return self._once_more(asker)
        most = min(self._world.most_sectors, asker.place.sectors)
        count = rng.pick((1, 1, 2, most, 1 + rng.below(most)))
        count = min(count, most)
        last = asker.place.sectors - count
        lba = rng.pick((0, last, self._hot % (last + 1), min(last, self._hot % (last + 1) + 1), rng.below(last + 1)))
        op = rng.pick(ops) if asker.writes or rng.random() < 0.02 else 0x24
        frame = self._frame(asker, self._tag(asker), op, lba, count)
        asker.last = frame
        self._lately.append(frame)
        return frame

    def _once_more(self, asker: Asker) -> bytes:
        """The same with a new tag, as Linux asks again."""
        frame = b"".join((asker.last[:20], self._tag(asker).to_bytes(4), asker.last[24:]))
        asker.last = frame
        self._lately.append(frame)
        return frame

    def _tag(self, asker: Asker) -> int:
        if asker.few:
            return self._rng.pick(asker.few)
        asker.made += 1
        return asker.top | asker.made

    def _frame(self, asker: Asker, tag: int, op: int, lba: int, count: int) -> bytes:
        rng, place = self._rng, asker.place
        data = b""
        if op & 0x10:
            at = rng.below(_NOISE_SECTORS - count) * SECTOR
            data = self._noise[at : at + count * SECTOR]
        wide = lba | rng.pick((0x1, 0xE, 0xF)) << 28 if op & 4 == 0 and rng.random() < 0.3 else lba
        registers = _REGISTERS.pack(rng.pick(_FLAGS), 0, count & 0xFF, op, wide & 0xFFFF_FFFF, wide >> 32)
        header = self._header(asker.mac, place, tag)
        frame = header + registers + data
        return frame.ljust(60, b"\0") if rng.random() < 0.5 else frame

    def _header(self, mac: bytes, place: Place, tag: int) -> bytes:
        address = place.shelf.to_bytes(2) + bytes((place.slot, 0))
        return b"".join((self._world.mac, mac, AOE, b"\x10\0", address, tag.to_bytes(4)))

    # ---- what is not plain; its tags are new, or they would teach the lane more of their use than the reference path hears

    def _mutated(self) -> bytes:
        frame = self._frames.next()
        return frame if len(frame) < 24 else b"".join((frame[:20], self._new_tag(), frame[24:]))

    def _new_tag(self) -> bytes:
        return (self._rng.getrandbits(30) | 1 << 30).to_bytes(4)

    def _careful(self) -> Asker:
        return self._rng.pick([asker for asker in self._askers if not asker.few])

    def _with_another_header(self) -> bytes:
        rng, asker = self._rng, self._careful()
        frame = bytearray(self._frame(asker, int.from_bytes(self._new_tag()), rng.pick(_OPS), 0, 1))
        at, values = rng.pick(
            (
                (0, (EVERYONE, b"\1\0\x5e\0\0\1", b"\2\0\0\0\0\x66")),
                (6, (bytes(6), EVERYONE, b"\3" + asker.mac[1:], b"\2\0\0\0\0\x77")),
                (12, (b"\x88\xa3", b"\x81\0", b"\0\0")),
                (14, (b"\0", b"\x20", b"\x18", b"\x1c", b"\x14", b"\x11", b"\x13", b"\x17", b"\xff")),
                (15, (b"\1", b"\xff")),
                (16, (b"\xff\xff", b"\0\0")),
                (18, (b"\xff", b"\xfe")),
                (19, (b"\1", b"\2", b"\3", b"\4", b"\xf0", b"\xff")),
                (27, (b"\xec", b"\xe7", b"\xea", b"\xe5", b"\x21", b"\x31", b"\xc8", b"\0", b"\x25", b"\x35", b"\x60")),
            )
        )
        value = rng.pick(values)
        frame[at : at + len(value)] = value
        return bytes(frame)

    def _bounds(self) -> bytes:
        """A count or a place that is not to be had."""
        rng, asker = self._rng, self._careful()
        most, end = self._world.most_sectors, asker.place.sectors
        op, count = rng.pick(_OPS), rng.pick((0, 1, 1, most, most + 1, 255))
        wide = (1 << 28, 1 << 32, (1 << 48) - 1, (1 << 48) - count, 0xFFFF_FFFF)
        lba = max(0, rng.pick((0, end, end - 1, end - count, end - count + 1, end + 1, *wide)))
        frame = self._frame(asker, int.from_bytes(self._new_tag()), op, lba & ((1 << 48) - 1), count)
        return frame[: self._world.most_sectors * SECTOR + 36]

    def _cut(self) -> bytes:
        """Shorter than it says, or longer."""
        rng, asker = self._rng, self._careful()
        frame = self._frame(
            asker, int.from_bytes(self._new_tag()), rng.pick(_OPS), 0, min(2, asker.place.sectors, self._world.most_sectors)
        )
        ends = (0, 1, 13, 14, 23, 24, 25, 28, 35, 36, 37, 59, len(frame) - 1, len(frame) - 8, len(frame) - 512)
        return frame[: rng.pick(ends)] if rng.random() < 0.7 else frame + self._noise[: rng.pick((1, 8, 24))]

    # ---- slots

    @property
    def _usual_slot(self) -> Slot:
        return Slot(tag=self._vlan) if self._vlan else PLAIN

    def _slot(self) -> Slot:
        rng, usual = self._rng, self._vlan or None
        return rng.pick(
            (
                Slot(kind=3, tag=usual),
                Slot(kind=4, tag=usual),
                Slot(index=INDEX + 1, tag=usual),
                Slot(cut=rng.pick((1, 512)), tag=usual),
                Slot(tag=self._vlan ^ 1 or 2),
                Slot(tag=0),
                Slot(tag=0xE000),
                Slot(tag=0x6000 | self._vlan),
                Slot(kind=1, tag=usual),
                Slot(),
            )
        )
