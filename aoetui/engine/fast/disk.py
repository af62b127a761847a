"""The disk's part of a batch: writes first, neighbours in one call, then reads of what is in the page cache.

Without the lock, for a write may have to wait. Reads never do: what is not in the page cache is left to the export's fetcher
(fetch.py) or, where there is none, to the reference path, whose threads wait. That path also takes whatever the disk fails: it
tries again, and tells the initiator and the administrator.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from aoetui.engine.fast.compiler import c_clock_gettime, c_lock, c_lseek, c_preadv2, c_pwritev, c_unlock, compiled, load64
from aoetui.engine.fast.tables import (
    ABANDONED,
    BATCHES,
    BUSY_EXPORT,
    BUSY_SINCE,
    COUNT_OF_ENTRIES,
    E_COUNT,
    E_DATA,
    E_EXPORT,
    E_FRAME,
    E_KIND,
    E_LBA,
    FETCHED,
    MAX_READ,
    MIXED_AT,
    NOW,
    READ,
    READS,
    READS_IF_CACHED,
    READS_WAITED,
    ROUTE,
    SEEN,
    WRITE,
    WRITES_FILE,
    X_BASE,
    X_CHECKED,
    X_END,
    X_FD,
    X_MAP,
    X_READS,
    X_SALT,
    X_SLOW_UNTIL,
    X_STRIKE,
    X_WRITES,
    Tables,
)

SLOW_NS: Final = 1_000_000
"""A write that takes longer has waited for the disk."""
STRIKES_NS: Final = 100_000_000
"""Twice within this time, and it was no accident of scheduling."""
MIXED_NS: Final = 1_000_000_000
"""For so long after another one was asked, an export shares the port."""
ELSEWHERE_NS: Final = 1_000_000_000
"""For so long the export's writes take the reference path."""

_RWF_NOWAIT = 8
_SEEK_END = 2
_PAGE_SHIFT = 12
_EPOCH_SHIFT = 33
"""What was seen in the page cache is believed for the epoch of 8.6 s in which it was seen, and the next."""
_ATA_HEADER = 36


@compiled
def clock_to(time: int) -> int:
    """Nanoseconds of CLOCK_MONOTONIC, by way of a struct timespec at an address."""
    c_clock_gettime(1, time)
    return int(np.int64(load64(time)) * 1_000_000_000 + np.int64(load64(time + 8)))


@compiled
def clock(t: Tables) -> int:
    """Nanoseconds of CLOCK_MONOTONIC, in the loop."""
    return clock_to(t.time.ctypes.data)


@compiled
def _route_rest(t: Tables, first: int, export: int) -> None:
    """The disk failed entry `first`: it, the export's writes behind it and all its reads take the reference path, in order."""
    for i in range(t.port[COUNT_OF_ENTRIES]):
        entry = t.entries[i]
        if entry[E_EXPORT] == export and (entry[E_KIND] == READ or (i >= first and entry[E_KIND] == WRITE)):
            entry[E_KIND] = ROUTE


@compiled
def _is_whole(t: Tables, export: int) -> bool:
    """Whether the backing has not been cut short: a write behind its end would make it look whole. Asked once for a batch."""
    row = t.exports[export]
    if row[X_CHECKED] != t.port[BATCHES]:
        if c_lseek(row[X_FD], 0, _SEEK_END) < row[X_END]:
            return False
        row[X_CHECKED] = t.port[BATCHES]
    return True


@compiled
def _judge_time(t: Tables, export: int, began: int, ended: int) -> None:
    """A disk that makes writes wait would hold up the other exports here, where others are asked."""
    if ended - began > SLOW_NS and began - t.port[MIXED_AT] < MIXED_NS:
        row = t.exports[export]
        if ended - row[X_STRIKE] < STRIKES_NS:
            row[X_SLOW_UNTIL] = ended + ELSEWHERE_NS
        row[X_STRIKE] = ended


@compiled
def _gather_run(t: Tables, first: int) -> int:
    """Collect the write `first` and those right behind it that go on where it ends; the entry after them."""
    entries = t.entries
    export, following, i = entries[first, E_EXPORT], entries[first, E_LBA], first
    while i < t.port[COUNT_OF_ENTRIES]:
        entry = entries[i]
        if entry[E_KIND] != WRITE or entry[E_EXPORT] != export or entry[E_LBA] != following:
            break
        t.in_iov[i - first, 0] = entry[E_FRAME] + _ATA_HEADER
        t.in_iov[i - first, 1] = entry[E_COUNT] << 9
        following += entry[E_COUNT]
        i += 1
    return i


@compiled
def begin(t: Tables, export: int, now: int) -> bool:
    """Mark that a call to the disk begins; False if the loop was abandoned, and must not touch any disk again."""
    lock = t.lock.ctypes.data
    c_lock(lock)
    t.port[BUSY_EXPORT], t.port[BUSY_SINCE] = export, now
    abandoned = t.port[ABANDONED] != 0
    c_unlock(lock)
    return not abandoned


@compiled
def end(t: Tables) -> None:
    """The call is through: whoever would abandon the loop for it comes too late."""
    lock = t.lock.ctypes.data
    c_lock(lock)
    t.port[BUSY_SINCE] = 0
    c_unlock(lock)


@compiled
def write_all(t: Tables) -> bool:
    """Carry out the batch's writes in order of arrival. False if the loop was abandoned meanwhile: it may do nothing more."""
    first = began = 0
    while first < t.port[COUNT_OF_ENTRIES]:
        if t.entries[first, E_KIND] != WRITE:
            first += 1
            continue
        behind, export = _gather_run(t, first), t.entries[first, E_EXPORT]
        row = t.exports[export]
        last = t.entries[behind - 1]
        size = (last[E_LBA] + last[E_COUNT] - t.entries[first, E_LBA]) << 9
        began = began or clock(t)
        if not begin(t, export, began):
            return False
        position = row[X_BASE] + (t.entries[first, E_LBA] << 9)
        sound = row[X_WRITES] != WRITES_FILE or _is_whole(t, export)
        if not sound or c_pwritev(row[X_FD], t.in_iov.ctypes.data, behind - first, position) != size:
            _route_rest(t, first, export)
        ended = clock(t)
        end(t)
        _judge_time(t, export, began, ended)
        first, began = behind, ended
    return t.port[ABANDONED] == 0


@compiled
def _seen_at(page: int, salt: int) -> int:
    return (page + salt) & (SEEN - 1)


@compiled
def _seen_mark(page: int, salt: int) -> int:
    return ((page >> 20) ^ (salt >> 20)) & 0xFFFFFF


@compiled
def _was_seen(t: Tables, position: int, size: int, salt: int) -> bool:
    """Whether all these bytes were lately seen in the page cache."""
    epoch = t.port[NOW] >> _EPOCH_SHIFT
    for page in range(position >> _PAGE_SHIFT, (position + size + 4095) >> _PAGE_SHIFT):
        known = np.int64(t.seen[_seen_at(page, salt)])
        if known >> 8 != _seen_mark(page, salt) or ((epoch - known) & 255) > 1:
            return False
    return True


@compiled
def _note_seen(t: Tables, position: int, size: int, salt: int) -> None:
    epoch = (t.port[NOW] >> _EPOCH_SHIFT) & 255
    for page in range(position >> _PAGE_SHIFT, (position + size + 4095) >> _PAGE_SHIFT):
        t.seen[_seen_at(page, salt)] = _seen_mark(page, salt) << 8 | epoch


@compiled
def _read_cached(t: Tables, n: int, position: int, size: int) -> int:
    """Read what is in the page cache; the address of the bytes, or 0 if they would have to be waited for."""
    at = t.port[READS] + n * t.port[MAX_READ]
    t.in_iov[0, 0], t.in_iov[0, 1] = at, size
    row = t.exports[t.entries[n, E_EXPORT]]
    if row[X_READS] == READS_WAITED:
        return 0
    flags = _RWF_NOWAIT if row[X_READS] == READS_IF_CACHED else 0
    if c_preadv2(row[X_FD], t.in_iov.ctypes.data, 1, position, flags) != size:
        return 0
    _note_seen(t, position, size, row[X_SALT])
    return at


@compiled
def read_all(t: Tables) -> bool:
    """Find the data of the batch's reads: straight in the mapping, if it was lately seen in the page cache.

    Whether any is: what has left the page cache since has to be waited for when it is sent.
    """
    any_mapped = False
    for n in range(t.port[COUNT_OF_ENTRIES]):
        entry = t.entries[n]
        if entry[E_KIND] != READ:
            continue
        row = t.exports[entry[E_EXPORT]]
        position, size = row[X_BASE] + (entry[E_LBA] << 9), entry[E_COUNT] << 9
        # a mapping shows zeros where the last page was cut short
        start = row[X_MAP]
        mapped = start != 0 and _is_whole(t, entry[E_EXPORT]) and _was_seen(t, position, size, row[X_SALT])
        entry[E_DATA] = start + position if mapped else _read_cached(t, n, position, size)
        any_mapped |= mapped
        if entry[E_DATA] == 0:
            entry[E_KIND] = FETCHED
    return any_mapped
