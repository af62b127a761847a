"""What is done to a valid frame, and `Frames`: frames without end, the same ones for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.oracle import meaningful
from tests.fuzz.requests import EVERYONE, Requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.dice import Dice
    from tests.fuzz.requests import World

MARK = bytes.fromhex("dba54c3e9177c816")
"""Fills what no field covers. It must never come back."""
_MARKS = MARK * 1200
_KEPT = 64
"""Frames that others are spliced with."""
_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)
_FIELDS = {
    14: (0x10, 0x00, 0x20, 0xF0, 0x18, 0x1C, 0x14, 0x11, 0x12, 0x13),
    15: _EDGES,
    16: _EDGES,
    17: _EDGES,
    18: _EDGES,
    19: (0, 1, 2, 3, 4, 0xF0, 0xFF),
    24: (*_EDGES, 0x40, 0x41),
    25: _EDGES,
    26: _EDGES,
    27: (*_EDGES, 0x20, 0x24, 0x30, 0x34, 0xEC, 0xE5, 0xE7, 0xEA),
    28: _EDGES,
    29: (*_EDGES, 3, 4, 0x10, 0x13, 0x14),
    30: (*_EDGES, 3, 4, 5),
    31: _EDGES,
    32: _EDGES,
    33: _EDGES,
    34: _EDGES,
}
"""Bytes that mean something, and values at which it changes."""
_OFFSETS = tuple(_FIELDS)
_SOURCES = (bytes(6), EVERYONE, b"\1\0\x5e\0\0\1", b"\2\0\0\0\0\x77")


class Frames:
    """Frames of one seed. `responses` is how many of them answer instead of asking."""

    def __init__(self, rng: Dice, world: World, *, responses: float = 0.05) -> None:
        self._rng = rng
        self._world = world
        self._requests = Requests(rng, world)
        self._responses = responses
        self._earlier: list[bytes] = []
        self._mutations: tuple[Callable[[bytearray], None], ...] = (
            self._truncate,
            self._extend,
            self._overwrite,
            self._overwrite,
            self._overwrite,
            self._flip,
            self._flip,
            self._splice,
            self._miscount,
            self._address,
            self._misdirect,
            self._resource,
        )

    def next(self) -> bytes:
        """One frame: valid, or with up to four mutations. What its fields do not cover holds MARK."""
        rng = self._rng
        frame = self._requests.response() if rng.random() < self._responses else self._requests.request()
        self._keep(bytes(frame))
        for _ in range(rng.pick((0, 0, 0, 0, 1, 1, 1, 2, 2, 4))):
            rng.pick(self._mutations)(frame)
        if rng.random() < 0.5:
            frame.extend(bytes(max(0, 60 - len(frame))))
        if rng.random() < 0.15:
            frame.extend(bytes(rng.pick((1, 8, 64, 512))))
        if len(frame) > 15 and not frame[14] & 8:
            end = max(meaningful(frame), 24)
            frame[end:] = _MARKS[: max(0, len(frame) - end)]
        return bytes(frame)

    def _keep(self, frame: bytes) -> None:
        if len(self._earlier) < _KEPT:
            self._earlier.append(frame)
        else:
            self._earlier[self._rng.below(_KEPT)] = frame

    def _truncate(self, frame: bytearray) -> None:
        edges = (0, 6, 12, 14, 15, 23, 24, 25, 26, 27, 28, 31, 32, 35, 36, 60, len(frame) - 1)
        del frame[self._rng.pick((*edges, self._rng.below(len(frame) + 1))) :]

    def _extend(self, frame: bytearray) -> None:
        frame.extend(self._requests.data(self._rng.pick((1, 2, 7, 8, 100, 511, 512, 1024))))

    def _overwrite(self, frame: bytearray) -> None:
        at = self._rng.pick(_OFFSETS)
        if at < len(frame):
            frame[at] = self._rng.pick(_FIELDS[at])

    def _flip(self, frame: bytearray) -> None:
        if frame:
            at = self._rng.below(min(len(frame), 48) if self._rng.random() < 0.8 else len(frame))
            frame[at] ^= 1 << self._rng.below(8)

    def _splice(self, frame: bytearray) -> None:
        """The start of this one and the end of another."""
        other = self._rng.pick(self._earlier)
        at = self._rng.pick((14, 16, 20, 24, 28, 32, 36, self._rng.below(len(other) + 1)))
        frame[at:] = other[at:]

    def _miscount(self, frame: bytearray) -> None:
        """A sector count, length or number of entries that is not what the frame holds."""
        places = {0: (26,), 1: (30, 31), 2: (27,), 3: (25,)}
        for at in places.get(frame[19], ()) if len(frame) > 32 else ():
            frame[at] = self._rng.pick(((frame[at] + 1) & 0xFF, (frame[at] - 1) & 0xFF, self._rng.below(256)))

    def _address(self, frame: bytearray) -> None:
        place = self._rng.pick(self._world.places)
        shelf = self._rng.pick((place.shelf, 0xFFFF, place.shelf ^ 1, 0, 0x0FFF))
        frame[16:19] = shelf.to_bytes(2) + bytes((self._rng.pick((place.slot, 0xFF, place.slot ^ 1)),))

    def _misdirect(self, frame: bytearray) -> None:
        frame[0:6] = self._rng.pick((EVERYONE, b"\1\0\x5e\0\0\1", b"\2\0\0\0\0\x66", self._rng.pick(self._world.macs)))

    def _resource(self, frame: bytearray) -> None:
        frame[6:12] = self._rng.pick((*_SOURCES, self._world.mac))
