"""The arrays that the compiled loop of one port works on, and the places in them.

Everything that grows is bounded: an interface has what `memory_bytes` says, and no more. Pages that nothing has touched yet take
no memory.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, cast

import numpy as np

from aoetui.engine.fast_disk import Reads, Writes

Numbers = Any
"""An array. What compiled code takes out of one is a number of the machine's, which mypy cannot tell from an int."""

BATCH: Final = 64
"""Frames that are taken together."""
MAX_EXPORTS: Final = 2048
"""Of one port; further ones take the reference path."""
MAX_INITIATORS: Final = 4096
"""Pairs of export and initiator on one port; further ones take the reference path."""
REMEMBERED: Final = 1 << 16
"""Executed writes that a port remembers, of all its exports."""
TAGS: Final = 512
"""Tags of an initiator that are remembered, to see whether it uses them again."""
ASKED: Final = 256
"""Requests of an initiator that are remembered, to guess which are asked for the second time."""
SEEN: Final = 1 << 20
"""Pages that are remembered to be in the page cache."""
FLUSHERS: Final = 64
"""Durable exports of one port; further ones take the reference path."""
FLUSH: Final = 256
"""Writes of one export that may wait for its flush."""
FETCHERS: Final = 16
"""Exports of one port whose reads wait for the disk here; those of further ones take the reference path."""
FETCH: Final = 128
"""Reads of one export that may wait for its disk here; further ones take the reference path."""
FIFO: Final = 4 << 20
"""Numbers of frames that wait for the reference path."""
STEPS: Final = 104
"""Of a latency histogram: latency.STEPS, which a test compares."""
HEAD: Final = 64
"""Numbers set aside for the head of a reply, the longest being 60 and a VLAN tag."""
ENTRY_HEAD: Final = 16
"""Numbers before each frame in the FIFO: its length and its export's row, or WRAP in place of a length."""
WRAP: Final = -1

# ---- of the port
STOP: Final = 0
SLOT: Final = 1
"""The next slot of the ring."""
SLOTS: Final = 2
STRIDE: Final = 3
INDEX: Final = 4
VLAN: Final = 5
"""0: untagged frames; else replies are tagged."""
MAC: Final = 6
"""As a number, first byte highest."""
SECTOR_COUNT: Final = 7
SOCKET: Final = 8
WAKE: Final = 9
"""Eventfd that wakes whoever takes frames from the FIFO."""
NOW: Final = 10
"""Nanoseconds of the monotonic clock when the batch was taken."""
RECEIVED: Final = 11
FOREIGN_VLAN: Final = 12
TRUNCATED: Final = 13
SEND_FAILED: Final = 14
LINK_LOST: Final = 15
ERROR: Final = 16
"""Set when the socket is in error: the loop waits until it is cleared."""
FIFO_READ: Final = 17
"""Numbers ever taken from the FIFO; written by its reader."""
FIFO_WRITTEN: Final = 18
"""Numbers ever put into it that its reader may take."""
FIFO_DROPPED: Final = 19
"""Frames for which it had no room."""
BUSY_SINCE: Final = 20
"""When a call to the disk began that has not returned; 0: none."""
BUSY_EXPORT: Final = 21
BATCHES: Final = 22
REMEMBERED_SO_FAR: Final = 23
SERVED: Final = 24
"""Requests that were answered here."""
COUNT_OF_ENTRIES: Final = 25
MAX_READ: Final = 26
"""Numbers of the longest read."""
FIFO_FILLED: Final = 27
"""Numbers ever put into it, those of the batch in hand among them."""
IN_BATCH: Final = 28
"""Whether a batch is in hand. Written with the lock held, as BUSY_SINCE, BUSY_EXPORT and ABANDONED are."""
ABANDONED: Final = 29
"""Set when a disk has kept the loop for too long: it does no more than end the call that it is in."""
FIFO_LOST: Final = 30
"""Set with FIFO_DROPPED, and cleared by the FIFO's reader: gates may have been closed for frames that it never sees."""
RING: Final = 31
"""Address of the receive ring."""
READS: Final = 32
"""Address of the buffers for reads."""
TAKEN_SLOTS: Final = 33
"""Slots that the batch in hand came from."""
RECENT_EXPORT: Final = 34
"""Row of the export that was asked last."""
MIXED_AT: Final = 35
"""When another export than the one before was asked."""
DEFERRED_IN_BATCH: Final = 36
"""Writes of the batch that are to wait for a flush."""
FETCHES_BEGUN: Final = 37
"""Whether reads of the batch wait for their disk: threads are to be woken."""
PORT_WORDS: Final = 40

# ---- of an export
X_KEY: Final = 0
"""Shelf and slot as one number; -1: no export."""
X_SECTORS: Final = 1
X_GATE: Final = 2
"""GATE_WRITES, GATE_READS: closed to them, since something waits in the reference path."""
X_ROUTED: Final = 3
"""Frames that were put into the FIFO."""
X_HANDLED: Final = 4
"""Of those, how many have been dealt with."""
X_FD: Final = 5
X_BASE: Final = 6
"""Numbers before the export's first sector."""
X_MAP: Final = 7
"""Address where the backing's first byte is mapped; 0: it is not."""
X_READS: Final = 8
"""See fast_disk.Reads."""
X_WRITES: Final = 9
"""See fast_disk.Writes."""
X_SLOW_UNTIL: Final = 10
"""Writes go elsewhere until this moment, since the disk made one wait."""
X_STRIKE: Final = 11
"""When the disk last made one wait."""
X_BUFFERS: Final = 12
X_END: Final = 13
"""Numbers that the backing must have."""
X_CHECKED: Final = 14
"""The batch in which its size was looked at."""
X_SALT: Final = 15
X_FLUSHER: Final = 16
"""Who flushes what is written before it is answered; -1: it is answered at once."""
X_FETCHER: Final = 17
"""Whose threads read what is not in the page cache; -1: the reference path does."""
X_MISSES: Final = 18
"""Reads that the reference path was left, since they may have to wait for the disk."""
X_WORDS: Final = 19

GATE_WRITES: Final = 1
GATE_READS: Final = 2
READS_ELSEWHERE: Final = int(Reads.ELSEWHERE)
READS_IF_CACHED: Final = int(Reads.IF_CACHED)
READS_WAITED: Final = int(Reads.WAITED)
WRITES_ELSEWHERE: Final = int(Writes.ELSEWHERE)
WRITES_FILE: Final = int(Writes.FILE)

# ---- of an initiator of an export
I_EXPORT: Final = 0
"""Row of the export; -1: free."""
I_MAC: Final = 1
I_MAY: Final = 2
"""MAY_READ, MAY_WRITE; 0: the reference path judges anew."""
I_LAST_SEEN: Final = 3
I_LAST_IO: Final = 4
"""Nanoseconds, as I_LAST_SEEN; 0: never."""
I_READS: Final = 5
I_WRITES: Final = 6
I_READ_BYTES: Final = 7
I_WRITE_BYTES: Final = 8
I_RETRANSMITS: Final = 9
I_DROPPED: Final = 10
I_BATCH: Final = 11
I_IN_BATCH: Final = 12
I_REUSED: Final = 13
"""Bit 0 and 1: whether tags with a clear, or a set, top bit are used again."""
I_PENDING: Final = 14
"""Writes that wait for a flush, and reads that wait for the disk."""
I_FAILED: Final = 15
"""Writes whose flush failed."""
I_WORDS: Final = 16

MAY_READ: Final = 1
MAY_WRITE: Final = 2

# ---- of a frame in the batch
E_FRAME: Final = 0
"""Offset in the ring."""
E_LENGTH: Final = 1
E_KIND: Final = 2
E_EXPORT: Final = 3
E_INITIATOR: Final = 4
E_LBA: Final = 5
E_COUNT: Final = 6
E_MEMORY: Final = 7
"""Number of the write in the memory of writes; -1: none."""
E_DATA: Final = 8
"""Address of what a read replies with."""
E_WORDS: Final = 10

ROUTE: Final = 0
READ: Final = 1
WRITE: Final = 2
REPEAT: Final = 3
"""A write that was executed: answered only."""

DEFERRED: Final = 4
"""A write that is answered after a flush."""
FETCHED: Final = 5
"""A read that is answered by a fetcher."""

# ---- of a flusher
F_EXPORT: Final = 0
F_COUNT: Final = 1
"""Writes that wait."""
F_BUSY: Final = 2
"""Writes that the flush under way will answer."""
F_STOP: Final = 3
F_ERROR: Final = 4
"""The errno of a flush that failed: nothing is answered any more."""
F_EVENT: Final = 5
"""Eventfd that wakes it."""
F_SYNC: Final = 6
"""A descriptor of its own to flush by: the kernel tells each one once what it could not write."""
F_TOLD: Final = 7
"""Set once the export knows of the error."""
F_WORDS: Final = 8

# ---- of a write that waits for a flush
P_INITIATOR: Final = 0
P_KIND: Final = 1
P_BYTES: Final = 2
P_ARRIVED: Final = 3
"""Nanoseconds."""
P_MEMORY: Final = 4
P_WORDS: Final = 5

# ---- of a fetcher
T_EXPORT: Final = 0
"""Row of the export; -1: none."""
T_DISK: Final = 1
"""A descriptor of its own to read by: its number is nobody else's while a thread may use it."""
T_BUFFERS: Final = 2
"""Address of FETCH buffers."""
T_FREE: Final = 3
"""Requests that it could still take."""
T_FIRST: Final = 4
"""Where in its queue the oldest stands that no thread has taken."""
T_QUEUED: Final = 5
"""Requests that no thread has taken."""
T_THREADS: Final = 6
T_IDLE: Final = 7
"""Of these, how many wait for a request."""
T_COMING: Final = 8
"""Whether another one is being started."""
T_SENDING: Final = 9
"""Threads that are about to send replies."""
T_STOP: Final = 10
"""Its threads are to end once nothing waits."""
T_CANCELLED: Final = 11
"""Nothing that waits is answered any more."""
T_LAST: Final = 12
"""When the newest request came: nanoseconds."""
T_WHO: Final = 13
"""A number that no other fetcher of this lane ever has; 0: none."""
T_WORDS: Final = 14

# ---- of a read that waits for the disk
M_TAKEN: Final = 0
"""Whether it is one: from its arrival until its reply has been sent."""
M_INITIATOR: Final = 1
"""-1 once it is counted."""
M_LBA: Final = 2
M_COUNT: Final = 3
M_POSITION: Final = 4
"""Numbers from the backing's start."""
M_LENGTH: Final = 5
"""Of its frame."""
M_ARRIVED: Final = 6
"""Nanoseconds."""
M_WORDS: Final = 7

# ---- of a remembered write
W_HASH: Final = 0
"""Of export, MAC and tag."""
W_PLACE: Final = 1
"""LBA and sector count; -1: forgotten."""
W_DIGEST: Final = 2
W_DONE: Final = 3
"""Nanoseconds; UNFLUSHED: it is not as durable yet as its reply will say."""
W_OLDER: Final = 4
"""Number of the write before it in the same bucket; 0: none."""
W_WORDS: Final = 5
UNFLUSHED: Final = -1


def _layout() -> np.dtype[Any]:
    """One record for all: a compiled function is handed a single address, and knows where everything stands."""
    return np.dtype(
        [
            ("port", np.int64, PORT_WORDS),
            ("lock", np.int64, 16),  # a pthread_mutex_t
            ("time", np.int64, 2),  # a struct timespec
            ("poll", np.int32, 4),  # two struct pollfd: the socket, and an eventfd that stops the loop
            ("entries", np.int64, (BATCH, E_WORDS)),
            ("order", np.int64, BATCH),  # which entry a message answers
            ("in_iov", np.int64, (BATCH, 2)),
            ("out_iov", np.int64, (BATCH, 4)),
            ("messages", np.int64, (BATCH, 8)),  # struct mmsghdr
            ("heads", np.uint8, BATCH * HEAD),
            ("find_export", np.int32, 4 * MAX_EXPORTS),
            ("exports", np.int64, (MAX_EXPORTS, X_WORDS)),
            ("export_latencies", np.int64, (MAX_EXPORTS, 2 * STEPS)),  # of reads, then of writes
            ("find_initiator", np.int32, 4 * MAX_INITIATORS),
            ("initiators", np.int64, (MAX_INITIATORS, I_WORDS)),
            ("latencies", np.int64, (MAX_INITIATORS, STEPS)),
            ("tags", np.uint32, (MAX_INITIATORS, 2 * TAGS)),  # a tag, and a digest of what it asked for
            ("asked", np.uint32, (MAX_INITIATORS, 4 * ASKED)),  # place, tag, digest of data, milliseconds
            ("keys", np.uint64, 255 * 64),  # random, to digest data with
            ("buckets", np.int64, REMEMBERED),  # by hash: the number of the newest write, from 1; 0: none
            ("writes", np.int64, (REMEMBERED, W_WORDS)),
            ("seen", np.uint32, SEEN),
            ("flushers", np.int64, (FLUSHERS, F_WORDS)),
            ("pending", np.int64, (FLUSHERS, 2 * FLUSH, P_WORDS)),  # those that wait, and those of the flush under way
            ("pending_heads", np.uint8, (FLUSHERS, 2 * FLUSH * HEAD)),
            ("pending_iov", np.int64, (FLUSHERS, FLUSH, 2)),
            ("pending_messages", np.int64, (FLUSHERS, FLUSH, 8)),
            ("fetchers", np.int64, (FETCHERS, T_WORDS)),
            ("fetch_conditions", np.int64, (FETCHERS, 8)),  # a pthread_cond_t each: a request has come, or it is to end
            ("fetch_queue", np.int64, (FETCHERS, FETCH)),  # requests in order of arrival, round and round
            ("fetch_free", np.int64, (FETCHERS, FETCH)),  # the first T_FREE are the places that are free
            ("fetches", np.int64, (FETCHERS, FETCH, M_WORDS)),
            ("fetch_heads", np.uint8, (FETCHERS, FETCH * HEAD)),
            ("fetch_frames", np.uint8, (FETCHERS, FETCH * HEAD)),
            ("fifo", np.uint8, FIFO),
        ]
    )


class Tables(Protocol):
    """The record of one port. The loop writes it with the lock held; counters may be read by anyone."""

    port: Numbers
    lock: Numbers
    time: Numbers
    poll: Numbers
    entries: Numbers
    order: Numbers
    in_iov: Numbers
    out_iov: Numbers
    messages: Numbers
    heads: Numbers
    find_export: Numbers
    exports: Numbers
    export_latencies: Numbers
    find_initiator: Numbers
    initiators: Numbers
    latencies: Numbers
    tags: Numbers
    asked: Numbers
    keys: Numbers
    buckets: Numbers
    writes: Numbers
    seen: Numbers
    flushers: Numbers
    pending: Numbers
    pending_heads: Numbers
    pending_iov: Numbers
    pending_messages: Numbers
    fetchers: Numbers
    fetch_conditions: Numbers
    fetch_queue: Numbers
    fetch_free: Numbers
    fetches: Numbers
    fetch_heads: Numbers
    fetch_frames: Numbers
    fifo: Numbers


def make_tables(*, slots: int, stride: int, ring: int, reads: int, max_read: int) -> Tables:
    """The tables of a port: its ring at an address, and at another BATCH buffers for reads of up to so many bytes."""
    array = np.zeros(1, _layout()).view(np.recarray)
    tables = cast("Tables", array[0])
    tables.find_export[:] = -1
    tables.find_initiator[:] = -1
    tables.exports[:, X_KEY] = -1
    tables.initiators[:, I_EXPORT] = -1
    tables.keys[:] = np.random.default_rng().integers(0, 2**64, tables.keys.size, np.uint64)
    # struct mmsghdr, 64 bytes: name, name's length, address and number of its iovecs, and more that stays 0
    tables.messages[:, 2] = tables.out_iov.ctypes.data + np.arange(BATCH) * 32
    tables.pending_messages[:, :, 2] = tables.pending_iov.ctypes.data + np.arange(FLUSHERS * FLUSH).reshape(FLUSHERS, FLUSH) * 16
    tables.pending_messages[:, :, 3] = 1
    tables.flushers[:, F_EXPORT] = -1
    tables.fetchers[:, T_EXPORT], tables.fetchers[:, T_STOP] = -1, 1
    tables.port[[SLOTS, STRIDE, RING, READS, MAX_READ]] = slots, stride, ring, reads, max_read
    return tables


MEMORY_BYTES: Final = _layout().itemsize
"""The most bytes of memory that one port's tables may come to take, beside its ring and its buffers for reads."""
