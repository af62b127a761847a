"""Bytes as people read them: sixteen a line, with their offset and the characters that they are in ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_A_LINE = 16


def hex_lines(data: bytes) -> Iterator[str]:
    """`0010  88 a2 10 00 00 09 01 00  ...  ........`, 73 columns at most."""
    for at in range(0, len(data), _A_LINE):
        part = data[at : at + _A_LINE]
        halves = "  ".join(part[half : half + 8].hex(" ").ljust(23) for half in (0, 8))
        text = "".join(chr(each) if 0x20 <= each < 0x7F else "." for each in part)
        yield f"{at:04x}  {halves}  {text}"
