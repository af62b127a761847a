"""What a transfer is to do: sectors, handed out piece by piece."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class Work(Protocol):
    """What is to be read or written, handed out piece by piece."""

    def take(self, most: int, pieces: int) -> list[tuple[int, int]]:
        """The next pieces, at most so many: each an LBA and how many sectors, 1 to `most`. Empty when there is nothing more."""
        ...

    def left(self) -> list[tuple[int, int]]:
        """What was not handed out, as start and end."""
        ...


class Ranges:
    """Sectors of these ranges (start and end), each once, in order."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        self._ranges = deque((start, end) for start, end in ranges if end > start)

    def take(self, most: int, pieces: int) -> list[tuple[int, int]]:
        """See Work."""
        taken: list[tuple[int, int]] = []
        while self._ranges and len(taken) < pieces:
            start, end = self._ranges.popleft()
            stop = min(end, start + most * (pieces - len(taken)))
            taken += [(lba, min(most, stop - lba)) for lba in range(start, stop, most)]
            if stop < end:
                self._ranges.appendleft((stop, end))
        return taken

    def left(self) -> list[tuple[int, int]]:
        """See Work."""
        return list(self._ranges)
