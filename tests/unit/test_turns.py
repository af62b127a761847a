"""The threads of an export: how many come, what they do in one call, and whom they keep from the disk meanwhile."""

from __future__ import annotations

import errno
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import pytest

from aoetui.engine.backing import Backing
from aoetui.engine.clock import Clock
from aoetui.engine.events import EventLog
from aoetui.engine.exports import Export
from aoetui.engine.io_threads import MAX_THREADS
from aoetui.engine.memory import MemoryBudget
from aoetui.engine.protocol.facts import AccessPolicy, PortFacts
from aoetui.engine.protocol.frames import AtaArgument, Frame, decode, encode
from aoetui.engine.protocol.wire import SECTOR, AtaOp, AtaStatus, Command
from aoetui.engine.state import StateStore
from tests.support.engines import E91, disk, spec
from tests.support.stalled import queued, stalled
from tests.support.waiting import DEADLINE, wait_until
from tests.unit.protocol import golden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from aoetui.engine.jobs import Job
    from aoetui.engine.ports import Port
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.facts import ExportFacts, TargetState


@dataclass(eq=False)
class Link:
    """An interface that keeps what is sent."""

    export: Export
    interface: str = "near0"
    facts: PortFacts = field(default_factory=lambda: PortFacts(mac=golden.TARGET, sector_count=2))
    status: dict[int, int] = field(default_factory=dict)
    """ATA status by tag."""

    def lane_of(self, mac: Mac) -> None:
        """There is no compiled loop."""

    def send(self, frames: Sequence[bytes]) -> int:
        """Replies."""
        for frame in map(decode, frames):
            assert isinstance(frame, Frame)
            assert isinstance(frame.argument, AtaArgument)
            self.status[frame.header.tag] = frame.argument.op_or_status
        return len(frames)

    def ask(self, op: AtaOp, *sectors: int) -> None:
        """A request for each of these sectors, all in one batch; the sector is its tag."""
        jobs: list[Job] = []
        for sector in sectors:
            data = bytes(SECTOR) if op is AtaOp.WRITE_EXT else b""
            frame = encode(Frame(replace(golden.request(Command.ATA), tag=sector), AtaArgument(0x40, 0, 1, op, sector, data)))
            self.export.take(replace(golden.request(Command.ATA), tag=sector), frame, cast("Port", self), jobs, 0.0)
        self.export.enqueue(jobs)


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    """Of an export of a real file; it must end in time."""
    wanted = spec(disk(tmp_path))
    backing = Backing.open(wanted.path, read_only=False)
    clock = Clock()
    kept = StateStore(None).open(E91, backing.key)
    events = EventLog(clock)
    export = Export(wanted, backing, kept, AccessPolicy(), memory=MemoryBudget(), events=events, clock=clock, firmware="1")
    export.start()
    yield Link(export)
    assert export.close(DEADLINE)
    assert not [thread for thread in threading.enumerate() if thread.name == "export-e9.1"]


@contextmanager
def held(export: Export) -> Iterator[None]:
    """Nothing starts meanwhile."""
    waits, goes = threading.Event(), threading.Event()

    def wait(facts: ExportFacts) -> TargetState:
        waits.set()
        assert goes.wait(DEADLINE)
        return facts.state

    export.edit(wait, Future())
    assert waits.wait(DEADLINE)
    try:
        yield
    finally:
        goes.set()


@pytest.mark.parametrize(("op", "call"), [(AtaOp.READ_EXT, "read"), (AtaOp.WRITE_EXT, "write")])
def test_of_neighbours_only_the_bad_one_fails(link: Link, monkeypatch: pytest.MonkeyPatch, op: AtaOp, call: str) -> None:
    real, calls = getattr(link.export.backing, call), list[tuple[int, int]]()

    def body(lba: int, *rest: int | memoryview) -> bytes | None:
        count = rest[0] if isinstance(rest[0], int) else len(rest)
        calls.append((lba, count))
        if lba <= 5 < lba + count:
            raise OSError(errno.EIO, "bad sector")
        return cast("bytes | None", real(lba, *rest))

    monkeypatch.setattr(link.export.backing, call, body)
    with held(link.export):
        link.ask(op, *range(8))
    wait_until(lambda: len(link.status) == 8, "all are answered")
    assert [tag for tag, status in link.status.items() if status & AtaStatus.ERR] == [5]
    assert calls == [(0, 8), *((lba, 1) for lba in range(8))]


def test_a_disk_that_waits_has_many_requests_at_once(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    with stalled(link.export, monkeypatch) as stall:
        link.ask(AtaOp.READ_EXT, *range(0, 4 * MAX_THREADS, 2))

        def all_are_at_the_disk() -> bool:
            link.export.look()  # as the engine does once a second
            return len(stall.begun) == MAX_THREADS

        wait_until(all_are_at_the_disk, "as many as there are threads")
        stall.go_on()
    wait_until(lambda: len(link.status) == 2 * MAX_THREADS, "all are answered")


@dataclass
class Noted:
    """A gate that says what it was told."""

    told: list[str] = field(default_factory=list)
    reads: list[tuple[int, int]] = field(default_factory=list)
    """Sectors that are being read elsewhere."""
    through: threading.Event = field(default_factory=threading.Event)
    """Set once those reads are."""

    def reads_before(self, lba: int, end: int) -> list[Callable[[], object]]:
        """Wait for those that have sectors in common with these."""
        return [self.through.wait for first, last in self.reads if first < end and lba < last]

    def close(self, *, reads: bool) -> tuple[()]:
        """Note it."""
        self.told.append("nobody writes or reads" if reads else "nobody writes")
        return ()

    def open(self) -> None:
        """Note it."""
        self.told.append("open")


def test_a_write_waits_for_reads_elsewhere_of_its_sectors_and_another_does_not(link: Link) -> None:
    gate, export = Noted(reads=[(0, 4)]), link.export
    export._turns.set_gate(gate)
    link.ask(AtaOp.WRITE_EXT, 2)
    link.ask(AtaOp.WRITE_EXT, 2)
    link.ask(AtaOp.READ_EXT, 0)
    link.ask(AtaOp.WRITE_EXT, 4, 8)
    wait_until(lambda: set(link.status) == {0, 4, 8}, "who meets no such read")
    queued(export, 3)  # the two writes, and one that waits for both
    gate.through.set()
    wait_until(lambda: not export.is_busy, "nothing waits")
    assert set(link.status) == {0, 2, 4, 8}
    gate.through.clear()
    link.ask(AtaOp.WRITE_EXT, 1)
    queued(export, 2)
    gate.through.set()
    wait_until(lambda: 1 in link.status, "it is waited for each time")


def test_a_change_waits_for_all_reads_elsewhere(link: Link) -> None:
    gate, export = Noted(reads=[(0, 4)]), link.export
    export._turns.set_gate(gate)
    changed: Future[None] = Future()
    export.edit(lambda facts: facts.state, changed)
    queued(export, 2)
    assert not changed.done()
    gate.through.set()
    changed.result(DEADLINE)


def test_others_are_kept_out_while_requests_wait(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, export = Noted(), link.export
    export._turns.set_gate(gate)
    with stalled(export, monkeypatch) as stall:
        link.ask(AtaOp.READ_EXT, 1, 3)
        stall.reached()
        link.ask(AtaOp.READ_EXT, 5)
        assert gate.told == ["nobody writes"]
        link.ask(AtaOp.WRITE_EXT, 7)
        queued(export, 4)
        assert gate.told == ["nobody writes", "nobody writes or reads"]
        assert export.is_busy
        stall.go_on()
    wait_until(lambda: not export.is_busy, "nothing waits")
    assert gate.told[-1] == "open"
    with held(export):
        assert gate.told[-1] == "nobody writes or reads", "a change by a person is a request too"
