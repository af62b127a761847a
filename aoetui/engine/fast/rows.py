"""The rows of exports and initiators as the reference path changes them: each change whole, with the loop's lock held.

Compiled, so that nobody waits for the GIL while holding what the loop waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.fast.compiler import c_lock, c_poll, c_unlock, compiled
from aoetui.engine.fast.judge import find_initiator
from aoetui.engine.fast.memory import NEW, REPEATED, data_digest, forget, is_unflushed, judge_write, mix, remember, time_done
from aoetui.engine.fast.tables import (
    ABANDONED,
    BATCHES,
    BUSY_SINCE,
    COUNT_OF_ENTRIES,
    E_EXPORT,
    E_KIND,
    E_MEMORY,
    F_EVENT,
    F_EXPORT,
    F_SYNC,
    FETCHED,
    GATE_READS,
    I_EXPORT,
    I_MAC,
    I_MAY,
    I_REUSED,
    IN_BATCH,
    NOW,
    READ,
    REMEMBERED_SO_FAR,
    ROUTE,
    WRITE,
    X_GATE,
    X_HANDLED,
    X_KEY,
    X_MISSES,
    X_ROUTED,
    X_WORDS,
    Tables,
)

if TYPE_CHECKING:
    from aoetui.engine.fast.tables import Numbers


@compiled
def _index_exports(exports: Numbers, find: Numbers) -> None:
    find[:] = -1
    for row in range(exports.shape[0]):
        if exports[row, X_KEY] >= 0:
            at = mix(exports[row, X_KEY], 0) & (find.size - 1)
            while find[at] != -1:
                at = (at + 1) & (find.size - 1)
            find[at] = row


@compiled
def _index_initiators(initiators: Numbers, find: Numbers) -> None:
    find[:] = -1
    for row in range(initiators.shape[0]):
        if initiators[row, I_EXPORT] >= 0:
            _enter(initiators, find, row)


@compiled
def _enter(initiators: Numbers, find: Numbers, row: int) -> None:
    at = mix(initiators[row, I_MAC], initiators[row, I_EXPORT]) & (find.size - 1)
    while find[at] != -1:
        at = (at + 1) & (find.size - 1)
    find[at] = row


@compiled
def set_export(lock: Numbers, exports: Numbers, find: Numbers, row: int, values: Numbers) -> None:
    """Put an export into a row, or change what is known of it; its gate and its counts stay as they are."""
    c_lock(lock.ctypes.data)
    moved = exports[row, X_KEY] != values[X_KEY]
    for word in range(X_WORDS):
        if word not in (X_GATE, X_ROUTED, X_HANDLED, X_MISSES):
            exports[row, word] = values[word]
    if moved:
        _index_exports(exports, find)
    c_unlock(lock.ctypes.data)


@compiled
def close_gate(t: Tables, row: int, gate: int) -> bool:
    """Close the gate of an export; whether the batch in hand holds what it keeps out, taken before."""
    c_lock(t.lock.ctypes.data)
    t.exports[row, X_GATE] |= gate
    in_hand = False
    if t.port[IN_BATCH]:
        for n in range(t.port[COUNT_OF_ENTRIES]):
            kind = t.entries[n, E_KIND]
            kept_out = kind != ROUTE and (kind not in (READ, FETCHED) or gate & GATE_READS != 0)
            in_hand = in_hand or (kept_out and t.entries[n, E_EXPORT] == row)
    c_unlock(t.lock.ctypes.data)
    return in_hand


@compiled
def open_gate(lock: Numbers, exports: Numbers, row: int) -> None:
    """Open the gate of an export, unless a frame that was routed has not been dealt with yet."""
    c_lock(lock.ctypes.data)
    if exports[row, X_ROUTED] == exports[row, X_HANDLED]:
        exports[row, X_GATE] = 0
    c_unlock(lock.ctypes.data)


@compiled
def note_handled(lock: Numbers, exports: Numbers, rows: Numbers) -> None:
    """A routed frame of each of these exports has been dealt with."""
    c_lock(lock.ctypes.data)
    for row in rows:
        exports[row, X_HANDLED] += 1
    c_unlock(lock.ctypes.data)


@compiled
def wait_for_batch(lock: Numbers, port: Numbers, batch: int, looks: int) -> bool:
    """Look so often, each ms, whether this batch is through, or will never be; False if it is not yet."""
    for _ in range(looks):
        c_lock(lock.ctypes.data)
        through = not port[IN_BATCH] or port[BATCHES] != batch or port[ABANDONED]
        c_unlock(lock.ctypes.data)
        if through:
            return True
        c_poll(0, 0, 1)
    return False


@compiled
def set_initiator(
    lock: Numbers, initiators: Numbers, find: Numbers, row: int, export: int, mac: int, may: int, reused: int
) -> None:
    """Put an initiator of an export into a free row."""
    c_lock(lock.ctypes.data)
    initiators[row, :] = 0
    initiators[row, I_EXPORT], initiators[row, I_MAC], initiators[row, I_MAY] = export, mac, may
    initiators[row, I_REUSED] = reused
    _enter(initiators, find, row)
    c_unlock(lock.ctypes.data)


@compiled
def learn_tags(lock: Numbers, initiators: Numbers, row: int, kinds: int) -> None:
    """Tags of these kinds (see I_REUSED) are used again."""
    c_lock(lock.ctypes.data)
    initiators[row, I_REUSED] |= kinds
    c_unlock(lock.ctypes.data)


@compiled
def drop_initiators(lock: Numbers, initiators: Numbers, find: Numbers, rows: Numbers) -> None:
    """Free these rows."""
    c_lock(lock.ctypes.data)
    for row in rows:
        initiators[row, I_EXPORT] = -1
    _index_initiators(initiators, find)
    c_unlock(lock.ctypes.data)


@compiled
def set_may(lock: Numbers, initiators: Numbers, rows: Numbers, may: int) -> None:
    """What these initiators may do from now on."""
    c_lock(lock.ctypes.data)
    for row in rows:
        initiators[row, I_MAY] = may
    c_unlock(lock.ctypes.data)


@compiled
def unlock(lock: Numbers) -> None:
    """Give the lock back for a loop that ended with it; in its thread."""
    c_unlock(lock.ctypes.data)


@compiled
def abandon(t: Tables, since: int) -> bool:
    """Have the loop do nothing more than end the call to the disk that it is in, and began at `since` (0: any, or none).

    False if it has ended. What the batch was about to write it may never write: nobody shall take a retransmission for done.
    """
    c_lock(t.lock.ctypes.data)
    abandoned = since in (0, t.port[BUSY_SINCE])
    if abandoned:
        t.port[ABANDONED] = 1
        for n in range(t.port[COUNT_OF_ENTRIES] if t.port[IN_BATCH] else 0):
            if t.entries[n, E_KIND] == WRITE and t.entries[n, E_MEMORY] >= 0:
                forget(t, t.entries[n, E_MEMORY])
    c_unlock(t.lock.ctypes.data)
    return abandoned


@compiled
def knows_write(t: Tables, salt: int, export: int, mac: int, tag: int, place: int, data: int, size: int, now: int) -> int:
    """What the loop knows of a write that came `now` (nanoseconds) and whose data stands at an address.

    See judge_write and time_done: 4 times the one, and the other.
    """
    c_lock(t.lock.ctypes.data)
    t.port[NOW] = max(t.port[NOW], now)
    key = mix(mix(mac, tag), salt)
    known = judge_write(t, key, place, data_digest(t, data, size), t.port[REMEMBERED_SO_FAR])
    done = time_done(t, key)
    initiator = find_initiator(t, export, mac)
    reused = initiator >= 0 and t.initiators[initiator, I_REUSED] & (1 + (tag >> 31))
    c_unlock(t.lock.ctypes.data)
    return done << 2 | (NEW if known == REPEATED and reused else known)


@compiled
def remember_write(t: Tables, salt: int, mac: int, tag: int, place: int, data: int, size: int) -> None:
    """The reference path has executed this write."""
    c_lock(t.lock.ctypes.data)
    remember(t, mix(mix(mac, tag), salt), place, data_digest(t, data, size))
    c_unlock(t.lock.ctypes.data)


@compiled
def awaits_flush(t: Tables, salt: int, mac: int, tag: int, place: int) -> bool:
    """Whether the loop has executed this write, and its flush is to come: then it is answered."""
    c_lock(t.lock.ctypes.data)
    unflushed = is_unflushed(t, mix(mix(mac, tag), salt), place)
    c_unlock(t.lock.ctypes.data)
    return unflushed


@compiled
def set_flusher(t: Tables, flusher: int, export: int, event: int, sync: int) -> None:
    """Let a flusher, which has nothing in hand, work for an export; -1: for none."""
    c_lock(t.lock.ctypes.data)
    row = t.flushers[flusher]
    row[:] = 0
    row[F_EXPORT], row[F_EVENT], row[F_SYNC] = export, event, sync
    c_unlock(t.lock.ctypes.data)
