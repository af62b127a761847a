"""A frame as a trace holds it: when, where, which way, and as many of its bytes as were kept."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from aoetui.engine.protocol.frames import ATA_LAYOUT
from aoetui.engine.protocol.header import FLAG_ERROR, FLAG_RESPONSE, HEADER_LAYOUT
from aoetui.engine.protocol.wire import ATA_HEADER, ETHERTYPE_AOE, HEADER, Command

ETHERTYPE_8021Q = 0x8100
ETHERTYPE_8021AD = 0x88A8
VLAN_ID = 0x0FFF
_TYPE_AT = 12
_TAG = struct.Struct(">HH")
_AOE = ETHERTYPE_AOE.to_bytes(2)
_ATA = int(Command.ATA)


class Direction(StrEnum):
    """Which way a frame went, as this host saw it."""

    IN = "in"
    OUT = "out"
    OTHER = "other"
    """From another host to another."""
    UNKNOWN = "unknown"
    """The file that it came from does not say."""


class Mark(StrEnum):
    """What is odd about a frame."""

    ERROR = "error"
    """An AoE error, or an ATA status with an error."""
    RETRANSMIT = "retransmit"
    """The initiator asks again, with a new tag, for what was not answered yet."""
    REPEAT = "repeat"
    """The same tag once more: a copy made by the network, or by an initiator that keeps its tags; or a second answer."""
    LATE = "late"
    """An answer that came after its initiator had asked again, or had waited for a second."""
    UNANSWERED = "unanswered"
    """A request without an answer for a second."""
    MALFORMED = "malformed"
    """Shorter than its own fields say."""


@dataclass(frozen=True, slots=True)
class Captured:
    """One frame of a trace."""

    time_ns: int
    """Nanoseconds since 1970, UTC, by the kernel's clock when it saw the frame."""
    interface: str
    """Empty where a file does not say."""
    direction: Direction
    frame: bytes
    """From the Ethernet header on, its VLAN tags included; the end may be cut off."""
    length: int
    """Bytes on the wire, without the checksum."""

    @property
    def cut(self) -> bool:
        """Whether fewer bytes were kept than there were."""
        return len(self.frame) < self.length


class Brief(NamedTuple):
    """The fields by which frames are matched and filtered. `ata` is (flags, feature or error, count, op or status, LBA)."""

    vlan: int | None
    """Of the outer tag; None without one."""
    destination: bytes
    source: bytes
    version: int
    response: bool
    error: int | None
    shelf: int
    slot: int
    command: int
    tag: int
    ata: tuple[int, int, int, int, int] | None


def tags_of(frame: bytes) -> tuple[tuple[int, int], ...]:
    """The VLAN tags of a frame, outer one first, as (EtherType, priority and id); at most two are looked for."""
    tags = []
    for at in (_TYPE_AT, _TYPE_AT + 4):
        if len(frame) < at + 4:
            break
        kind, value = _TAG.unpack_from(frame, at)
        if kind not in (ETHERTYPE_8021Q, ETHERTYPE_8021AD):
            break
        tags.append((kind, value))
    return tuple(tags)


def untagged(frame: bytes, tags: int) -> bytes:
    """The frame without its first tags."""
    return frame[:_TYPE_AT] + frame[_TYPE_AT + 4 * tags :] if tags else frame


def with_tag(frame: bytes, kind: int, value: int) -> bytes:
    """The frame with a tag that the kernel had taken out of it."""
    return frame[:_TYPE_AT] + _TAG.pack(kind, value) + frame[_TYPE_AT:]


def brief_of(frame: bytes) -> Brief | None:
    """What a frame says of itself; None if it is no AoE frame, or has not the whole header."""
    vlan = None
    if frame[_TYPE_AT : _TYPE_AT + 2] != _AOE:
        tags = tags_of(frame)
        frame, vlan = untagged(frame, len(tags)), tags[0][1] & VLAN_ID if tags else None
    if len(frame) < HEADER:
        return None
    destination, source, ethertype, verfl, error, shelf, slot, command, tag = HEADER_LAYOUT.unpack_from(frame)
    if ethertype != ETHERTYPE_AOE:
        return None
    ata = None
    if command == _ATA and len(frame) >= ATA_HEADER:
        flags, feature, count, op, low, high = ATA_LAYOUT.unpack_from(frame, HEADER)
        ata = (flags, feature, count, op, low | high << 32)
    wrong = error if verfl & FLAG_ERROR else None
    return Brief(vlan, destination, source, verfl >> 4, bool(verfl & FLAG_RESPONSE), wrong, shelf, slot, command, tag, ata)
