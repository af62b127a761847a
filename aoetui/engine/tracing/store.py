"""The frames of a trace as they are kept: numbered from 1 without gaps, the oldest given up when there are too many bytes.

A chunk is a block of a tap's ring as it came, or frames that were packed here (from several interfaces, or from a file).
Frames are read out of it one by one only when someone looks at them.
"""

from __future__ import annotations

import struct
import threading
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aoetui.engine.protocol.captured import Captured, Direction
from aoetui.engine.tracing.tap import frame_at, offsets_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEPT_BYTES = 64 << 20
"""Of frames with what belongs to them."""
_PER_FRAME = 13
"""Bytes beside the frame: where it is, what it answers, marks."""
_PER_CHUNK = 600
_PACKED = struct.Struct("<qIBB")
"""Nanoseconds, bytes on the wire, interface, direction."""
_WAYS = tuple(Direction)
_SPARE = 1024
"""Places of chunks that are gone, before they are cleared away."""


@dataclass(slots=True, eq=False)
class Chunk:
    """Frames that were kept at once."""

    first: int
    """Number of its first frame."""
    count: int
    interfaces: tuple[str, ...]
    """One for a block of a ring."""
    data: bytes
    packed: bool
    """Whether its frames were packed here."""
    offsets: array[int] = field(default_factory=lambda: array("I"))
    """Found when someone looks."""
    peers: array[int] = field(default_factory=lambda: array("q"))
    """For each frame the number of its request, or of its first answer; 0 where unknown. Made when it is first matched."""
    odd: bytearray = field(default_factory=bytearray)
    """For each frame `Odd` bits, and MATCHED."""

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.data) + _PER_FRAME * self.count + _PER_CHUNK

    def frame(self, number: int) -> Captured:
        """One of its frames."""
        at = self._offsets()[number - self.first]
        if self.packed:
            time_ns, length, interface, way = _PACKED.unpack_from(self.data, at)
            end = self.offsets[number - self.first + 1]
            return Captured(time_ns, self.interfaces[interface], _WAYS[way], self.data[at + _PACKED.size : end], length)
        return frame_at(self.data, at, self.interfaces[0])

    def _offsets(self) -> array[int]:
        if not self.offsets:
            self.offsets = array("I", offsets_in(self.data, self.count))
        return self.offsets


def packed(first: int, frames: Sequence[Captured]) -> Chunk:
    """A chunk of these frames, the first of which gets this number. At most 256 interfaces."""
    names = tuple(dict.fromkeys(frame.interface for frame in frames))
    numbers = {name: at for at, name in enumerate(names)}
    parts = [
        _PACKED.pack(each.time_ns, each.length, numbers[each.interface], _WAYS.index(each.direction)) + each.frame
        for each in frames
    ]
    offsets = array("I", [0])
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return Chunk(first, len(frames), names, b"".join(parts), packed=True, offsets=offsets)


class Store:
    """The frames that are kept. One thread adds, any may read."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._chunks: list[Chunk] = []
        self._firsts: list[int] = []
        self._gone = 0
        """Chunks at the beginning of the list that are given up."""
        self.bytes = 0
        self.newest = 0
        """Number of the newest frame; 0 before the first."""

    @property
    def oldest(self) -> int:
        """Number of the oldest frame that is kept; `newest + 1` where none is."""
        with self._lock:
            return self._firsts[self._gone] if self._gone < len(self._firsts) else self.newest + 1

    def add_block(self, interface: str, data: bytes, count: int) -> None:
        """Keep a block of a ring."""
        self._add(Chunk(self.newest + 1, count, (interface,), data, packed=False))

    def add_frames(self, frames: Sequence[Captured]) -> None:
        """Keep frames, in this order."""
        if frames:
            self._add(packed(self.newest + 1, frames))

    def _add(self, chunk: Chunk) -> None:
        with self._lock:
            self._chunks.append(chunk)
            self._firsts.append(chunk.first)
            self.newest += chunk.count
            self.bytes += chunk.size
            while self.bytes > self._limit and self._gone < len(self._chunks) - 1:
                self.bytes -= self._chunks[self._gone].size
                self._gone += 1
            if self._gone > _SPARE and self._gone > len(self._chunks) // 2:
                del self._chunks[: self._gone], self._firsts[: self._gone]
                self._gone = 0

    def chunk_of(self, number: int) -> Chunk | None:
        """The chunk that holds this frame; None if it is kept no more, or not yet."""
        with self._lock:
            at = bisect_right(self._firsts, number) - 1
            if at < self._gone or number > self.newest:
                return None
            return self._chunks[at]

    def frame(self, number: int) -> Captured | None:
        """The frame of this number, if it is kept."""
        chunk = self.chunk_of(number)
        return None if chunk is None else chunk.frame(number)

    def last_until(self, time_ns: int) -> int:
        """Number of the last kept frame that is not newer than this; that before the oldest if all are."""
        low, high = self.oldest, self.newest
        while low <= high:
            middle = (low + high) // 2
            frame = self.frame(middle)
            if frame is None or frame.time_ns <= time_ns:
                low = middle + 1
            else:
                high = middle - 1
        return low - 1

    def walk(self, first: int, last: int) -> Iterator[tuple[int, Chunk]]:
        """The kept frames of these numbers, both included, in order."""
        number = max(first, self.oldest)
        while number <= last:
            chunk = self.chunk_of(number)
            if chunk is None:
                following = self.oldest
                if following <= number:
                    return
                number = following
                continue
            for each in range(number, min(last, chunk.first + chunk.count - 1) + 1):
                yield each, chunk
            number = chunk.first + chunk.count
