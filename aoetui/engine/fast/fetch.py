"""Reads that wait for the disk: threads without the GIL read, and answer. What the disk fails, the reference path tries again.

As many requests are at the disk as there are threads; those that lie one behind the other share a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aoetui.engine.fast.answers import publish, put
from aoetui.engine.fast.compiler import c_condition_wait, c_lock, c_preadv2, c_unlock, compiled
from aoetui.engine.fast.disk import clock_to
from aoetui.engine.fast.fetch_queue import condition, fetch_frame, fetch_head
from aoetui.engine.fast.sending import offer
from aoetui.engine.fast.tables import (
    FETCH,
    GATE_WRITES,
    I_MAY,
    I_PENDING,
    I_READ_BYTES,
    I_READS,
    IN_BATCH,
    M_ARRIVED,
    M_COUNT,
    M_INITIATOR,
    M_LBA,
    M_LENGTH,
    M_POSITION,
    M_TAKEN,
    MAX_READ,
    MAY_READ,
    READS_ELSEWHERE,
    SERVED,
    T_BUFFERS,
    T_CANCELLED,
    T_COMING,
    T_DISK,
    T_EXPORT,
    T_FIRST,
    T_FREE,
    T_IDLE,
    T_QUEUED,
    T_SENDING,
    T_STOP,
    T_THREADS,
    VLAN,
    X_GATE,
    X_READS,
    Tables,
)
from aoetui.engine.fast.waited import note_wait

if TYPE_CHECKING:
    from aoetui.engine.fast.tables import Numbers

MAX_THREADS: Final = 32
"""Of one fetcher. It is also how many calls its disk has at a time."""
RUN: Final = 32
"""Requests that one call may serve."""
MORE: Final = 1
"""Another thread is wanted: there is none left that waits for a request."""
OVER: Final = 0
SCRATCH_WORDS: Final = 15 * RUN + 2
"""Of a thread: places of a run; then iovecs to read into, iovecs to send, struct mmsghdr; then a struct timespec."""
_READ_TO, _SEND_FROM, _MESSAGES, _TIME = RUN, 3 * RUN, 7 * RUN, 15 * RUN
_ATA_HEADER, _TAG = 36, 4


@compiled
def _take_run(t: Tables, number: int, scratch: Numbers) -> int:
    """Take the oldest request, and those behind it that go on where it ends; how many those are."""
    fetcher = t.fetchers[number]
    count = following = 0
    while count < RUN and count < fetcher[T_QUEUED]:
        at = t.fetch_queue[number, (fetcher[T_FIRST] + count) % FETCH]
        fetch = t.fetches[number, at]
        if count and fetch[M_LBA] != following:
            break
        following = fetch[M_LBA] + fetch[M_COUNT]
        scratch[count] = at
        scratch[_READ_TO + 2 * count] = fetcher[T_BUFFERS] + at * t.port[MAX_READ]
        scratch[_READ_TO + 2 * count + 1] = fetch[M_COUNT] << 9
        count += 1
    fetcher[T_FIRST] = (fetcher[T_FIRST] + count) % FETCH
    fetcher[T_QUEUED] -= count
    return count


@compiled
def _read(t: Tables, number: int, scratch: Numbers, count: int) -> bool:
    """Read a run from the disk, however long that takes."""
    size = 0
    for i in range(count):
        size += scratch[_READ_TO + 2 * i + 1]
    position = t.fetches[number, scratch[0], M_POSITION]
    address = scratch.ctypes.data + 8 * _READ_TO
    return bool(c_preadv2(t.fetchers[number, T_DISK], address, count, position, 0) == size)


@compiled
def _conclude(t: Tables, number: int, scratch: Numbers, count: int, sound: bool, now: int) -> int:
    """Count what is read, and lay out the replies; how many there are to send. What may not be answered here is routed."""
    replies = 0
    export = t.fetchers[number, T_EXPORT]
    served = sound and t.exports[export, X_READS] != READS_ELSEWHERE
    for i in range(count):
        at = scratch[i]
        fetch = t.fetches[number, at]
        initiator = fetch[M_INITIATOR]
        fetch[M_INITIATOR] = -1
        row = t.initiators[initiator]
        row[I_PENDING] -= 1
        if not (served and row[I_MAY] & MAY_READ):
            t.exports[export, X_GATE] |= GATE_WRITES
            put(t, fetch_frame(t, number, at), fetch[M_LENGTH], export)
            continue
        size = fetch[M_COUNT] << 9
        t.port[SERVED] += 1
        row[I_READS] += 1
        row[I_READ_BYTES] += size
        note_wait(t, initiator, export, True, now - fetch[M_ARRIVED])
        _lay_out(t, number, scratch, i, replies)
        replies += 1
    if replies < count and t.port[IN_BATCH] == 0:  # else the batch does it, once its own replies have left
        publish(t)
    return replies


@compiled
def _lay_out(t: Tables, number: int, scratch: Numbers, i: int, reply: int) -> None:
    tagged = t.port[VLAN] != 0
    iov, message = _SEND_FROM + 4 * reply, _MESSAGES + 8 * reply
    scratch[iov] = fetch_head(t, number, scratch[i]) + (0 if tagged else _TAG)
    scratch[iov + 1] = _ATA_HEADER + _TAG if tagged else _ATA_HEADER
    scratch[iov + 2], scratch[iov + 3] = scratch[_READ_TO + 2 * i], scratch[_READ_TO + 2 * i + 1]
    scratch[message + 2], scratch[message + 3] = scratch.ctypes.data + 8 * iov, 2


@compiled
def _give_back(t: Tables, number: int, scratch: Numbers, count: int) -> None:
    fetcher = t.fetchers[number]
    for i in range(count):
        t.fetches[number, scratch[i], M_TAKEN] = 0
        t.fetch_free[number, fetcher[T_FREE]] = scratch[i]
        fetcher[T_FREE] += 1


@compiled
def _wait(t: Tables, number: int) -> None:
    """Wait for a request, or the end. The lock is let go of meanwhile."""
    fetcher = t.fetchers[number]
    while fetcher[T_QUEUED] == 0 and fetcher[T_STOP] == 0:
        fetcher[T_IDLE] += 1
        c_condition_wait(condition(t, number), t.lock.ctypes.data)
        fetcher[T_IDLE] -= 1


@compiled
def _wants_another(t: Tables, number: int) -> bool:
    """Whether no thread would be left to take the next request while this one waits for the disk. One at a time is started."""
    fetcher = t.fetchers[number]
    wanted = fetcher[T_IDLE] == 0 and fetcher[T_THREADS] < MAX_THREADS and not fetcher[T_COMING] and not fetcher[T_STOP]
    if wanted:
        fetcher[T_COMING] = 1
    return bool(wanted)


@compiled
def fetch(t: Tables, number: int, scratch: Numbers) -> int:
    """Read and answer whatever comes, in one of a fetcher's threads: until it is OVER, or MORE threads are wanted."""
    lock, fetcher = t.lock.ctypes.data, t.fetchers[number]
    c_lock(lock)
    while True:
        _wait(t, number)
        if fetcher[T_QUEUED] == 0:
            c_unlock(lock)
            return OVER
        if _wants_another(t, number):
            c_unlock(lock)
            return MORE
        count = _take_run(t, number, scratch)
        if fetcher[T_CANCELLED] == 0:
            _fetch_run(t, number, scratch, count)
        _give_back(t, number, scratch, count)


@compiled
def _fetch_run(t: Tables, number: int, scratch: Numbers, count: int) -> None:
    """Read a run and answer it, unless all is cancelled meanwhile. The lock is let go of where it takes long."""
    lock, fetcher = t.lock.ctypes.data, t.fetchers[number]
    c_unlock(lock)
    sound = _read(t, number, scratch, count)
    now = clock_to(scratch.ctypes.data + 8 * _TIME)
    c_lock(lock)
    if fetcher[T_CANCELLED]:
        return
    replies = _conclude(t, number, scratch, count, sound, now)
    fetcher[T_SENDING] += 1
    c_unlock(lock)
    offer(t, scratch.ctypes.data + 8 * _MESSAGES, replies)
    c_lock(lock)
    fetcher[T_SENDING] -= 1
