"""The reference path behind a lane, without its threads: an export's own parts, and a queue that is worked off when told."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, cast

from aoetui.engine.backing import Backing
from aoetui.engine.clock import Clock
from aoetui.engine.current_facts import CurrentFacts
from aoetui.engine.disk_work import DiskWork
from aoetui.engine.fast_export import FastExport
from aoetui.engine.initiators import Initiators
from aoetui.engine.jobs import Job
from aoetui.engine.protocol.facts import AccessPolicy, ExportFacts, TargetState
from aoetui.engine.protocol.replies import ReadBlocks, Reply, WriteBlocks
from aoetui.engine.protocol.silence import Silence
from tests.fuzz.findings import Finding

if TYPE_CHECKING:
    from aoetui.engine.fast.lane import Lane
    from aoetui.engine.initiators import InitiatorRecord
    from aoetui.engine.ports import Port
    from aoetui.engine.protocol.repeats import TagUse
    from aoetui.engine.spec import ExportSpec
    from tests.fuzz.one_by_one import Sent

LINK = "near0"


class Times:
    """Seconds of a clock that can be put forward. The lane's own cannot: there, what is remembered is made older."""

    def __init__(self) -> None:
        self.ahead = 0

    @property
    def now(self) -> float:
        """Seconds."""
        return time.monotonic() + self.ahead / 1e3


class _Shifted(FastExport):
    """Asks lanes by their own clock."""

    times: Times

    def knows_write(self, write: WriteBlocks, arrived: float, tags: TagUse) -> bool | None:
        return super().knows_write(write, arrived - self.times.ahead / 1e3, tags)


class WaitingPath:
    """One export."""

    def __init__(self, spec: ExportSpec, policy: AccessPolicy, state: TargetState, times: Times, lane: Lane) -> None:
        self.backing = Backing.open(spec.path, read_only=spec.read_only, offset=spec.offset, length=spec.length)
        facts = ExportFacts(
            address=spec.address,
            sectors=self.backing.sectors,
            identify=bytes(512),
            read_only=spec.read_only,
            buffer_count=spec.buffer_count,
            policy=policy,
        )
        self.facts = CurrentFacts(facts.with_state(state))
        self.initiators = Initiators()
        self.answered_twice = 0
        """Writes that were asked for again while they waited: once executed, twice answered."""
        self._times = times
        self._lane = lane
        self._disk = DiskWork(spec, self.backing, self.initiators, Clock(lambda: times.now))
        self.fast = _Shifted(
            spec,
            self.backing,
            self.facts,
            self.initiators,
            is_writable=lambda: not self._disk.fault,
            reopen=self._reopen,
            hold=lambda _lane: None,
            flush_failed=lambda _code: None,
        )
        self.fast.times = times
        self._disk.lanes = self.fast
        self.facts.watch(self.fast.refresh)
        self._queue: deque[tuple[Sent, InitiatorRecord, float]] = deque()
        self._shut: bool | None = None

    def take(self, sent: Sent) -> None:
        """As Export.take, and Turns.enqueue."""
        answer = sent.answer
        if isinstance(answer, Silence):
            return
        now = self._times.now
        record = self.initiators.find(sent.header.source, LINK, now)
        record.tags.note(sent.header.tag, sent.frame)
        if isinstance(answer, Reply):
            return
        reads = not (isinstance(answer, ReadBlocks) and all(isinstance(each.answer, ReadBlocks) for each, _, _ in self._queue))
        self._queue.append((sent, record, now))
        if reads is not self._shut:
            self._shut = reads
            self.fast.close(reads=reads)
        self.fast.meet(record, self._lane)

    @property
    def waiting(self) -> int:
        """Requests."""
        return len(self._queue)

    def work(self, limit: int) -> None:
        """Carry out so many of those that wait."""
        for _ in range(min(limit, len(self._queue))):
            sent, record, arrived = self._queue.popleft()
            if isinstance(sent.answer, ReadBlocks | WriteBlocks):
                reply = self._carry_out(sent, record, arrived)
                if reply != sent.reply:
                    raise Finding(f"the reference path answered {reply!r}\nand not {sent.reply!r}", sent.frame)
        if not self._queue and self._shut is not None:
            self._shut = None
            self.fast.open()

    def _carry_out(self, sent: Sent, record: InitiatorRecord, arrived: float) -> bytes:
        intent = sent.answer
        assert isinstance(intent, ReadBlocks | WriteBlocks)
        job = Job(cast("Port", None), intent, record, arrived, self.facts.now.state)
        reply = self._disk.judge(job)
        if (reply is None) and sent.repeat:
            raise Finding("the reference path carries out a write that was carried out before", sent.frame)
        if reply is not None:
            self.answered_twice += not sent.repeat
            return reply
        outcome = self._disk.read((intent,))[0] if isinstance(intent, ReadBlocks) else self._disk.write((intent,))[0]
        return self._disk.finished(job, outcome)

    def _reopen(self) -> None:
        if not self._queue:
            self.fast.open()
