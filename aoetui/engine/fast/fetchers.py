"""The threads in which exports of one lane wait for their disks, as the reference path sees them."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from aoetui.engine.fast import fetcher_rows
from aoetui.engine.fast.fetch import MORE, SCRATCH_WORDS, fetch
from aoetui.engine.fast.tables import FETCH, FETCHERS, MAX_READ, T_LAST, X_MISSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.fast.tables import Tables

WORTH_IT: Final = 64
"""Reads that had to wait for the disk, after which an export is given a fetcher."""
LINGER_NS: Final = 10_000_000_000
"""Without a read that has to wait, after which it is taken back."""
_LOOKS = 20
"""Times 1 ms."""
_log = logging.getLogger(__name__)


class Fetcher:
    """Number `number` of a lane's fetchers, for the export in row `export`, whose disk `descriptor` is of."""

    def __init__(self, tables: Tables, number: int, export: int, descriptor: int, ended: Callable[[], None]) -> None:
        """`ended` is called when the last thread has ended. Raises OSError if the disk cannot be opened once more."""
        self.number = number
        self._tables = tables
        self._ended = ended
        # its own: whatever becomes of the export, the number is nobody else's while a thread may read by it
        self._disk = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        self._buffers = np.empty(FETCH * int(tables.port[MAX_READ]), np.uint8)
        self._lock = threading.Lock()
        self._threads = 0
        """Those that have not ended."""
        fetcher_rows.set_fetcher(tables, number, export, self._disk, self._buffers.ctypes.data)
        tables.fetchers[number, T_LAST] = time.monotonic_ns()

    def start(self) -> None:
        """Begin, with one thread. Raises RuntimeError if there can be none."""
        with self._lock:
            self._threads += 1
        try:
            threading.Thread(target=self._run, name=f"fetch-{self.number}", daemon=True).start()
        except RuntimeError:
            self._let_go()
            raise

    def _run(self) -> None:
        try:
            fetcher_rows.came(self._tables, self.number)
            scratch = np.zeros(SCRATCH_WORDS, np.int64)
            while fetch(self._tables, self.number, scratch) == MORE:
                self._start_another()
        except Exception:  # noqa: BLE001 - the thread's edge: the other threads go on
            _log.exception("a thread of a fetcher of the compiled data path ended")
        finally:
            self._let_go()

    def _start_another(self) -> None:
        try:
            self.start()
        except RuntimeError as error:  # none can be had: those that there are go on, and ask for none again
            _log.warning("reads wait for the disk in fewer threads than are wanted: %s", error)

    def _let_go(self) -> None:
        with self._lock:
            self._threads -= 1
            if self._threads:
                return
        fetcher_rows.set_fetcher(self._tables, self.number, -1, -1, 0)
        os.close(self._disk)
        self._ended()


class Fetchers:
    """All of one lane's, by the exports' rows. Any thread."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._lock = threading.Lock()
        self._free = list(range(FETCHERS - 1, -1, -1))
        self._by_row: dict[int, Fetcher] = {}

    @property
    def memory(self) -> int:
        """The most bytes that all buffers may take."""
        return FETCHERS * FETCH * int(self._tables.port[MAX_READ])

    def are_wanted(self, row: int) -> bool:
        """Whether reads of this export had to wait for the disk, more than now and then."""
        return bool(self._tables.exports[row, X_MISSES] >= WORTH_IT) and row not in self._by_row

    def start(self, row: int, descriptor: int) -> int:
        """Have threads read for an export what may have to be waited for; the fetcher's number, -1 if there can be none."""
        self._tables.exports[row, X_MISSES] = 0
        with self._lock:
            if row in self._by_row or not self._free:
                return -1
            number = self._free.pop()
            try:
                fetcher = Fetcher(self._tables, number, row, descriptor, lambda: self._gone(row, number))
            except OSError:
                self._free.append(number)
                return -1
            self._by_row = {**self._by_row, row: fetcher}
        try:
            fetcher.start()
        except RuntimeError:
            return -1
        return number

    def _gone(self, row: int, number: int) -> None:
        self._forget(row, number)
        with self._lock:
            self._free.append(number)

    def _forget(self, row: int, number: int) -> None:
        """The row may be another export's by now."""
        with self._lock:
            self._by_row = {other: each for other, each in self._by_row.items() if other != row or each.number != number}

    def is_idle(self, row: int) -> bool:
        """Whether the export's fetcher has had nothing to do for long."""
        fetcher = self._by_row.get(row)
        if fetcher is None or self._waits_since(fetcher):
            return False
        return time.monotonic_ns() - int(self._tables.fetchers[fetcher.number, T_LAST]) > LINGER_NS

    def retire(self, row: int) -> None:
        """Have the export's fetcher answer what waits, and end. The loop must know that it gets nothing more."""
        fetcher = self._by_row.get(row)
        if fetcher is not None:
            fetcher_rows.end_fetcher(self._tables, fetcher.number, False)

    def is_waiting(self, row: int) -> bool:
        """Whether a read of this export waits for the disk."""
        fetcher = self._by_row.get(row)
        return fetcher is not None and self._waits_since(fetcher) > 0

    def waits(self, row: int) -> float:
        """For how many seconds the oldest read of this export has waited for the disk; 0: none does."""
        fetcher = self._by_row.get(row)
        since = 0 if fetcher is None else self._waits_since(fetcher)
        return (time.monotonic_ns() - since) / 1e9 if since else 0.0

    def _waits_since(self, fetcher: Fetcher) -> int:
        return int(fetcher_rows.waits_since(self._tables, fetcher.number))

    def wait(self, row: int) -> None:
        """Return when no read of this export waits for the disk, or when those that do will not be answered."""
        fetcher = self._by_row.get(row)
        while fetcher is not None and not self._are_answered(fetcher):
            fetcher = self._by_row.get(row)

    def end(self, row: int, timeout: float) -> None:
        """Answer what waits, in so many seconds: what takes longer is never answered. The threads end when the disk lets them."""
        fetcher = self._by_row.get(row)
        if fetcher is None:
            return
        fetcher_rows.end_fetcher(self._tables, fetcher.number, False)
        end = time.monotonic() + timeout
        while not self._are_answered(fetcher):
            if time.monotonic() > end:
                fetcher_rows.end_fetcher(self._tables, fetcher.number, True)
        self._forget(row, fetcher.number)

    def end_all(self, timeout: float) -> None:
        """The same for all exports together."""
        end = time.monotonic() + timeout
        for row in self._by_row:
            self.end(row, max(0.0, end - time.monotonic()))

    def _are_answered(self, fetcher: Fetcher) -> bool:
        return bool(fetcher_rows.wait_for_fetches(self._tables, fetcher.number, _LOOKS))
