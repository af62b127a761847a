"""The Ethernet and AoE header that starts every frame (AoEr11, section 2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.wire import ETHERTYPE_AOE, HEADER, HeaderFlag

HEADER_LAYOUT = struct.Struct(">6s6sHBBHBBI")
"""Destination, source, EtherType, version and flags, error, shelf, slot, command, tag: 24 bytes."""

FLAG_RESPONSE = int(HeaderFlag.RESPONSE)
FLAG_ERROR = int(HeaderFlag.ERROR)


class MalformedFrame(Exception):  # noqa: N818 - it says what the frame is, and reads so where it is caught
    """The bytes are no AoE frame, or end before what their own fields promise. Nothing else is raised by decoding."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first 24 bytes of a frame."""

    destination: Mac
    source: Mac
    version: int
    """0 to 15; 1 is the only one there is."""
    response: bool
    error: int | None
    """0 to 255 if the error flag is set, None if not: the byte means nothing then."""
    shelf: int
    """0 to 65535; 65535 is every shelf."""
    slot: int
    """0 to 255; 255 is every slot."""
    command: int
    """0 to 255; `wire.Command` names those that are known."""
    tag: int
    """32 bits, chosen by the initiator and copied back."""


def unpack_header(frame: bytes | memoryview) -> Header:
    """Read the header at the start of `frame`. Raises MalformedFrame if it is short or not AoE."""
    if len(frame) < HEADER:
        raise MalformedFrame(f"{len(frame)} bytes are less than a header")
    destination, source, ethertype, verfl, error, shelf, slot, command, tag = HEADER_LAYOUT.unpack_from(frame)
    if ethertype != ETHERTYPE_AOE:
        raise MalformedFrame(f"EtherType {ethertype:#06x} is not AoE")
    return Header(
        Mac(destination),
        Mac(source),
        verfl >> 4,
        bool(verfl & FLAG_RESPONSE),
        error if verfl & FLAG_ERROR else None,
        shelf,
        slot,
        command,
        tag,
    )


def pack_header(header: Header) -> bytes:
    """The 24 bytes of `header`. Raises struct.error if a field is out of its range."""
    verfl = header.version << 4
    if header.response:
        verfl |= FLAG_RESPONSE
    if header.error is not None:
        verfl |= FLAG_ERROR
    return HEADER_LAYOUT.pack(
        header.destination.raw,
        header.source.raw,
        ETHERTYPE_AOE,
        verfl,
        header.error or 0,
        header.shelf,
        header.slot,
        header.command,
        header.tag,
    )
