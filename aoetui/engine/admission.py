"""Which requests may wait for an export's disk: the buffer count of each initiator on each interface, and the engine's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.protocol.changes import Change
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aoetui.engine.events import EventLog
    from aoetui.engine.jobs import Job
    from aoetui.engine.memory import MemoryBudget
    from aoetui.engine.spec import ExportSpec


MAX_CHANGES = 16
"""Changes of an export's state that may wait, of all initiators together: each waits for stable storage, and reads behind it."""


class Admission:
    """The bounds of one export's queue. Every method is called under the export's lock.

    Linux keeps at most the buffer count of requests under way on each path (aoecmd.c), but asks again for those that a slow disk
    has not answered: what is beyond is dropped, and asked for once more.
    """

    def __init__(self, spec: ExportSpec, memory: MemoryBudget, events: EventLog) -> None:
        self._spec = spec
        self._memory = memory
        self._events = events
        self.dropped = 0
        """Of all initiators that ever were."""
        self._short = False
        self._changes = 0

    def admit(self, jobs: Sequence[Job]) -> list[Job]:
        """Those that may wait; the others are counted. That memory is short is told once, until there is plenty again."""
        admitted: list[Job] = []
        short = False
        self._short &= not self._memory.plenty
        for job in jobs:
            record = job.initiator
            changes = isinstance(job.intent, Change)
            if record.under_way >= self._spec.buffer_count or (changes and self._changes >= MAX_CHANGES):
                self._drop(job)
            elif not self._memory.take(job.size):
                short = True
                self._drop(job)
            else:
                record.under_way += 1
                self._changes += changes
                admitted.append(job)
        if short and not self._short:
            text = (
                "requests are dropped, since those that wait for disks fill the memory set aside for them; initiators repeat them"
            )
            self._events.add(Severity.WARNING, str(self._spec.address), text)
        self._short |= short
        return admitted

    def _drop(self, job: Job) -> None:
        job.initiator.dropped += 1
        self.dropped += 1

    def release(self, jobs: Sequence[Job]) -> None:
        """These wait no more."""
        for job in jobs:
            job.initiator.under_way -= 1
            self._changes -= isinstance(job.intent, Change)
        self._memory.give(sum(job.size for job in jobs))
