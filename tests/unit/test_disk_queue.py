"""The order of an export's requests, against a model that compares every pair of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.disk_queue import MAX_RUN, MAX_RUN_SECTORS, DiskQueue, Entry, Kind

SECTORS = 12
"""Few, so that requests overlap."""
Step = tuple[Kind, int, int, int]
kinds = st.sampled_from([Kind.READ, Kind.READ, Kind.READ, Kind.WRITE, Kind.WRITE, Kind.HELD, Kind.FLUSH, Kind.ALONE])
steps = st.lists(st.tuples(kinds, st.integers(0, SECTORS), st.integers(1, 4), st.integers(0, 7)), max_size=60)
BARRIERS = (Kind.FLUSH, Kind.ALONE)
READS = (Kind.READ, Kind.HELD)


def conflict(one: Entry[int], other: Entry[int]) -> bool:
    """Whether the later has to wait for the earlier."""
    if one.kind in BARRIERS or other.kind in BARRIERS:
        return True
    both_read = one.kind in READS and other.kind in READS
    return not both_read and one.lba < other.end and other.lba < one.end


@dataclass
class Model:
    """What is not through, in order of arrival, and what of it was taken."""

    queue: DiskQueue[int] = field(default_factory=DiskQueue)
    entries: list[Entry[int]] = field(default_factory=list)
    taken: list[list[Entry[int]]] = field(default_factory=list)

    def in_hand(self, entry: Entry[int]) -> bool:
        return any(entry in run for run in self.taken)

    def may_start(self) -> list[Entry[int]]:
        """Those that wait for nothing before them."""
        return [
            entry
            for at, entry in enumerate(self.entries)
            if not self.in_hand(entry) and not any(conflict(before, entry) for before in self.entries[:at])
        ]

    def agrees(self) -> None:
        assert len(self.queue) == len(self.entries)
        assert self.queue.ready == len(self.may_start())
        assert self.queue.only_reads == all(entry.kind in READS for entry in self.entries)

    def take(self) -> None:
        allowed = self.may_start()
        run = self.queue.take()
        assert bool(run) is bool(allowed)
        if not run:
            return
        assert run[0] is allowed[0], "the oldest that may start is first"
        if run[0].kind is Kind.FLUSH:
            at = self.entries.index(run[0])
            assert run == self.entries[at : at + len(run)]
        else:
            assert all(entry in allowed for entry in run)
        assert len({entry.kind for entry in run}) == 1
        assert len(run) == 1 or run[0].kind not in (Kind.HELD, Kind.ALONE)
        assert all(one.end == other.lba for one, other in itertools.pairwise(run))
        self.taken.append(run)

    def finish(self, which: int) -> None:
        if not self.taken:
            return
        run = self.taken.pop(which % len(self.taken))
        self.queue.done(run)
        for entry in run:
            self.entries.remove(entry)


@given(steps)
def test_what_may_start_is_what_waits_for_nothing_before_it(plan: list[Step]) -> None:
    model = Model()
    for number, (kind, lba, count, act) in enumerate(plan):
        entry = Entry(number, kind) if kind in BARRIERS else Entry(number, kind, lba, lba + count)
        model.queue.add(entry)
        model.entries.append(entry)
        model.agrees()
        for bit in range(3):
            if act >> bit & 1:
                model.take() if bit else model.finish(lba)
                model.agrees()
    while model.entries:
        model.take()
        model.finish(0)
        model.agrees()
    assert not model.queue.take()
    assert not model.queue._overlaps._readers
    assert not model.queue._overlaps._writers
    assert not model.queue._overlaps._loose


def test_neighbours_go_together_up_to_a_bound() -> None:
    queue: DiskQueue[int] = DiskQueue()
    for number in range(2 * MAX_RUN):
        queue.add(Entry(number, Kind.READ, number, number + 1))
    assert [len(queue.take()) for _ in range(3)] == [MAX_RUN, MAX_RUN, 0]
    for number in range(4):
        queue.add(Entry(number, Kind.WRITE, 1000 + 200 * number, 1200 + 200 * number))
    assert [len(queue.take()) for _ in range(3)] == [MAX_RUN_SECTORS // 200, MAX_RUN_SECTORS // 200, 0]


def test_reads_and_writes_are_no_neighbours() -> None:
    queue: DiskQueue[int] = DiskQueue()
    queue.add(Entry(0, Kind.READ, 0, 2))
    queue.add(Entry(1, Kind.WRITE, 2, 4))
    assert [[entry.item for entry in queue.take()] for _ in range(2)] == [[0], [1]]


def test_thousands_that_want_one_sector_cost_no_more_each() -> None:
    """Counted in what each is told of the others, not in time."""
    queue: DiskQueue[int] = DiskQueue()
    entries = [Entry(number, Kind.WRITE if number % 2 else Kind.READ, 0, 1) for number in range(4000)]
    for entry in entries:
        queue.add(entry)
    assert max(len(entry.followers) for entry in entries) <= 2
    for entry in entries:
        assert queue.take() == [entry]
        queue.done([entry])
    assert not len(queue)
