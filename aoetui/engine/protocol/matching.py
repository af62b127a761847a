"""Requests and their answers in a trace: which belong together, and what is odd about them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, NamedTuple

from aoetui.engine.protocol.captured import Mark
from aoetui.engine.protocol.wire import AtaFlag, AtaOp, Command

if TYPE_CHECKING:
    from aoetui.engine.protocol.captured import Brief

PATIENCE_NS = 1_000_000_000
"""After so long without an answer a request is unanswered, and an answer that still comes is late."""
_AGAIN_NS = 1_000_000
"""Who asks for the same twice within this time has two questions; nobody gives up so soon."""
_REPEAT_NS = 5 * PATIENCE_NS
"""A tag that comes again later is a new request."""
_REMEMBERED = 65536
"""Requests; the oldest are forgotten."""


class Odd(IntFlag):
    """Marks as bits; plain numbers hold them, for a flag takes long to combine."""

    RETRANSMIT = 1
    REPEAT = 2
    LATE = 4
    UNANSWERED = 8


_MARKS = {
    Odd.RETRANSMIT: Mark.RETRANSMIT,
    Odd.REPEAT: Mark.REPEAT,
    Odd.LATE: Mark.LATE,
    Odd.UNANSWERED: Mark.UNANSWERED,
}
MARKS = tuple(frozenset(mark for bit, mark in _MARKS.items() if bits & bit) for bits in range(16))
"""The marks of each combination of bits."""
_WRITE = int(AtaFlag.WRITE)
_TRANSFERS = frozenset(map(int, (AtaOp.READ, AtaOp.READ_EXT, AtaOp.WRITE, AtaOp.WRITE_EXT)))


class Matched(NamedTuple):
    """What is known of a frame once it was fed."""

    request: int
    """The number of the request that it answers; -1 if it is none, or answers nothing that is known."""
    odd: int
    """`Odd` bits."""
    asked: Brief | None
    """The request that it answers."""
    waited_ns: int
    """From request to answer; -1 where that is unknown."""


@dataclass(slots=True)
class _Request:
    number: int
    time_ns: int
    brief: Brief
    content: tuple[object, ...] | None
    answered_by: tuple[bytes, ...] = ()
    asked_again: bool = False


_NOTHING = Matched(-1, 0, None, -1)


class Matcher:
    """Fed with the frames of a trace in their order. `unanswered` collects the numbers of requests that nobody answered."""

    def __init__(self) -> None:
        self._requests: dict[tuple[object, ...], _Request] = {}
        """By interface, initiator, tag and command; in the order in which they came."""
        self._open: dict[tuple[object, ...] | None, _Request] = {}
        """What was asked for and not answered yet."""
        self._waiting: dict[int, _Request] = {}
        """By number, those that were not answered yet."""
        self.unanswered: list[int] = []
        """Whoever feeds takes them out."""

    def feed(self, number: int, time_ns: int, where: str, brief: Brief) -> Matched:
        """The next frame of the trace; `where` is its interface."""
        self.until(time_ns)
        if brief.response:
            return self._answer(time_ns, where, brief)
        return self._ask(number, time_ns, where, brief)

    def until(self, time_ns: int) -> None:
        """It is this late: give up those who have waited for too long."""
        while self._waiting:
            number, request = next(iter(self._waiting.items()))
            if request.time_ns > time_ns - PATIENCE_NS:
                break
            del self._waiting[number]
            self.unanswered.append(number)

    def _ask(self, number: int, time_ns: int, where: str, brief: Brief) -> Matched:
        key = (where, brief.source, brief.tag, brief.command)
        content = _content(where, brief)
        odd = 0
        before = self._requests.pop(key, None)
        if before is not None and brief.command != Command.QUERY_CONFIG and time_ns - before.time_ns < _REPEAT_NS:
            odd = int(Odd.REPEAT)
            self._waiting.pop(before.number, None)  # its answer cannot be told from that of the copy
        elif (open_one := self._open.get(content)) is not None and time_ns - open_one.time_ns > _AGAIN_NS:
            odd = int(Odd.RETRANSMIT)
            open_one.asked_again = True
        self._remember(key, _Request(number, time_ns, brief, content))
        return Matched(-1, odd, None, -1)

    def _remember(self, key: tuple[object, ...], request: _Request) -> None:
        self._requests[key] = request
        self._waiting[request.number] = request
        if request.content is not None:
            self._open[request.content] = request
        if len(self._requests) > _REMEMBERED:
            oldest = self._requests.pop(next(iter(self._requests)))
            self._waiting.pop(oldest.number, None)
            self._close(oldest)

    def _close(self, request: _Request) -> None:
        if request.content is not None and self._open.get(request.content) is request:
            del self._open[request.content]

    def _answer(self, time_ns: int, where: str, brief: Brief) -> Matched:
        request = self._requests.get((where, brief.destination, brief.tag, brief.command))
        if request is None:
            return _NOTHING
        waited = time_ns - request.time_ns
        odd = 0
        if brief.source in request.answered_by:
            odd = int(Odd.REPEAT)
        elif request.asked_again or waited >= PATIENCE_NS:
            odd = int(Odd.LATE)
        request.answered_by += (brief.source,)
        self._waiting.pop(request.number, None)
        self._close(request)
        return Matched(request.number, odd, request.brief, waited)


def _content(where: str, brief: Brief) -> tuple[object, ...] | None:
    """What an ATA request asks for; a retransmission by Linux has the same, and another tag."""
    if brief.command != Command.ATA or brief.ata is None:
        return None
    flags, feature, count, op, lba = brief.ata
    if op not in _TRANSFERS:
        return None
    return (where, brief.source, brief.shelf, brief.slot, flags & _WRITE, feature, count, op, lba)
