"""Reads, writes and flushes of one export, carried out in its thread, and the replies that come of them."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from aoetui.engine.disk_trouble import DiskTrouble
from aoetui.engine.protocol import replies
from aoetui.engine.protocol.repeats import Repeats
from aoetui.engine.protocol.replies import Flush, ReadBlocks, WriteBlocks
from aoetui.engine.protocol.wire import SECTOR, AtaError
from aoetui.engine.spec import Durability

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.backing import Backing
    from aoetui.engine.clock import Clock
    from aoetui.engine.initiators import Initiators
    from aoetui.engine.jobs import Job
    from aoetui.engine.spec import ExportSpec

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    """What a batch of jobs has come to: replies ready now, and the jobs that wait for the flush."""

    ready: list[tuple[Job, bytes]] = field(default_factory=list)
    unflushed: list[Job] = field(default_factory=list)
    heads: set[bytes] = field(default_factory=set)
    """Of the writes among them."""


class DiskWork:
    """The disk's side of an export. Any thread may read `fault`, `lost` and `trouble`; the rest is the export's thread's."""

    def __init__(self, spec: ExportSpec, backing: Backing, initiators: Initiators, clock: Clock) -> None:
        self.fault = ""
        """Why writes are refused: what the page cache held could not be written, and may be lost."""
        self.lost = ""
        """What the last flush, at the end, could not save."""
        self.trouble = DiskTrouble(spec.path, clock)
        self._spec = spec
        self._backing = backing
        self._initiators = initiators
        self._clock = clock
        self._durable = spec.durability is Durability.DURABLE
        self._repeats = Repeats()

    def ask(self, call: Callable[_Arguments, _Result], *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        """Call what waits for the disk: where that takes long, it is told meanwhile."""
        self.trouble.asked = self._clock.monotonic()
        try:
            return call(*args, **kwargs)
        finally:
            self.trouble.asked = None

    def read(self, job: Job, intent: ReadBlocks) -> bytes:
        """The reply to a read."""
        job.initiator.last_io = job.arrived
        if job.initiator.asked.is_retransmission(intent, job.arrived, write=False):
            self._initiators.was_repeated(job.initiator)
        try:
            data = self.ask(self._backing.read, intent.lba, intent.count)
        except OSError as error:
            self.trouble.failed("reading", error)
            return self._failed(job, intent)
        self.trouble.succeeded("reading")
        self._initiators.was_read(job.initiator, intent.count * SECTOR)
        return replies.read_reply(intent, data)

    def write(self, job: Job, intent: WriteBlocks, batch: Batch) -> bytes | None:
        """The reply to a write; None if it waits in `batch` for the flush."""
        job.initiator.last_io = job.arrived
        if self.fault:
            return self._failed(job, intent)
        repeat = self._repeats.is_repeat(intent, job.arrived, job.initiator.tags)
        if job.initiator.asked.is_retransmission(intent, job.arrived, write=True) or repeat:
            self._initiators.was_repeated(job.initiator)
        if repeat:
            return replies.write_reply(intent)
        try:
            self.ask(self._backing.write, intent.lba, intent.data)
        except OSError as error:
            self.trouble.failed("writing", error)
            return self._failed(job, intent)
        if not self._durable:
            return self._done(job)
        batch.unflushed.append(job)
        batch.heads.add(intent.head)
        return None

    def flush(self, waiting: list[Job]) -> list[tuple[Job, bytes]]:
        """Bring what these jobs wrote to stable storage: their replies then, or their errors."""
        try:
            if not self.fault:
                self.ask(self._backing.flush)
        except OSError as error:
            self._lose("flushing", error)
        return [(job, self._done(job)) for job in waiting]

    def look(self) -> None:
        """Whether the kernel could write what it took, which no initiator asks; and whether a full file system has room again,
        which nothing else would tell where nobody writes."""
        try:
            if not (self._spec.read_only or self.fault):
                self.ask(self._backing.check_writeback)
        except OSError as error:
            self._lose("writing back to", error)
        if self.trouble.is_full:
            with contextlib.suppress(OSError):
                if self.ask(self._backing.has_room):
                    self.trouble.found_room()

    def finish(self) -> None:
        """Flush for the last time, and close the backing."""
        try:
            if not self._spec.read_only:
                self._backing.flush()
        except OSError as error:
            self.lost = (
                f"flushing {self._spec.path} failed at its end: {error.strerror}. Acknowledged writes may be lost: check the disk"
            )
        self._backing.close()

    def _lose(self, doing: str, error: OSError) -> None:
        """Refuse writes from now on.

        The kernel drops pages it could not write and reports that once: a later flush would succeed and prove nothing.
        """
        self.fault = (
            f"{doing} {self._spec.path} failed ({error.strerror}): acknowledged writes may be lost, and writes are refused."
            " Check the disk, then stop and start the export"
        )
        _log.error("%s", self.fault)

    def _done(self, job: Job) -> bytes:
        """Count a write or flush that is all it was asked to be, unless the flush failed, and make its reply."""
        match job.intent:
            case WriteBlocks() | Flush() as intent if self.fault:
                return self._failed(job, intent)
            case WriteBlocks() as intent:
                self._repeats.executed(intent, job.arrived, self._clock.monotonic())
                self.trouble.succeeded("writing")
                self._initiators.was_written(job.initiator, intent.count * SECTOR)
                return replies.write_reply(intent)
            case Flush() as intent:
                self._initiators.replied(job.initiator, error=False)
                return replies.flush_reply(intent)
            case _:
                raise TypeError("only writes and flushes wait for the flush")

    def _failed(self, job: Job, intent: ReadBlocks | WriteBlocks | Flush) -> bytes:
        self._initiators.was_failed(job.initiator)
        return replies.failed_reply(intent, AtaError.UNC)
