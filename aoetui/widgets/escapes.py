r"""Bytes as a line of text that can be edited, and back: what cannot be read stands as `\xNN`, a backslash as `\\`."""

from __future__ import annotations

import re
import unicodedata

from aoetui.widgets.plain import is_hidden

_TOKEN = re.compile(r"\\x([0-9a-fA-F]{2})|(\\\\)|([^\\]+)")


def escaped(value: bytes) -> str:
    r"""UTF-8 as its characters; the rest, and what a terminal would hide or a reader overlook, as `\xNN`."""
    text = "".join(map(_escaped, value.decode("utf-8", "surrogateescape")))
    # Blanks at an end would not be seen.
    start = len(text) - len(text.lstrip(" "))
    end = len(text) - max(len(text.rstrip(" ")), start)
    return r"\x20" * start + text[start : len(text) - end] + r"\x20" * end


def _escaped(character: str) -> str:
    if character == "\\":
        return r"\\"
    if is_hidden(character) or (unicodedata.category(character) == "Zs" and character != " "):
        return "".join(rf"\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
    return character


def unescaped(text: str) -> bytes:
    r"""What `escaped` made, or a person wrote, as bytes. Raises ValueError for a backslash without `xNN` or a second one."""
    found, place = bytearray(), 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise ValueError(
                rf"{text[place : place + 4]} means nothing: write \xNN for a byte (two hex digits), \\ for a backslash"
            )
        found += bytes.fromhex(token[1]) if token[1] else b"\\" if token[2] else token[3].encode("utf-8", "surrogateescape")
        place = token.end()
    return bytes(found)
