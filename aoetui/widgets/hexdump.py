"""Bytes as people read them: sixteen a line, with their offset and the characters that they are in ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

A_LINE = 16
"""Bytes."""


def hex_line(part: bytes, at: int, digits: int = 4) -> str:
    """The line of these bytes, whose first has the offset `at`."""
    halves = "  ".join(part[half : half + 8].hex(" ").ljust(23) for half in (0, 8))
    text = "".join(chr(each) if 0x20 <= each < 0x7F else "." for each in part)
    return f"{at:0{digits}x}  {halves}  {text}"


def hex_lines(data: bytes) -> Iterator[str]:
    """`0010  88 a2 10 00 00 09 01 00  ...  ........`, 73 columns at most."""
    for at in range(0, len(data), A_LINE):
        yield hex_line(data[at : at + A_LINE], at)


def disk_lines(data: bytes, at: int) -> Iterator[str]:
    """The same of bytes that begin at the offset `at` of a disk; `*` stands for lines that are like the one before."""
    before, starred = b"", False
    for start in range(0, len(data), A_LINE):
        part = data[start : start + A_LINE]
        if part == before and start + A_LINE < len(data):
            if not starred:
                yield "*"
            starred = True
            continue
        before, starred = part, False
        yield hex_line(part, at + start, 8)
