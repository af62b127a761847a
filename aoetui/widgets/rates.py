"""Two rates in one narrow column."""

from __future__ import annotations

from aoetui.widgets import figures


def both_rates(first: float, second: float) -> str:
    """`210M / 44.0M`, of bytes per second: read and written, or received and sent."""
    return f"{_short(first)} / {_short(second)}"


def _short(per_second: float) -> str:
    return figures.size(round(per_second)).replace(" ", "").removesuffix("B") or "0"
