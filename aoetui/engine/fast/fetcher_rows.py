"""The rows of fetchers as the reference path changes and reads them: each change whole, with the loop's lock held."""

from __future__ import annotations

from aoetui.engine.fast.compiler import c_condition_broadcast, c_lock, c_poll, c_unlock, compiled
from aoetui.engine.fast.fetch_queue import condition
from aoetui.engine.fast.tables import (
    FETCH,
    M_ARRIVED,
    M_TAKEN,
    T_BUFFERS,
    T_CANCELLED,
    T_COMING,
    T_DISK,
    T_EXPORT,
    T_FREE,
    T_SENDING,
    T_STOP,
    T_THREADS,
    Tables,
)


@compiled
def set_fetcher(t: Tables, number: int, export: int, disk: int, buffers: int) -> None:
    """Let a fetcher, which has no threads, work for an export; -1: for none."""
    c_lock(t.lock.ctypes.data)
    row = t.fetchers[number]
    row[:] = 0
    row[T_EXPORT], row[T_DISK], row[T_BUFFERS], row[T_FREE] = export, disk, buffers, FETCH
    for at in range(FETCH):
        t.fetch_free[number, at] = at
        t.fetches[number, at, M_TAKEN] = 0
    c_unlock(t.lock.ctypes.data)


@compiled
def came(t: Tables, number: int) -> None:
    """Another thread works for it from now on."""
    c_lock(t.lock.ctypes.data)
    t.fetchers[number, T_THREADS] += 1
    t.fetchers[number, T_COMING] = 0
    c_unlock(t.lock.ctypes.data)


@compiled
def end_fetcher(t: Tables, number: int, cancel: bool) -> None:
    """Have its threads end: after what waits is answered or, with `cancel`, without a further answer."""
    c_lock(t.lock.ctypes.data)
    t.fetchers[number, T_STOP] = 1
    if cancel:
        t.fetchers[number, T_CANCELLED] = 1
    c_unlock(t.lock.ctypes.data)
    c_condition_broadcast(condition(t, number))


@compiled
def wait_for_fetches(t: Tables, number: int, looks: int) -> bool:
    """Look so often, each ms, whether nothing waits that will be answered, or is being answered; False if something does."""
    row = t.fetchers[number]
    for _ in range(looks):
        c_lock(t.lock.ctypes.data)
        waits = row[T_SENDING] if row[T_CANCELLED] else FETCH - row[T_FREE]
        c_unlock(t.lock.ctypes.data)
        if waits == 0:
            return True
        c_poll(0, 0, 1)
    return False


@compiled
def waits_since(t: Tables, number: int) -> int:
    """When the oldest request came that waits: nanoseconds; 0: none does."""
    oldest = 0
    c_lock(t.lock.ctypes.data)
    for at in range(FETCH):
        fetch = t.fetches[number, at]
        if fetch[M_TAKEN] and (oldest == 0 or fetch[M_ARRIVED] < oldest):
            oldest = fetch[M_ARRIVED]
    c_unlock(t.lock.ctypes.data)
    return int(oldest)
