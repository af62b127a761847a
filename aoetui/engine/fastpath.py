"""The compiled loop of one receive queue: plain reads and writes from the receive ring to their replies, without the GIL.

It takes a batch of frames, judges each (fast/judge.py), has the disk's part done (fast/disk.py), and answers (fast/answers.py).
All that is not plain goes, in order, to the reference path: `protocol/target.py`, by a FIFO that the port's thread empties.
`fast/lane.py` starts and stops it; docs/architecture.md has the design, docs/performance.md the figures.
"""

from __future__ import annotations

from aoetui.engine.fast.answers import note_latency, publish, route_faulted, send, settle
from aoetui.engine.fast.compiler import c_eventfd_write, c_lock, c_poll, c_unlock, compiled, fence, load16, load32, store32
from aoetui.engine.fast.disk import begin, clock, end, read_all, write_all
from aoetui.engine.fast.fetch_queue import wake_fetchers
from aoetui.engine.fast.judge import DROPPED, NOT_YET, SLOT_CAPTURED, SLOT_START, is_ours, judge
from aoetui.engine.fast.tables import (
    ABANDONED,
    BATCH,
    BATCHES,
    COUNT_OF_ENTRIES,
    DEFERRED_IN_BATCH,
    ERROR,
    FETCHES_BEGUN,
    IN_BATCH,
    NOW,
    RECEIVED,
    REMEMBERED_SO_FAR,
    RING,
    SLOT,
    SLOTS,
    STOP,
    STRIDE,
    TAKEN_SLOTS,
    WAKE,
    Tables,
)

_USER = 1
_NO_EXPORT = -1
"""A loop that is abandoned while it sends has written all that it was to write."""
_POLLIN = 1
_POLLERR = 8
_MAX_SLOTS = 4 * BATCH
"""Slots that are taken for one batch, frames that are not ours among them."""


@compiled
def take_batch(t: Tables) -> int:
    """Judge what the kernel has filled: the entries of the batch. How many slots they came from, all still the loop's."""
    slots, stride = t.port[SLOTS], t.port[STRIDE]
    t.port[BATCHES] += 1
    t.port[DEFERRED_IN_BATCH] = 0
    before_batch = t.port[REMEMBERED_SO_FAR]
    taken = entries = 0
    while taken < _MAX_SLOTS and taken < slots and entries < BATCH:
        slot = t.port[RING] + ((t.port[SLOT] + taken) % slots) * stride
        if not load32(slot) & _USER:
            break
        fence()
        if is_ours(t, slot):
            verdict = judge(t, entries, slot + load16(slot + SLOT_START), load32(slot + SLOT_CAPTURED), before_batch)
            if verdict == NOT_YET:
                break
            t.port[RECEIVED] += 1
            entries += verdict != DROPPED
        taken += 1
    t.port[COUNT_OF_ENTRIES], t.port[TAKEN_SLOTS] = entries, taken
    t.port[IN_BATCH] = taken > 0
    return taken


@compiled
def _give_back(t: Tables, taken: int) -> None:
    """Let the kernel fill these slots again."""
    slots, first = t.port[SLOTS], t.port[SLOT]
    fence()
    for i in range(taken):
        store32(t.port[RING] + ((first + i) % slots) * t.port[STRIDE], 0)
    t.port[SLOT] = (first + taken) % slots


@compiled
def serve_batch(t: Tables) -> int:
    """Serve what has come, once. How many slots of the ring were taken; 0: nothing had come."""
    lock = t.lock.ctypes.data
    t.port[NOW] = clock(t)
    c_lock(lock)
    taken = take_batch(t)
    c_unlock(lock)
    if taken == 0:
        return 0
    if not write_all(t):
        return taken
    mapped = read_all(t)
    c_lock(lock)
    replies = settle(t)
    c_unlock(lock)
    if t.port[FETCHES_BEGUN]:
        wake_fetchers(t)
    if mapped:
        begin(t, _NO_EXPORT, clock(t))
    faulted = send(t, replies)
    if mapped:
        end(t)
    ended = clock(t)
    c_lock(lock)
    if faulted:
        route_faulted(t, replies)
    note_latency(t, ended - t.port[NOW])
    t.port[IN_BATCH] = 0
    publish(t)
    c_unlock(lock)
    _give_back(t, taken)
    return taken


@compiled
def _wait(t: Tables) -> None:
    """Until a frame comes, or the loop is to stop. An error of the socket is left to the port's thread to take and to tell."""
    events = t.poll.ctypes.data
    if t.port[ERROR]:
        c_poll(events + 8, 1, 10)
        return
    c_poll(events, 2, -1)
    if (t.poll[1] >> 16) & _POLLERR:
        t.port[ERROR] = 1
        c_eventfd_write(t.port[WAKE], 1)


@compiled
def serve(t: Tables) -> None:
    """Serve the port until it is told to stop, or is abandoned."""
    while t.port[STOP] == 0 and t.port[ABANDONED] == 0:
        if serve_batch(t) == 0:
            _wait(t)
