"""Looking at a trace: pages of lines, one frame in full, what passes a filter. Only what is asked for is worked on."""

from __future__ import annotations

import threading
import time
from array import array
from bisect import bisect_left
from collections import OrderedDict
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, UsageError
from aoetui.engine.commands.trace import MOST_LINES, FrameDetail, TraceLine, TracePage
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.captured import Mark, tags_of, untagged
from aoetui.engine.protocol.decoded import fields_of
from aoetui.engine.protocol.matching import PATIENCE_NS
from aoetui.engine.protocol.trace_filter import FilterError, TraceFilter, parse_filter
from aoetui.engine.protocol.words import address_text, what
from aoetui.engine.tracing.analysis import Analysis
from aoetui.engine.tracing.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aoetui.engine.protocol.captured import Captured
    from aoetui.engine.tracing.analysis import Examined

BUDGET = 5_000
"""Frames that one look may search."""
_SLICE = 500
_REST = 0.001
"""Seconds after each slice in which others have the interpreter."""
_SEARCHES = 4
"""Filters whose results are remembered."""


class Recording:
    """A store, and what is known of its frames."""

    def __init__(self, limit: int | None = None) -> None:
        self.store = Store() if limit is None else Store(limit)
        self.analysis = Analysis(self.store)
        self._searches: OrderedDict[str, _Search] = OrderedDict()
        self._lock = threading.Lock()
        self.held: list[Captured] = []
        """Frames that wait for older ones of another interface; the reader's alone."""

    def page(self, text: str, first: int | None, count: int) -> TracePage:
        """See ReadTrace."""
        wanted = filter_of(text)
        count = max(0, min(count, MOST_LINES))
        if not wanted.tests:
            oldest, newest = self.store.oldest, self.store.newest
            first = max(oldest, newest - count + 1 if first is None else first)
            last = min(newest, first + count - 1)
            return TracePage(tuple(self._lines(range(first, last + 1), first)), oldest, newest, searching=False, missed=0)
        search = self._search(wanted)
        search.advance(BUDGET)
        oldest, newest, numbers, at = search.part(first, count)
        return TracePage(tuple(self._lines(numbers, at)), oldest, newest, searching=search.behind, missed=search.missed)

    def _search(self, wanted: TraceFilter) -> _Search:
        with self._lock:
            found = self._searches.pop(wanted.text, None) or _Search(self.store, self.analysis, wanted)
            self._searches[wanted.text] = found
            if len(self._searches) > _SEARCHES:
                self._searches.popitem(last=False)
            return found

    def _lines(self, numbers: range | array[int], rank: int) -> Iterator[TraceLine]:
        if len(numbers):
            if isinstance(numbers, range):
                self.analysis.cover(numbers[0], numbers[-1])
            else:
                for number in numbers:
                    self.analysis.cover(number, number)
        for place, number in enumerate(numbers):
            chunk = self.store.chunk_of(number)
            if chunk is not None:
                yield line_of(self.analysis.examine(number, chunk), rank + place)

    def detail(self, number: int) -> FrameDetail:
        """See ShowFrame."""
        self.analysis.cover(number, number)
        chunk = self.store.chunk_of(number)
        if chunk is None:
            raise EngineError(f"frame {number} is kept no more: pause or stop the trace to keep what there is")
        found = self.analysis.examine(number, chunk)
        return FrameDetail(line_of(found, number), fields_of(found.captured, found.seen.asked), found.captured.frame)

    def passing(self, text: str) -> Iterator[Captured]:
        """All kept frames that pass a filter, in order. Raises UsageError at the first."""
        wanted = filter_of(text)
        for number, chunk in self.store.walk(1, self.store.newest):
            if wanted.needs_matching and not (chunk.odd and chunk.odd[number - chunk.first]):
                self.analysis.cover(number, self.store.newest if wanted.needs_hindsight else number + _SLICE)
            if not wanted.tests:
                yield chunk.frame(number)
            elif wanted.passes((found := self.analysis.examine(number, chunk)).seen):
                yield found.captured
            if number % _SLICE == 0:
                time.sleep(_REST)


class _Search:
    """What passes one filter so far. Ranks count hits from 1, also those that are gone."""

    def __init__(self, store: Store, analysis: Analysis, wanted: TraceFilter) -> None:
        self._store, self._analysis, self._wanted = store, analysis, wanted
        self._lock = threading.Lock()
        self._hits = array("q")
        self._gone = 0
        self._next = 1
        self.missed = 0
        self._before = store.oldest
        """Frames older than this were gone when it began."""

    @property
    def behind(self) -> bool:
        """Whether there are frames that it could look at now."""
        return self._next <= self._last()

    def _last(self) -> int:
        """The newest frame that may be judged: of some words only those that are a second old."""
        if not self._wanted.needs_hindsight:
            return self._store.newest
        return self._store.last_until(self._analysis.now_ns() - PATIENCE_NS)

    def advance(self, budget: int) -> None:
        """Look at frames that came since, at most `budget`."""
        with self._lock:
            end = min(self._last(), max(self._next, self._store.oldest) + budget - 1)
            while self._next <= end:
                oldest = self._store.oldest
                if oldest > self._next:
                    self.missed += max(0, oldest - max(self._next, self._before))
                    self._next = oldest
                last = min(end, self._next + _SLICE - 1)
                if self._wanted.needs_matching:
                    self._analysis.cover(self._next, self._known_by(last))
                for number, chunk in self._store.walk(self._next, last):
                    if self._wanted.passes(self._analysis.examine(number, chunk).seen):
                        self._hits.append(number)
                self._next = max(self._next, last + 1)
                time.sleep(_REST)
            gone = bisect_left(self._hits, self._store.oldest)
            self._gone += gone
            del self._hits[:gone]

    def _known_by(self, last: int) -> int:
        """The frame by which all is known of this one that the filter asks for."""
        frame = self._store.frame(last) if self._wanted.needs_hindsight else None
        return last if frame is None else self._store.last_until(frame.time_ns + PATIENCE_NS)

    def part(self, first: int | None, count: int) -> tuple[int, int, array[int], int]:
        """Oldest and newest rank, the numbers of `count` frames from rank `first` on (the newest without), and its rank."""
        with self._lock:
            oldest, newest = self._gone + 1, self._gone + len(self._hits)
            first = max(oldest, newest - count + 1 if first is None else first)
            at = first - oldest
            return oldest, newest, self._hits[at : at + count], first


def filter_of(text: str) -> TraceFilter:
    """A parsed filter. Raises UsageError."""
    try:
        return parse_filter(text)
    except FilterError as error:
        raise UsageError(str(error), field="filter") from error


_ORDER = tuple(Mark)


def line_of(found: Examined, rank: int) -> TraceLine:
    """A frame in a line."""
    captured, brief, seen = found.captured, found.brief, found.seen
    untouched = untagged(captured.frame, len(tags_of(captured.frame)))
    return TraceLine(
        rank=rank,
        number=found.number,
        time_ns=captured.time_ns,
        interface=captured.interface,
        direction=captured.direction,
        vlan=None if brief is None else brief.vlan,
        source=None if brief is None else Mac(brief.source),
        destination=None if brief is None else Mac(brief.destination),
        address="" if brief is None else address_text(brief.shelf, brief.slot),
        what="not AoE, or its header is not whole" if brief is None else what(brief, untouched, seen.asked),
        response=brief is not None and brief.response,
        tag=None if brief is None else brief.tag,
        length=captured.length,
        kept=len(captured.frame),
        marks=tuple(mark for mark in _ORDER if mark in seen.marks),
        peer=found.peer or None,
        waited_us=found.waited_ns / 1000 if found.waited_ns >= 0 else None,
    )
