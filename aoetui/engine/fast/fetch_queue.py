"""Reads that wait for the disk, by export: what the loop leaves to an export's fetcher, and what may not overtake it.

All of it is called with the loop's lock held, but `wake_fetchers`.
"""

from __future__ import annotations

from aoetui.engine.fast.compiler import c_condition_signal, compiled, copy_bytes
from aoetui.engine.fast.tables import (
    E_COUNT,
    E_EXPORT,
    E_FRAME,
    E_INITIATOR,
    E_LBA,
    E_LENGTH,
    FETCH,
    FETCHERS,
    FETCHES_BEGUN,
    HEAD,
    I_PENDING,
    M_ARRIVED,
    M_COUNT,
    M_INITIATOR,
    M_LBA,
    M_LENGTH,
    M_POSITION,
    M_TAKEN,
    NOW,
    T_EXPORT,
    T_FIRST,
    T_FREE,
    T_IDLE,
    T_LAST,
    T_QUEUED,
    T_STOP,
    X_BASE,
    X_FETCHER,
    X_MISSES,
    Tables,
)

CONDITION_BYTES = 64
"""Of each fetcher's condition in the tables."""


@compiled
def fetcher_of(t: Tables, export: int) -> int:
    """The number of an export's fetcher; -1: it has none. What the export's row names may be another export's by now."""
    number = t.exports[export, X_FETCHER]
    return int(number) if number >= 0 and t.fetchers[number, T_EXPORT] == export else -1


@compiled
def begin_fetch(t: Tables, n: int) -> bool:
    """Leave entry `n` of the batch, a read, to its export's fetcher; False if that cannot take it."""
    entry = t.entries[n]
    export = t.exports[entry[E_EXPORT]]
    number = fetcher_of(t, entry[E_EXPORT])
    if number < 0:
        export[X_MISSES] += 1
        return False
    fetcher = t.fetchers[number]
    if fetcher[T_STOP] or fetcher[T_FREE] == 0 or entry[E_LENGTH] > HEAD:
        return False
    fetcher[T_FREE] -= 1
    at = t.fetch_free[number, fetcher[T_FREE]]
    fetch = t.fetches[number, at]
    fetch[M_TAKEN], fetch[M_INITIATOR], fetch[M_LENGTH] = 1, entry[E_INITIATOR], entry[E_LENGTH]
    fetch[M_LBA], fetch[M_COUNT], fetch[M_ARRIVED] = entry[E_LBA], entry[E_COUNT], t.port[NOW]
    fetch[M_POSITION] = export[X_BASE] + (entry[E_LBA] << 9)
    copy_bytes(fetch_head(t, number, at), t.heads.ctypes.data + n * HEAD, HEAD)
    copy_bytes(fetch_frame(t, number, at), entry[E_FRAME], entry[E_LENGTH])
    t.fetch_queue[number, (fetcher[T_FIRST] + fetcher[T_QUEUED]) % FETCH] = at
    fetcher[T_QUEUED] += 1
    fetcher[T_LAST] = t.port[NOW]
    t.initiators[entry[E_INITIATOR], I_PENDING] += 1
    t.port[FETCHES_BEGUN] = 1
    return True


@compiled
def fetch_head(t: Tables, number: int, at: int) -> int:
    """Where the head of a reply stands, with room for a VLAN tag."""
    return int(t.fetch_heads.ctypes.data + (number * FETCH + at) * HEAD)


@compiled
def fetch_frame(t: Tables, number: int, at: int) -> int:
    """Where the request stands."""
    return int(t.fetch_frames.ctypes.data + (number * FETCH + at) * HEAD)


@compiled
def condition(t: Tables, number: int) -> int:
    """Where a fetcher's condition stands."""
    return int(t.fetch_conditions.ctypes.data + number * CONDITION_BYTES)


@compiled
def meets_fetch(t: Tables, export: int, lba: int, end: int) -> bool:
    """Whether a read of this export waits for the disk that is of sectors from `lba` up to, not including, `end`."""
    number = fetcher_of(t, export)
    return number >= 0 and fetches(t, number, lba, end)


@compiled
def fetches(t: Tables, number: int, lba: int, end: int) -> bool:
    """The same of a fetcher."""
    if t.fetchers[number, T_FREE] == FETCH:
        return False
    for at in range(FETCH):
        fetch = t.fetches[number, at]
        if fetch[M_TAKEN] and fetch[M_LBA] < end and lba < fetch[M_LBA] + fetch[M_COUNT]:
            return True
    return False


@compiled
def wake_fetchers(t: Tables) -> None:
    """Wake as many threads as requests have come; without the lock, which each of them takes first."""
    t.port[FETCHES_BEGUN] = 0
    for number in range(FETCHERS):
        for _ in range(min(t.fetchers[number, T_QUEUED], t.fetchers[number, T_IDLE])):
            c_condition_signal(condition(t, number))
