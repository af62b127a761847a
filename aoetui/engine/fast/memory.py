"""What the compiled loop remembers of requests: executed writes, the use of tags, and what was asked before.

The same rules as `protocol/repeats.py`, which gives the reasons, in arrays of a fixed size. A retransmission that came while the
original waited for the disk is known to the reference path alone: no write waits here.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from aoetui.engine.fast.compiler import compiled, load8, load64
from aoetui.engine.fast.tables import (
    ASKED,
    I_REUSED,
    NOW,
    REMEMBERED,
    REMEMBERED_SO_FAR,
    TAGS,
    UNFLUSHED,
    W_DIGEST,
    W_DONE,
    W_HASH,
    W_OLDER,
    W_PLACE,
    Tables,
)

MEMORY_NS: Final = 5_000_000_000
"""repeats.MEMORY_SECONDS."""
SOON_MS: Final = 3000
"""Retransmissions.SOON."""
AT_LEAST_MS: Final = 10
"""Retransmissions.AT_LEAST."""

NEW: Final = 0
REPEATED: Final = 1
IN_THIS_BATCH: Final = 2
"""It repeats a write that is about to be executed: nobody knows yet what becomes of it."""
TAKEN_OVER: Final = 3
"""It is new, and another write of this initiator has had its tag."""

_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio: multiplication by it spreads a number's bits (Knuth). Unsigned, for it overflows."""
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_COMMAND: Final = 19
_ARGUMENT: Final = 24
_ENOUGH: Final = 60


@compiled
def mix(one: int, other: int) -> int:
    """A number of 64 bits that two numbers come to."""
    h = (np.uint64(one) ^ _ODD) * _ODD
    h ^= h >> np.uint64(29)
    h = (h + np.uint64(other)) * _ODD
    return int(np.int64(h ^ (h >> _HALF)))


@compiled
def data_digest(t: Tables, at: int, size: int) -> int:
    """64 bits of the `size` bytes (a multiple of 8) at an address: NH of UMAC (RFC 4418, section 5.2.2) with wider sums."""
    total = np.uint64(0)
    for i in range(size >> 3):
        word, key = load64(at + 8 * i), t.keys[i]
        total += (((word & _LOW) + (key & _LOW)) & _LOW) * (((word >> _HALF) + (key >> _HALF)) & _LOW)
    return int(np.int64(total))


@compiled
def _asked_digest(frame: int, length: int) -> int:
    """32 bits of what a frame asks for: its command, and what follows the tag up to byte 60."""
    end = min(length, _ENOUGH)
    digest = mix(load8(frame + _COMMAND), end)
    at = _ARGUMENT
    while at + 8 <= end:
        digest = mix(digest, int(np.int64(load64(frame + at))))
        at += 8
    while at < end:
        digest = mix(digest, load8(frame + at))
        at += 1
    return digest & 0xFFFFFFFF


@compiled
def note_tag(t: Tables, initiator: int, frame: int, length: int, tag: int) -> None:
    """A request has come. See repeats.TagUse."""
    kind = 1 + (tag >> 31)
    if t.initiators[initiator, I_REUSED] & kind:
        return
    digest = _asked_digest(frame, length)
    at = 2 * (mix(tag, 1) & (TAGS - 1))
    if t.tags[initiator, at] == tag and t.tags[initiator, at + 1] != 0 and t.tags[initiator, at + 1] != digest | 1:
        t.initiators[initiator, I_REUSED] |= kind
    t.tags[initiator, at], t.tags[initiator, at + 1] = tag, digest | 1


@compiled
def looks_asked_before(t: Tables, initiator: int, place: int, write: int, tag: int, digest: int) -> bool:
    """Whether a request looks like a retransmission; it is remembered either way. See repeats.Retransmissions."""
    key = mix(place, write)
    at = 4 * (key & (ASKED - 1))
    now = (t.port[NOW] // 1_000_000) & 0xFFFFFFFF
    known = (key >> 32) & 0xFFFFFFFF | 1
    digest &= 0xFFFFFFFF
    row = t.asked[initiator]
    before_key, before_tag, before_digest, before = np.int64(row[at]), np.int64(row[at + 1]), row[at + 2], np.int64(row[at + 3])
    row[at], row[at + 1], row[at + 2], row[at + 3] = known, tag, digest, now
    if before_key != known or before_tag == tag or before_digest != digest:
        return False
    age = (now - before) & 0xFFFFFFFF
    return AT_LEAST_MS <= age <= SOON_MS


@compiled
def _find(t: Tables, key: int) -> int:
    """The number of the newest remembered write with this hash; 0: none."""
    oldest = t.port[REMEMBERED_SO_FAR] - REMEMBERED
    number = t.buckets[key & (REMEMBERED - 1)]
    while number > max(0, oldest):
        at = number & (REMEMBERED - 1)
        if t.writes[at, W_HASH] == key:
            return number
        number = t.writes[at, W_OLDER]
    return 0


@compiled
def judge_write(t: Tables, key: int, place: int, digest: int, before_batch: int) -> int:
    """Whether a write is NEW, REPEATED, IN_THIS_BATCH or TAKEN_OVER. `key` is the hash of export, MAC and tag.

    One that is new takes the tag over from the write that had it, even if the disk fails it.
    """
    number = _find(t, key)
    if number == 0:
        return NEW
    at = number & (REMEMBERED - 1)
    if number > before_batch:
        return IN_THIS_BATCH
    if t.writes[at, W_PLACE] == place and t.writes[at, W_DIGEST] == digest:
        done = t.writes[at, W_DONE]
        return REPEATED if done == UNFLUSHED or t.port[NOW] - done <= MEMORY_NS else NEW
    t.writes[at, W_PLACE] = -1
    return TAKEN_OVER


@compiled
def remember(t: Tables, key: int, place: int, digest: int) -> int:
    """Remember a write as executed now; its number."""
    number = t.port[REMEMBERED_SO_FAR] + 1
    t.port[REMEMBERED_SO_FAR] = number
    at, bucket = number & (REMEMBERED - 1), key & (REMEMBERED - 1)
    t.writes[at, W_HASH], t.writes[at, W_PLACE], t.writes[at, W_DIGEST] = key, place, digest
    t.writes[at, W_DONE], t.writes[at, W_OLDER] = t.port[NOW], t.buckets[bucket]
    t.buckets[bucket] = number
    return number


@compiled
def is_unflushed(t: Tables, key: int, place: int) -> bool:
    """Whether this write is executed, and its flush is not."""
    number = _find(t, key)
    at = number & (REMEMBERED - 1)
    return number != 0 and t.writes[at, W_PLACE] == place and t.writes[at, W_DONE] == UNFLUSHED


@compiled
def time_done(t: Tables, key: int) -> int:
    """When the newest remembered write with this hash was done: nanoseconds; NOW if it is UNFLUSHED, 0 if there is none."""
    number = _find(t, key)
    if number == 0:
        return 0
    done = t.writes[number & (REMEMBERED - 1), W_DONE]
    return int(t.port[NOW] if done == UNFLUSHED else done)


@compiled
def set_done(t: Tables, number: int, done: int) -> None:
    """When a write that is remembered was done (nanoseconds), or that it is UNFLUSHED."""
    t.writes[number & (REMEMBERED - 1), W_DONE] = done


@compiled
def forget(t: Tables, number: int) -> None:
    """The write was not executed after all."""
    t.writes[number & (REMEMBERED - 1), W_PLACE] = -1
