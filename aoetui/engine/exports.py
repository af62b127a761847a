"""One export at work: its target machine's facts, its backing, its counters, and the threads in which its disk is waited for.

A port's thread brings requests (`take`), and gets back at once what needs no disk. Reads, writes, flushes and changes of the
export's state wait for their turn in its queue (`turns.py`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aoetui.engine.admission import Admission
from aoetui.engine.api import EngineError
from aoetui.engine.backing_life import BackingLife
from aoetui.engine.current_facts import CurrentFacts
from aoetui.engine.disk_work import DiskWork
from aoetui.engine.fast_export import FastExport
from aoetui.engine.initiators import Initiators
from aoetui.engine.jobs import Edit, Job
from aoetui.engine.latency import add_counts
from aoetui.engine.protocol import target
from aoetui.engine.protocol.ata import identify_page
from aoetui.engine.protocol.changes import EditMask, SetConfig, SetReservation
from aoetui.engine.protocol.facts import ExportFacts
from aoetui.engine.protocol.replies import Flush, ReadBlocks, Reply, WriteBlocks
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.refusals import Refusals
from aoetui.engine.second_look import SecondLook
from aoetui.engine.snapshot import Counters, Severity
from aoetui.engine.spec import Durability
from aoetui.engine.state_changes import StateChanges
from aoetui.engine.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from aoetui.engine.backing import Backing
    from aoetui.engine.clock import Clock
    from aoetui.engine.events import EventLog
    from aoetui.engine.memory import MemoryBudget
    from aoetui.engine.ports import Port
    from aoetui.engine.protocol.facts import AccessPolicy, TargetState
    from aoetui.engine.protocol.header import Header
    from aoetui.engine.spec import ExportSpec
    from aoetui.engine.state import KeptState

_SHUT_OUT = frozenset({Silence.DENIED, Silence.NOT_ACCEPTED, Silence.MASKED})


class Export:
    """One open export. It owns `backing` from now on and closes it."""

    def __init__(
        self,
        spec: ExportSpec,
        backing: Backing,
        kept: KeptState,
        policy: AccessPolicy,
        *,
        memory: MemoryBudget,
        events: EventLog,
        clock: Clock,
        firmware: str,
    ) -> None:
        self.spec = spec
        self.backing = backing
        self.serial = spec.serial or kept.serial
        self.initiators = Initiators()
        self.refusals = Refusals(clock)
        self._firmware = firmware
        self._facts = CurrentFacts(
            ExportFacts(
                address=spec.address,
                sectors=backing.sectors,
                identify=self._identify(backing.sectors),
                read_only=spec.read_only,
                buffer_count=spec.buffer_count,
                policy=policy,
            ).with_state(kept.state)
        )
        self._events = events
        self._clock = clock
        self._disk = DiskWork(spec, backing, self.initiators, clock)
        self._progress = Counters()
        self._life = BackingLife(backing, to_its_end=spec.length is None)
        self._turns = Turns(
            spec=spec,
            disk=self._disk,
            changes=StateChanges(self._facts, kept, events, clock),
            admission=Admission(spec, memory, events),
            second_look=SecondLook(self._facts, self._disk, self.initiators, self.refusals),
            initiators=self.initiators,
            look=self._look,
            events=events,
            clock=clock,
        )
        self.fast = FastExport(
            spec,
            backing,
            self._facts,
            self.initiators,
            is_writable=lambda: not self.fault,
            reopen=self._turns.reopen,
            hold=lambda lane: self._turns.hold(lane.join),
            flush_failed=self._disk.flush_failed,
        )
        self._turns.set_gate(self.fast)
        self._facts.watch(self.fast.refresh)
        self._disk.lanes = self.fast
        self._disk.trouble.owes_elsewhere = self.fast.waits

    def latency_counts(self) -> tuple[list[int], list[int]]:
        """How long reads, and writes, waited: counts by step. Any thread."""
        reads, writes = self.fast.latencies()
        turns = self._turns
        return add_counts([turns.read_latencies.counts, *reads]), add_counts([turns.write_latencies.counts, *writes])

    @property
    def facts(self) -> ExportFacts:
        """What it answers by now; any thread."""
        return self._facts.now

    @property
    def fault(self) -> str:
        """Why writes are refused until it is opened again; empty if they are not. Any thread."""
        return self._disk.fault

    @property
    def lost(self) -> str:
        """What could not be saved at its end; any thread."""
        return self._disk.lost

    @property
    def problem(self) -> str:
        """What is wrong with the disk, with the remedy; empty if nothing is. Any thread."""
        return self.fault or self._life.lost or self._disk.trouble.text or self._life.text

    @property
    def is_busy(self) -> bool:
        """Whether a request waits or is in hand; any thread."""
        return self._turns.is_busy

    def start(self) -> None:
        """Begin to serve the disk's queue. To be called once, before anything is taken; `close` ends it."""
        self._turns.start()

    # ---- in a port's thread

    def take(self, header: Header, frame: bytes, port: Port, jobs: list[Job], now: float) -> bytes | Silence | None:
        """Answer one request that came `now`: a reply to send at once, or a job added to `jobs`, or silence."""
        facts = self.facts
        answer = target.answer(header, memoryview(frame), facts, port.facts)
        match answer:
            case Silence():
                if answer in _SHUT_OUT:
                    self.refusals.note(header.source, port.interface, answer)
                return answer
            case Reply():
                record = self.initiators.find(header.source, port.interface, now)
                record.tags.note(header.tag, frame)
                self.fast.learn_tags(record)
                self.initiators.replied(record, error=answer.error)
                return answer.frame
            case ReadBlocks() | WriteBlocks() | Flush() | SetConfig() | EditMask() | SetReservation():
                record = self.initiators.find(header.source, port.interface, now)
                record.tags.note(header.tag, frame)
                jobs.append(Job(port, answer, record, now, facts.state))
                self.fast.meet(record, port.lane_of(record.mac))
                return None

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """Put a batch of jobs into the queue; what is beyond the buffer count or the memory is dropped and counted."""
        self._turns.enqueue(jobs)

    # ---- in the engine's thread

    def look(self) -> None:
        """Have one of the threads look what has become of the backing; one that hangs is asked once."""
        self._turns.look()

    def edit(self, act: Callable[[ExportFacts], TargetState], future: Future[None]) -> None:
        """Change the export's state in its turn: `act` makes the new one of the facts of then, or raises EngineError."""
        if not self._turns.edit(Edit(act, future)):
            future.set_exception(EngineError(f"{self.spec.address} is being stopped: start it, then change it"))

    def fits(self, frame_limit: int) -> None:
        """Say how many bytes a frame may have on each of the export's interfaces."""
        if frame_limit != self.facts.frame_limit:
            self._facts.change(lambda facts: replace(facts, frame_limit=frame_limit))

    def resized(self, sectors: int) -> None:
        """The backing serves another number of sectors from now on."""
        page = self._identify(sectors)
        self._facts.change(lambda facts: replace(facts, sectors=sectors, identify=page))

    def _identify(self, sectors: int) -> bytes:
        cached = self.spec.durability is Durability.CACHED
        return identify_page(sectors=sectors, serial=self.serial, firmware=self._firmware, write_cache=cached)

    # ---- in one of the export's threads

    def _look(self) -> None:
        before, path = self.facts.sectors, self.spec.path
        if self._disk.ask(self._life.look):
            self.resized(self.backing.sectors)
            seen = f"Linux initiators see it while it is not open, or after `echo {self.spec.address} > /dev/etherd/revalidate`"
            text = f"{path} grew from {before} to {self.facts.sectors} sectors, and the export with it: {seen}"
            self._events.add(Severity.INFO, str(self.spec.address), text)
        self._disk.look()
        self._note_progress()
        self.fast.refresh()

    def _note_progress(self) -> None:
        """What a compiled loop does is told to nobody: what works there was no failure."""
        before, self._progress = self._progress, self.initiators.total()
        if self._progress.reads > before.reads:
            self._disk.trouble.succeeded("reading")
        if self._progress.writes > before.writes:
            self._disk.trouble.succeeded("writing")

    # ---- the end

    def finish(self) -> None:
        """Take no more; the threads answer what was accepted, and the last one flushes and closes the backing."""
        self._turns.finish()

    def close(self, timeout: float) -> bool:
        """`finish`, and wait for it. False if the disk did not let that happen in `timeout` seconds."""
        self._turns.finish()
        return self._turns.wait(timeout)
