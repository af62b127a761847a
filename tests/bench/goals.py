"""What the data path is to reach: each goal a ratio within one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .rounds import CELLS, WINDOWS
from .special import DURABLE, EXPORTS, INITIATORS, SLOW_DISK, STALLED, WITH_EXPORTS, WITH_INITIATORS, WITH_STALL
from .targets import NULL, OURS, VBLADE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .loads import Measured
    from .samples import Ratio, Results

FEW, SOME, MANY = WINDOWS
CONSOLE, WITH_CONSOLE = "console", "console open"
"""The cell that `python -m tests.bench.console` measures."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure of `over` to that of `under`, in each of its cells."""

    text: str
    cells: tuple[str, ...]
    figure: Callable[[Measured], float]
    over: str
    under: str
    bound: float
    least: bool
    """Whether the ratio is to be at least the bound; else at most."""

    @property
    def wanted(self) -> str:
        """As `at least 1.5`."""
        return f"at {'least' if self.least else 'most'} {self.bound:g}"

    def met(self, ratio: Ratio) -> bool:
        """Whether the median over the rounds is good enough."""
        return ratio.median >= self.bound if self.least else ratio.median <= self.bound

    def outcomes(self, results: Results) -> Iterator[tuple[str, Ratio]]:
        """Each of its cells that was measured."""
        for cell in self.cells:
            if ratio := results.ratio(cell, self.figure, self.over, self.under):
                yield cell, ratio


def at(*windows: int) -> tuple[str, ...]:
    """The cells of the main table with so many in flight."""
    return tuple(cell.name for cell in CELLS if cell.window in windows)


def rate(measured: Measured) -> float:
    """Requests a second."""
    return measured.rate


def cost(measured: Measured) -> float:
    """Microseconds of the target's processor time for a request."""
    return measured.cost


def median(measured: Measured) -> float:
    """Nanoseconds to an answer."""
    return measured.median


def steady_rate(measured: Measured) -> float:
    """Requests a second as the median latency has it: what the host takes away for a moment is not in it."""
    return 1e9 / measured.median


GOALS = (
    Goal("rate against vblade, 16 and 64 in flight", at(SOME, MANY), rate, OURS, VBLADE, 1.5, least=True),
    Goal("median latency against vblade, 1 in flight", at(FEW), median, OURS, VBLADE, 1.05, least=False),
    Goal("processor time of a request against vblade, 64 in flight", at(MANY), cost, OURS, VBLADE, 0.6, least=False),
    Goal("the same against a responder that touches no disk", at(MANY), cost, OURS, NULL, 1.3, least=False),
    Goal(
        "random reads from a disk with 1 ms latency, 64 in flight, against vblade",
        (SLOW_DISK,),
        rate,
        OURS,
        VBLADE,
        10,
        least=True,
    ),
    Goal("durable writes, 64 in flight, against vblade -s", tuple(DURABLE), rate, OURS, VBLADE, 4, least=True),
    Goal(
        "another export's median latency while one disk is stalled, against undisturbed",
        (STALLED,),
        median,
        WITH_STALL,
        OURS,
        1.1,
        least=False,
    ),
    Goal("rate with the console open and typed into, against headless", (CONSOLE,), rate, WITH_CONSOLE, OURS, 0.95, least=True),
    Goal("processor time of a request with 1,000 exports against 1", (EXPORTS,), cost, WITH_EXPORTS, OURS, 1.1, least=False),
    Goal("the same with 200 initiators against 1", (INITIATORS,), cost, WITH_INITIATORS, OURS, 1.1, least=False),
)
