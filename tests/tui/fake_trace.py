"""A trace that answers from a table, as FakeEngine does, and for the same reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aoetui.engine.api import EngineError, UsageError
from aoetui.engine.commands.trace import (
    DecodedField,
    Direction,
    FrameDetail,
    Mark,
    ReadTrace,
    ShowFrame,
    TraceLine,
    TracePage,
)
from aoetui.engine.protocol.address import Mac
from aoetui.engine.snapshot import TraceSnapshot
from tests.tui.fake_engine import NOW

if TYPE_CHECKING:
    from tests.tui.fake_engine import FakeEngine

INITIATOR, TARGET = Mac.parse("52:54:00:a0:e0:01"), Mac.parse("52:54:00:00:09:01")
START_NS = int(datetime(2026, 11, 22, 10, 42, 7, tzinfo=UTC).timestamp()) * 1_000_000_000
FRAME = bytes.fromhex("525400000901525400a0e00188a21000000901000badcafe40000224") + bytes(range(76))


def frame(number: int, **changes: Any) -> TraceLine:  # noqa: ANN401 - any field of the value
    """A read of sector `number`, or its answer where that is even, but for `changes`."""
    answer = number % 2 == 0
    ends = (TARGET, INITIATOR) if answer else (INITIATOR, TARGET)
    line = TraceLine(
        rank=number,
        number=number,
        time_ns=START_NS + number * 123_456_789,
        interface="eth1",
        direction=Direction.OUT if answer else Direction.IN,
        vlan=None,
        source=ends[0],
        destination=ends[1],
        address="e9.1",
        what=f"READ 2 at {(number + 1) // 2:#x}" + (": ok" if answer else ""),
        response=answer,
        tag=(number + 1) // 2,
        length=1060 if answer else 60,
        kept=104 if answer else 60,
        marks=(),
        peer=number - 1 if answer else number + 1,
        waited_us=110.0,
    )
    return replace(line, **changes)


TRACE = TraceSnapshot(
    interfaces=("eth1", "eth2"),
    paused=False,
    whole=False,
    file="",
    since=NOW,
    seen=0,
    kept=0,
    newest=0,
    passed_over=0,
    dropped=0,
    bytes=0,
    problems=(),
)


class FakeTrace:
    """Frames of an engine; the filter `even` passes even numbers, `boom` is none."""

    def __init__(self, engine: FakeEngine, *lines: TraceLine, **facts: Any) -> None:  # noqa: ANN401 - fields of TraceSnapshot
        self.engine = engine
        self.lines = list(lines)
        self.oldest = 1
        self.searching = 0
        """Pages that are not the last of a search."""
        self.missed = 0
        engine.answers[ReadTrace] = self.read
        engine.answers[ShowFrame] = self.show
        self.tell(**facts)

    def tell(self, **facts: Any) -> None:  # noqa: ANN401 - fields of TraceSnapshot
        """The small facts are these from now on."""
        now = self.engine.current.trace or TRACE
        counts = {"seen": len(self.lines), "kept": len(self.lines) - self.oldest + 1, "newest": len(self.lines)}
        self.engine.current = replace(self.engine.current, trace=replace(now, **(counts | facts)))

    def pass_by(self, count: int) -> None:
        """So many frames more."""
        self.lines += [frame(len(self.lines) + at) for at in range(1, count + 1)]
        self.tell()

    def read(self, command: ReadTrace) -> TracePage:
        """A page."""
        if command.filter not in ("", "even"):
            raise UsageError(f"'{command.filter}' is no word of a filter: use e9.1, read and others", field="filter")
        passing = [line for line in self.lines if not command.filter or line.number % 2 == 0]
        ranked = [replace(line, rank=rank) for rank, line in enumerate(passing, 1)]
        newest = len(ranked)
        first = max(self.oldest, newest - command.count + 1 if command.first is None else command.first)
        self.searching = max(0, self.searching - 1)
        part = tuple(ranked[first - 1 : first - 1 + command.count])
        return TracePage(part, self.oldest, newest, self.searching > 0, self.missed)

    def show(self, command: ShowFrame) -> FrameDetail:
        """One frame."""
        if command.number < self.oldest:
            raise EngineError(f"frame {command.number} is kept no more: pause or stop the trace to keep what there is")
        line = self.lines[command.number - 1]
        fields = (
            DecodedField("Ethernet", "length", f"{line.length} bytes"),
            DecodedField("AoE", "address", line.address),
            DecodedField("AoE", "tag", f"{line.tag:#010x}"),
            DecodedField("ATA", "LBA", "1 (0x000000000001)"),
        )
        return FrameDetail(line, fields, FRAME)


def many(count: int) -> list[TraceLine]:
    """Reads and their answers."""
    return [frame(number) for number in range(1, count + 1)]


ODD = (
    *many(12),
    frame(13, marks=(Mark.RETRANSMIT,)),
    frame(14, marks=(Mark.LATE,), waited_us=1_240_000.0),
    frame(15, what="WRITE 17 at 0x12345678", marks=(Mark.UNANSWERED,), length=8740, kept=104, peer=None, waited_us=None),
    frame(16, what="READ 2 at 0x40000000: IDNF", marks=(Mark.ERROR,)),
    frame(17, what='config test "web01"', vlan=100, interface="eth2", address="e*.*"),
    frame(18, what='advertises config "web01", 64 buffers, 17 sectors', interface="eth2", peer=None, waited_us=None),
    frame(19, what="reserve set 52:54:00:a0:e0:01", direction=Direction.OTHER),
    frame(20, what="reserve: error 6, target is reserved", marks=(Mark.ERROR,), waited_us=16.0),
)
"""What a frame can be."""
