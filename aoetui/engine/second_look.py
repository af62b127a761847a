"""Requests judged when their turn comes: what was let in may be shut out by now, and a write may have been done before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.protocol import replies, target
from aoetui.engine.protocol.replies import Flush, ReadBlocks, WriteBlocks

if TYPE_CHECKING:
    from aoetui.engine.current_facts import CurrentFacts
    from aoetui.engine.disk_work import DiskWork
    from aoetui.engine.initiators import Initiators
    from aoetui.engine.jobs import Job
    from aoetui.engine.refusals import Refusals


class SecondLook:
    """Under the export's lock."""

    def __init__(self, facts: CurrentFacts, disk: DiskWork, initiators: Initiators, refusals: Refusals) -> None:
        self._facts = facts
        self._disk = disk
        self._initiators = initiators
        self._refusals = refusals

    def judge(self, job: Job) -> tuple[bool, bytes | None]:
        """Whether it is still to be carried out. If not: its reply, counted already, or None for silence."""
        if job.state is not self._facts.now.state:
            may, reply = self._still_may(job)
            if not may:
                return False, reply
        if self._disk.awaits_flush(job):
            return False, None
        reply = self._disk.judge(job)
        return reply is None, reply

    def _still_may(self, job: Job) -> tuple[bool, bytes | None]:
        """The same by the mask list and the reservation alone, which have changed since it came."""
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
