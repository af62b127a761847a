"""Group commit: writes of a durable export wait for a flush together, and a thread of their own answers them after it.

While one flush is under way the loop goes on writing; what it writes meanwhile shares the next one.
"""

from __future__ import annotations

from aoetui.engine.fast.compiler import (
    c_eventfd_write,
    c_fdatasync,
    c_lock,
    c_poll,
    c_read,
    c_unlock,
    compiled,
    copy_bytes,
    errno_of,
)
from aoetui.engine.fast.disk import clock_to
from aoetui.engine.fast.memory import forget, set_done
from aoetui.engine.fast.sending import offer
from aoetui.engine.fast.tables import (
    DEFERRED,
    E_COUNT,
    E_EXPORT,
    E_INITIATOR,
    E_KIND,
    E_MEMORY,
    F_BUSY,
    F_COUNT,
    F_ERROR,
    F_EVENT,
    F_EXPORT,
    F_STOP,
    F_SYNC,
    F_TOLD,
    FLUSH,
    HEAD,
    I_FAILED,
    I_PENDING,
    I_WRITE_BYTES,
    I_WRITES,
    NOW,
    P_ARRIVED,
    P_BYTES,
    P_INITIATOR,
    P_KIND,
    P_MEMORY,
    P_WORDS,
    SERVED,
    VLAN,
    WAKE,
    WRITE,
    WRITES_ELSEWHERE,
    X_FLUSHER,
    X_WRITES,
    Tables,
)
from aoetui.engine.fast.waited import note_wait

_MIN_FRAME, _TAG = 60, 4
_REGISTERS = 24
_UNC, _FAILED = 0x40, 0x41
_TELLING_MS = 2000


@compiled
def defer(t: Tables, n: int) -> None:
    """Let entry `n` of the batch, which is written, wait for its export's flush."""
    entry = t.entries[n]
    flusher = t.exports[entry[E_EXPORT], X_FLUSHER]
    at = t.flushers[flusher, F_COUNT]
    waits = t.pending[flusher, at]
    waits[P_INITIATOR], waits[P_KIND], waits[P_BYTES] = entry[E_INITIATOR], entry[E_KIND], entry[E_COUNT] << 9
    waits[P_ARRIVED], waits[P_MEMORY] = t.port[NOW], entry[E_MEMORY]
    copy_bytes(t.pending_heads.ctypes.data + _head(flusher, at), t.heads.ctypes.data + n * HEAD, HEAD)
    t.initiators[entry[E_INITIATOR], I_PENDING] += 1
    t.flushers[flusher, F_COUNT] = at + 1
    entry[E_KIND] = DEFERRED
    if at == 0:
        c_eventfd_write(t.flushers[flusher, F_EVENT], 1)


@compiled
def _head(flusher: int, at: int) -> int:
    return (flusher * 2 * FLUSH + at) * HEAD


@compiled
def _take(t: Tables, flusher: int) -> int:
    """Take what waits in hand; how many those are."""
    count = t.flushers[flusher, F_COUNT]
    for at in range(count):
        for word in range(P_WORDS):
            t.pending[flusher, FLUSH + at, word] = t.pending[flusher, at, word]
    heads = t.pending_heads.ctypes.data
    copy_bytes(heads + _head(flusher, FLUSH), heads + _head(flusher, 0), count * HEAD)
    t.flushers[flusher, F_COUNT], t.flushers[flusher, F_BUSY] = 0, count
    return count


@compiled
def _conclude(t: Tables, flusher: int, count: int, code: int, now: int) -> None:
    """The flush is through: those in hand are done, or (with an errno) nobody knows what became of them, and they fail."""
    export = t.flushers[flusher, F_EXPORT]
    for at in range(count):
        waits = t.pending[flusher, FLUSH + at]
        row = t.initiators[waits[P_INITIATOR]]
        row[I_PENDING] -= 1
        if code:
            _fail(t, flusher, at)
            continue
        t.port[SERVED] += 1
        if waits[P_KIND] == WRITE:
            row[I_WRITES] += 1
            row[I_WRITE_BYTES] += waits[P_BYTES]
            set_done(t, waits[P_MEMORY], now)
        note_wait(t, waits[P_INITIATOR], export, False, now - waits[P_ARRIVED])
    if code:
        t.flushers[flusher, F_ERROR] = code
        t.exports[export, X_WRITES] = WRITES_ELSEWHERE
        c_eventfd_write(t.port[WAKE], 1)


@compiled
def _fail(t: Tables, flusher: int, at: int) -> None:
    """Make the reply of one in hand an ATA error. See replies.ata_failure."""
    waits = t.pending[flusher, FLUSH + at]
    if waits[P_MEMORY] >= 0:
        forget(t, waits[P_MEMORY])
    t.initiators[waits[P_INITIATOR], I_FAILED] += 1
    heads, registers = t.pending_heads[flusher], (FLUSH + at) * HEAD + _TAG + _REGISTERS
    heads[registers + 1], heads[registers + 2], heads[registers + 3] = _UNC, waits[P_BYTES] >> 9, _FAILED


@compiled
def _wait_until_told(t: Tables, flusher: int) -> None:
    """The export is to refuse writes before an initiator hears of the failure; for so long its port's thread is waited for."""
    for _ in range(_TELLING_MS):
        if t.flushers[flusher, F_TOLD] or t.flushers[flusher, F_STOP]:
            return
        c_poll(0, 0, 1)


@compiled
def flush_once(t: Tables, flusher: int, time: int) -> int:
    """Flush once for all that waits, and answer it; how many those were. `time` is the address of a struct timespec."""
    lock = t.lock.ctypes.data
    c_lock(lock)
    count = _take(t, flusher)
    descriptor = t.flushers[flusher, F_SYNC]
    c_unlock(lock)
    if count == 0:
        return 0
    failed = c_fdatasync(descriptor) != 0
    code = errno_of() if failed else 0
    now = clock_to(time)
    c_lock(lock)
    _conclude(t, flusher, count, code, now)
    c_unlock(lock)
    if failed:
        _wait_until_told(t, flusher)
    _answer(t, flusher, count)
    c_lock(lock)
    t.flushers[flusher, F_BUSY] = 0
    c_unlock(lock)
    return count


@compiled
def _answer(t: Tables, flusher: int, count: int) -> None:
    tagged = t.port[VLAN] != 0
    for at in range(count):
        t.pending_iov[flusher, at, 0] = t.pending_heads.ctypes.data + _head(flusher, FLUSH + at) + (0 if tagged else _TAG)
        t.pending_iov[flusher, at, 1] = _MIN_FRAME + _TAG if tagged else _MIN_FRAME
    offer(t, t.pending_messages.ctypes.data + flusher * FLUSH * 64, count)


@compiled
def flush_all(t: Tables, flusher: int, scratch: int) -> None:
    """Flush and answer whatever comes, until it is told to stop. `scratch` is the address of 32 bytes: pollfd, count, time."""
    while True:
        while flush_once(t, flusher, scratch + 16):
            pass
        if t.flushers[flusher, F_STOP]:
            return
        c_poll(scratch, 1, -1)
        c_read(t.flushers[flusher, F_EVENT], scratch + 8, 8)
