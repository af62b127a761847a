"""One export at work: its target machine's facts, its backing, its counters, and the thread in which its disk is waited for.

A port's thread brings requests (`take`), and gets back at once what needs no disk. Reads, writes, flushes and changes of the
export's state go to the export's own thread, in order of arrival; the replies of a batch leave together, and where writes are
answered only from stable storage, one fdatasync serves the whole batch.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aoetui.engine.admission import Admission
from aoetui.engine.api import EngineError
from aoetui.engine.backing_life import BackingLife
from aoetui.engine.disk_trouble import DiskTrouble
from aoetui.engine.initiators import Initiators
from aoetui.engine.jobs import Edit, Job
from aoetui.engine.latency import Latencies
from aoetui.engine.protocol import changes, replies, target
from aoetui.engine.protocol.ata import identify_page
from aoetui.engine.protocol.changes import EditMask, SetConfig, SetReservation
from aoetui.engine.protocol.facts import ExportFacts
from aoetui.engine.protocol.repeats import Repeats
from aoetui.engine.protocol.replies import Flush, ReadBlocks, Reply, WriteBlocks
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.wire import SECTOR, AtaError
from aoetui.engine.refusals import Refusals
from aoetui.engine.snapshot import Severity
from aoetui.engine.spec import Durability

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from aoetui.engine.backing import Backing
    from aoetui.engine.clock import Clock
    from aoetui.engine.events import EventLog
    from aoetui.engine.memory import MemoryBudget
    from aoetui.engine.ports import Port
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.changes import Change
    from aoetui.engine.protocol.facts import AccessPolicy, TargetState
    from aoetui.engine.protocol.header import Header
    from aoetui.engine.spec import ExportSpec
    from aoetui.engine.state import KeptState

BATCH = 64
_SHUT_OUT = frozenset({Silence.DENIED, Silence.NOT_ACCEPTED, Silence.MASKED})
_SHOWN_BYTES = 64
_SHOWN_MACS = 3
"""Of what initiators set, in an event."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Batch:
    """What a batch has come to: replies ready now, and the jobs that wait for the flush."""

    ready: list[tuple[Job, bytes]] = field(default_factory=list)
    unflushed: list[Job] = field(default_factory=list)
    heads: set[bytes] = field(default_factory=set)
    """Of the writes among them."""


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
        self.fault = ""
        """Why writes are refused: a flush failed, so what the page cache held may be lost."""
        self.lost = ""
        """What the last flush, at the end, could not save."""
        self._kept = kept
        self._firmware = firmware
        self._facts_lock = threading.Lock()
        self.facts = ExportFacts(
            address=spec.address,
            sectors=backing.sectors,
            identify=self._identify(backing.sectors),
            read_only=spec.read_only,
            buffer_count=spec.buffer_count,
            policy=policy,
        ).with_state(kept.state)
        self._durable = spec.durability is Durability.DURABLE
        self._events = events
        self._clock = clock
        self.initiators = Initiators()
        self.refusals = Refusals(clock)
        self.trouble = DiskTrouble(spec.path, clock)
        self.life = BackingLife(backing, to_its_end=spec.length is None)
        self.read_latencies = Latencies()
        self.write_latencies = Latencies()
        self._repeats = Repeats()
        self._queue: deque[Job | Edit] = deque()
        self._unanswered: dict[int, Job] = {}
        """Of the batch that is being carried out, those that have not been answered yet."""
        self._ready = threading.Condition()
        self._admission = Admission(spec, memory, events)
        self._closing = False
        self._look_due = False
        self._thread = threading.Thread(target=self._run, name=f"export-{spec.address}", daemon=True)

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
                self.initiators.replied(record, error=answer.error)
                return answer.frame
            case ReadBlocks() | WriteBlocks() | Flush() | SetConfig() | EditMask() | SetReservation():
                record = self.initiators.find(header.source, port.interface, now)
                jobs.append(Job(port, answer, record, now, facts.state))
                return None

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """Hand a batch of jobs to the export's thread; what is beyond the buffer count or the memory is dropped and counted."""
        with self._ready:
            if not self._closing:
                self._queue.extend(self._admission.admit(jobs))
            self._ready.notify()

    # ---- in the engine's thread

    @property
    def problem(self) -> str:
        """What is wrong with the disk, with the remedy; empty if nothing is. Any thread."""
        return self.fault or self.life.lost or self.trouble.text or self.life.text

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
            self._change_facts(lambda facts: replace(facts, frame_limit=frame_limit))

    def resized(self, sectors: int) -> None:
        """The backing serves another number of sectors from now on."""
        page = self._identify(sectors)
        self._change_facts(lambda facts: replace(facts, sectors=sectors, identify=page))

    def _change_facts(self, change: Callable[[ExportFacts], ExportFacts]) -> None:
        with self._facts_lock:
            self.facts = change(self.facts)

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
        try:
            if not self.spec.read_only:
                self.backing.flush()
        except OSError as error:
            self.lost = (
                f"flushing {self.spec.path} failed at its end: {error.strerror}. Acknowledged writes may be lost: check the disk"
            )
            self._events.add(Severity.ALARM, str(self.spec.address), self.lost)
        self.backing.close()

    def _serve(self, taken: list[Job | Edit]) -> None:
        batch = _Batch()
        for job in taken:
            if isinstance(job, Edit):
                self._edit(job)
            elif job.state is self.facts.state or self._still_may(job, batch):
                self._carry_out(job, batch)
        self._send(batch.ready)
        if batch.unflushed:
            self._flush(batch)

    def _look(self) -> None:
        before, path = self.facts.sectors, self.spec.path
        if self.life.look():
            self.resized(self.backing.sectors)
            seen = f"Linux initiators see it while it is not open, or after `echo {self.spec.address} > /dev/etherd/revalidate`"
            text = f"{path} grew from {before} to {self.facts.sectors} sectors, and the export with it: {seen}"
            self._events.add(Severity.INFO, str(self.spec.address), text)
        if self.trouble.is_full:
            with contextlib.suppress(OSError):
                if self.backing.has_room():
                    self.trouble.found_room()

    def _still_may(self, job: Job, batch: _Batch) -> bool:
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

    def _carry_out(self, job: Job, batch: _Batch) -> None:
        match job.intent:
            case ReadBlocks():
                batch.ready.append((job, self._read(job, job.intent)))
            case WriteBlocks():
                self._write(job, job.intent, batch)
            case Flush():
                batch.unflushed.append(job)
            case SetConfig() | EditMask() | SetReservation():
                batch.ready.append((job, self._change(job, job.intent)))

    def _read(self, job: Job, intent: ReadBlocks) -> bytes:
        job.initiator.last_io = job.arrived
        if job.initiator.asked.is_retransmission(intent, job.arrived, write=False):
            self.initiators.was_repeated(job.initiator)
        try:
            data = self.backing.read(intent.lba, intent.count)
        except OSError as error:
            self.trouble.failed("reading", error)
            return self._failed(job, intent)
        self.trouble.succeeded("reading")
        self.initiators.was_read(job.initiator, intent.count * SECTOR)
        return replies.read_reply(intent, data)

    def _write(self, job: Job, intent: WriteBlocks, batch: _Batch) -> None:
        job.initiator.last_io = job.arrived
        if intent.head in batch.heads:  # perhaps the same frame: that is known of what is flushed
            self._flush(batch)
        if self.fault:
            batch.ready.append((job, self._failed(job, intent)))
            return
        repeat = self._repeats.is_repeat(intent, job.arrived)
        if job.initiator.asked.is_retransmission(intent, job.arrived, write=True) or repeat:
            self.initiators.was_repeated(job.initiator)
        if repeat:
            batch.ready.append((job, replies.write_reply(intent)))
            return
        try:
            self.backing.write(intent.lba, intent.data)
        except OSError as error:
            self.trouble.failed("writing", error)
            batch.ready.append((job, self._failed(job, intent)))
            return
        if self._durable:
            batch.unflushed.append(job)
            batch.heads.add(intent.head)
        else:
            batch.ready.append((job, self._done(job)))

    def _flush(self, batch: _Batch) -> None:
        """Answer what waits for the flush."""
        self._send(self._flushed(batch.unflushed))
        batch.unflushed.clear()
        batch.heads.clear()

    def _flushed(self, waiting: list[Job]) -> list[tuple[Job, bytes]]:
        try:
            if not self.fault:
                self.backing.flush()
        except OSError as error:
            # The kernel drops pages it could not write and reports that once: a later flush would succeed and prove nothing.
            self.fault = (
                f"flushing {self.spec.path} failed ({error.strerror}): acknowledged writes may be lost, and writes are refused."
                " Check the disk, then stop and start the export"
            )
            _log.error("%s", self.fault)
        return [(job, self._done(job)) for job in waiting]

    def _done(self, job: Job) -> bytes:
        """Count a write or flush that is all it was asked to be, unless the flush failed, and make its reply."""
        match job.intent:
            case WriteBlocks() | Flush() as intent if self.fault:
                return self._failed(job, intent)
            case WriteBlocks() as intent:
                self._repeats.executed(intent, job.arrived, self._clock.monotonic())
                self.trouble.succeeded("writing")
                self.initiators.was_written(job.initiator, intent.count * SECTOR)
                return replies.write_reply(intent)
            case Flush() as intent:
                self.initiators.replied(job.initiator, error=False)
                return replies.flush_reply(intent)
            case _:
                raise TypeError("only writes and flushes wait for the flush")

    def _failed(self, job: Job, intent: ReadBlocks | WriteBlocks | Flush) -> bytes:
        self.initiators.was_failed(job.initiator)
        return replies.failed_reply(intent, AtaError.UNC)

    def _change(self, job: Job, change: Change) -> bytes:
        """Change the export's state as an initiator asked, and tell of it."""
        before = self.facts.state
        made = changes.carry_out(change, self.facts)
        reply = made.reply
        if made.state != before:
            try:
                self._become(made.state)
            except EngineError as error:
                self._events.add(Severity.WARNING, str(self.spec.address), f"{job.initiator.mac} changed nothing: {error}")
                reply = changes.not_kept(change, self.facts)
            else:
                self._tell(before, f"{job.initiator.mac} on {job.port.interface}")
        self.initiators.replied(job.initiator, error=reply.error)
        return reply.frame

    def _edit(self, edit: Edit) -> None:
        before = self.facts.state
        try:
            self._become(edit.act(self.facts))
        except EngineError as error:
            edit.future.set_exception(error)
        else:
            self._tell(before, "this console")
            edit.future.set_result(None)

    def _become(self, state: TargetState) -> None:
        """Keep a new state, then answer by it. Raises EngineError; then the old one stands."""
        if state != self.facts.state:
            self._kept.keep(state)
            self._change_facts(lambda facts: facts.with_state(state))

    def _tell(self, before: TargetState, who: str) -> None:
        """Say what was changed, and by whom: a mask list or a reservation shuts others out."""
        after = self.facts.state
        for name in ("config string", "mask list", "reservation"):
            if _part(before, name) != _part(after, name):
                what = _part(after, name)
                text = f"{name} {f'set to {what}' if what else 'cleared'} by {who}"
                self._events.add(Severity.INFO, str(self.spec.address), text)

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


def _part(state: TargetState, name: str) -> str:
    """One part of a state as text. A config string comes from the wire: it is shown as plain text only."""
    match name:
        case "config string":
            return _string(state.config_string)
        case "mask list":
            return _macs(state.mask)
        case _:
            return _macs(state.reservation)


def _string(string: bytes) -> str:
    """Its first bytes: thousands of events are kept, and whoever shares the Ethernet makes them."""
    shown = repr(string[:_SHOWN_BYTES])[1:] if string else ""
    return shown if len(string) <= _SHOWN_BYTES else f"{shown}... ({len(string)} bytes)"


def _macs(macs: Sequence[Mac]) -> str:
    """The first of them, for the same reason."""
    shown = ", ".join(str(mac) for mac in macs[:_SHOWN_MACS])
    return shown if len(macs) <= _SHOWN_MACS else f"{shown} and {len(macs) - _SHOWN_MACS} more"
