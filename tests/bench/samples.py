"""What the benchmark has measured, and the ratios in it."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .loads import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """One load on one target."""

    cell: str
    target: str
    round: int
    steal: float
    """Share of all cores that the host took away meanwhile, 0 to 1."""
    measured: Measured


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure of one target to that of another in the same round: over all rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        """As `1.63 (1.58 to 1.71)`."""
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


@dataclass(slots=True)
class Results:
    """All of one run, or of several."""

    machine: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    memory: list[dict[str, float]] = field(default_factory=list)
    """By time under load: `minutes`, and bytes VmRSS, RssAnon and RssFile."""

    def add(self, more: Results) -> None:
        """Take in a further run. What it measured anew replaces what was measured before."""
        anew = {sample.cell for sample in more.samples}
        self.samples = [sample for sample in self.samples if sample.cell not in anew] + more.samples
        self.machine |= more.machine
        self.options |= more.options
        self.memory = more.memory or self.memory

    def of(self, cell: str, target: str) -> list[Measured]:
        """What one target did in a cell, by round."""
        return [sample.measured for sample in self.samples if (sample.cell, sample.target) == (cell, target)]

    def cells(self) -> list[str]:
        """Names, as they were measured."""
        return list(dict.fromkeys(sample.cell for sample in self.samples))

    def targets(self, cell: str) -> list[str]:
        """Those measured in a cell."""
        return list(dict.fromkeys(sample.target for sample in self.samples if sample.cell == cell))

    def steal(self, cell: str) -> float:
        """The largest share of all cores taken away during a load of this cell."""
        return max(sample.steal for sample in self.samples if sample.cell == cell)

    def ratio(self, cell: str, figure: Callable[[Measured], float], ours: str, theirs: str) -> Ratio | None:
        """None unless both were measured in the same rounds."""
        over = {sample.round: sample.measured for sample in self.samples if (sample.cell, sample.target) == (cell, ours)}
        under = {sample.round: sample.measured for sample in self.samples if (sample.cell, sample.target) == (cell, theirs)}
        found = [figure(over[number]) / figure(under[number]) for number in over.keys() & under.keys() if figure(under[number])]
        return Ratio(statistics.median(found), min(found), max(found)) if found else None

    def write(self, path: Path) -> None:
        """Keep it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read(paths: Iterable[Path]) -> Results:
    """What `Results.write` kept, the later files over the earlier. Raises OSError, ValueError, KeyError or TypeError."""
    results = Results()
    for path in paths:
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        samples = [Sample(**(each | {"measured": Measured(**each["measured"])})) for each in fields.pop("samples")]
        results.add(Results(samples=samples, **fields))
    return results


def middle(measured: Iterable[Measured], figure: Callable[[Measured], float]) -> float:
    """The median of a figure over the rounds."""
    return statistics.median(figure(each) for each in measured)
