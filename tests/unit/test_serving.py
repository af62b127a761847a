"""What is sampled of every export once a second."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from aoetui.engine.acl import AccessLists
from aoetui.engine.clock import Clock
from aoetui.engine.events import EventLog
from aoetui.engine.latency import STEPS, LatencyMeter
from aoetui.engine.protocol.address import Address
from aoetui.engine.serving import Serving
from aoetui.engine.snapshot import Counters
from aoetui.engine.spec import ExportSpec
from aoetui.engine.state import StateStore
from aoetui.engine.stats import RateMeter


@dataclass
class Answering:
    """An export that has counted an answer, and not timed it yet: no real one can be made to stop there."""

    spec: ExportSpec = field(default_factory=lambda: ExportSpec(address=Address(9, 1), path=Path("/x"), interfaces=("eth1",)))
    export: None = None
    meter: RateMeter = field(default_factory=RateMeter)
    latency: LatencyMeter = field(default_factory=LatencyMeter)
    moved: bool = True
    reads: int = 0
    timed: int = 0
    asked: int = 0

    def counters(self) -> Counters:
        """What was answered."""
        return Counters(reads=self.reads)

    def latency_counts(self) -> list[int]:
        """How long that took."""
        self.asked += 1
        return [self.timed] + [0] * (STEPS - 1)


def test_an_answer_that_is_timed_after_it_was_counted_is_sampled_and_idle_exports_are_not() -> None:
    clock = Clock()
    serving = Serving(StateStore(None), AccessLists(), EventLog(clock), clock)
    export = Answering()
    serving._in_order = (cast("Any", export),)
    for second in range(3):
        serving.sample(float(second))
    export.reads, asked = 1, export.asked
    serving.sample(3.0)
    export.timed = 1
    serving.sample(4.0)
    assert export.latency.recent[0] == 1
    assert export.asked == asked + 2
    for second in range(5, 9):
        serving.sample(float(second))
    assert export.asked == asked + 2
