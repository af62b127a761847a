"""The rows of fetchers as the reference path changes and reads them: each change whole, with the loop's lock held.

`who` is the fetcher that is meant (T_WHO): its number may be another's by now, and then nothing is done.
"""

from __future__ import annotations

from aoetui.engine.fast.compiler import c_condition_broadcast, c_lock, c_poll, c_unlock, compiled
from aoetui.engine.fast.fetch_queue import condition, fetches
from aoetui.engine.fast.tables import (
    FETCH,
    I_PENDING,
    M_ARRIVED,
    M_INITIATOR,
    M_TAKEN,
    T_BUFFERS,
    T_CANCELLED,
    T_COMING,
    T_DISK,
    T_EXPORT,
    T_FREE,
    T_LAST,
    T_SENDING,
    T_STOP,
    T_THREADS,
    T_WHO,
    Tables,
)


@compiled
def set_fetcher(t: Tables, number: int, who: int, export: int, disk: int, buffers: int, now: int) -> None:
    """Let a fetcher work for an export from `now` (nanoseconds) on. Nobody else may have the number."""
    c_lock(t.lock.ctypes.data)
    row = t.fetchers[number]
    row[:] = 0
    row[T_EXPORT], row[T_DISK], row[T_BUFFERS], row[T_FREE] = export, disk, buffers, FETCH
    row[T_WHO], row[T_LAST], row[T_THREADS] = who, now, 1
    for at in range(FETCH):
        t.fetch_free[number, at] = at
        t.fetches[number, at, M_TAKEN] = 0
    c_unlock(t.lock.ctypes.data)


@compiled
def clear_fetcher(t: Tables, number: int, who: int) -> None:
    """It has no threads any more: it takes nothing, and is nobody's."""
    c_lock(t.lock.ctypes.data)
    row = t.fetchers[number]
    if row[T_WHO] == who:
        row[T_WHO], row[T_EXPORT], row[T_STOP], row[T_FREE] = 0, -1, 1, FETCH
    c_unlock(t.lock.ctypes.data)


@compiled
def came(t: Tables, number: int) -> None:
    """Another thread works for it from now on."""
    c_lock(t.lock.ctypes.data)
    t.fetchers[number, T_THREADS] += 1
    t.fetchers[number, T_COMING] = 0
    c_unlock(t.lock.ctypes.data)


@compiled
def stop_fetcher(t: Tables, number: int, who: int, since: int) -> None:
    """Have it take nothing more, and its threads end after what waits is answered.

    Only if nothing waits, and nothing came after `since` (nanoseconds); with -1 in any case.
    """
    c_lock(t.lock.ctypes.data)
    row = t.fetchers[number]
    stopped = row[T_WHO] == who and (since < 0 or (row[T_FREE] == FETCH and row[T_LAST] <= since))
    if stopped:
        row[T_STOP] = 1
    c_unlock(t.lock.ctypes.data)
    if stopped:
        c_condition_broadcast(condition(t, number))


@compiled
def cancel_fetcher(t: Tables, number: int, who: int) -> None:
    """Have it take nothing more, and answer nothing more than is being sent."""
    c_lock(t.lock.ctypes.data)
    row = t.fetchers[number]
    if row[T_WHO] == who and row[T_CANCELLED] == 0:
        row[T_STOP] = row[T_CANCELLED] = 1
        for at in range(FETCH):
            fetch = t.fetches[number, at]
            if fetch[M_TAKEN] and fetch[M_INITIATOR] >= 0:
                t.initiators[fetch[M_INITIATOR], I_PENDING] -= 1
                fetch[M_INITIATOR] = -1
    c_unlock(t.lock.ctypes.data)
    c_condition_broadcast(condition(t, number))


@compiled
def is_through(t: Tables, number: int, who: int, lba: int, end: int) -> bool:
    """Whether no read waits that will be answered, or is being answered, of sectors from `lba` up to, not including, `end`."""
    c_lock(t.lock.ctypes.data)
    row = t.fetchers[number]
    waits = row[T_WHO] == who and (row[T_SENDING] > 0 if row[T_CANCELLED] else fetches(t, number, lba, end))
    c_unlock(t.lock.ctypes.data)
    return not waits


@compiled
def wait_until_through(t: Tables, number: int, who: int, lba: int, end: int, looks: int) -> bool:
    """Look so often, each ms, whether that is so."""
    for _ in range(looks):
        if is_through(t, number, who, lba, end):
            return True
        c_poll(0, 0, 1)
    return False


@compiled
def waits_since(t: Tables, number: int, who: int) -> int:
    """When the oldest request came that waits: nanoseconds; 0: none does."""
    oldest = 0
    c_lock(t.lock.ctypes.data)
    if t.fetchers[number, T_WHO] == who and t.fetchers[number, T_CANCELLED] == 0:
        for at in range(FETCH):
            fetch = t.fetches[number, at]
            if fetch[M_TAKEN] and (oldest == 0 or fetch[M_ARRIVED] < oldest):
                oldest = fetch[M_ARRIVED]
    c_unlock(t.lock.ctypes.data)
    return int(oldest)
