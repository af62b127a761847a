"""What an export on compiled loops knows, where the engine's thread changes its loops at the same moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from aoetui.engine.fast_export import FastExport
from aoetui.engine.protocol.repeats import TagUse


@dataclass(eq=False)
class JoiningLane:
    """A stand-in for a compiled loop: while it is asked, another one joins, which no real one can be made to meet."""

    export: FastExport
    asked: list[int] = field(default_factory=list)

    def knows_write(self, _salt: int, row: int, *_write: object) -> None:
        """It knows no write of that tag."""
        self.asked.append(row)
        self.export._rows = {**self.export._rows, cast("Any", JoiningLane(self.export)): 7}


@dataclass
class Write:
    """As much of a WriteBlocks as is looked at."""

    head: bytes = bytes(36)
    lba: int = 0
    count: int = 1
    data: bytes = bytes(512)


def test_a_lane_that_joins_while_the_others_are_asked_is_not_missed() -> None:
    """It knows nothing of that write yet."""
    export = object.__new__(FastExport)
    lane = JoiningLane(export)
    export._rows, export._former, export._salt = {cast("Any", lane): 3}, [], 1
    assert export.knows_write(cast("Any", Write()), 0.0, TagUse()) is None
    assert lane.asked == [3]
