"""One export on the compiled loops of its ports; and the gate that keeps them from overtaking what waits in its queue."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.fast_disk import FastDisk, Reads, Writes, fast_disk
from aoetui.engine.latency import add_counts
from aoetui.engine.protocol import target
from aoetui.engine.protocol.repeats import MEMORY_SECONDS
from aoetui.engine.snapshot import Counters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aoetui.engine.backing import Backing
    from aoetui.engine.current_facts import CurrentFacts
    from aoetui.engine.fast.export_row import ExportRow
    from aoetui.engine.fast.lane import Lane
    from aoetui.engine.fast.mapping import Mapping
    from aoetui.engine.initiators import InitiatorRecord, Initiators
    from aoetui.engine.protocol.facts import ExportFacts
    from aoetui.engine.protocol.repeats import TagUse
    from aoetui.engine.protocol.replies import WriteBlocks
    from aoetui.engine.spec import ExportSpec

_GATE_WRITES, _GATE_BOTH = 1, 3
_MAY_READ, _MAY_WRITE = 1, 2
_TAG_AT, _MAC_LENGTH = 20, 6
_FLUSH_TIME = 1.0
"""Seconds that the last flush of a lane is given: what it does not answer is asked for again."""
_FETCH_TIME = 0.1
"""Seconds that the reads of a lane are given that wait for the disk: what they do not answer is asked for again."""
_ELSEWHERE = FastDisk(Reads.ELSEWHERE, Writes.ELSEWHERE)


@dataclass(frozen=True, slots=True)
class FastInitiator:
    """An initiator's row on the lane of its port: what was answered to it there. Read by any thread."""

    lane: Lane
    row: int

    def counters(self) -> Counters:
        """The figures of now."""
        figures = self.lane.figures(self.row)
        return Counters(
            figures.reads,
            figures.writes,
            0,
            figures.read_bytes,
            figures.write_bytes,
            errors=figures.failed,
            retransmits=figures.retransmits,
        )

    @property
    def dropped(self) -> int:
        """Requests beyond the buffer count."""
        return self.lane.figures(self.row).dropped

    @property
    def pending(self) -> int:
        """Requests that wait for the disk or a flush."""
        return self.lane.figures(self.row).pending

    @property
    def last_io(self) -> float:
        """Seconds of the monotonic clock; 0: never."""
        return self.lane.figures(self.row).last_io / 1e9

    @property
    def kinds_reused(self) -> int:
        """See TagUse."""
        return self.lane.figures(self.row).reused

    def latencies(self) -> list[int]:
        """By the steps of latency.Latencies."""
        return self.lane.latencies(self.row)


class FastExport:
    """See gate.Gate. Lanes are joined and left in the engine's thread."""

    def __init__(
        self,
        spec: ExportSpec,
        backing: Backing,
        facts: CurrentFacts,
        initiators: Initiators,
        *,
        is_writable: Callable[[], bool],
        reopen: Callable[[], None],
        hold: Callable[[Lane], None],
        flush_failed: Callable[[int], None],
    ) -> None:
        """`is_writable`: whether the disk's failures so far let writes go on. `reopen`: open the gate if nothing waits.
        `hold`: let nothing of the export's queue begin before this lane's loop, which the disk keeps, has ended.
        `flush_failed`: a flush for what was written there failed, with this errno."""
        self._spec = spec
        self._backing = backing
        self._facts = facts
        self._initiators = initiators
        self._is_writable = is_writable
        self._reopen = reopen
        self._hold = hold
        self._flush_failed = flush_failed
        self._flushers: dict[Lane, int] = {}
        """By lane, if what it writes is answered after a flush."""
        self._lock = threading.Lock()
        self._rows: dict[Lane, int] = {}
        self._disk: FastDisk | None = None
        self._maps: list[tuple[int, Mapping]] = []
        self._shown: dict[Lane, ExportRow] = {}
        self._writes_from: dict[Lane, float] = {}
        """From when on each may write: a copy of a write may still come that was executed elsewhere."""
        self._former: list[tuple[Lane, float]] = []
        """Lanes that were left, and until when copies of what they wrote may come."""
        self._latencies: tuple[list[int], list[int]] = ([], [])
        """Of lanes that were left."""
        self._salt = secrets.randbits(62)
        """By it a lane tells what it remembers of this export from what it remembers of others, also of those that are gone."""

    @property
    def lanes(self) -> list[Lane]:
        """Where it is served; any thread."""
        return list(self._rows)

    # ---- in the engine's thread

    def join(self, lane: Lane) -> None:
        """Be served by this lane too."""
        if self._disk is None:
            self._disk = fast_disk(self._spec, self._backing)
        if self._initiators.total().writes:
            self._writes_from[lane] = time.monotonic() + MEMORY_SECONDS
        values = self._values(lane, self._facts.now)
        row = lane.add_export(values, self._reopen, self._hold)
        if row is not None:
            if self._disk.flushed:
                number = lane.start_flusher(row, self._backing.fileno(), self._flush_failed)
                self._flushers = {**self._flushers, lane: number}
            with self._lock:
                self._rows = {**self._rows, lane: row}
                self._shown[lane] = values
            self.refresh()  # what changed since then
            self._reopen()

    def leave(self, lane: Lane) -> None:
        """Be served by it no more. Returns when nothing of the export is in its hand."""
        lane.fetchers.end(self._rows[lane], _FETCH_TIME)  # while the queue still knows of the reads that wait there
        with self._lock:
            row = self._rows[lane]
            self._rows = {other: at for other, at in self._rows.items() if other is not lane}
            self._shown.pop(lane, None)
            self._writes_from.pop(lane, None)
            self._former.append((lane, time.monotonic() + MEMORY_SECONDS))
        lane.remove_export(row)
        lane.fetchers.end(row, 0.0)
        flushed = lane.stop_flusher(self._flushers.get(lane, -1), _FLUSH_TIME)
        self._flushers = {other: number for other, number in self._flushers.items() if other is not lane}
        if lane.keeps(row):
            self._hold(lane)
        self._initiators.leave(lane)
        reads, writes = lane.export_latencies(row)
        self._latencies = add_counts([self._latencies[0], reads]), add_counts([self._latencies[1], writes])
        if flushed:
            lane.free_export(row)

    def unmap(self) -> None:
        """Let go of the backing. Every lane must have been left."""
        maps, self._maps = self._maps, []
        for _, mapping in maps:
            mapping.close()

    # ---- the gate; under the export's lock

    def close(self, *, reads: bool) -> Sequence[Callable[[], object]]:
        """See gate.Gate."""
        gate, rows = _GATE_BOTH if reads else _GATE_WRITES, self._rows
        for lane in [lane for lane, row in rows.items() if lane.close_gate(row, gate)]:
            lane.wait_for_batch()
        return [lane.join for lane, row in rows.items() if lane.keeps(row)]

    def reads_before(self, lba: int, end: int) -> Sequence[Callable[[], object]]:
        """See gate.Gate."""
        found = [lane.fetchers.reads_before(row, lba, end) for lane, row in self._rows.items()]
        return [wait for wait in found if wait is not None]

    def open(self) -> None:
        """See gate.Gate."""
        for lane, row in self._rows.items():
            lane.open_gate(row)

    # ---- in any thread

    def refresh(self) -> None:
        """Have every lane know what the export is now, and what each initiator may do."""
        with self._lock:  # what is read last is told last
            facts = self._facts.now
            for lane, row in self._rows.items():
                values = self._values(lane, facts, lane.fetchers.mind(row, self._backing.fileno()))
                if values != self._shown.get(lane):
                    self._shown[lane] = values
                    lane.set_export(row, values)
            self._let(facts)
            now = time.monotonic()
            self._former = [(lane, until) for lane, until in self._former if until > now]

    def _let(self, facts: ExportFacts) -> None:
        allowed: dict[tuple[Lane, int], list[int]] = {}
        for record in self._initiators.values():
            if record.fast is not None:
                allowed.setdefault((record.fast.lane, _may(record, facts)), []).append(record.fast.row)
        for (lane, may), initiators in allowed.items():
            lane.let(initiators, may)

    def meet(self, record: InitiatorRecord, lane: Lane | None) -> None:
        """An initiator asked by way of this lane's port for what the disk has: next time the lane may answer."""
        self.learn_tags(record)
        if lane is None or record.fast is not None:
            return
        with self._lock:  # or a change of the facts, or the end of the lane, would not find it
            row = self._rows.get(lane)
            if row is None or self._disk == _ELSEWHERE:
                return
            may = _may(record, self._facts.now)
            number = lane.add_initiator(row, record.mac.raw, may, record.tags.kinds_reused)
            if number is not None:
                self._initiators.begin(record, FastInitiator(lane, number))

    @staticmethod
    def learn_tags(record: InitiatorRecord) -> None:
        """Its lane shall know as well if an initiator was seen to use tags again: two requests may come before it has a row."""
        fast, kinds = record.fast, record.tags.kinds_reused
        if fast is not None and kinds & ~fast.kinds_reused:
            fast.lane.learn_tags(fast.row, kinds)

    def knows_write(self, write: WriteBlocks, arrived: float, tags: TagUse) -> bool | None:
        """Whether a lane knows this write to be executed already; False: one knows that another write has had its tag since."""
        mac, tag, place = _of(write)
        if tags.reused(tag):
            return None
        rows = self._rows  # read once: the engine's thread replaces it when a lane is joined or left
        lanes = [*rows.items(), *((lane, -1) for lane, _ in self._former)]
        asked = ((lane, lane.knows_write(self._salt, row, mac, tag, place, write.data, arrived)) for lane, row in lanes)
        # one that was left is not told of what is executed since
        found = [known for lane, known in asked if known is not None and (known.is_executed or lane in rows)]
        # each is told of what the queue executes, and not of what the others do: who has met that tag last knows best
        return max(found, key=lambda known: known.since).is_executed if found else None

    def awaits_flush(self, write: WriteBlocks) -> bool:
        """Whether a lane has executed this write and will answer it after a flush."""
        mac, tag, place = _of(write)
        return any(lane.awaits_flush(self._salt, mac, tag, place) for lane in self._flushers)

    def remember_write(self, write: WriteBlocks) -> None:
        """It is executed: no lane shall execute a copy of it."""
        mac, tag, place = _of(write)
        for lane in self._rows:
            lane.remember_write(self._salt, mac, tag, place, write.data)

    def waits(self) -> float:
        """For how many seconds the oldest read has waited for the disk that a lane answers; 0: none does."""
        return max((lane.fetchers.waits(row) for lane, row in self._rows.items()), default=0.0)

    def latencies(self) -> tuple[list[list[int]], list[list[int]]]:
        """Counts by step of what lanes answered: of reads, and of writes."""
        both = [self._latencies, *(lane.export_latencies(row) for lane, row in self._rows.items())]
        return [reads for reads, _ in both], [writes for _, writes in both]

    # ---- what lanes know

    def _values(self, lane: Lane, facts: ExportFacts, fetcher: int = -1) -> ExportRow:
        from aoetui.engine.fast.export_row import ExportRow  # noqa: PLC0415 - there is a lane, so there is numba

        backing = self._backing
        end = backing.window.end * 512
        return ExportRow(
            shelf=facts.address.shelf,
            slot=facts.address.slot,
            sectors=facts.sectors,
            buffer_count=facts.buffer_count,
            descriptor=backing.fileno(),
            base=backing.window.start * 512,
            end=end,
            mapped_at=self._map(lane, end),
            disk=self._allowed(lane),
            flusher=self._flushers.get(lane, -1),
            fetcher=fetcher,
            salt=self._salt,
        )

    def _allowed(self, lane: Lane) -> FastDisk:
        disk = self._disk or _ELSEWHERE
        if self._backing.missing:
            return _ELSEWHERE
        if not self._is_writable() or time.monotonic() < self._writes_from.get(lane, 0.0):
            return FastDisk(disk.reads, Writes.ELSEWHERE)
        if disk.flushed and self._flushers.get(lane, -1) < 0:
            return FastDisk(disk.reads, Writes.ELSEWHERE)
        return disk

    def _map(self, lane: Lane, size: int) -> int:
        """Where so much of the backing is mapped; 0: nowhere. What was mapped before stays, for it may be in use."""
        if self._disk is None or self._disk.reads is not Reads.IF_CACHED:
            return 0
        if not self._maps or self._maps[-1][0] != size:
            mapping = lane.map_backing(self._backing.fileno(), size)
            if mapping is None:
                return 0
            self._maps.append((size, mapping))
        return self._maps[-1][1].address


def _may(record: InitiatorRecord, facts: ExportFacts) -> int:
    """What an initiator may do without being judged each time."""
    if target.shut_out(record.mac, facts) is not None or target.reserved(record.mac, facts):
        return 0
    return _MAY_READ if facts.read_only else _MAY_READ | _MAY_WRITE


def _of(write: WriteBlocks) -> tuple[bytes, int, int]:
    """The initiator, the tag, and the place as lanes have it."""
    tag = int.from_bytes(write.head[_TAG_AT : _TAG_AT + 4])
    return write.head[:_MAC_LENGTH], tag, write.lba << 8 | write.count
