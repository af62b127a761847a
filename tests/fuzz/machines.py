"""The pure machines as one target: screen, answer, carry out, reply, over disks in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.protocol import changes, replies, target
from aoetui.engine.protocol.changes import EditMask, SetConfig, SetReservation
from aoetui.engine.protocol.replies import Flush, ReadBlocks, Reply, WriteBlocks
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.wire import AtaError
from tests.fuzz.oracle import SECTOR, Content, Mishap

if TYPE_CHECKING:
    from aoetui.engine.protocol.changes import Change
    from aoetui.engine.protocol.facts import ExportFacts, PortFacts
    from aoetui.engine.protocol.header import Header


class OutsideError(Exception):
    """The machine asked for sectors that the export has not, or for another number of bytes than it said."""


class Machine:
    """One export."""

    def __init__(self, facts: ExportFacts, content: Content) -> None:
        self.facts = facts
        self.content = content

    def take(self, header: Header, frame: bytes, port: PortFacts, mishap: Mishap) -> bytes | None:
        """The reply to a request, with all that it asked for done."""
        match target.answer(header, memoryview(frame), self.facts, port):
            case Silence():
                return None
            case Reply() as reply:
                return reply.frame
            case SetConfig() | EditMask() | SetReservation() as change:
                return self._change(change, mishap)
            case (ReadBlocks() | WriteBlocks() | Flush()) as intent:
                return self._work(intent, mishap)

    def _change(self, change: Change, mishap: Mishap) -> bytes:
        made = changes.carry_out(change, self.facts)
        if made.state != self.facts.state:
            if mishap is Mishap.NOTHING_IS_KEPT:
                return changes.not_kept(change, self.facts).frame
            self.facts = self.facts.with_state(made.state)
        return made.reply.frame

    def _work(self, intent: ReadBlocks | WriteBlocks | Flush, mishap: Mishap) -> bytes:
        self._check(intent)
        if mishap is Mishap.RESERVED_MEANWHILE:
            return replies.reserved_reply(intent)
        if mishap is Mishap.DISK_FAILS:
            return replies.failed_reply(intent, AtaError.UNC)
        match intent:
            case ReadBlocks(lba, count):
                return replies.read_reply(intent, self.content.read(lba, count))
            case WriteBlocks(lba, _, data):
                self.content.write(lba, bytes(data))
                return replies.write_reply(intent)
            case Flush():
                return replies.flush_reply(intent)

    def _check(self, intent: ReadBlocks | WriteBlocks | Flush) -> None:
        if isinstance(intent, Flush):
            return
        if not 0 <= intent.lba < intent.lba + intent.count <= self.content.sectors:
            raise OutsideError(f"{intent.count} sectors at {intent.lba} of {self.content.sectors}")
        if isinstance(intent, WriteBlocks) and (self.facts.read_only or len(intent.data) != intent.count * SECTOR):
            raise OutsideError(f"{len(intent.data)} bytes for {intent.count} sectors, read-only: {self.facts.read_only}")


class Machines:
    """The exports of one interface."""

    def __init__(self, port: PortFacts, machines: list[Machine]) -> None:
        self.port = port
        self.machines = machines

    def take(self, frame: bytes, mishap: Mishap = Mishap.NONE) -> list[bytes]:
        """Every reply to a frame."""
        header = target.screen(frame, self.port)
        if isinstance(header, Silence):
            return []
        answers = [each.take(header, frame, self.port, mishap) for each in self.machines]
        return [answer for answer in answers if answer is not None]
