"""One export at work: its target machine's facts, its backing, its counters, and the thread in which its disk is waited for.

A port's thread brings requests (`take`), and gets back at once what needs no disk. Reads, writes and flushes go to the export's
own thread, in order of arrival; the replies of a batch leave together, and where writes are answered only from stable storage,
one fdatasync serves the whole batch.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aoetui.engine.disk_trouble import DiskTrouble
from aoetui.engine.initiators import InitiatorRecord, Initiators
from aoetui.engine.protocol import target
from aoetui.engine.protocol.ata import identify_page
from aoetui.engine.protocol.target import ExportFacts, Flush, ReadBlocks, Reply, Silence, WriteBlocks
from aoetui.engine.protocol.wire import SECTOR, AtaError
from aoetui.engine.snapshot import Severity
from aoetui.engine.spec import Durability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aoetui.engine.backing import Backing
    from aoetui.engine.clock import Clock
    from aoetui.engine.events import EventLog
    from aoetui.engine.ports import Port
    from aoetui.engine.protocol.frames import Header
    from aoetui.engine.spec import ExportSpec

QUEUE_LIMIT = 4096
"""Requests that may wait for one disk. Beyond it they are dropped and counted: initiators ask again."""
BATCH = 64
_log = logging.getLogger(__name__)


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
    unflushed: list[Job] = field(default_factory=list)


class Export:
    """One open export. It owns `backing` from now on and closes it."""

    def __init__(self, spec: ExportSpec, backing: Backing, serial: str, *, events: EventLog, clock: Clock, firmware: str) -> None:
        self.spec = spec
        self.backing = backing
        self.serial = serial
        self.fault = ""
        """Why writes are refused: a flush failed, so what the page cache held may be lost."""
        self.lost = ""
        """What the last flush, at the end, could not save."""
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
        self._overrun = False
        self._durable = spec.durability is Durability.DURABLE
        self._events = events
        self._clock = clock
        self.initiators = Initiators(clock)
        self.trouble = DiskTrouble(spec.path, clock)
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
                self.initiators.replied(self.initiators.find(header.source, port.interface), error=answer.error)
                return answer.frame
            case ReadBlocks() | WriteBlocks() | Flush():
                jobs.append(Job(port, answer, self.initiators.find(header.source, port.interface)))
                return None

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """Hand a batch of jobs to the export's thread; what does not fit is dropped, counted, and told once a burst."""
        with self._ready:
            room = QUEUE_LIMIT - len(self._queue) if not self._closing else 0
            self._queue.extend(jobs[:room])
            dropped = max(0, len(jobs) - room)
            self.dropped += dropped
            begins = bool(dropped) and not self._overrun and not self._closing
            self._overrun = bool(dropped)
            self._ready.notify()
        if begins:
            text = f"{self.spec.path} is slower than its initiators: requests are dropped, and initiators repeat them"
            self._events.add(Severity.WARNING, str(self.spec.address), text)

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
            self.lost = (
                f"flushing {self.spec.path} failed at its end: {error.strerror}. Acknowledged writes may be lost: check the disk"
            )
            self._events.add(Severity.ALARM, str(self.spec.address), self.lost)
        self.backing.close()

    def _serve(self, jobs: list[Job]) -> None:
        batch = _Batch()
        for job in jobs:
            match job.intent:
                case ReadBlocks():
                    batch.ready.append((job.port, self._read(job, job.intent)))
                case WriteBlocks():
                    self._write(job, job.intent, batch)
                case Flush():
                    batch.unflushed.append(job)
        _send(batch.ready)
        if batch.unflushed:
            _send(self._flushed(batch.unflushed))

    def _read(self, job: Job, intent: ReadBlocks) -> bytes:
        job.initiator.last_io = self._clock.monotonic()
        try:
            data = self.backing.read(intent.lba, intent.count)
        except OSError as error:
            self.trouble.failed("reading", error)
            return self._failed(job)
        self.trouble.succeeded("reading")
        self.initiators.was_read(job.initiator, intent.count * SECTOR)
        return target.read_reply(intent, data)

    def _write(self, job: Job, intent: WriteBlocks, batch: _Batch) -> None:
        job.initiator.last_io = self._clock.monotonic()
        if self.fault:
            batch.ready.append((job.port, self._failed(job)))
            return
        try:
            self.backing.write(intent.lba, intent.data)
        except OSError as error:
            self.trouble.failed("writing", error)
            batch.ready.append((job.port, self._failed(job)))
            return
        if self._durable:
            batch.unflushed.append(job)
        else:
            batch.ready.append((job.port, self._done(job)))

    def _flushed(self, waiting: list[Job]) -> list[tuple[Port, bytes]]:
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
        answer = self._failed if self.fault else self._done
        return [(job.port, answer(job)) for job in waiting]

    def _done(self, job: Job) -> bytes:
        """Count a write or flush that is all it was asked to be, and make its reply."""
        match job.intent:
            case WriteBlocks():
                self.trouble.succeeded("writing")
                self.initiators.was_written(job.initiator, job.intent.count * SECTOR)
                return target.write_reply(job.intent)
            case Flush():
                self.initiators.replied(job.initiator, error=False)
                return target.flush_reply(job.intent)
            case ReadBlocks():
                raise TypeError("a read is answered with its data")

    def _failed(self, job: Job) -> bytes:
        self.initiators.was_failed(job.initiator)
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
