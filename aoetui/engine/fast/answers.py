"""The end of a batch: what takes the reference path goes into the FIFO, replies are counted and sent, waiting times are noted."""

from __future__ import annotations

from aoetui.engine.fast.compiler import c_eventfd_write, compiled, copy_bytes, fence, load8, store32
from aoetui.engine.fast.fetch_queue import begin_fetch
from aoetui.engine.fast.flush import defer
from aoetui.engine.fast.memory import forget
from aoetui.engine.fast.sending import offer
from aoetui.engine.fast.tables import (
    COUNT_OF_ENTRIES,
    DEFERRED,
    E_COUNT,
    E_DATA,
    E_EXPORT,
    E_FRAME,
    E_INITIATOR,
    E_KIND,
    E_LENGTH,
    E_MEMORY,
    ENTRY_HEAD,
    FETCHED,
    FIFO,
    FIFO_DROPPED,
    FIFO_FILLED,
    FIFO_LOST,
    FIFO_READ,
    FIFO_WRITTEN,
    GATE_READS,
    GATE_WRITES,
    HEAD,
    I_READ_BYTES,
    I_READS,
    I_WRITE_BYTES,
    I_WRITES,
    READ,
    ROUTE,
    SERVED,
    VLAN,
    WAKE,
    WRAP,
    WRITE,
    X_FLUSHER,
    X_GATE,
    X_HANDLED,
    X_ROUTED,
    Tables,
)
from aoetui.engine.fast.waited import note_wait

_ATA_HEADER, _MIN_FRAME, _TAG = 36, 60, 4
_DONTWAIT = 0x40
_RETRIES = 3
_RETRY_MS = 2
_EBADF, _EAGAIN, _EFAULT, _ENODEV, _ENXIO, _ENETDOWN, _ENOBUFS = 9, 11, 14, 19, 6, 100, 105


@compiled
def _fifo_place(t: Tables, size: int) -> int:
    """Where in the FIFO `size` bytes fit in one piece; -1: nowhere."""
    filled = t.port[FIFO_FILLED]
    at = filled & (FIFO - 1)
    skip = FIFO - at if at + size > FIFO else 0
    if filled + skip + size - t.port[FIFO_READ] > FIFO:
        return -1
    if skip:
        store32(t.fifo.ctypes.data + at, WRAP)
        t.port[FIFO_FILLED] = filled + skip
        return 0
    return at


@compiled
def put(t: Tables, frame: int, length: int, export: int) -> None:
    """Put a frame at an address into the FIFO, or count that there was no room: its initiator asks again."""
    size = (ENTRY_HEAD + length + 15) & ~15
    at = _fifo_place(t, size)
    if export >= 0:
        t.exports[export, X_ROUTED] += 1
    if at < 0:
        t.port[FIFO_DROPPED] += 1
        t.port[FIFO_LOST] = 1
        if export >= 0:
            t.exports[export, X_HANDLED] += 1
        return
    place = t.fifo.ctypes.data + at
    store32(place, length)
    store32(place + 4, export)
    copy_bytes(place + ENTRY_HEAD, frame, length)
    t.port[FIFO_FILLED] += size


@compiled
def route(t: Tables, n: int) -> None:
    """Send entry `n` to the reference path; until that is through, nothing here overtakes it."""
    entry = t.entries[n]
    if entry[E_MEMORY] >= 0:
        forget(t, entry[E_MEMORY])
    export = entry[E_EXPORT]
    if export >= 0:
        t.exports[export, X_GATE] |= GATE_WRITES if _is_read(entry[E_FRAME]) else GATE_READS | GATE_WRITES
    entry[E_KIND] = ROUTE
    put(t, entry[E_FRAME], entry[E_LENGTH], export)


@compiled
def _is_read(frame: int) -> bool:
    return load8(frame + 19) == 0 and (load8(frame + 27) & 0xFB) == 0x20


@compiled
def count(t: Tables, n: int, sign: int) -> None:
    """Count entry `n` as answered, or (-1) take that back."""
    entry = t.entries[n]
    row, kind = t.initiators[entry[E_INITIATOR]], entry[E_KIND]
    t.port[SERVED] += sign
    if kind == READ:
        row[I_READS] += sign
        row[I_READ_BYTES] += sign * (entry[E_COUNT] << 9)
    elif kind == WRITE:
        row[I_WRITES] += sign
        row[I_WRITE_BYTES] += sign * (entry[E_COUNT] << 9)


@compiled
def settle(t: Tables) -> int:
    """Route and count the batch's entries in order of arrival, and lay out the replies. How many there are to send."""
    replies = 0
    for n in range(t.port[COUNT_OF_ENTRIES]):
        kind = t.entries[n, E_KIND]
        if kind == ROUTE or (kind == FETCHED and not begin_fetch(t, n)):
            route(t, n)
        elif kind == FETCHED:
            continue
        elif kind != READ and t.exports[t.entries[n, E_EXPORT], X_FLUSHER] >= 0:
            defer(t, n)
        else:
            count(t, n, 1)
            _lay_out(t, n, replies)
            replies += 1
    return replies


@compiled
def publish(t: Tables) -> None:
    """Let the reference path have what was routed. The batch's replies have left: it may change what they carried."""
    if t.port[FIFO_WRITTEN] != t.port[FIFO_FILLED] or t.port[FIFO_LOST]:
        fence()
        t.port[FIFO_WRITTEN] = t.port[FIFO_FILLED]
        c_eventfd_write(t.port[WAKE], 1)


@compiled
def _lay_out(t: Tables, n: int, at: int) -> None:
    """Make message `at` of entry `n`: the head, and behind it what was read."""
    entry, tagged = t.entries[n], t.port[VLAN] != 0
    read = entry[E_KIND] == READ
    length = _ATA_HEADER if read else _MIN_FRAME
    t.order[at] = n
    t.out_iov[at, 0] = t.heads.ctypes.data + n * HEAD + (0 if tagged else _TAG)
    t.out_iov[at, 1] = length + _TAG if tagged else length
    t.out_iov[at, 2], t.out_iov[at, 3] = entry[E_DATA], entry[E_COUNT] << 9
    t.messages[at, 3] = 2 if read else 1


@compiled
def send(t: Tables, replies: int) -> bool:
    """Send the batch's replies; whether data of one could not be read."""
    faulted, at = False, 0
    while at < replies:
        at += offer(t, t.messages.ctypes.data + at * 64, replies - at)
        if at < replies:
            faulted = True
            t.order[at] = -1 - t.order[at]
            at += 1
    return faulted


@compiled
def route_faulted(t: Tables, replies: int) -> None:
    """A page of these reads is gone (the backing was cut short, or the disk failed): the reference path says what it is."""
    for at in range(replies):
        if t.order[at] < 0:
            n = -1 - t.order[at]
            count(t, n, -1)
            route(t, n)


@compiled
def note_latency(t: Tables, nanoseconds: int) -> None:
    """All that this batch answered waited so long."""
    for n in range(t.port[COUNT_OF_ENTRIES]):
        entry = t.entries[n]
        kind = entry[E_KIND]
        if kind not in (ROUTE, DEFERRED, FETCHED):
            note_wait(t, entry[E_INITIATOR], entry[E_EXPORT], kind == READ, nanoseconds)
