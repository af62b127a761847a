"""What the compiled loop makes of a received frame: served here, sent to the reference path, or not for us at all.

It serves plain reads and writes of an initiator that was judged before, within bounds, and nothing else: whatever it has the
least doubt of takes the reference path, with all that follows it for the same export.
"""

from __future__ import annotations

from typing import Final

from aoetui.engine.fast.compiler import compiled, load8, load16, load32
from aoetui.engine.fast.fetch_queue import fetcher_of, meets_fetch
from aoetui.engine.fast.memory import (
    IN_THIS_BATCH,
    REPEATED,
    data_digest,
    judge_write,
    looks_asked_before,
    mix,
    note_tag,
    remember,
    set_done,
)
from aoetui.engine.fast.tables import (
    BATCHES,
    DEFERRED_IN_BATCH,
    E_COUNT,
    E_EXPORT,
    E_FRAME,
    E_INITIATOR,
    E_KIND,
    E_LBA,
    E_LENGTH,
    E_MEMORY,
    F_COUNT,
    FLUSH,
    FOREIGN_VLAN,
    GATE_READS,
    GATE_WRITES,
    HEAD,
    I_BATCH,
    I_DROPPED,
    I_EXPORT,
    I_IN_BATCH,
    I_LAST_IO,
    I_LAST_SEEN,
    I_MAC,
    I_MAY,
    I_PENDING,
    I_RETRANSMITS,
    I_REUSED,
    INDEX,
    MAC,
    MAY_READ,
    MAY_WRITE,
    MIXED_AT,
    NOW,
    READ,
    READS_ELSEWHERE,
    READS_WAITED,
    RECENT_EXPORT,
    REPEAT,
    ROUTE,
    SECTOR_COUNT,
    TRUNCATED,
    UNFLUSHED,
    VLAN,
    WRITE,
    WRITES_ELSEWHERE,
    X_BUFFERS,
    X_FLUSHER,
    X_GATE,
    X_KEY,
    X_MISSES,
    X_READS,
    X_SALT,
    X_SECTORS,
    X_SLOW_UNTIL,
    X_WRITES,
    Tables,
)

TAKEN: Final = 0
"""It is an entry of the batch."""
DROPPED: Final = 1
NOT_YET: Final = 2
"""It has to wait until what was taken before it is through: not taken."""

_USER, _VLAN_VALID = 1, 16
_OTHERHOST, _OUTGOING = 3, 4
_HEADER, _ATA_HEADER = 24, 36
_LENGTH, SLOT_CAPTURED, SLOT_START, _TAG, _LINK, _PACKET_TYPE = 4, 8, 12, 24, 36, 42
"""Where these stand in a slot: struct tpacket2_hdr, and 32 bytes from its start struct sockaddr_ll."""
_READ, _READ_EXT, _WRITE, _WRITE_EXT = 0x20, 0x24, 0x30, 0x34
_KNOWN_FLAGS = 0x53
_NO_ONE = -1


@compiled
def number(at: int, size: int) -> int:
    """The number that `size` bytes (up to 8) at an address are, first byte highest."""
    value = 0
    for i in range(size):
        value = value << 8 | load8(at + i)
    return value


@compiled
def mac_at(at: int) -> int:
    """Six bytes at an address as a number, first byte highest."""
    return load8(at) << 40 | load8(at + 1) << 32 | number(at + 2, 4)


@compiled
def is_ours(t: Tables, slot: int) -> bool:
    """Whether the slot at an address holds a frame of this port; counts those that do not. See packet_ring.Ring."""
    kind = load8(slot + _PACKET_TYPE)
    if kind == _OUTGOING or load32(slot + _LINK) != t.port[INDEX]:
        return False
    if kind == _OTHERHOST:
        start = slot + load16(slot + SLOT_START)
        t.port[FOREIGN_VLAN] += mac_at(start) == t.port[MAC] or load8(start) & 1 != 0
        return False
    tag = load16(slot + _TAG) & 0xFFF if load32(slot) & _VLAN_VALID else 0
    if tag != t.port[VLAN]:
        t.port[FOREIGN_VLAN] += 1
        return False
    if load32(slot + SLOT_CAPTURED) < load32(slot + _LENGTH):
        t.port[TRUNCATED] += 1
        return False
    return True


@compiled
def find_export(t: Tables, key: int) -> int:
    """The row of the export at a shelf and slot; -1: none."""
    find = t.find_export
    at = mix(key, 0) & (find.size - 1)
    while find[at] != _NO_ONE:
        if t.exports[find[at], X_KEY] == key:
            return int(find[at])
        at = (at + 1) & (find.size - 1)
    return _NO_ONE


@compiled
def find_initiator(t: Tables, export: int, mac: int) -> int:
    """The row of an initiator of an export; -1: none."""
    find = t.find_initiator
    at = mix(mac, export) & (find.size - 1)
    while find[at] != _NO_ONE:
        row = t.initiators[find[at]]
        if row[I_MAC] == mac and row[I_EXPORT] == export:
            return int(find[at])
        at = (at + 1) & (find.size - 1)
    return _NO_ONE


@compiled
def _is_plain(t: Tables, frame: int, length: int) -> bool:
    """Whether it is a sound request for an ATA command, to us alone. See target.screen."""
    if length < _ATA_HEADER or number(frame + 12, 2) != 0x88A2 or load8(frame + 14) & 0xF8 != 0x10:
        return False
    if load8(frame + 6) & 1 or mac_at(frame + 6) == 0 or mac_at(frame) != t.port[MAC]:
        return False
    return load8(frame + 19) == 0


@compiled
def _route(t: Tables, n: int, export: int, gate: int) -> int:
    """Send it to the reference path. What follows for the export must not overtake it."""
    t.entries[n, E_KIND], t.entries[n, E_EXPORT], t.entries[n, E_MEMORY] = ROUTE, export, -1
    if export >= 0:
        t.exports[export, X_GATE] |= gate
    return TAKEN


@compiled
def judge(t: Tables, n: int, frame: int, length: int, before_batch: int) -> int:
    """Make entry `n` of the batch of the frame at an address: TAKEN, DROPPED or NOT_YET."""
    entry = t.entries[n]
    entry[E_FRAME], entry[E_LENGTH] = frame, length
    if length < _HEADER or load8(frame + 14) & 8:
        return _route(t, n, _NO_ONE, 0)
    export = find_export(t, number(frame + 16, 3))
    if export < 0:
        return _route(t, n, export, 0)
    both = GATE_READS | GATE_WRITES
    if t.port[RECENT_EXPORT] != export:
        t.port[RECENT_EXPORT], t.port[MIXED_AT] = export, t.port[NOW]
    initiator = find_initiator(t, export, mac_at(frame + 6))
    if initiator < 0:
        return _route(t, n, export, both)
    note_tag(t, initiator, frame, length, number(frame + 20, 4))
    if not _is_plain(t, frame, length):
        return _route(t, n, export, both)
    entry[E_EXPORT], entry[E_INITIATOR], entry[E_MEMORY] = export, initiator, -1
    op = load8(frame + 27)
    if op in (_READ, _READ_EXT):
        return _judge_read(t, n, op == _READ_EXT)
    if op in (_WRITE, _WRITE_EXT):
        return _judge_write(t, n, op == _WRITE_EXT, before_batch)
    return _route(t, n, export, both)


@compiled
def _take_range(t: Tables, n: int, extended: bool) -> bool:
    """Read LBA and sector count into the entry; whether they are what a frame carries and the export has."""
    entry = t.entries[n]
    frame = entry[E_FRAME]
    count = load8(frame + 26)
    lba = load32(frame + 28) | load16(frame + 32) << 32 if extended else load32(frame + 28) & 0x0FFFFFFF
    entry[E_LBA], entry[E_COUNT] = lba, count
    return 1 <= count <= t.port[SECTOR_COUNT] and lba + count <= t.exports[entry[E_EXPORT], X_SECTORS]


@compiled
def _is_beyond_buffers(t: Tables, n: int) -> bool:
    """Whether the batch holds as many requests of this initiator as the export has buffers; counted."""
    row, export = t.initiators[t.entries[n, E_INITIATOR]], t.exports[t.entries[n, E_EXPORT]]
    if row[I_BATCH] != t.port[BATCHES]:
        row[I_BATCH], row[I_IN_BATCH] = t.port[BATCHES], 0
    if row[I_IN_BATCH] + row[I_PENDING] >= export[X_BUFFERS]:
        row[I_DROPPED] += 1
        return True
    row[I_IN_BATCH] += 1
    return False


@compiled
def _reads_here(t: Tables, export: int) -> bool:
    """Whether an export's reads are served by the loop or a fetcher; counts those that one could have served."""
    row = t.exports[export]
    if row[X_READS] != READS_WAITED:
        return bool(row[X_READS] != READS_ELSEWHERE)
    has_fetcher = fetcher_of(t, export) >= 0
    row[X_MISSES] += not has_fetcher
    return has_fetcher


@compiled
def _judge_read(t: Tables, n: int, extended: bool) -> int:
    entry = t.entries[n]
    export, row = t.exports[entry[E_EXPORT]], t.initiators[entry[E_INITIATOR]]
    served = not export[X_GATE] & GATE_READS and row[I_MAY] & MAY_READ and _reads_here(t, entry[E_EXPORT])
    if not (_take_range(t, n, extended) and served):
        return _route(t, n, entry[E_EXPORT], GATE_WRITES)
    if _is_beyond_buffers(t, n):
        return DROPPED
    entry[E_KIND] = READ
    place, tag = entry[E_LBA] << 8 | entry[E_COUNT], number(entry[E_FRAME] + 20, 4)
    _count_io(t, n, looks_asked_before(t, entry[E_INITIATOR], place, 0, tag, 0))
    _make_head(t, n)
    return TAKEN


@compiled
def _may_wait_for_flush(t: Tables, flusher: int) -> bool:
    """Whether there is room for one more write that is answered after a flush, where writes are."""
    return flusher < 0 or t.flushers[flusher, F_COUNT] + t.port[DEFERRED_IN_BATCH] < FLUSH


@compiled
def _judge_write(t: Tables, n: int, extended: bool, before_batch: int) -> int:
    entry = t.entries[n]
    export, row, both = t.exports[entry[E_EXPORT]], t.initiators[entry[E_INITIATOR]], GATE_READS | GATE_WRITES
    fit = _take_range(t, n, extended) and entry[E_LENGTH] >= _ATA_HEADER + 512 * entry[E_COUNT]
    served = export[X_WRITES] != WRITES_ELSEWHERE and not export[X_GATE] & GATE_WRITES and row[I_MAY] & MAY_WRITE
    if not (fit and served and t.port[NOW] >= export[X_SLOW_UNTIL] and _may_wait_for_flush(t, export[X_FLUSHER])):
        return _route(t, n, entry[E_EXPORT], both)
    if meets_fetch(t, entry[E_EXPORT], entry[E_LBA], entry[E_LBA] + entry[E_COUNT]):
        return _route(t, n, entry[E_EXPORT], both)
    if _meets_a_read(t, n):
        return NOT_YET
    if _is_beyond_buffers(t, n):
        return DROPPED
    frame = entry[E_FRAME]
    place, tag = entry[E_LBA] << 8 | entry[E_COUNT], number(frame + 20, 4)
    digest = data_digest(t, frame + _ATA_HEADER, 512 * entry[E_COUNT])
    key = mix(mix(row[I_MAC], tag), export[X_SALT])
    known = judge_write(t, key, place, digest, before_batch)
    if known == IN_THIS_BATCH:
        return NOT_YET
    reused = row[I_REUSED] & (1 + (tag >> 31))
    repeat = known == REPEATED and not reused
    entry[E_KIND] = REPEAT if repeat else WRITE
    if not repeat:
        entry[E_MEMORY] = remember(t, key, place, digest)
    if export[X_FLUSHER] >= 0:
        t.port[DEFERRED_IN_BATCH] += 1
        if not repeat:
            set_done(t, entry[E_MEMORY], UNFLUSHED)
    asked_before = looks_asked_before(t, entry[E_INITIATOR], place, 1, tag, digest)
    _count_io(t, n, asked_before or repeat)
    _make_head(t, n)
    return TAKEN


@compiled
def _count_io(t: Tables, n: int, retransmitted: bool) -> None:
    row = t.initiators[t.entries[n, E_INITIATOR]]
    row[I_LAST_SEEN] = row[I_LAST_IO] = t.port[NOW]
    row[I_RETRANSMITS] += retransmitted


@compiled
def _meets_a_read(t: Tables, n: int) -> bool:
    """Whether a read that came before it, in this batch, is of sectors that it writes."""
    lba, export = t.entries[n, E_LBA], t.entries[n, E_EXPORT]
    end = lba + t.entries[n, E_COUNT]
    for i in range(n):
        other = t.entries[i]
        if other[E_KIND] == READ and other[E_EXPORT] == export and other[E_LBA] < end and lba < other[E_LBA] + other[E_COUNT]:
            return True
    return False


@compiled
def _make_head(t: Tables, n: int) -> None:
    """The first 36 bytes of the reply, as they are on success, padded with zeros. See replies.ata_head."""
    frame, tagged = t.entries[n, E_FRAME], t.port[VLAN] != 0
    heads, at = t.heads, n * HEAD
    for i in range(HEAD):
        heads[at + i] = 0
    start = at if tagged else at + 4
    for i in range(6):
        heads[start + i] = load8(frame + 6 + i)
        heads[start + 6 + i] = (t.port[MAC] >> (40 - 8 * i)) & 255
    if tagged:
        heads[at + 12], heads[at + 13], heads[at + 14], heads[at + 15] = 0x81, 0, t.port[VLAN] >> 8, t.port[VLAN] & 255
    body = at + 4
    heads[body + 12], heads[body + 13], heads[body + 14] = 0x88, 0xA2, 0x18
    for i in range(16, 24):
        heads[body + i] = load8(frame + i)
    heads[body + 24] = load8(frame + 24) & _KNOWN_FLAGS
    heads[body + 27] = 0x40
    for i in range(28, 34):
        heads[body + i] = load8(frame + i)
