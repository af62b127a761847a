"""Who uses an export, and what it answered them. The totals stay right however many initiators come and are forgotten."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aoetui.engine.latency import Latencies, add_counts
from aoetui.engine.port_names import interface_of
from aoetui.engine.protocol.repeats import Retransmissions, TagUse
from aoetui.engine.snapshot import Counters

if TYPE_CHECKING:
    from aoetui.engine.fast.lane import Lane
    from aoetui.engine.fast_export import FastInitiator
    from aoetui.engine.protocol.address import Mac

ACTIVE_SECONDS = 60.0
"""An initiator that read or wrote within this time is active."""
MAX_INITIATORS = 1024
FORGOTTEN_AT_ONCE = 256
"""What a full table gives up: MACs can be made up without end, and to search the table for each of them would take long."""


@dataclass(slots=True)
class Tally:
    """Figures that grow. `others` and `refused` are written under a lock of their own, all else under the export's."""

    others: int = 0
    refused: int = 0
    reads: int = 0
    writes: int = 0
    read_bytes: int = 0
    write_bytes: int = 0
    failed: int = 0
    retransmits: int = 0
    """Guessed: requests that look asked for the second time, and writes that certainly were."""

    def add(self, counters: Counters) -> None:
        """What a compiled loop counted of reads and writes."""
        self.reads += counters.reads
        self.writes += counters.writes
        self.read_bytes += counters.read_bytes
        self.write_bytes += counters.write_bytes
        self.retransmits += counters.retransmits
        self.failed += counters.errors

    def counters(self) -> Counters:
        """The figures of now."""
        return Counters(
            self.reads,
            self.writes,
            self.others,
            self.read_bytes,
            self.write_bytes,
            errors=self.refused + self.failed,
            retransmits=self.retransmits,
        )


@dataclass(slots=True)
class InitiatorRecord:
    """One initiator on one interface. Times in seconds of the engine's clock."""

    mac: Mac
    interface: str
    first_seen: float
    last_io: float | None = None
    tally: Tally = field(default_factory=Tally)
    last_seen: float = 0.0
    """The last request that it was answered to, or that waits for the disk."""
    under_way: int = 0
    """Requests that wait for the disk; under the export's lock."""
    dropped: int = 0
    """Requests beyond the buffer count or the engine's memory; under the export's lock."""
    latencies: Latencies = field(default_factory=Latencies)
    asked: Retransmissions = field(default_factory=Retransmissions)
    tags: TagUse = field(default_factory=TagUse)
    fast: FastInitiator | None = None
    """Where a compiled loop answers it too; what was answered there is counted there."""

    @property
    def waiting(self) -> int:
        """`under_way`, by the compiled loop too."""
        fast = self.fast
        return self.under_way if fast is None else self.under_way + fast.pending

    @property
    def last_read_or_written(self) -> float | None:
        """When it last did; None: never."""
        fast = self.fast
        there = 0.0 if fast is None else fast.last_io
        return max(there, self.last_io or 0.0) or self.last_io

    @property
    def last_used(self) -> float:
        """When it last read or wrote, or else came."""
        last = self.last_read_or_written
        return self.first_seen if last is None else last

    @property
    def last_asked(self) -> float:
        """When it was last answered, or queued."""
        return max(self.last_seen, self.last_used)

    def is_active(self, now: float) -> bool:
        """Whether it is at work."""
        last = self.last_read_or_written
        return last is not None and now - last <= ACTIVE_SECONDS

    def counters(self) -> Counters:
        """What was answered to it."""
        fast = self.fast
        return self.tally.counters() if fast is None else self.tally.counters() + fast.counters()

    @property
    def dropped_everywhere(self) -> int:
        """`dropped`, by the compiled loop too."""
        fast = self.fast
        return self.dropped if fast is None else self.dropped + fast.dropped

    def latency_counts(self) -> list[int]:
        """How long its requests waited, by step."""
        fast = self.fast
        return self.latencies.counts if fast is None else add_counts([self.latencies.counts, fast.latencies()])


class Initiators:
    """The initiators of one export, at most MAX_INITIATORS, and the totals over all that ever were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[tuple[bytes, str], InitiatorRecord] = {}
        self._total = Tally()

    def values(self) -> list[InitiatorRecord]:
        """Those that are listed, in order of first appearance; any thread."""
        return list(self._records.values())

    def at_work(self, interface: str, now: float) -> list[InitiatorRecord]:
        """Those that lately read or wrote on an interface, in whichever VLAN; any thread."""
        return [record for record in self.values() if interface_of(record.interface) == interface and record.is_active(now)]

    def total(self) -> Counters:
        """What was answered to all of them; any thread."""
        with self._lock:  # a record that is absorbed meanwhile would be counted twice, or not at all
            fast = [record.fast for record in self._records.values() if record.fast is not None]
            return sum((each.counters() for each in fast), self._total.counters())

    def begin(self, record: InitiatorRecord, fast: FastInitiator) -> None:
        """This initiator is answered by a loop too, unless it was forgotten meanwhile."""
        with self._lock:
            record.fast = fast
            if self._records.get((record.mac.raw, record.interface)) is not record:
                self._absorb([record])

    def leave(self, lane: Lane) -> None:
        """This loop answers no more: what it answered is counted here from now on."""
        with self._lock:
            self._absorb([record for record in self._records.values() if record.fast is not None and record.fast.lane is lane])

    def _absorb(self, records: list[InitiatorRecord]) -> None:
        by_lane: dict[Lane, list[InitiatorRecord]] = {}
        for record in records:
            if record.fast is not None:
                by_lane.setdefault(record.fast.lane, []).append(record)
        for lane, those in by_lane.items():
            rows = [record.fast.row for record in those if record.fast is not None]
            lane.remove_initiators(rows)
            for record in those:
                self._take_over(record)
            # a request that waits there is counted there once it is through
            lane.free_initiators([row for row in rows if not lane.figures(row).pending])

    def _take_over(self, record: InitiatorRecord) -> None:
        fast, record.fast = record.fast, None
        if fast is None:
            return
        counters = fast.counters()
        for tally in (record.tally, self._total):
            tally.add(counters)
        record.last_io = max(fast.last_io, record.last_io or 0.0) or None
        record.dropped += fast.dropped
        record.tags.learn(fast.kinds_reused)
        record.latencies.counts = add_counts([record.latencies.counts, fast.latencies()])

    def find(self, mac: Mac, interface: str, now: float) -> InitiatorRecord:
        """The record of an initiator that was seen `now`, made if need be; any thread."""
        record = self._records.get((mac.raw, interface))
        if record is None:
            record = self._make(mac, interface, now)
        record.last_seen = now
        return record

    def _make(self, mac: Mac, interface: str, now: float) -> InitiatorRecord:
        with self._lock:
            if len(self._records) >= MAX_INITIATORS:
                # whose requests wait keeps its buffer count
                idle = [item for item in self._records.items() if not item[1].waiting]
                idle_longest = sorted(idle, key=lambda item: item[1].last_used)
                self._absorb([record for _, record in idle_longest[:FORGOTTEN_AT_ONCE]])
                for key, _ in idle_longest[:FORGOTTEN_AT_ONCE]:
                    del self._records[key]
            made = InitiatorRecord(mac, interface, now)
            return self._records.setdefault((mac.raw, interface), made)

    def replied(self, record: InitiatorRecord, *, error: bool) -> None:
        """Count an answer that was neither a read nor a write; any thread."""
        with self._lock:
            for tally in (record.tally, self._total):
                tally.others += 1
                tally.refused += error

    def was_read(self, record: InitiatorRecord, size: int) -> None:
        """Count an answered read of so many bytes; under the export's lock."""
        for tally in (record.tally, self._total):
            tally.reads += 1
            tally.read_bytes += size

    def was_written(self, record: InitiatorRecord, size: int) -> None:
        """Count an answered write of so many bytes; under the export's lock."""
        for tally in (record.tally, self._total):
            tally.writes += 1
            tally.write_bytes += size

    def was_repeated(self, record: InitiatorRecord) -> None:
        """Count a request that was asked for before; under the export's lock."""
        for tally in (record.tally, self._total):
            tally.retransmits += 1

    def was_failed(self, record: InitiatorRecord) -> None:
        """Count a request that the disk failed; under the export's lock."""
        for tally in (record.tally, self._total):
            tally.failed += 1
