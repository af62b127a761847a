"""Config strings and lists of MACs as a sentence or an event holds them: their beginning, for whoever shares the Ethernet makes
them. Show them only as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_BYTES = 64
_MOST = 3


def shown_string(string: bytes) -> str:
    """Its first bytes, quoted; empty if it is."""
    shown = repr(string[:_BYTES])[1:] if string else ""
    return shown if len(string) <= _BYTES else f"{shown}... ({len(string)} bytes)"


def shown_list(values: Iterable[object]) -> str:
    """The first few: `52:54:00:a0:e0:01, 52:54:00:a0:e0:02`; empty if there are none."""
    texts = [str(value) for value in values]
    more = f" and {len(texts) - _MOST} more" if len(texts) > _MOST else ""
    return ", ".join(texts[:_MOST]) + more
