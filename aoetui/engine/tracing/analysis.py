"""What belongs together in a trace, found for those frames that someone looks at or searches."""

from __future__ import annotations

import threading
import time
from array import array
from typing import TYPE_CHECKING, NamedTuple

from aoetui.engine.protocol.captured import Mark, brief_of
from aoetui.engine.protocol.decoded import is_malformed
from aoetui.engine.protocol.matching import MARKS, Matcher, Odd
from aoetui.engine.protocol.trace_filter import Seen
from aoetui.engine.protocol.words import failed

if TYPE_CHECKING:
    from aoetui.engine.protocol.captured import Brief, Captured
    from aoetui.engine.tracing.store import Chunk, Store

CONTEXT = 1000
"""Frames before and after those that are looked at, among which their requests and answers are sought."""
_SLICE = 100
MATCHED = 128
_BITS = len(MARKS) - 1
_UNANSWERED = int(Odd.UNANSWERED)
"""In `Chunk.odd`: the frame was looked at."""


class Examined(NamedTuple):
    """A frame with what is known of it."""

    number: int
    captured: Captured
    brief: Brief | None
    seen: Seen
    peer: int
    """The number of the request that it answers, or of its first answer; 0 if unknown."""
    waited_ns: int
    """Between the two; -1 if unknown."""


class Analysis:
    """Matches requests and answers. Any thread may ask."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._matcher = Matcher()
        self._next = 1
        """Number of the frame that the matcher is to be fed with."""
        self._idle_until = 0

    def cover(self, first: int, last: int) -> None:
        """See to it that these frames are matched, with those around them."""
        store = self._store
        first, last = max(first - CONTEXT, store.oldest), min(last + CONTEXT, store.newest)
        with self._lock:
            if first > last or self._covered(first, last):
                return
            if not first <= self._next <= last + 1:
                self._matcher, self._next = Matcher(), first
            for number, chunk in store.walk(self._next, last):
                self._match(number, chunk)
                if number % _SLICE == 0:
                    time.sleep(0)  # whoever waits for the interpreter comes first
            self._next = last + 1
            self._note_unanswered()

    def until(self, now_ns: int) -> None:
        """It is this late, and no frame has come since the newest: who waits for an answer has waited for so long."""
        with self._lock:
            if self._next > self._store.newest:
                self._idle_until = now_ns
                self._matcher.until(now_ns)
                self._note_unanswered()

    def _covered(self, first: int, last: int) -> bool:
        at = first
        while at <= last:
            chunk = self._store.chunk_of(at)
            if chunk is None or not chunk.odd:
                return False
            part = chunk.odd[at - chunk.first : last + 1 - chunk.first]
            if min(part) < MATCHED:
                return False
            at = chunk.first + chunk.count
        return True

    def _match(self, number: int, chunk: Chunk) -> None:
        if not chunk.odd:
            chunk.odd, chunk.peers = bytearray(chunk.count), array("q", bytes(8 * chunk.count))
        at = number - chunk.first
        captured = chunk.frame(number)
        brief = brief_of(captured.frame)
        if brief is None:
            chunk.odd[at] |= MATCHED
            return
        found = self._matcher.feed(number, captured.time_ns, captured.interface, brief)
        chunk.odd[at] = MATCHED | found.odd | (chunk.odd[at] & _UNANSWERED)
        if found.request > 0:
            chunk.peers[at] = found.request
            self._note_answer(found.request, number)

    def _note_answer(self, request: int, answer: int) -> None:
        chunk = self._store.chunk_of(request)
        if chunk is not None and chunk.odd:
            at = request - chunk.first
            chunk.peers[at] = chunk.peers[at] or answer
            chunk.odd[at] &= ~_UNANSWERED

    def _note_unanswered(self) -> None:
        numbers, self._matcher.unanswered = self._matcher.unanswered, []
        for number in numbers:
            chunk = self._store.chunk_of(number)
            if chunk is not None and chunk.odd and not chunk.peers[number - chunk.first]:
                chunk.odd[number - chunk.first] |= _UNANSWERED

    def now_ns(self) -> int:
        """The time up to which it is known who was answered: of the newest frame, or later where none has come since."""
        newest = self._store.frame(self._store.newest)
        return max(0 if newest is None else newest.time_ns, self._idle_until)

    def examine(self, number: int, chunk: Chunk) -> Examined:
        """One frame with all that is known of it now."""
        captured = chunk.frame(number)
        brief = brief_of(captured.frame)
        at = number - chunk.first
        odd, peer = (chunk.odd[at], chunk.peers[at]) if chunk.odd else (0, 0)
        other = self._store.frame(peer) if peer else None
        asked, waited = None, -1
        if other is not None and brief is not None:
            waited = abs(captured.time_ns - other.time_ns)
            asked = brief_of(other.frame) if brief.response else None
        marks = MARKS[odd & _BITS]
        if brief is not None and failed(brief):
            marks |= {Mark.ERROR}
        if is_malformed(brief, captured):
            marks |= {Mark.MALFORMED}
        slow = waited if brief is not None and brief.response else -1
        seen = Seen(brief, captured.direction, captured.interface, marks, asked, slow)
        return Examined(number, captured, brief, seen, peer, waited)
