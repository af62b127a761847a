"""The threads in which exports of one lane wait for their disks, as the reference path sees them."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from aoetui.engine.fast import fetcher_rows
from aoetui.engine.fast.fetch import MORE, SCRATCH_WORDS, fetch
from aoetui.engine.fast.own_lock import let_go_of_lock
from aoetui.engine.fast.tables import FETCH, FETCHERS, MAX_READ, X_MISSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.fast.tables import Tables

WORTH_IT: Final = 64
"""Reads that had to wait for the disk, after which an export is given a fetcher."""
LINGER_NS: Final = 10_000_000_000
"""Without a read that has to wait, after which it is taken back."""
ALL: Final = (0, 1 << 62)
"""Every sector."""
_LOOKS = 20
"""Times 1 ms."""
_ANYWAY = -1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    """A fetcher as the tables have it."""

    number: int
    who: int
    row: int
    """Of the export."""


class Fetcher:
    """Reads for one export. Its first thread opens the disk, which may take long: until then it `is_ready` for nothing."""

    def __init__(self, tables: Tables, place: _Place, descriptor: int, gone: Callable[[Fetcher], None]) -> None:
        """`descriptor` is of the disk. `gone` is called when the last thread has ended."""
        self.place = place
        self.is_ready = False
        self.is_over = False
        """Whether it has no thread any more."""
        self._tables = tables
        self._source = f"/proc/self/fd/{descriptor}"
        self._gone = gone
        self._lock = threading.Lock()
        self._threads = 0
        """Those that have not ended."""
        self._ending = False
        self._disk = -1
        """Its own: whatever becomes of the export, the number is nobody else's while a thread may read by it."""

    def start(self) -> None:
        """Begin, with one thread. Raises RuntimeError if there can be none."""
        self._start(self._run_first)

    def _start(self, run: Callable[[], None]) -> None:
        with self._lock:
            self._threads += 1
        try:
            threading.Thread(target=run, name=f"fetch-{self.place.number}", daemon=True).start()
        except RuntimeError:
            self._let_go()
            raise

    # ---- in its threads

    def _run_first(self) -> None:
        try:
            if self._open():
                self._fetch()
        except OSError as error:
            _log.warning("reads do not wait for the disk in threads of their own: %s", error)
        except Exception:  # noqa: BLE001 - the thread's edge: the reference path reads
            self._failed()
        finally:
            self._let_go()

    def _run(self) -> None:
        try:
            fetcher_rows.came(self._tables, self.place.number)
            self._fetch()
        except Exception:  # noqa: BLE001 - the thread's edge: the other threads go on
            self._failed()
        finally:
            self._let_go()

    def _failed(self) -> None:
        let_go_of_lock(self._tables)
        _log.exception("a thread of a fetcher of the compiled data path ended")

    def _open(self) -> bool:
        """Take up the work; False if it was ended before."""
        self._buffers = np.empty(FETCH * int(self._tables.port[MAX_READ]), np.uint8)
        self._disk = os.open(self._source, os.O_RDONLY | os.O_CLOEXEC)
        place, buffers = self.place, int(self._buffers.ctypes.data)
        with self._lock:
            if not self._ending:
                now = time.monotonic_ns()
                fetcher_rows.set_fetcher(self._tables, place.number, place.who, place.row, self._disk, buffers, now)
                self.is_ready = True
            return self.is_ready

    def _fetch(self) -> None:
        scratch = np.zeros(SCRATCH_WORDS, np.int64)
        while fetch(self._tables, self.place.number, scratch) == MORE:
            try:
                self._start(self._run)
            except RuntimeError as error:  # none can be had: those that there are go on, and ask for none again
                _log.warning("reads wait for the disk in fewer threads than are wanted: %s", error)

    def _let_go(self) -> None:
        with self._lock:
            self._threads -= 1
            if self._threads:
                return
        self.is_ready, self.is_over = False, True
        fetcher_rows.clear_fetcher(self._tables, self.place.number, self.place.who)
        if self._disk >= 0:
            with suppress(OSError):  # nothing was written by it
                os.close(self._disk)
        self._gone(self)

    # ---- in any thread

    def stop(self) -> None:
        """Take nothing more, and end after what waits is answered."""
        self._end()
        fetcher_rows.stop_fetcher(self._tables, self.place.number, self.place.who, _ANYWAY)

    def cancel(self) -> None:
        """Take nothing more, and answer nothing more than is being sent."""
        self._end()
        fetcher_rows.cancel_fetcher(self._tables, self.place.number, self.place.who)

    def _end(self) -> None:
        with self._lock:
            self._ending = True

    def retire(self) -> None:
        """End if there has been nothing to do for long."""
        since = time.monotonic_ns() - LINGER_NS
        fetcher_rows.stop_fetcher(self._tables, self.place.number, self.place.who, max(since, 0))

    def meets(self, lba: int, end: int) -> bool:
        """Whether a read waits of sectors from `lba` up to, not including, `end`."""
        return not fetcher_rows.is_through(self._tables, self.place.number, self.place.who, lba, end)

    def wait(self, lba: int, end: int, timeout: float | None = None) -> bool:
        """Return when that is not so any more, or when it will not be answered; False if it takes longer than `timeout`."""
        last = None if timeout is None else time.monotonic() + timeout
        while not self.is_over:
            if fetcher_rows.wait_until_through(self._tables, self.place.number, self.place.who, lba, end, _LOOKS):
                break
            if last is not None and time.monotonic() > last:
                return False
        return True

    def waits(self) -> float:
        """For how many seconds the oldest read has waited; 0: none does."""
        since = int(fetcher_rows.waits_since(self._tables, self.place.number, self.place.who))
        return (time.monotonic_ns() - since) / 1e9 if since else 0.0


class Fetchers:
    """All of one lane's, by the exports' rows. Any thread; nothing here waits for a disk but `end`, for so long as it is told."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._lock = threading.Lock()
        self._free = list(range(FETCHERS - 1, -1, -1))
        self._by_row: dict[int, Fetcher] = {}
        self._names = itertools.count(1)

    @property
    def memory(self) -> int:
        """The most bytes that all buffers may take."""
        return FETCHERS * FETCH * int(self._tables.port[MAX_READ])

    def mind(self, row: int, descriptor: int) -> int:
        """Have an export's reads wait in a fetcher where many have to, and no longer than that; its number once there is one."""
        fetcher = self._by_row.get(row)
        if fetcher is not None:
            fetcher.retire()
            return fetcher.place.number if fetcher.is_ready else -1
        if self._tables.exports[row, X_MISSES] >= WORTH_IT:
            self._tables.exports[row, X_MISSES] = 0
            self._begin(row, descriptor)
        return -1

    def _begin(self, row: int, descriptor: int) -> None:
        with self._lock:
            if row in self._by_row or not self._free:
                return
            place = _Place(self._free.pop(), next(self._names), row)
            fetcher = Fetcher(self._tables, place, descriptor, self._gone)
            self._by_row = {**self._by_row, row: fetcher}
        with suppress(RuntimeError):  # no thread can be had: the reference path reads
            fetcher.start()

    def _gone(self, fetcher: Fetcher) -> None:
        with self._lock:
            self._forget(fetcher)
            self._free.append(fetcher.place.number)

    def _forget(self, fetcher: Fetcher) -> None:
        self._by_row = {row: each for row, each in self._by_row.items() if each is not fetcher}

    def reads_before(self, row: int, lba: int, end: int) -> Callable[[], object] | None:
        """What returns when all reads of these sectors are answered that wait for the disk now; None if there are none."""
        fetcher = self._by_row.get(row)
        return partial(fetcher.wait, lba, end) if fetcher is not None and fetcher.meets(lba, end) else None

    def waits(self, row: int) -> float:
        """For how many seconds the oldest read of an export has waited for the disk; 0: none does."""
        fetcher = self._by_row.get(row)
        return 0.0 if fetcher is None else fetcher.waits()

    def end(self, row: int, timeout: float) -> None:
        """Answer what waits, in so many seconds: what takes longer is never answered. The threads end when the disk lets them."""
        fetcher = self._by_row.get(row)
        if fetcher is None:
            return
        fetcher.stop()
        if not fetcher.wait(*ALL, timeout):
            fetcher.cancel()
            fetcher.wait(*ALL)  # for what is being sent
        with self._lock:  # the row may be another export's from now on
            self._forget(fetcher)

    def end_all(self, timeout: float) -> None:
        """The same for all exports together."""
        end = time.monotonic() + timeout
        for row in self._by_row:
            self.end(row, max(0.0, end - time.monotonic()))
