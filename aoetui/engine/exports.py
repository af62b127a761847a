"""One export at work: its target machine's facts, its backing, its counters, and the thread in which its disk is waited for.

A port's thread brings requests (`take`), and gets back at once what needs no disk. Reads, writes, flushes and changes of the
export's state go to the export's own thread, in order of arrival; the replies of a batch leave together, and where writes are
answered only from stable storage, one fdatasync serves the whole batch.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from aoetui.engine.admission import Admission
from aoetui.engine.api import EngineError
from aoetui.engine.backing_life import BackingLife
from aoetui.engine.current_facts import CurrentFacts
from aoetui.engine.disk_work import Batch, DiskWork
from aoetui.engine.initiators import Initiators
from aoetui.engine.jobs import Edit, Job
from aoetui.engine.latency import Latencies
from aoetui.engine.protocol import replies, target
from aoetui.engine.protocol.ata import identify_page
from aoetui.engine.protocol.changes import EditMask, SetConfig, SetReservation
from aoetui.engine.protocol.facts import ExportFacts
from aoetui.engine.protocol.replies import Flush, ReadBlocks, Reply, WriteBlocks
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.refusals import Refusals
from aoetui.engine.snapshot import Severity
from aoetui.engine.spec import Durability
from aoetui.engine.state_changes import StateChanges

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

BATCH = 64
_SHUT_OUT = frozenset({Silence.DENIED, Silence.NOT_ACCEPTED, Silence.MASKED})
_log = logging.getLogger(__name__)


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
        self._changes = StateChanges(self._facts, kept, events, clock)
        self._disk = DiskWork(spec, backing, self.initiators, clock)
        self._life = BackingLife(backing, to_its_end=spec.length is None)
        self.read_latencies = Latencies()
        self.write_latencies = Latencies()
        self._queue: deque[Job | Edit] = deque()
        self._unanswered: dict[int, Job] = {}
        """Of the batch that is being carried out, those that have not been answered yet."""
        self._ready = threading.Condition()
        self._admission = Admission(spec, memory, events)
        self._closing = False
        self._look_due = False
        self._thread = threading.Thread(target=self._run, name=f"export-{spec.address}", daemon=True)

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

    def start(self) -> None:
        """Begin to serve the disk's queue. To be called once, before anything is taken; `close` ends it."""
        self._thread.start()

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
                self.initiators.replied(record, error=answer.error)
                return answer.frame
            case ReadBlocks() | WriteBlocks() | Flush() | SetConfig() | EditMask() | SetReservation():
                record = self.initiators.find(header.source, port.interface, now)
                record.tags.note(header.tag, frame)
                jobs.append(Job(port, answer, record, now, facts.state))
                return None

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """Hand a batch of jobs to the export's thread; what is beyond the buffer count or the memory is dropped and counted."""
        with self._ready:
            if not self._closing:
                self._queue.extend(self._admission.admit(jobs))
            self._ready.notify()

    # ---- in the engine's thread

    def look(self) -> None:
        """Have the export's thread look what has become of the backing, in its turn; one that hangs is asked once."""
        with self._ready:
            self._look_due = True
            self._ready.notify()

    def edit(self, act: Callable[[ExportFacts], TargetState], future: Future[None]) -> None:
        """Change the export's state in its turn: `act` makes the new one of the facts of then, or raises EngineError."""
        with self._ready:
            if not self._closing:
                self._queue.append(Edit(act, future))
                self._ready.notify()
                return
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

    # ---- in the export's thread

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._queue and not self._closing and not self._look_due:
                    self._ready.wait()
                if not self._queue and self._closing:
                    break
                taken = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                self._unanswered = {id(job): job for job in taken if isinstance(job, Job)}
                looks, self._look_due = self._look_due, False
            try:
                self._serve(taken)
                if looks:
                    self._look()
            except Exception:  # noqa: BLE001 - the thread's edge: one bad batch must not end the service of an export
                _log.exception("a batch of requests to %s was dropped", self.spec.address)
                self._events.add(Severity.ALARM, str(self.spec.address), "an internal error dropped requests: see the log file")
            finally:
                self._settle(taken)
        self._finish()

    def _settle(self, taken: list[Job | Edit]) -> None:
        """These are through, well or not: give back what they held, and let nobody wait for ever."""
        for edit in taken:
            if isinstance(edit, Edit) and not edit.future.done():
                edit.future.set_exception(EngineError("an internal error: see the log file"))
        self._release(list(self._unanswered.values()))

    def _release(self, jobs: Sequence[Job]) -> None:
        """These wait no more: others may. Before their replies leave, for an initiator asks anew as soon as it hears one."""
        with self._ready:
            self._admission.release([job for job in jobs if self._unanswered.pop(id(job), None) is not None])

    def _finish(self) -> None:
        self._disk.finish()
        if self.lost:
            self._events.add(Severity.ALARM, str(self.spec.address), self.lost)

    def _serve(self, taken: list[Job | Edit]) -> None:
        batch = Batch()
        for job in taken:
            if isinstance(job, Edit):
                self._changes.edit(job)
            elif job.state is self.facts.state or self._still_may(job, batch):
                self._carry_out(job, batch)
        self._send(batch.ready)
        if batch.unflushed:
            self._flush(batch)

    def _look(self) -> None:
        before, path = self.facts.sectors, self.spec.path
        if self._disk.ask(self._life.look):
            self.resized(self.backing.sectors)
            seen = f"Linux initiators see it while it is not open, or after `echo {self.spec.address} > /dev/etherd/revalidate`"
            text = f"{path} grew from {before} to {self.facts.sectors} sectors, and the export with it: {seen}"
            self._events.add(Severity.INFO, str(self.spec.address), text)
        self._disk.look()

    def _still_may(self, job: Job, batch: Batch) -> bool:
        """Whether the initiator may still do what it asked for before the mask list or the reservation changed."""
        mac, facts = job.initiator.mac, self.facts
        silence = target.shut_out(mac, facts)
        if silence is not None:
            self.refusals.note(mac, job.port.interface, silence)
            return False
        match job.intent:
            case (ReadBlocks() | WriteBlocks() | Flush()) as intent if target.reserved(mac, facts):
                self.initiators.replied(job.initiator, error=True)
                batch.ready.append((job, replies.reserved_reply(intent)))
                return False
            case _:
                return True

    def _carry_out(self, job: Job, batch: Batch) -> None:
        match job.intent:
            case ReadBlocks() as intent:
                batch.ready.append((job, self._disk.read(job, intent)))
            case WriteBlocks() as intent:
                if intent.head in batch.heads:  # perhaps the same frame: that is known only of what is flushed
                    self._flush(batch)
                reply = self._disk.write(job, intent, batch)
                if reply is not None:
                    batch.ready.append((job, reply))
            case Flush():
                batch.unflushed.append(job)
            case SetConfig() | EditMask() | SetReservation() as intent:
                made = self._changes.carry_out(job, intent)
                if made is not None:
                    self.initiators.replied(job.initiator, error=made.error)
                    batch.ready.append((job, made.frame))

    def _flush(self, batch: Batch) -> None:
        """Answer what waits for the flush."""
        self._send(self._disk.flush(batch.unflushed))
        batch.unflushed.clear()
        batch.heads.clear()

    def _send(self, done: list[tuple[Job, bytes]]) -> None:
        self._release([job for job, _ in done])
        by_port: dict[Port, list[bytes]] = {}
        for job, reply in done:
            by_port.setdefault(job.port, []).append(reply)
        for port, frames in by_port.items():
            port.send(frames)
        self._time([job for job, _ in done])

    def _time(self, jobs: list[Job]) -> None:
        now = self._clock.monotonic()
        for job in jobs:
            match job.intent:
                case ReadBlocks():
                    self.read_latencies.add(now - job.arrived)
                case WriteBlocks():
                    self.write_latencies.add(now - job.arrived)
                case _:
                    continue
            job.initiator.latencies.add(now - job.arrived)

    # ---- the end

    def finish(self) -> None:
        """Take no more; the thread answers what was accepted, flushes, closes the backing, and ends."""
        with self._ready:
            self._closing = True
            self._ready.notify()

    def close(self, timeout: float) -> bool:
        """`finish`, and wait for it. False if the disk did not let that happen in `timeout` seconds."""
        self.finish()
        self._thread.join(timeout)
        return not self._thread.is_alive()
