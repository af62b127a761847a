"""The order in which an export's requests go to its disk: what may start now, and what is done in one call. Pure.

Requests start in order of arrival. One waits only for earlier ones that it has sectors in common with, unless both read; a flush
and a change of the export's state wait for everything before them, and everything after waits for them. That holds until a
request is through, not only until it has started. Each costs the same, however many wait.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MAX_RUN = 64
"""Requests that one call to the disk may serve."""
MAX_RUN_SECTORS = 512
"""Sectors that it may span: 256 KiB."""
Item = TypeVar("Item")


class Kind(Enum):
    """What a request does to the others."""

    READ = "read"
    WRITE = "write"
    HELD = "held"
    """A read that somebody else carries out: writes of its sectors wait for it."""
    FLUSH = "flush"
    """Waits for all, and all wait for it; flushes that follow each other are one."""
    ALONE = "alone"
    """Waits for all, and all wait for it."""


_READS = frozenset({Kind.READ, Kind.HELD})
_BARRIERS = frozenset({Kind.FLUSH, Kind.ALONE})


@dataclass(slots=True, eq=False)
class Entry(Generic[Item]):
    """A request in the queue. It reads or writes the sectors from `lba` up to, not including, `end`."""

    item: Item
    kind: Kind
    lba: int = 0
    end: int = 0
    order: int = 0
    """The queue's: by arrival."""
    waits_for: int = 0
    followers: list[Entry[Item]] = field(default_factory=list)


class _Overlaps(Generic[Item]):
    """Which of the requests that are not through have sectors in common."""

    def __init__(self) -> None:
        self._writing = 0
        self._writers: dict[int, Entry[Item]] = {}
        """The newest write of each sector. Whatever came before it, it waits for itself."""
        self._readers: dict[int, set[Entry[Item]]] = {}
        """The reads of each sector since."""
        self._loose: set[Entry[Item]] = set()
        """Reads that are not listed by sector: there was no write when they came."""

    def add(self, entry: Entry[Item]) -> Collection[Entry[Item]]:
        """Take one up. Returns those that it has to wait for."""
        writers, sectors = self._writers, range(entry.lba, entry.end)
        if entry.kind in _READS:
            if not self._writing:
                self._loose.add(entry)
                return ()
            self._list(entry)
            return {writer for sector in sectors if (writer := writers.get(sector)) is not None}
        for read in self._loose:
            self._list(read)
        self._loose.clear()
        before = {writer for sector in sectors if (writer := writers.get(sector)) is not None}
        if self._readers:
            for sector in sectors:
                before |= self._readers.pop(sector, set())
        writers.update(dict.fromkeys(sectors, entry))
        self._writing += 1
        return before

    def _list(self, read: Entry[Item]) -> None:
        for sector in range(read.lba, read.end):
            self._readers.setdefault(sector, set()).add(read)

    def remove(self, entry: Entry[Item]) -> None:
        """It is through."""
        if entry in self._loose:
            self._loose.remove(entry)
        elif entry.kind is Kind.WRITE:
            self._writing -= 1
            for sector in range(entry.lba, entry.end):
                if self._writers.get(sector) is entry:
                    del self._writers[sector]
        else:
            for sector in range(entry.lba, entry.end):
                readers = self._readers.get(sector)
                if readers is not None:
                    readers.discard(entry)
                    if not readers:
                        del self._readers[sector]


class DiskQueue(Generic[Item]):
    """Every entry is added, taken, and reported as done in the end."""

    def __init__(self) -> None:
        self._orders = 0
        self._ready: dict[int, Entry[Item]] = {}
        self._heap: list[int] = []
        """The orders of `_ready`, and some that have been taken as another's neighbour."""
        self._starts: dict[Kind, dict[int, Entry[Item]]] = {Kind.READ: {}, Kind.WRITE: {}}
        """Of `_ready`, one for each first sector."""
        self._overlaps: _Overlaps[Item] = _Overlaps()
        self._barrier: Entry[Item] | None = None
        """The first flush or change of state that is not through."""
        self._behind: deque[Entry[Item]] = deque()
        """What came after it."""
        self._admitted = 0
        """Entries that are not behind the barrier, nor through."""
        self._others = 0

    def __len__(self) -> int:
        """Entries that are not through."""
        return self._admitted + len(self._behind)

    @property
    def ready(self) -> int:
        """Entries that may start now."""
        return len(self._ready)

    @property
    def only_reads(self) -> bool:
        """Whether nothing but reads is in it."""
        return not self._others

    def add(self, entry: Entry[Item]) -> None:
        """Take up an entry that comes now."""
        self._orders += 1
        entry.order = self._orders
        self._others += entry.kind not in _READS
        if self._barrier is None:
            self._admit(entry)
        else:
            self._behind.append(entry)

    def _admit(self, entry: Entry[Item]) -> None:
        self._admitted += 1
        if entry.kind not in _BARRIERS:
            before = self._overlaps.add(entry)
            entry.waits_for = len(before)
            for each in before:
                each.followers.append(entry)
        else:
            self._barrier = entry
            entry.waits_for = self._admitted - 1
        if not entry.waits_for:
            self._may_start(entry)

    def _may_start(self, entry: Entry[Item]) -> None:
        self._ready[entry.order] = entry
        heappush(self._heap, entry.order)
        if entry.kind in self._starts:
            self._starts[entry.kind].setdefault(entry.lba, entry)

    def take(self) -> list[Entry[Item]]:
        """The oldest entry that may start, and those that one call to the disk can do with it; empty if none may."""
        while self._heap:
            entry = self._ready.pop(heappop(self._heap), None)
            if entry is not None:
                return self._neighbours(entry) if entry.kind in self._starts else self._following_flushes(entry)
        return []

    def _following_flushes(self, barrier: Entry[Item]) -> list[Entry[Item]]:
        """The entry alone, unless it is a flush."""
        run = [barrier]
        while barrier.kind is Kind.FLUSH and self._behind and self._behind[0].kind is Kind.FLUSH:
            run.append(self._behind.popleft())
            self._admitted += 1
        return run

    def _neighbours(self, first: Entry[Item]) -> list[Entry[Item]]:
        starts, run = self._starts[first.kind], [first]
        self._forget_start(first)
        while len(run) < MAX_RUN:
            following = starts.get(run[-1].end)
            if following is None or following.end - first.lba > MAX_RUN_SECTORS:
                break
            del starts[following.lba], self._ready[following.order]
            run.append(following)
        return run

    def _forget_start(self, entry: Entry[Item]) -> None:
        starts = self._starts[entry.kind]
        if starts.get(entry.lba) is entry:
            del starts[entry.lba]

    def done(self, entries: Sequence[Entry[Item]]) -> None:
        """These were taken, and are through: whatever waited for them alone may start."""
        self._admitted -= len(entries)
        for entry in entries:
            self._others -= entry.kind not in _READS
            if entry.kind not in _BARRIERS:
                self._overlaps.remove(entry)
            for follower in entry.followers:
                follower.waits_for -= 1
                if not follower.waits_for:
                    self._may_start(follower)
        barrier = self._barrier
        if barrier is None:
            return
        if not self._admitted:
            self._barrier = None
            while self._behind and self._barrier is None:
                self._admit(self._behind.popleft())
        elif self._admitted == 1 and barrier.waits_for:
            barrier.waits_for = 0
            self._may_start(barrier)
