"""The one door through which text from the wire, a disk or a path reaches a widget.

A widget reads a `str` as markup, so that a config string such as `[/x]` would end the app, and an escape sequence would reach
the terminal. What leaves here is a `rich.text.Text` of printable characters and limited length.
"""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len, set_cell_size
from rich.text import Text

_REPLACEMENT = "\N{MIDDLE DOT}"

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Mc", "Me"})
"""Unicode categories that a terminal acts on, hides or stacks: controls, bidi overrides, line ends, marks, unassigned."""


def is_hidden(character: str) -> bool:
    """Whether a terminal would act on this character, hide it, or stack it on the one before, as it does some letters too."""
    return unicodedata.category(character) in _HIDDEN or cell_len(character) == 0


def printable(value: str | bytes, limit: int = 80) -> str:
    """The characters of `value` that are safe on a terminal, at most `limit` columns; longer text ends in `...`.

    Bytes are read as UTF-8 with unreadable ones replaced; trailing NULs and blanks, as AoE and ATA pad with, are cut.
    """
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    # Normal form first: what can be one letter with its accent is. Then every character takes a column at least.
    text = unicodedata.normalize("NFC", text.rstrip("\0 ")[: 4 * limit])[: limit + 1]
    text = "".join(_REPLACEMENT if is_hidden(each) else each for each in text)
    if cell_len(text) <= limit:
        return text
    return set_cell_size(text, max(limit - 3, 0)).rstrip() + "..."[:limit]


def plain(value: str | bytes, limit: int = 80, style: str = "") -> Text:
    """`printable` as a Text, which no widget reads as markup."""
    return Text(printable(value, limit), style=style, no_wrap=True, end="")
