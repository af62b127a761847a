"""An export's own thread: an initiator that keeps its window full loses nothing, and what is changed is told."""

from __future__ import annotations

import itertools
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import pytest

from aoetui.engine.api import EngineError
from aoetui.engine.backing import Backing
from aoetui.engine.clock import Clock
from aoetui.engine.disk_trouble import SLOW
from aoetui.engine.events import EventLog
from aoetui.engine.exports import Export
from aoetui.engine.memory import MemoryBudget
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.facts import AccessPolicy, PortFacts, TargetState
from aoetui.engine.protocol.frames import AtaArgument, Frame, encode
from aoetui.engine.protocol.wire import AtaOp, Command
from aoetui.engine.state import StateStore
from tests.support.engines import E91, disk, spec
from tests.support.stalled import stalled
from tests.support.waiting import DEADLINE, wait_until
from tests.unit.protocol import golden

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aoetui.engine.jobs import Job
    from aoetui.engine.ports import Port
    from aoetui.engine.protocol.facts import ExportFacts

BUFFERS = 4
WINDOWS = 5


@dataclass(eq=False)
class Link:
    """An interface, and behind it an initiator that asks anew for each reply, at the moment in which the reply leaves."""

    export: Export
    interface: str = "near0"
    facts: PortFacts = field(default_factory=lambda: PortFacts(mac=golden.TARGET, sector_count=2))
    answered: int = 0
    tags: itertools.count[int] = field(default_factory=itertools.count)

    def lane_of(self, mac: Mac) -> None:
        """There is no compiled loop."""

    def send(self, frames: Sequence[bytes]) -> int:
        """Replies: as many requests follow."""
        self.answered += len(frames)
        if self.answered < BUFFERS * WINDOWS:
            self.ask(len(frames))
        return len(frames)

    def ask(self, count: int) -> None:
        """Reads of one sector."""
        jobs: list[Job] = []
        for tag in itertools.islice(self.tags, count):
            header = replace(golden.request(Command.ATA), tag=tag)
            frame = encode(Frame(header, AtaArgument(0, 0, 1, AtaOp.READ, tag, b"")))
            self.export.take(header, frame, cast("Port", self), jobs, 0.0)
        self.export.enqueue(jobs)


@dataclass(frozen=True, slots=True)
class Parts:
    """An export that has not started, and what it shares with others."""

    export: Export
    memory: MemoryBudget
    events: EventLog
    time: list[float]
    """Seconds of its clock: one number, which tests move on."""


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """Of a real file."""
    wanted = spec(disk(tmp_path), buffer_count=BUFFERS)
    backing = Backing.open(wanted.path, read_only=False)
    kept = StateStore(None).open(E91, backing.key)
    time = [0.0]
    clock, memory = Clock(monotonic=lambda: time[0]), MemoryBudget()
    events = EventLog(clock)
    export = Export(wanted, backing, kept, AccessPolicy(), memory=memory, events=events, clock=clock, firmware="1")
    return Parts(export, memory, events, time)


def test_a_reply_makes_room_for_the_next_request(parts: Parts) -> None:
    free, link = parts.memory.free, Link(parts.export)
    parts.export.start()
    link.ask(BUFFERS)
    wait_until(lambda: link.answered == BUFFERS * WINDOWS, "the answer to the last request")
    assert parts.export.close(DEADLINE)
    assert parts.memory.free == free
    (initiator,) = parts.export.initiators.values()
    assert (initiator.under_way, initiator.dropped) == (0, 0)


@pytest.mark.parametrize("call", ["read", "look"])
def test_a_disk_that_does_not_answer_is_told_of_until_it_does(parts: Parts, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    export = parts.export
    with stalled(export, monkeypatch, call) as disk_stall:
        export.start()
        Link(export).ask(1)
        export.look()
        disk_stall.reached()
        parts.time[0] += SLOW
        assert export.problem == ""
        parts.time[0] += 1.0
        assert export.problem.startswith(f"{export.spec.path} has not answered for {SLOW:.0f} seconds")
        disk_stall.go_on()
        wait_until(lambda: export.problem == "", "the disk answers")
    assert export.close(DEADLINE)


def always(state: TargetState) -> Callable[[ExportFacts], TargetState]:
    """An edit that makes this state of any other."""
    return lambda _: state


def test_nobody_waits_for_ever_for_an_edit_that_went_wrong(parts: Parts) -> None:
    def fails(_: ExportFacts) -> TargetState:
        raise RuntimeError("a bug")

    parts.export.start()
    first: Future[None] = Future()
    parts.export.edit(fails, first)
    with pytest.raises(EngineError, match="internal error"):
        first.result(DEADLINE)
    second: Future[None] = Future()
    parts.export.edit(always(TargetState(b"set")), second)
    second.result(DEADLINE)
    assert parts.export.close(DEADLINE)


def test_what_initiators_set_is_told_in_few_words(parts: Parts) -> None:
    macs = tuple(Mac(number.to_bytes(6)) for number in range(180))
    parts.export.start()
    states = [TargetState(), TargetState(b"\xff" * 1024), TargetState(mask=macs), TargetState(reservation=macs[:2])]
    for state in states[1:]:
        done: Future[None] = Future()
        parts.export.edit(always(state), done)
        done.result(DEADLINE)
    assert parts.export.close(DEADLINE)
    told = [event.text for event in parts.events.since(0)]
    assert told[0].startswith("config string set to '\\xff")
    assert "mask list set to 00:00:00:00:00:00, 00:00:00:00:00:01, 00:00:00:00:00:02 and 177 more by this console" in told
    assert "reservation set to 00:00:00:00:00:00, 00:00:00:00:00:01 by this console" in told
    assert max(len(text) for text in told) < 400
