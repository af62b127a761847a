"""Which sectors of a backing an export serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Window:
    """`sectors` sectors from sector `start` of a backing."""

    start: int
    sectors: int

    @property
    def end(self) -> int:
        """The first sector behind it."""
        return self.start + self.sectors

    def meets(self, other: Window) -> bool:
        """Whether a sector belongs to both."""
        return self.start < other.end and other.start < self.end


def windows_meet(offset: int, length: int | None, other_offset: int, other_length: int | None) -> bool:
    """The same for two exports of one backing as they are written down, where a length of None reaches the end."""
    return (other_length is None or offset < other_offset + other_length) and (length is None or other_offset < offset + length)


def choose_window(path: Path, size: int, offset: int, length: int | None) -> Window:
    """The window that `offset` and `length` (sectors; None: to the end) make in `size` bytes. Raises EngineError."""
    whole, rest = divmod(size, SECTOR)
    if size == 0:
        raise EngineError(f"{path} is empty: give it a size with `truncate -s 10G {path}`", field="path")
    if offset < 0 or offset >= max(whole, 1):
        raise EngineError(f"offset {offset} is behind the end of {path}, which has {whole} sectors: choose less", field="offset")
    if length is None:
        if rest:
            raise EngineError(odd_size(path, size), field="path")
        return Window(offset, whole - offset)
    if length < 1 or offset + length > whole:
        room = whole - offset
        text = f"length {length} does not fit {path}, which has {room} sectors from offset {offset}: choose 1 to {room}"
        raise EngineError(text, field="length")
    return Window(offset, length)


def odd_size(path: Path, size: int) -> str:
    """The sentence for a size that is no whole number of sectors; names the sizes next to it."""
    below = size // SECTOR * SECTOR
    above = below + SECTOR
    smaller = f" or `truncate -s {below} {path}` (cuts {size - below} bytes off)" if below else ""
    return (
        f"{path} has {size} bytes, no multiple of {SECTOR} (next {f'{below} and ' if below else ''}{above}):"
        f" run `truncate -s {above} {path}`{smaller}{f', or serve it with length {below // SECTOR}' if below else ''}"
    )
