"""The compiled loop of one receive queue, as the reference path sees it: its thread, the FIFO it fills, and the rows it works by.

A lane begins where the receive ring stands, and ends there; in between the ring is the loop's alone.
"""

from __future__ import annotations

import logging
import os
import select
import struct
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from aoetui.engine import fastpath
from aoetui.engine.fast import rows
from aoetui.engine.fast.disk import MIXED_NS
from aoetui.engine.fast.fetchers import Fetchers
from aoetui.engine.fast.figures import InitiatorFigures
from aoetui.engine.fast.flusher import Flusher
from aoetui.engine.fast.known import Known
from aoetui.engine.fast.mapping import Mapping
from aoetui.engine.fast.memory import REPEATED, TAKEN_OVER
from aoetui.engine.fast.own_lock import let_go_of_lock
from aoetui.engine.fast.tables import (
    ABANDONED,
    BATCH,
    BATCHES,
    BUSY_EXPORT,
    BUSY_SINCE,
    ENTRY_HEAD,
    ERROR,
    FIFO,
    FIFO_DROPPED,
    FIFO_FILLED,
    FIFO_LOST,
    FIFO_READ,
    FIFO_WRITTEN,
    FLUSHERS,
    FOREIGN_VLAN,
    GATE_READS,
    GATE_WRITES,
    INDEX,
    LINK_LOST,
    MAC,
    MAX_EXPORTS,
    MAX_INITIATORS,
    MEMORY_BYTES,
    MIXED_AT,
    RECEIVED,
    SECTOR_COUNT,
    SEND_FAILED,
    SLOT,
    SLOTS,
    SOCKET,
    STEPS,
    STOP,
    TAKEN_SLOTS,
    TRUNCATED,
    VLAN,
    WAKE,
    WRAP,
    X_GATE,
    X_KEY,
    X_ROUTED,
    make_tables,
)

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Iterable

    from aoetui.engine.fast.export_row import ExportRow
    from aoetui.engine.fast.tables import Numbers
    from aoetui.engine.protocol.address import Mac

STALLED_NS: Final = 100_000_000
"""A call to a disk that takes longer keeps the whole port: the port goes on without it."""
ALONE_STALLED_NS: Final = 500_000_000
"""The same where no other export was asked lately: nobody else is kept waiting, and most disks that pause go on before."""
_LOOKS = 20
"""Times 1 ms, between two looks whether a disk keeps the loop."""
_FIFO_HEAD = struct.Struct("=ii")
_POLL = struct.Struct("=ihh")
_SECTOR = 512
_log = logging.getLogger(__name__)


def mac_number(mac: bytes) -> int:
    """A MAC as the tables hold it."""
    return int.from_bytes(mac)


class Lane:
    """The loop of one port. The port's thread alone calls `take`; the rest may be called by any thread."""

    def __init__(
        self, name: str, *, socket: int, ring: mmap.mmap, stride: int, slots: int, slot: int, index: int, vlan: int, wake: int
    ) -> None:
        """Work on a socket's ring, from slot number `slot` on. `wake` is an eventfd that is written when something was routed."""
        max_read = stride // _SECTOR * _SECTOR
        self._ring = np.frombuffer(ring, np.uint8)
        self._reads = np.zeros(BATCH * max_read, np.uint8)
        self.tables = make_tables(
            slots=slots, stride=stride, ring=self._ring.ctypes.data, reads=self._reads.ctypes.data, max_read=max_read
        )
        self._export_latencies, self._initiators = self.tables.export_latencies, self.tables.initiators
        """Found once: a record takes long to find its parts."""
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        port = self.tables.port
        port[[SOCKET, INDEX, VLAN, WAKE, SLOT]] = socket, index, vlan, wake, slot
        events = _POLL.pack(socket, select.POLLIN, 0) + _POLL.pack(self._stop, select.POLLIN, 0)
        self.tables.poll[:] = np.frombuffer(events, np.int32)
        self._max_sectors = max_read // _SECTOR
        self._fifo = memoryview(cast("Any", self.tables.fifo)).cast("B")
        self._unhandled: list[int] = []
        self._joined: deque[tuple[int, int]] = deque()
        """Rows that are new, and how far the FIFO had been filled when they came."""
        self._rows = threading.Lock()
        self._free_exports = list(range(MAX_EXPORTS - 1, -1, -1))
        self._free_initiators = list(range(MAX_INITIATORS - 1, -1, -1))
        self._reopen: dict[int, Callable[[], None]] = {}
        self._stuck_with: dict[int, Callable[[Lane], None]] = {}
        self._free_flushers = list(range(FLUSHERS - 1, -1, -1))
        self._flushers: dict[int, Flusher] = {}
        self.fetchers = Fetchers(self.tables)
        self._threads = 1
        """Those that have not ended."""
        self._at_end: Callable[[], None] | None = None
        self._ended = False
        self.failed = False
        """Whether the loop ended by itself."""
        self._thread = threading.Thread(target=self._run, name=f"compiled-{name}", daemon=True)

    @property
    def memory(self) -> int:
        """The most bytes of memory that it may take beside the receive ring."""
        return MEMORY_BYTES + self._reads.nbytes + self.fetchers.memory

    def start(self, mac: Mac, sector_count: int) -> None:
        """Begin to serve."""
        self.readdress(mac, sector_count)
        self._thread.start()

    def readdress(self, mac: Mac, sector_count: int) -> None:
        """The interface's MAC and the sectors of one frame are these from now on."""
        self.tables.port[[MAC, SECTOR_COUNT]] = mac_number(mac.raw), min(sector_count, self._max_sectors)

    def _run(self) -> None:
        try:
            fastpath.serve(self.tables)
        except Exception:  # noqa: BLE001 - the thread's edge: the interpreted path goes on
            _log.exception("the compiled data path ended: the interpreted one goes on")
            self.failed = True
            let_go_of_lock(self.tables)
            self.abandon()
        finally:
            for flusher in self._flushers.values():
                flusher.halt()
            self._let_go()
            os.close(self._stop)

    def stop(self, timeout: float) -> bool:
        """End the loop; False if it is in a call to a disk that does not return in time."""
        self.tables.port[STOP] = 1
        with self._rows:
            if not self._ended:  # else its number may be another file's by now
                os.eventfd_write(self._stop, 1)
        end = time.monotonic() + timeout
        if self._thread.is_alive():
            self._thread.join(timeout)
        self.fetchers.end_all(max(0.0, end - time.monotonic()))
        left = [flusher for flusher in self._flushers.values() if not flusher.join(max(0.0, end - time.monotonic()))]
        return not left and not self._thread.is_alive()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the loop has ended, as it was told to; False if that takes longer than `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def release(self) -> None:
        """The ring may be unmapped. The loop must have ended."""
        del self._ring

    def when_ended(self, act: Callable[[], None]) -> None:
        """Call `act` once the loop has ended, and let go of the ring before."""
        with self._rows:
            self._at_end = act
            ended = self._ended
        if ended:
            self._let_go()

    def _let_go(self) -> None:
        """One of the threads ends; the last one lets go of everything."""
        with self._rows:
            self._threads -= 1
            if self._threads:
                return
            self._ended = True
            act, self._at_end = self._at_end, None
        if act is not None:
            self.release()
            act()

    @property
    def slot(self) -> int:
        """Where in the ring it stopped."""
        return int(self.tables.port[SLOT])

    @property
    def behind_batch(self) -> int:
        """The first slot behind those of the batch that an abandoned loop is in."""
        port = self.tables.port
        return int((port[SLOT] + port[TAKEN_SLOTS]) % port[SLOTS])

    # ---- frames for the reference path

    def take_all(self) -> list[bytes]:
        """What is left in the FIFO of a loop that has ended."""
        return self.take(FIFO)

    def take(self, limit: int) -> list[bytes]:
        """Frames that the loop does not answer, at most `limit`. Those that were taken before have been dealt with."""
        self._handled()
        for flusher in self._flushers.values():
            flusher.tell()
        port = self.tables.port
        frames: list[bytes] = []
        read, written = int(port[FIFO_READ]), int(port[FIFO_WRITTEN])
        while read < written and len(frames) < limit:
            at = read % FIFO
            length, export = _FIFO_HEAD.unpack_from(self._fifo, at)
            if length == WRAP:
                read += FIFO - at
                continue
            frames.append(bytes(self._fifo[at + ENTRY_HEAD : at + ENTRY_HEAD + length]))
            if export >= 0:
                self._unhandled.append(export)
            read += (ENTRY_HEAD + length + 15) & ~15
        port[FIFO_READ] = read
        return frames

    def _handled(self) -> None:
        """What was taken has reached its exports' queues, or was answered: who has nothing queued may open its gate."""
        numbers, self._unhandled = self._unhandled, []
        while self._joined and self._joined[0][0] <= self.tables.port[FIFO_READ]:
            numbers.append(self._joined.popleft()[1])
        lost = bool(self.tables.port[FIFO_LOST])
        if numbers:
            rows.note_handled(self.tables.lock, self.tables.exports, np.array(numbers, np.int64))
        if lost:
            self.tables.port[FIFO_LOST] = 0
        for row in list(self._reopen) if lost else dict.fromkeys(numbers):
            reopen = self._reopen.get(row)
            if reopen is not None:
                reopen()

    @property
    def in_error(self) -> bool:
        """Whether the socket is in error: the loop waits until `error_taken`."""
        return bool(self.tables.port[ERROR])

    def error_taken(self) -> None:
        """The socket's error has been taken from it."""
        self.tables.port[ERROR] = 0

    @property
    def link_lost(self) -> bool:
        """Whether the kernel said, since this was last asked, that the link is down or gone."""
        lost = bool(self.tables.port[LINK_LOST])
        self.tables.port[LINK_LOST] = 0
        return lost

    def give_up_if_stuck(self) -> bool:
        """If a call to a disk has kept the loop for STALLED_NS: abandon it, and tell the export whose disk it is."""
        if self.failed or not (self.tables.port[ABANDONED] or self._abandon_if_stuck()):
            return False
        self._tell_stuck()
        return True

    def _abandon_if_stuck(self) -> bool:
        since = int(self.tables.port[BUSY_SINCE])
        if not since:
            return False
        alone = since - int(self.tables.port[MIXED_AT]) > MIXED_NS
        if time.monotonic_ns() - since < (ALONE_STALLED_NS if alone else STALLED_NS):
            return False
        return bool(rows.abandon(self.tables, since))

    def abandon(self) -> None:
        """Have the loop touch no disk any more, once the call that it is in has returned, and tell the export."""
        rows.abandon(self.tables, 0)
        self._tell_stuck()

    def _tell_stuck(self) -> None:
        port = self.tables.port
        if port[BUSY_SINCE]:
            self._stuck_with.get(int(port[BUSY_EXPORT]), lambda _lane: None)(self)

    def keeps(self, row: int) -> bool:
        """Whether an abandoned loop is in a write to this export: it may still be carried out."""
        port = self.tables.port
        return bool(port[ABANDONED] and port[BUSY_SINCE] and port[BUSY_EXPORT] == row)

    # ---- counters

    @property
    def received(self) -> int:
        """Frames of this port."""
        return int(self.tables.port[RECEIVED])

    def statistics(self) -> tuple[int, ...]:
        """Frames received, dropped for want of room, of foreign VLANs, not sent, and truncated."""
        return tuple(self.tables.port[[RECEIVED, FIFO_DROPPED, FOREIGN_VLAN, SEND_FAILED, TRUNCATED]].tolist())

    # ---- rows

    def add_export(self, values: ExportRow, reopen: Callable[[], None], stuck: Callable[[Lane], None]) -> int | None:
        """Serve an export by these values, its gate closed; its row, None if there is none free.

        `reopen` is called by the port's thread when frames that were routed have been dealt with, and `stuck` when the export's
        disk keeps the loop.
        """
        with self._rows:
            if not self._free_exports:
                return None
            row = self._free_exports.pop()
            self._reopen[row], self._stuck_with[row] = reopen, stuck
        self.tables.exports[row] = 0
        self.tables.export_latencies[row] = 0
        # one frame of it counts as routed until all have been dealt with that came before its row was known
        self.tables.exports[row, [X_KEY, X_GATE, X_ROUTED]] = -1, GATE_READS | GATE_WRITES, 1
        self.set_export(row, values)
        self._joined.append((int(self.tables.port[FIFO_FILLED]), row))
        return row

    def set_export(self, row: int, values: ExportRow) -> None:
        """Serve it by other values from now on, gate and counts apart."""
        self._set(row, values.numbers())

    def _set(self, row: int, numbers: Numbers) -> None:
        rows.set_export(self.tables.lock, self.tables.exports, self.tables.find_export, row, numbers)

    def remove_export(self, row: int) -> None:
        """Serve it no more. Returns when nothing of it is in hand."""
        none = self.tables.exports[row].copy()  # the batch in hand goes on by the rest
        none[X_KEY] = -1
        self._reopen.pop(row, None)
        self._stuck_with.pop(row, None)
        self._joined = deque(joined for joined in self._joined if joined[1] != row)
        self._set(row, none)
        self.wait_for_batch()

    def free_export(self, row: int) -> None:
        """Its row may be another's from now on."""
        with self._rows:
            self._free_exports.append(row)

    def close_gate(self, row: int, gate: int) -> bool:
        """Close an export's gate; whether there is something in hand that it was to keep out."""
        return bool(rows.close_gate(self.tables, row, gate))

    def open_gate(self, row: int) -> None:
        """Open it, unless frames that were routed are still on their way."""
        rows.open_gate(self.tables.lock, self.tables.exports, row)

    def wait_for_batch(self) -> None:
        """Return when what is in hand now is through. A loop that a disk keeps for too long is abandoned.

        The port's thread may be waiting for the lock that the caller holds.
        """
        t = self.tables
        batch = int(t.port[BATCHES])
        while not rows.wait_for_batch(t.lock, t.port, batch, _LOOKS):
            self._abandon_if_stuck()

    def add_initiator(self, export: int, mac: bytes, may: int, reused: int) -> int | None:
        """Serve an initiator of an export; its row, None if there is none free."""
        with self._rows:
            if not self._free_initiators:
                return None
            row = self._free_initiators.pop()
        self.tables.latencies[row] = 0
        self.tables.tags[row] = 0
        self.tables.asked[row] = 0
        t = self.tables
        rows.set_initiator(t.lock, t.initiators, t.find_initiator, row, export, mac_number(mac), may, reused)
        return row

    def learn_tags(self, initiator: int, kinds: int) -> None:
        """An initiator uses tags of these kinds again."""
        rows.learn_tags(self.tables.lock, self.tables.initiators, initiator, kinds)

    def let(self, initiators: Iterable[int], may: int) -> None:
        """What these initiators may do from now on."""
        numbers = np.fromiter(initiators, np.int64)
        if numbers.size:
            rows.set_may(self.tables.lock, self.tables.initiators, numbers, may)

    def remove_initiators(self, initiators: Iterable[int]) -> None:
        """Serve them no more. Returns when nothing of them is in hand; their counters stay until the rows are freed."""
        numbers = np.fromiter(initiators, np.int64)
        if numbers.size:
            t = self.tables
            rows.drop_initiators(t.lock, t.initiators, t.find_initiator, numbers)
            self.wait_for_batch()

    def free_initiators(self, initiators: Iterable[int]) -> None:
        """Their rows may be others' from now on."""
        with self._rows:
            self._free_initiators.extend(initiators)

    def figures(self, initiator: int) -> InitiatorFigures:
        """The row of an initiator (see tables)."""
        return InitiatorFigures(*self._initiators[initiator].tolist())

    def latencies(self, initiator: int) -> list[int]:
        """How many of its requests waited how long, by the steps of latency.Latencies."""
        return cast("list[int]", self.tables.latencies[initiator].tolist())

    def export_latencies(self, export: int) -> tuple[list[int], list[int]]:
        """The same of an export: of its reads, and of its writes."""
        both = cast("list[int]", self._export_latencies[export].tolist())
        return both[:STEPS], both[STEPS:]

    @staticmethod
    def map_backing(descriptor: int, size: int) -> Mapping | None:
        """Map the first bytes of a backing; None where that cannot be had: then each read is a call."""
        try:
            return Mapping(descriptor, size)
        except (OSError, ValueError, OverflowError):
            return None

    # ---- flushes

    def start_flusher(self, row: int, descriptor: int, failed: Callable[[int], None]) -> int:
        """Answer an export's writes after a flush from now on; the flusher's number, -1 if there can be none.

        `failed` is called by the port's thread with the errno of a flush that failed.
        """
        with self._rows:
            number = self._free_flushers.pop() if self._free_flushers else -1
        if number < 0:
            return -1
        try:
            flusher = Flusher(self.tables, number, row, descriptor, failed)
        except OSError:
            self._free_flushers.append(number)
            return -1
        with self._rows:
            self._threads += 1
        flusher.start(self._let_go)
        self._flushers = {**self._flushers, number: flusher}
        return number

    def stop_flusher(self, number: int, timeout: float) -> bool:
        """Flush what waits, answer it, and end; False if the disk takes longer than `timeout` seconds."""
        flusher = self._flushers.get(number)
        if flusher is None:
            return True
        flusher.halt()
        if not flusher.join(timeout):
            return False
        self._flushers = {other: each for other, each in self._flushers.items() if other != number}
        with self._rows:
            self._free_flushers.append(number)
        return True

    def awaits_flush(self, salt: int, mac: bytes, tag: int, place: int) -> bool:
        """Whether the loop executed this write, and answers it after a flush that is to come."""
        return bool(rows.awaits_flush(self.tables, salt, mac_number(mac), tag, place))

    # ---- writes that come twice

    def knows_write(self, salt: int, row: int, mac: bytes, tag: int, place: int, data: memoryview, now: float) -> Known | None:
        """What the loop knows of this write, which came `now` (seconds). `row` is the export's, or -1 once it has left."""
        address = _address_of(data)
        nanoseconds = int(now * 1e9)
        known = rows.knows_write(self.tables, salt, row, mac_number(mac), tag, place, address, len(data), nanoseconds)
        verdict, done = known & 3, known >> 2
        return Known(done, is_executed=verdict == REPEATED) if verdict in (REPEATED, TAKEN_OVER) else None

    def remember_write(self, salt: int, mac: bytes, tag: int, place: int, data: memoryview) -> None:
        """The reference path has executed this write: a copy of its frame must not be executed here."""
        rows.remember_write(self.tables, salt, mac_number(mac), tag, place, _address_of(data), len(data))


def _address_of(data: memoryview) -> int:
    return int(np.frombuffer(data, np.uint8).ctypes.data)
