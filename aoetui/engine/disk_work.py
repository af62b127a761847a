"""Reads, writes and flushes of one export, carried out in its threads, and the replies that come of them."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from aoetui.engine.disk_trouble import DiskTrouble
from aoetui.engine.protocol import replies
from aoetui.engine.protocol.repeats import Repeats
from aoetui.engine.protocol.replies import Flush, ReadBlocks, WriteBlocks
from aoetui.engine.protocol.wire import SECTOR, AtaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aoetui.engine.backing import Backing
    from aoetui.engine.clock import Clock
    from aoetui.engine.fast_export import FastExport
    from aoetui.engine.initiators import Initiators
    from aoetui.engine.jobs import Job
    from aoetui.engine.spec import ExportSpec

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


class DiskWork:
    """The disk's side of an export. What says nothing of the export's lock is called without it, by any thread."""

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
        self._repeats = Repeats()
        self.lanes: FastExport | None = None
        """Compiled loops that write too."""
        self._syncing = threading.Lock()
        """For what tells of lost pages: the kernel tells it once, so whoever hears of it says so before another asks."""

    def ask(self, call: Callable[_Arguments, _Result], *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        """Call what waits for the disk: where that takes long, it is told meanwhile."""
        self.trouble.asks()
        try:
            return call(*args, **kwargs)
        finally:
            self.trouble.answered()

    # ---- a request: judged, carried out, counted

    def judge(self, job: Job) -> bytes | None:
        """The reply to a write that is not to be done (again); None for what goes to the disk. Under the export's lock."""
        match job.intent:
            case ReadBlocks() as intent:
                job.initiator.last_io = job.arrived
                if job.initiator.asked.is_retransmission(intent, job.arrived, write=False):
                    self._initiators.was_repeated(job.initiator)
                return None
            case WriteBlocks() as intent:
                job.initiator.last_io = job.arrived
                return self._judge_write(job, intent)
            case _:
                return None

    def awaits_flush(self, job: Job) -> bool:
        """Whether it is the copy of a write that a compiled loop has executed, and will answer."""
        match job.intent:
            case WriteBlocks() as intent if self.lanes is not None:
                return self.lanes.awaits_flush(intent)
            case _:
                return False

    def flush_failed(self, code: int) -> None:
        """A flush for what a compiled loop wrote has failed."""
        self._lose("flushing", OSError(code, os.strerror(code)))
        if self.lanes is not None:
            self.lanes.refresh()

    def _judge_write(self, job: Job, intent: WriteBlocks) -> bytes | None:
        if self.fault:
            return self._failed(job, intent)
        repeat = self._is_repeat(job, intent)
        if job.initiator.asked.is_retransmission(intent, job.arrived, write=True) or repeat:
            self._initiators.was_repeated(job.initiator)
        return replies.write_reply(intent) if repeat else None

    def _is_repeat(self, job: Job, intent: WriteBlocks) -> bool:
        """Whether it was executed, here or by a compiled loop, which sees requests that we do not."""
        tags, lanes = job.initiator.tags, self.lanes
        if lanes is None:
            return self._repeats.is_repeat(intent, job.arrived, tags)
        if job.initiator.fast is not None:
            tags.learn(job.initiator.fast.kinds_reused)
        known = lanes.knows_write(intent, job.arrived, tags)
        if known is False:
            self._repeats.give_up_tag(intent)
        repeat = self._repeats.is_repeat(intent, job.arrived, tags)
        if repeat and not known:
            lanes.remember_write(intent)  # the network may repeat this frame as well
        return repeat or known is True

    def read(self, intents: Sequence[ReadBlocks]) -> list[bytes | None]:
        """Read what lies one behind the other in one call: the replies; None for each that failed by itself."""
        lba = intents[0].lba
        try:
            data = self.ask(self._backing.read, lba, sum(intent.count for intent in intents))
        except OSError as error:
            if len(intents) > 1:
                return [reply for intent in intents for reply in self.read((intent,))]
            self.trouble.failed("reading", error)
            return [None]
        self.trouble.succeeded("reading")
        if len(intents) == 1:
            return [replies.read_reply(intents[0], data)]
        view = memoryview(data)
        return [
            replies.read_reply(intent, view[(intent.lba - lba) * SECTOR : (intent.lba - lba + intent.count) * SECTOR])
            for intent in intents
        ]

    def write(self, intents: Sequence[WriteBlocks]) -> list[bytes | None]:
        """Write what lies one behind the other in one call: an empty outcome, or None for each that failed."""
        try:
            self.ask(self._backing.write, intents[0].lba, *(intent.data for intent in intents))
        except OSError as error:
            if len(intents) > 1:
                return [reply for intent in intents for reply in self.write((intent,))]
            self.trouble.failed("writing", error)
            return [None]
        return [b""] * len(intents)

    def flush(self) -> None:
        """Bring everything written to stable storage; if that fails, writes are refused from then on."""
        with self._syncing:
            try:
                if not self.fault:
                    self.ask(self._backing.flush)
            except OSError as error:
                self._lose("flushing", error)

    def finished(self, job: Job, outcome: bytes | None, oldest: float | None = None) -> bytes:
        """Count what the disk did for a request, as durably as it is to be, and give the reply. Under the export's lock.

        It is an error if the disk failed (`outcome` is None), or if what was written may be lost by now.
        """
        match job.intent:
            case ReadBlocks() as intent if outcome is not None:
                self._initiators.was_read(job.initiator, intent.count * SECTOR)
                return outcome
            case WriteBlocks() as intent if outcome is not None and not self.fault:
                self._repeats.executed(intent, job.arrived, self._clock.monotonic(), oldest)
                if self.lanes is not None:
                    self.lanes.remember_write(intent)
                self.trouble.succeeded("writing")
                self._initiators.was_written(job.initiator, intent.count * SECTOR)
                return replies.write_reply(intent)
            case Flush() as intent if not self.fault:
                self._initiators.replied(job.initiator, error=False)
                return replies.flush_reply(intent)
            case ReadBlocks() | WriteBlocks() | Flush() as intent:
                return self._failed(job, intent)
            case _:
                raise TypeError("only reads, writes and flushes are the disk's")

    def _failed(self, job: Job, intent: ReadBlocks | WriteBlocks | Flush) -> bytes:
        self._initiators.was_failed(job.initiator)
        if self.lanes is not None:  # what was cut off, or refuses writes, they must not serve
            self.lanes.refresh()
        return replies.failed_reply(intent, AtaError.UNC)

    # ---- once a second, and at the end

    def look(self) -> None:
        """Whether the kernel could write what it took, which no initiator asks; and whether a full file system has room again,
        which nothing else would tell where nobody writes."""
        if not self._spec.read_only and self._syncing.acquire(blocking=False):  # a flush under way tells it by itself
            try:
                if not self.fault:
                    self.ask(self._backing.check_writeback)
            except OSError as error:
                self._lose("writing back to", error)
            finally:
                self._syncing.release()
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
        if self.lanes is not None:
            self.lanes.unmap()
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
