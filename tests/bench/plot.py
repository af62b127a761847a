"""The ratios as a picture, readable on white and on black."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("svg")
from matplotlib.figure import Figure

from .goals import cost, rate
from .rounds import CELLS, MTUS
from .targets import OURS, VBLADE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from .loads import Measured
    from .samples import Results

_INK = "#7f7f7f"
"""Of text and lines: as far from white as from black."""
_COLOURS = {1500: "#1f8fd6", 9000: "#e07b1a"}
_RATE_GOAL, _COST_GOAL = 1.5, 0.6
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "aoetui",
    "font.family": "sans-serif",
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK),
}


def draw(results: Results, path: Path) -> bool:
    """Draw the main table's ratios to vblade as SVG; says whether there are any."""
    ways = [
        (way, window) for window in sorted({cell.window for cell in CELLS}) for way in dict.fromkeys(cell.way for cell in CELLS)
    ]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, 7), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        drawn = _panel(above, results, rate, ways)
        _panel(below, results, cost, ways)
        _label(above, "rate, ours / vblade's", _RATE_GOAL, "goal at 16 and 64: at least")
        _label(below, "processor time of a request,\nours / vblade's", _COST_GOAL, "goal at 64: at most")
        above.legend(frameon=False, loc="best")
        below.set_xticks(range(len(ways)), [f"{way}\n{window}" for way, window in ways])
        below.set_xlabel("way, and requests in flight; the bars reach from the least to the most of all rounds")
        if drawn:
            figure.savefig(path, transparent=True, metadata={"Date": None})
    return bool(drawn)


def _panel(axes: Axes, results: Results, figure: Callable[[Measured], float], ways: Sequence[tuple[str, int]]) -> int:
    """Dots with their spread; returns how many."""
    count = 0
    for mtu, aside in zip(MTUS, (-0.14, 0.14), strict=True):
        found = [
            (place, results.ratio(f"{way}-{mtu}-{window}", figure, OURS, VBLADE)) for place, (way, window) in enumerate(ways)
        ]
        dots = [(place + aside, ratio) for place, ratio in found if ratio is not None]
        if not dots:
            continue
        middles = [ratio.median for _, ratio in dots]
        spread = [[ratio.median - ratio.least for _, ratio in dots], [ratio.most - ratio.median for _, ratio in dots]]
        places = [place for place, _ in dots]
        axes.errorbar(places, middles, yerr=spread, fmt="o", capsize=3, color=_COLOURS[mtu], label=f"MTU {mtu}")
        count += len(dots)
    return count


def _label(axes: Axes, text: str, goal: float, words: str) -> None:
    axes.axhline(1, color=_INK, linewidth=0.8)
    axes.axhline(goal, color=_INK, linewidth=1.2, linestyle="--")
    axes.annotate(f"{words} {goal:g}", (1, goal), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    axes.set_ylabel(text)
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, axis="y", color=_INK, alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
