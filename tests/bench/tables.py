"""The results as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .goals import GOALS, cost, median, rate, steady_rate
from .samples import middle
from .targets import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .goals import Goal
    from .loads import Measured
    from .samples import Results

_MINUTES = 12
"""Rows of the memory table, about."""


def report(results: Results) -> str:
    """All of it, each part under its heading."""
    parts = {
        "Goals": _goals(results),
        "Each cell of each goal": _outcomes(results),
        "Ratios": _ratios(results),
        "Figures": _figures(results),
        "Memory under load": _memory(results),
        "Where": _where(results),
    }
    return "\n\n".join(f"### {name}\n\n{table}" for name, rows in parts.items() if (table := "\n".join(rows)))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Nothing where there are no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if lines:
        yield f"| {' | '.join(heads)} |"
        yield "|---" * len(heads) + "|"
        yield from lines


def _goals(results: Results) -> Iterator[str]:
    return _table(("", "goal", "measured", ""), (_goal(results, goal) for goal in GOALS))


def _goal(results: Results, goal: Goal) -> tuple[str, str, str, str]:
    ratios = [ratio for _, ratio in goal.outcomes(results)]
    if not ratios:
        return goal.text, goal.wanted, "not measured", ""
    least, most = min(ratio.median for ratio in ratios), max(ratio.median for ratio in ratios)
    met = sum(map(goal.met, ratios))
    verdict = "met" if met == len(ratios) else "short" if not met else f"met in {met} of {len(ratios)} cells"
    return goal.text, goal.wanted, f"{least:.2f}" if len(ratios) == 1 else f"{least:.2f} to {most:.2f}", verdict


def _outcomes(results: Results) -> Iterator[str]:
    rows = (
        (goal.text, cell, goal.wanted, str(ratio), "met" if goal.met(ratio) else "short")
        for goal in GOALS
        for cell, ratio in goal.outcomes(results)
    )
    return _table(("goal", "cell", "", "median of the rounds (least to most)", ""), rows)


def _ratios(results: Results) -> Iterator[str]:
    rows = (
        (cell, f"{OURS} / {theirs}", *(str(results.ratio(cell, figure, OURS, theirs)) for figure in (rate, steady_rate, cost)))
        for cell in results.cells()
        for theirs in results.targets(cell)
        if theirs != OURS and OURS in results.targets(cell)
    )
    return _table(("cell", "", "rate", "1 / median latency", "processor time of a request"), rows)


def _figures(results: Results) -> Iterator[str]:
    rows = (
        (cell, target, *_figure(results.of(cell, target)), f"{results.steal(cell):.0%}")
        for cell in results.cells()
        for target in results.targets(cell)
    )
    heads = ("requests/s", "MB/s", "median us", "p99 us", "target us each", "its core", "load us each", "its core")
    return _table(("cell", "target", *heads, "resent", "failed", "steal"), rows)


def _figure(measured: Sequence[Measured]) -> tuple[str, ...]:
    requests = middle(measured, rate)
    return (
        f"{requests:,.0f}",
        f"{requests * measured[0].sectors * 512 / 1e6:,.0f}",
        f"{middle(measured, median) / 1e3:.1f}",
        f"{middle(measured, lambda each: each.p99) / 1e3:.1f}",
        f"{middle(measured, cost):.2f}",
        f"{middle(measured, lambda each: each.target_busy):.0%}",
        f"{middle(measured, lambda each: each.load_cost):.2f}",
        f"{middle(measured, lambda each: each.load_busy):.0%}",
        str(sum(each.resends for each in measured)),
        str(sum(each.errors for each in measured)),
    )


def _memory(results: Results) -> Iterator[str]:
    every = max(len(results.memory) // _MINUTES, 1)
    shown = results.memory[::every]
    if results.memory and shown[-1] != results.memory[-1]:
        shown.append(results.memory[-1])
    names = ("VmRSS", "RssAnon", "RssFile")
    rows = ((f"{each['minutes']:.1f}", *(f"{each[name] / 1e6:.1f}" for name in names)) for each in shown)
    return _table(("minutes", *(f"{name}, MB" for name in names)), rows)


def _where(results: Results) -> Iterator[str]:
    return _table(("", ""), (results.machine | results.options).items())
