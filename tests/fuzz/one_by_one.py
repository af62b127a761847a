"""What the reference path makes of requests that it carries out one by one, each at once, in order of arrival."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aoetui.engine.fast.tables import READ, REPEAT, ROUTE, WRITE
from aoetui.engine.protocol import replies, target
from aoetui.engine.protocol.repeats import Repeats, Retransmissions, TagUse
from aoetui.engine.protocol.replies import ReadBlocks, WriteBlocks
from aoetui.engine.protocol.silence import Silence
from tests.fuzz.findings import Finding
from tests.fuzz.lane_rig import DROPPED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aoetui.engine.current_facts import CurrentFacts
    from aoetui.engine.protocol.facts import PortFacts
    from aoetui.engine.protocol.header import Header
    from aoetui.engine.protocol.target import Answer

SECTOR = 512


class _Asked(Retransmissions):
    """In milliseconds, and without an end: the lane remembers fewer of them, never others."""

    AT_LEAST, SOON, MEMORY = 10.0, 3000.0, 1 << 30


@dataclass(slots=True)
class Use:
    """One initiator of one export."""

    tags: TagUse = field(default_factory=TagUse)
    asked: _Asked = field(default_factory=_Asked)
    reads: int = 0
    writes: int = 0
    read_bytes: int = 0
    write_bytes: int = 0
    answered: int = 0
    """By the lane."""
    repeats: int = 0
    """Writes that the lane had executed, or knew to be."""
    retransmits: int = 0
    """Those, and requests that look asked again, of those that the lane answered."""
    dropped: int = 0
    in_batch: int = 0
    routed_in_batch: int = 0
    """Plain ones: the lane may have counted them before the disk sent them elsewhere."""


@dataclass(slots=True)
class Model:
    """One export: its whole backing as it must be, and who uses it."""

    facts: CurrentFacts
    content: bytearray
    base: int
    repeats: Repeats = field(default_factory=Repeats)
    uses: defaultdict[bytes, Use] = field(default_factory=lambda: defaultdict(Use))


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer that a frame which takes the reference path is due: `reply` if it is a read or a write."""

    model: Model
    header: Header
    answer: Answer
    frame: bytes
    reply: bytes | None
    repeat: bool = False


class OneByOne:
    """The exports of one port."""

    def __init__(self, port: PortFacts, models: Sequence[Model]) -> None:
        self.port = port
        self.models = models
        self._by_address = {(model.facts.now.address.shelf, model.facts.now.address.slot): model for model in models}

    def begin_batch(self) -> None:
        """What an initiator may ask within one batch begins anew."""
        for model in self.models:
            for use in model.uses.values():
                use.in_batch = use.routed_in_batch = 0

    def take(self, frame: bytes, fate: int, now: int) -> tuple[bytes | None, list[Sent]]:
        """One frame that met this fate at the lane: the reply it must send, and what the reference path is to answer."""
        header = target.screen(frame, self.port)
        found = [] if isinstance(header, Silence) else self._addressed(header)
        if isinstance(header, Silence) or fate == ROUTE:
            if fate != ROUTE:
                raise Finding(f"the lane answered what is to be met with silence ({header})", frame)
            return None, [] if isinstance(header, Silence) else [self._route(each, header, frame, now) for each in found]
        if len(found) != 1 or header.destination.raw != self.port.mac.raw:
            raise Finding("the lane answered what is not for one export here alone", frame)
        model = found[0]
        answer = target.answer(header, memoryview(frame), model.facts.now, self.port)
        use = model.uses[header.source.raw]
        use.tags.note(header.tag, frame)
        match answer:
            case ReadBlocks() | WriteBlocks():
                return self._answered(model, use, answer, fate, now), []
            case _:
                raise Finding(f"the lane answered what is no plain read or write: {answer}", frame)

    def _addressed(self, header: Header) -> list[Model]:
        if header.shelf != 0xFFFF and header.slot != 0xFF:
            model = self._by_address.get((header.shelf, header.slot))
            return [] if model is None else [model]
        return [model for model in self.models if target.matches(header, model.facts.now.address)]

    def _answered(self, model: Model, use: Use, intent: ReadBlocks | WriteBlocks, fate: int, now: int) -> bytes | None:
        limit = model.facts.now.buffer_count
        if fate == DROPPED:
            if use.in_batch + use.routed_in_batch < limit:
                raise Finding(f"dropped, though the batch held but {use.in_batch} of {limit} requests")
            use.dropped += 1
            return None
        use.in_batch += 1
        if use.in_batch > limit:
            raise Finding(f"more than the {limit} requests of the buffer count were answered in one batch")
        use.answered += 1
        again = use.asked.is_retransmission(intent, now // 1_000_000, write=isinstance(intent, WriteBlocks))
        reply, repeat = self._carry_out(model, use, intent, now)
        wanted = READ if isinstance(intent, ReadBlocks) else REPEAT if repeat else WRITE
        if fate != wanted:
            raise Finding(f"the lane took {intent} for kind {fate}, not {wanted}")
        use.repeats += repeat
        use.retransmits += again or repeat
        return reply

    def _route(self, model: Model, header: Header, frame: bytes, now: int) -> Sent:
        answer = target.answer(header, memoryview(frame), model.facts.now, self.port)
        if isinstance(answer, Silence):
            return Sent(model, header, answer, frame, None)
        use = model.uses[header.source.raw]
        use.tags.note(header.tag, frame)
        if isinstance(answer, ReadBlocks | WriteBlocks):
            use.routed_in_batch += 1
            reply, repeat = self._carry_out(model, use, answer, now)
            return Sent(model, header, answer, frame, reply, repeat)
        return Sent(model, header, answer, frame, None)

    @staticmethod
    def _carry_out(model: Model, use: Use, intent: ReadBlocks | WriteBlocks, now: int) -> tuple[bytes, bool]:
        """The reply, and whether it repeats a write."""
        size, at = intent.count * SECTOR, model.base + intent.lba * SECTOR
        if isinstance(intent, ReadBlocks):
            use.reads += 1
            use.read_bytes += size
            return replies.read_reply(intent, memoryview(model.content)[at : at + size]), False
        seconds = now / 1e9
        if model.repeats.is_repeat(intent, seconds, use.tags):
            return replies.write_reply(intent), True
        model.repeats.executed(intent, seconds, seconds)
        model.content[at : at + size] = intent.data
        use.writes += 1
        use.write_bytes += size
        return replies.write_reply(intent), False
