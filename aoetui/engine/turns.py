"""An export's requests in their turn: queued, judged again, carried out by its threads, answered.

Replies of one thread leave together, as long as the disk does not make it wait. Where writes are answered only from stable
storage, one thread flushes for all that are written so far, while others go on.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from aoetui.engine.api import EngineError
from aoetui.engine.disk_queue import DiskQueue, Entry, Kind
from aoetui.engine.gate import OpenGate
from aoetui.engine.io_threads import SLOW, IoThreads
from aoetui.engine.jobs import Edit, Job
from aoetui.engine.latency import Latencies
from aoetui.engine.protocol import replies, target
from aoetui.engine.protocol.replies import Flush, ReadBlocks, WriteBlocks
from aoetui.engine.snapshot import Severity
from aoetui.engine.spec import Durability

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aoetui.engine.admission import Admission
    from aoetui.engine.clock import Clock
    from aoetui.engine.current_facts import CurrentFacts
    from aoetui.engine.disk_work import DiskWork
    from aoetui.engine.events import EventLog
    from aoetui.engine.gate import Gate
    from aoetui.engine.initiators import Initiators
    from aoetui.engine.ports import Port
    from aoetui.engine.refusals import Refusals
    from aoetui.engine.spec import ExportSpec
    from aoetui.engine.state_changes import StateChanges

BATCH = 64
"""Requests that one thread takes at a time, where the disk is quick; one call may serve a few more."""
STUCK = 0.002
"""Seconds after which a call is not waited for by others: a busy interpreter alone keeps a quick one for less, mostly."""
_Entry = Entry[Job | Edit]
_Intent = TypeVar("_Intent", ReadBlocks, WriteBlocks)
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Batch:
    """What one thread has taken."""

    runs: deque[list[_Entry]] = field(default_factory=deque)
    """Not begun. Taken from by its thread, and by whoever finds it stuck, without a lock."""
    begun: list[_Entry] = field(default_factory=list)
    """What was taken for good; those that are nowhere below when it ends went wrong."""
    through: list[tuple[_Entry, bytes | None]] = field(default_factory=list)
    """By the disk: the replies, None where it failed."""
    answers: list[tuple[_Entry, bytes | None]] = field(default_factory=list)
    """Counted already. None is silence."""
    calls: list[float] = field(default_factory=list)
    """Seconds that each call to the disk took."""


class Turns:
    """The queue of one export and its threads."""

    def __init__(
        self,
        *,
        spec: ExportSpec,
        facts: CurrentFacts,
        disk: DiskWork,
        changes: StateChanges,
        admission: Admission,
        initiators: Initiators,
        refusals: Refusals,
        look: Callable[[], None],
        events: EventLog,
        clock: Clock,
    ) -> None:
        self.read_latencies = Latencies()
        self.write_latencies = Latencies()
        self.gate: Gate = OpenGate()
        self._spec = spec
        self._facts = facts
        self._disk = disk
        self._changes = changes
        self._admission = admission
        self._initiators = initiators
        self._refusals = refusals
        self._look = look
        self._events = events
        self._clock = clock
        self._durable = spec.durability is Durability.DURABLE
        self._lock = threading.Lock()
        self._queue: DiskQueue[Job | Edit] = DiskQueue()
        self._batches: set[_Batch] = set()
        """In hand."""
        self._written: list[tuple[_Entry, bytes | None]] = []
        """Writes that wait for a flush."""
        self._flushing = False
        self._look_due = False
        self._looking = False
        self._closing = False
        self._shut: bool | None = None
        """How the gate was closed; None if it is open."""
        self._threads = IoThreads(f"export-{spec.address}", self._lock, self)

    # ---- from outside

    def start(self) -> None:
        """Begin."""
        self._threads.start()

    @property
    def is_busy(self) -> bool:
        """Whether anything is queued or in hand."""
        return bool(len(self._queue))

    @property
    def waiting(self) -> int:
        """Requests that are queued and not in hand."""
        return self._queue.waiting

    def set_gate(self, gate: Gate) -> None:
        """Tell this gate from now on."""
        with self._lock:
            self.gate = gate
            if self._shut is not None:
                gate.close(reads=self._shut)

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """Queue a batch of requests, as far as they are admitted."""
        with self._lock:
            if not self._closing:
                self._add([_entry(job) for job in self._admission.admit(jobs)])

    def edit(self, edit: Edit) -> bool:
        """Queue a change by a person. False if it is too late."""
        with self._lock:
            if not self._closing:
                self._add([Entry(edit, Kind.ALONE)])
            return not self._closing

    def _add(self, entries: Sequence[_Entry]) -> None:
        if not entries:
            return
        reads = not self._queue.only_reads or any(entry.kind is not Kind.READ for entry in entries)
        if reads is not self._shut:
            self._shut = reads
            self.gate.close(reads=reads)
        for entry in entries:
            self._queue.add(entry)
        self._free_what_is_stuck()
        self._threads.call()

    def look(self) -> None:
        """Have a thread look at the backing, unless one does so already."""
        with self._lock:
            self._look_due = True
            self._free_what_is_stuck()
            self._threads.call()

    def _free_what_is_stuck(self) -> None:
        """What waits behind a call that takes long is for other threads to do."""
        if not self._batches or self._disk.trouble.owes() <= STUCK:
            return
        for batch in self._batches:
            while batch.runs:
                self._queue.put_back(batch.runs.pop())
        self._threads.pace.took(STUCK)

    def finish(self) -> None:
        """Take no more. What was accepted is answered."""
        with self._lock:
            self._closing = True
            self._threads.call_all()

    def wait(self, timeout: float) -> bool:
        """Wait for that, and for the backing to be closed. False if it takes longer than `timeout` seconds."""
        return self._threads.wait(timeout)

    # ---- what the threads do next; under the lock

    @property
    def ready(self) -> int:
        """Requests that may start."""
        return self._queue.ready

    @property
    def aside(self) -> int:
        """A flush and a look that may start."""
        return (bool(self._written) and not self._flushing) + (self._look_due and not self._looking)

    @property
    def is_over(self) -> bool:
        """Whether all is done."""
        return self._closing and not len(self._queue)

    def next_task(self) -> tuple[Callable[[], None], bool] | None:
        """What a thread does next, and whether that takes none of the disk's turns."""
        if self._written and not self._flushing:
            self._flushing = True
            batch = _Batch(begun=[entry for entry, _ in self._written])
            task = partial(self._carry_out, batch, partial(self._flush, self._written))
            self._written = []
            return task, True
        if self._look_due and not self._looking:
            self._look_due, self._looking = False, True
            return self._do_look, True
        if not self._queue.ready:
            return None
        batch = self._take()
        self._batches.add(batch)
        return partial(self._carry_out, batch, self._work), False

    def _take(self) -> _Batch:
        batch = _Batch()
        share = min(BATCH, self._queue.ready // self._threads.pace.wanted)
        taken = 0
        while run := self._queue.take():
            taken += len(run)
            batch.begun += (stopped := [entry for entry in run if not entry.again and not self._goes_on(entry, batch)])
            if not stopped:
                batch.runs.append(run)
            else:
                batch.runs.extend([entry] for entry in run if entry not in stopped)
            if taken >= share:
                break
        return batch

    def _goes_on(self, entry: _Entry, batch: _Batch) -> bool:
        """Whether it is still to be carried out; if not, it is answered, or is not to be."""
        job = entry.item
        if isinstance(job, Edit):
            return True
        if job.state is not self._facts.now.state:
            may, reply = self._still_may(job)
            if not may:
                batch.answers.append((entry, reply))
                return False
        reply = self._disk.judge(job)
        if reply is not None:
            batch.answers.append((entry, reply))
        return reply is None

    def _still_may(self, job: Job) -> tuple[bool, bytes | None]:
        """Whether the initiator may still do what it asked for before the mask list or the reservation changed."""
        mac, facts = job.initiator.mac, self._facts.now
        silence = target.shut_out(mac, facts)
        if silence is not None:
            self._refusals.note(mac, job.port.interface, silence)
            return False, None
        match job.intent:
            case (ReadBlocks() | WriteBlocks() | Flush()) as intent if target.reserved(mac, facts):
                self._initiators.replied(job.initiator, error=True)
                return False, replies.reserved_reply(intent)
            case _:
                return True, None

    # ---- in a thread

    def _carry_out(self, batch: _Batch, work: Callable[[_Batch], None]) -> None:
        try:
            try:
                work(batch)
            finally:
                with self._lock:
                    frames = self._settle(batch)
            for port, made in frames.items():
                port.send(made)
        except Exception:  # noqa: BLE001 - one bad batch must not end the service of an export
            _log.exception("a batch of requests to %s was dropped", self._spec.address)
            self._events.add(Severity.ALARM, str(self._spec.address), "an internal error dropped requests: see the log file")

    def _work(self, batch: _Batch) -> None:
        """Carry out what was taken, until the disk makes us wait: then those that are through are answered first."""
        clock = self._clock.monotonic
        before = clock()
        while batch.runs:
            try:
                run = batch.runs.popleft()
            except IndexError:
                break
            batch.begun += run
            self._do(run, batch)
            now = clock()
            batch.calls.append(now - before)
            if now - before > SLOW:
                break
            before = now

    def _do(self, run: list[_Entry], batch: _Batch) -> None:
        match run[0].kind:
            case Kind.READ:
                batch.through += zip(run, self._disk.read(_intents(run, ReadBlocks)), strict=True)
            case Kind.WRITE:
                batch.through += zip(run, self._disk.write(_intents(run, WriteBlocks)), strict=True)
            case Kind.FLUSH:
                self._disk.flush()
                batch.through += [(entry, b"") for entry in run]
            case Kind.ALONE:
                batch.answers.append((run[0], self._change(run[0].item)))

    def _change(self, item: Job | Edit) -> bytes | None:
        if isinstance(item, Edit):
            self._changes.edit(item)
            return None
        if isinstance(item.intent, ReadBlocks | WriteBlocks | Flush):
            raise TypeError("only changes of state are alone")
        made = self._changes.carry_out(item, item.intent)
        if made is None:
            return None
        self._initiators.replied(item.initiator, error=made.error)
        return made.frame

    def _flush(self, written: list[tuple[_Entry, bytes | None]], batch: _Batch) -> None:
        try:
            self._disk.flush()
            batch.through += written
        finally:
            with self._lock:
                self._flushing = False

    def _do_look(self) -> None:
        try:
            self._look()
        finally:
            with self._lock:
                self._looking = False

    # ---- these are through; under the lock

    def _settle(self, batch: _Batch) -> dict[Port, list[bytes]]:
        """Give back what was not begun and what is held for the rest; the replies to send.

        That is before they leave, for an initiator asks anew as soon as it hears one.
        """
        is_flush = batch not in self._batches
        self._batches.discard(batch)
        while batch.runs:
            self._queue.put_back(batch.runs.popleft())
        for seconds in batch.calls:
            self._threads.pace.took(seconds)
        answers, gone = batch.answers, {*batch.begun}
        for entry, reply in batch.through:
            gone.discard(entry)
            if self._durable and not is_flush and reply is not None and entry.kind is Kind.WRITE:
                self._written.append((entry, reply))
            elif isinstance(entry.item, Job):
                answers.append((entry, self._disk.finished(entry.item, reply)))
        frames = self._conclude(answers)
        gone.difference_update(entry for entry, _ in answers)
        if gone:
            self._conclude([(entry, None) for entry in gone])
        return frames

    def _conclude(self, answers: list[tuple[_Entry, bytes | None]]) -> dict[Port, list[bytes]]:
        now = self._clock.monotonic()
        frames: dict[Port, list[bytes]] = {}
        jobs: list[Job] = []
        for entry, reply in answers:
            job = entry.item
            if isinstance(job, Job):
                jobs.append(job)
                if reply is not None:
                    frames.setdefault(job.port, []).append(reply)
                    self._time(job, now)
            elif not job.future.done():
                job.future.set_exception(EngineError("an internal error: see the log file"))
        self._admission.release(jobs)
        self._queue.done([entry for entry, _ in answers])
        if not len(self._queue):
            if self._shut is not None:
                self._shut = None
                self.gate.open()
            if self._closing:
                self._threads.call_all()
        return frames

    def _time(self, job: Job, now: float) -> None:
        match job.intent:
            case ReadBlocks():
                self.read_latencies.add(now - job.arrived)
            case WriteBlocks():
                self.write_latencies.add(now - job.arrived)
            case _:
                return
        job.initiator.latencies.add(now - job.arrived)

    # ---- in the last thread

    def end(self) -> None:
        """Flush for the last time and close the backing."""
        self._disk.finish()
        if self._disk.lost:
            self._events.add(Severity.ALARM, str(self._spec.address), self._disk.lost)


def _entry(job: Job) -> _Entry:
    match job.intent:
        case ReadBlocks(lba, count):
            return Entry(job, Kind.READ, lba, lba + count)
        case WriteBlocks(lba, count):
            return Entry(job, Kind.WRITE, lba, lba + count)
        case Flush():
            return Entry(job, Kind.FLUSH)
        case _:
            return Entry(job, Kind.ALONE)


def _intents(run: Sequence[_Entry], kind: type[_Intent]) -> list[_Intent]:
    """What a run of this kind is to do."""
    jobs = [entry.item for entry in run]
    return [job.intent for job in jobs if isinstance(job, Job) and isinstance(job.intent, kind)]
