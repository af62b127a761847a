"""An export's requests in their turn: queued, judged again, carried out by its threads, answered.

A thread that is through with a request goes on with the next; one of them at a time answers for all. Where writes are answered
only from stable storage, one flushes for all that are written so far, while others go on.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from aoetui.engine.api import EngineError
from aoetui.engine.disk_queue import DiskQueue, Entry, Kind
from aoetui.engine.gate import OpenGate
from aoetui.engine.io_threads import SLOW, IoThreads
from aoetui.engine.jobs import Edit, Held, Job
from aoetui.engine.latency import Latencies
from aoetui.engine.protocol.replies import Flush, ReadBlocks, WriteBlocks
from aoetui.engine.snapshot import Severity
from aoetui.engine.spec import Durability

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aoetui.engine.admission import Admission
    from aoetui.engine.clock import Clock
    from aoetui.engine.disk_work import DiskWork
    from aoetui.engine.events import EventLog
    from aoetui.engine.gate import Gate
    from aoetui.engine.initiators import Initiators
    from aoetui.engine.ports import Port
    from aoetui.engine.second_look import SecondLook
    from aoetui.engine.spec import ExportSpec
    from aoetui.engine.state_changes import StateChanges

PREPARED = 64
"""Calls to the disk that are made ready ahead, so that no thread waits for another's lock between two of them."""
UNANSWERED = 64
"""Calls that may be through and not answered, where the disk is quick."""
STUCK = 0.002
"""Seconds after which a call is taken for one that waits, though it is not through: a busy interpreter alone keeps a quick one
for less, mostly."""
EVERYWHERE = (0, 1 << 62)
"""Every sector."""
_Entry = Entry[Job | Edit | Held]
_Intent = TypeVar("_Intent", ReadBlocks, WriteBlocks)
_log = logging.getLogger(__name__)


class _Through(NamedTuple):
    """A run that was carried out. A tuple, since one is made for each call to the disk."""

    run: Sequence[_Entry]
    outcomes: Sequence[bytes | None]
    """The replies; None where the disk failed, or for silence."""
    seconds: float = 0.0
    """What the call to the disk took."""
    is_flushed: bool = False
    """Whether it is as durable as it is to be."""
    is_counted: bool = False
    """Whether the replies are final, errors and silence included."""


class Turns:
    """The queue of one export and its threads."""

    def __init__(
        self,
        *,
        spec: ExportSpec,
        disk: DiskWork,
        changes: StateChanges,
        admission: Admission,
        second_look: SecondLook,
        initiators: Initiators,
        look: Callable[[], None],
        events: EventLog,
        clock: Clock,
    ) -> None:
        self.read_latencies = Latencies()
        self.write_latencies = Latencies()
        self.gate: Gate = OpenGate()
        self._spec = spec
        self._disk = disk
        self._changes = changes
        self._admission = admission
        self._second_look = second_look
        self._initiators = initiators
        self._look = look
        self._events = events
        self._clock = clock
        self._durable = spec.durability is Durability.DURABLE
        self._lock = threading.Lock()
        self._queue: DiskQueue[Job | Edit | Held] = DiskQueue()
        self._prepared: deque[list[_Entry]] = deque()
        """Taken and judged. Any thread takes from it without the lock."""
        self._holds: deque[list[_Entry]] = deque()
        """Taken: what is waited for that others do."""
        self._through: deque[_Through] = deque()
        """Not answered. Any thread adds to it without the lock; who answers takes from it."""
        self._answering = threading.Lock()
        """Of the thread that answers for all."""
        self._unanswered: dict[_Entry, None] = {}
        """In order of arrival."""
        self._held: set[tuple[int, int]] = set()
        """Sectors for which reads elsewhere are waited for."""
        self._written: list[_Entry] = []
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

    def set_gate(self, gate: Gate) -> None:
        """Tell this gate from now on."""
        with self._lock:
            self.gate = gate
            if self._shut is not None:
                gate.close(reads=self._shut)

    def reopen(self) -> None:
        """Open the gate if nothing waits: requests that were sent here for no more than an answer have had it."""
        with self._lock:
            if not self.is_busy:
                self.gate.open()

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

    def hold(self, wait: Callable[[], object]) -> None:
        """Let nothing that comes from now on begin before `wait` has returned."""
        with self._lock:
            self._add([Entry(Held(wait), Kind.ALONE)])

    @property
    def _oldest(self) -> float:
        """When the oldest request came that is not answered; 0 while a person's change waits."""
        first = next(iter(self._unanswered)).item
        return first.arrived if isinstance(first, Job) else 0.0

    def _add(self, entries: Sequence[_Entry]) -> None:
        if not entries:
            return
        reads = not self._queue.only_reads or any(entry.kind is not Kind.READ for entry in entries)
        if reads is not self._shut:
            self._shut = reads
            for wait in self.gate.close(reads=reads):
                self._admit(Entry(Held(wait), Kind.ALONE))
        for entry in entries:
            self._hold_for_reads(entry)
            self._admit(entry)
        self._notice_stuck()
        self._threads.call()

    def _admit(self, entry: _Entry) -> None:
        self._queue.add(entry)
        self._unanswered[entry] = None

    def _hold_for_reads(self, entry: _Entry) -> None:
        """Reads that a compiled loop has left to threads of its own came before: what changes their sectors waits for them."""
        if entry.kind is Kind.READ:
            return
        writes = entry.kind is Kind.WRITE
        place = (entry.lba, entry.end) if writes else EVERYWHERE
        if place in self._held:
            return
        for wait in self.gate.reads_before(*place):
            self._held.add(place)
            self._admit(Entry(Held(wait), Kind.HELD if writes else Kind.ALONE, *place))

    def look(self) -> None:
        """Have a thread look at the backing, unless one does so already."""
        with self._lock:
            self._look_due = True
            self._notice_stuck()
            self._threads.call()

    def _notice_stuck(self) -> None:
        """A call that is not through tells nothing yet of how long it takes, and requests may wait behind it."""
        if not (self._flushing or self._looking) and self._disk.trouble.owes() > STUCK:
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
        return self._queue.ready + len(self._prepared)

    @property
    def aside(self) -> int:
        """A flush and a look that may start, and waiting for others."""
        return (bool(self._written) and not self._flushing) + (self._look_due and not self._looking) + len(self._holds)

    @property
    def is_over(self) -> bool:
        """Whether all is done."""
        return self._closing and not len(self._queue)

    def next_task(self) -> tuple[Callable[[], None], bool] | None:
        """What a thread does next, and whether that takes none of the disk's turns."""
        if self._written and not self._flushing:
            written, self._written, self._flushing = self._written, [], True
            return partial(self._flush, written), True
        if self._look_due and not self._looking:
            self._look_due, self._looking = False, True
            return self._do_look, True
        self._prepare()
        if self._holds:
            return partial(self._wait, self._holds.popleft()), True
        # what is left to a thread that answers is seen by it, though it be at its end
        return (self._work, False) if self._prepared or (self._through and not self._answering.locked()) else None

    def _prepare(self) -> None:
        """Judge what may start, and make it ready for any thread."""
        while len(self._prepared) < PREPARED and (run := self._queue.take()):
            if isinstance(run[0].item, Held):
                self._holds.append(run)
                continue
            split = False
            goes_on: list[_Entry] = []
            for entry in run:
                may, reply = (True, None) if not isinstance(entry.item, Job) else self._second_look.judge(entry.item)
                if may:
                    goes_on.append(entry)
                else:
                    split = True
                    self._through.append(_Through((entry,), (reply,), is_counted=True))
            if split:
                self._prepared.extend([entry] for entry in goes_on)
            else:
                self._prepared.append(run)

    # ---- in a thread

    def _work(self) -> None:
        """Carry out what is prepared; answer when there is no more, when the disk made us wait, or when it is much."""
        clock = self._clock.monotonic
        while not self.aside:
            try:
                run = self._prepared.popleft()
            except IndexError:
                break
            before = clock()
            outcomes = self._do(run)
            seconds = clock() - before
            is_counted = outcomes is None or run[0].kind is Kind.ALONE
            self._through.append(_Through(run, outcomes or [None] * len(run), seconds, is_counted=is_counted))
            if seconds > SLOW or len(self._through) >= UNANSWERED:
                self._answer()
        self._answer()

    def _do(self, run: list[_Entry]) -> Sequence[bytes | None] | None:
        """The outcomes; None if something went wrong that is not the disk's."""
        try:
            match run[0].kind:
                case Kind.READ:
                    return self._disk.read(_intents(run, ReadBlocks))
                case Kind.WRITE:
                    return self._disk.write(_intents(run, WriteBlocks))
                case Kind.FLUSH:
                    self._disk.flush()
                    return [b""] * len(run)
                case Kind.ALONE | Kind.HELD:
                    return [self._change(run[0].item)]
        except Exception:  # noqa: BLE001 - the thread's edge: one bad request must not end the service of an export
            self._tell_mishap()
            return None

    def _tell_mishap(self) -> None:
        _log.exception("requests to %s were dropped", self._spec.address)
        self._events.add(Severity.ALARM, str(self._spec.address), "an internal error dropped requests: see the log file")

    def _change(self, item: Job | Edit | Held) -> bytes | None:
        if isinstance(item, Held):
            self._disk.ask(item.wait)
            return None
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

    def _flush(self, written: list[_Entry]) -> None:
        """Bring what was written to stable storage, and answer."""
        try:
            self._disk.flush()
            self._through.append(_Through(written, [b""] * len(written), is_flushed=True))
        except Exception:  # noqa: BLE001 - as in _do
            self._tell_mishap()
            self._through.append(_Through(written, [None] * len(written), is_counted=True))
        finally:
            with self._lock:
                self._flushing = False
        self._answer()

    def _wait(self, held: list[_Entry]) -> None:
        """Wait for what others do, which takes none of the disk's turns."""
        self._do(held)
        self._through.append(_Through(held, [None] * len(held), is_counted=True))
        self._answer()

    def _do_look(self) -> None:
        try:
            self._look()
        finally:
            with self._lock:
                self._looking = False

    # ---- these are through

    def _answer(self) -> None:
        """Answer what is through, unless another thread does so: it sees what we leave to it."""
        while self._through and self._answering.acquire(blocking=False):
            try:
                with self._lock:
                    frames = self._settle()
                    self._prepare()
                    self._threads.call()
                for port, made in frames.items():
                    port.send(made)
            except Exception:  # noqa: BLE001 - as in _do
                self._tell_mishap()
            finally:
                self._answering.release()

    def _settle(self) -> dict[Port, list[bytes]]:
        """Count what is through, and give back what it held; the replies to send. Under the lock.

        That is before they leave, for an initiator asks anew as soon as it hears one.
        """
        answers: list[tuple[_Entry, bytes | None]] = []
        while self._through:
            each = self._through.popleft()
            if each.seconds and each.run[0].kind in (Kind.READ, Kind.WRITE):
                self._threads.pace.took(each.seconds)
            for entry, outcome in zip(each.run, each.outcomes, strict=True):
                if each.is_counted or not isinstance(entry.item, Job):
                    answers.append((entry, outcome))
                elif self._durable and not each.is_flushed and outcome is not None and entry.kind is Kind.WRITE:
                    self._written.append(entry)
                else:
                    answers.append((entry, self._disk.finished(entry.item, outcome, self._oldest)))
        return self._conclude(answers)

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
            elif isinstance(job, Held):
                self._held.discard((entry.lba, entry.end))
            elif not job.future.done():
                job.future.set_exception(EngineError("an internal error: see the log file"))
        self._admission.release(jobs)
        self._queue.done([entry for entry, _ in answers])
        for entry, _ in answers:
            self._unanswered.pop(entry, None)
        if not len(self._queue):
            if self._shut is not None:
                self._shut = None
                self.gate.open()
            if self._closing:
                self._threads.call_all()
        return frames

    def _time(self, job: Job, now: float) -> None:
        waited = now - job.arrived
        match job.intent:
            case ReadBlocks():
                self.read_latencies.add(waited)
            case WriteBlocks():
                self.write_latencies.add(waited)
            case _:
                return
        job.initiator.latencies.add(waited)

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
