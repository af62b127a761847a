"""One export at work: its target machine's facts, its backing, its counters, and the thread in which its disk is waited for.

A port's thread brings requests (`take`), and gets back at once what needs no disk. Reads, writes and flushes go to the export's
own thread, in order of arrival; the replies of a batch leave together, and where writes are answered only from stable storage,
one fdatasync serves the whole batch.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aoetui.engine.protocol import target
from aoetui.engine.protocol.ata import identify_page
from aoetui.engine.protocol.target import ExportFacts, Flush, ReadBlocks, Reply, Silence, WriteBlocks
from aoetui.engine.protocol.wire import SECTOR, AtaError
from aoetui.engine.snapshot import Counters, Severity
from aoetui.engine.spec import Durability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aoetui.engine.backing import Backing
    from aoetui.engine.clock import Clock
    from aoetui.engine.events import EventLog
    from aoetui.engine.ports import Port
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.frames import Header
    from aoetui.engine.spec import ExportSpec

QUEUE_LIMIT = 4096
"""Requests that may wait for one disk. Beyond it they are dropped and counted: initiators ask again."""
BATCH = 64
MAX_INITIATORS = 1024
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class InitiatorRecord:
    """One initiator on one interface. The port's thread writes the first half, the export's thread the second: no lock."""

    mac: Mac
    interface: str
    first_seen: float
    others: int = 0
    refused: int = 0
    reads: int = 0
    writes: int = 0
    read_bytes: int = 0
    write_bytes: int = 0
    failed: int = 0
    last_io: float | None = None

    def counters(self) -> Counters:
        """The figures of now."""
        return Counters(self.reads, self.writes, self.others, self.read_bytes, self.write_bytes, self.refused + self.failed)


Intent = ReadBlocks | WriteBlocks | Flush


@dataclass(frozen=True, slots=True)
class Job:
    """A request that waits for the disk, and the way its reply goes."""

    port: Port
    intent: Intent
    initiator: InitiatorRecord


@dataclass(slots=True)
class _Batch:
    """What a batch has come to: replies ready now, and those that wait for the flush."""

    ready: list[tuple[Port, bytes]] = field(default_factory=list)
    unflushed: list[tuple[Job, bytes]] = field(default_factory=list)


class Export:
    """One open export. It owns `backing` from now on and closes it."""

    def __init__(self, spec: ExportSpec, backing: Backing, serial: str, *, events: EventLog, clock: Clock, firmware: str) -> None:
        self.spec = spec
        self.backing = backing
        self.serial = serial
        self.fault = ""
        """Why writes are refused: a flush failed, so what the page cache held may be lost."""
        self.facts = ExportFacts(
            address=spec.address,
            sectors=backing.sectors,
            identify=identify_page(
                sectors=backing.sectors,
                serial=serial,
                firmware=firmware,
                write_cache=spec.durability is Durability.CACHED,
            ),
            read_only=spec.read_only,
            buffer_count=spec.buffer_count,
            config_string=b"",
            mask=frozenset(spec.mask),
        )
        self.dropped = 0
        self._durable = spec.durability is Durability.DURABLE
        self._events = events
        self._clock = clock
        self._initiators: dict[tuple[bytes, str], InitiatorRecord] = {}
        self._lost = Counters()
        self._failing: set[int | None] = set()
        self._queue: deque[Job] = deque()
        self._ready = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"export-{spec.address}", daemon=True)

    def start(self) -> None:
        """Begin to serve the disk's queue. To be called once, before anything is taken; `close` ends it."""
        self._thread.start()

    # ---- in a port's thread

    def take(self, header: Header, frame: bytes, port: Port, jobs: list[Job]) -> bytes | None:
        """Answer one request: a reply to send now, or a job added to `jobs`, or silence."""
        answer = target.answer(header, memoryview(frame), self.facts, port.facts)
        match answer:
            case Silence():
                return None
            case Reply():
                record = self._initiator(header.source, port.interface)
                record.others += 1
                record.refused += answer.error
                return answer.frame
            case ReadBlocks() | WriteBlocks() | Flush():
                jobs.append(Job(port, answer, self._initiator(header.source, port.interface)))
                return None

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """Hand a batch of jobs to the export's thread; what does not fit is dropped and counted."""
        with self._ready:
            room = QUEUE_LIMIT - len(self._queue) if not self._closing else 0
            self._queue.extend(jobs[:room])
            self.dropped += max(0, len(jobs) - room)
            self._ready.notify()

    def _initiator(self, mac: Mac, interface: str) -> InitiatorRecord:
        key = (mac.raw, interface)
        record = self._initiators.get(key)
        if record is None:
            if len(self._initiators) >= MAX_INITIATORS:
                self._forget_one()
            record = InitiatorRecord(mac, interface, self._clock.monotonic())
            self._initiators[key] = record
        return record

    def _forget_one(self) -> None:
        """Forget the initiator that has been idle longest: MACs can be made up without end. Its figures stay in the totals."""
        key, record = min(list(self._initiators.items()), key=lambda item: item[1].last_io or item[1].first_seen)
        self._initiators.pop(key, None)
        gone, lost = record.counters(), self._lost
        self._lost = Counters(
            gone.reads + lost.reads,
            gone.writes + lost.writes,
            gone.others + lost.others,
            gone.read_bytes + lost.read_bytes,
            gone.write_bytes + lost.write_bytes,
            gone.errors + lost.errors,
        )

    # ---- for whoever shows it

    def initiators(self) -> list[InitiatorRecord]:
        """Everyone who was answered, in order of first appearance."""
        return list(self._initiators.values())

    def forgotten(self) -> Counters:
        """The figures of initiators that are no longer listed."""
        return self._lost

    # ---- in the export's thread

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._queue and not self._closing:
                    self._ready.wait()
                if not self._queue:
                    break
                jobs = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            try:
                self._serve(jobs)
            except Exception:  # noqa: BLE001 - the thread's edge: one bad batch must not end the service of an export
                _log.exception("a batch of requests to %s was dropped", self.spec.address)
                self._events.add(Severity.ALARM, str(self.spec.address), "an internal error dropped requests: see the log file")
        self._finish()

    def _finish(self) -> None:
        try:
            if not self.spec.read_only:
                self.backing.flush()
        except OSError as error:
            text = (
                f"flushing {self.spec.path} failed at its end: {error.strerror}. Acknowledged writes may be lost: check the disk"
            )
            self._events.add(Severity.ALARM, str(self.spec.address), text)
        self.backing.close()

    def _serve(self, jobs: list[Job]) -> None:
        batch = _Batch()
        flush = False
        for job in jobs:
            match job.intent:
                case ReadBlocks():
                    batch.ready.append((job.port, self._read(job, job.intent)))
                case WriteBlocks():
                    flush |= self._write(job, job.intent, batch)
                case Flush():
                    flush = True
                    batch.unflushed.append((job, target.flush_reply(job.intent)))
        _send(batch.ready)
        if flush:
            _send(self._flushed(batch.unflushed))

    def _read(self, job: Job, intent: ReadBlocks) -> bytes:
        try:
            data = self.backing.read(intent.lba, intent.count)
        except OSError as error:
            return self._failed(job, error, "reading")
        self._note_success(job)
        job.initiator.reads += 1
        job.initiator.read_bytes += intent.count * SECTOR
        return target.read_reply(intent, data)

    def _write(self, job: Job, intent: WriteBlocks, batch: _Batch) -> bool:
        """Write; True if its answer has to wait for the flush."""
        try:
            self._refuse_after_fault()
            self.backing.write(intent.lba, intent.data)
        except OSError as error:
            batch.ready.append((job.port, self._failed(job, error, "writing")))
            return False
        self._note_success(job)
        job.initiator.writes += 1
        job.initiator.write_bytes += intent.count * SECTOR
        if self._durable:
            batch.unflushed.append((job, target.write_reply(intent)))
        else:
            batch.ready.append((job.port, target.write_reply(intent)))
        return self._durable

    def _flushed(self, waiting: list[tuple[Job, bytes]]) -> list[tuple[Port, bytes]]:
        try:
            self._refuse_after_fault()
            self.backing.flush()
        except OSError as error:
            # The kernel drops pages it could not write and reports that once: a later flush would succeed and prove nothing.
            self.fault = self.fault or (
                f"flushing {self.spec.path} failed ({error.strerror}): acknowledged writes may be lost."
                " Check the disk, then stop and start the export"
            )
            return [(job.port, self._failed(job, error, "flushing")) for job, _ in waiting]
        return [(job.port, reply) for job, reply in waiting]

    def _refuse_after_fault(self) -> None:
        if self.fault:
            raise OSError(errno.EIO, self.fault)

    def _note_success(self, job: Job) -> None:
        job.initiator.last_io = self._clock.monotonic()
        if self._failing and not self.fault:
            self._failing.clear()
            self._events.add(Severity.INFO, str(self.spec.address), f"{self.spec.path} answers again")

    def _failed(self, job: Job, error: OSError, doing: str) -> bytes:
        job.initiator.failed += 1
        if error.errno not in self._failing:
            self._failing.add(error.errno)
            self._events.add(
                Severity.ALARM,
                str(self.spec.address),
                f"{doing} {self.spec.path} failed: {error.strerror}. Initiators were told; {_remedy(error.errno)}",
            )
        return target.failed_reply(job.intent, AtaError.UNC)

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


def _send(replies: list[tuple[Port, bytes]]) -> None:
    by_port: dict[Port, list[bytes]] = {}
    for port, reply in replies:
        by_port.setdefault(port, []).append(reply)
    for port, frames in by_port.items():
        port.send(frames)


def _remedy(number: int | None) -> str:
    match number:
        case errno.ENOSPC | errno.EDQUOT:
            return "make room on its file system"
        case errno.EIO:
            return "check the disk and its file system (dmesg says what failed)"
        case _:
            return "check the backing"
