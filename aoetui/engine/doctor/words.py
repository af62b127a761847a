"""Words that several judges use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST = 5


def many(count: int, what: str) -> str:
    """`1 frame`, `3 frames`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def listed(things: Iterable[object]) -> str:
    """Names with commas, the first five of them, and how many more there are."""
    texts = [str(thing) for thing in things]
    rest = len(texts) - _MOST
    return ", ".join(texts[:_MOST]) + (f" and {rest} more" if rest > 0 else "")
