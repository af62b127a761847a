"""Whole AoE frames as values, read from and written to bytes (AoEr11, sections 2 and 3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from aoetui.engine.protocol.address import BROADCAST_MAC, Address, Mac
from aoetui.engine.protocol.header import Header, MalformedFrame, pack_header, unpack_header
from aoetui.engine.protocol.wire import (
    ATA_HEADER,
    BROADCAST_SHELF,
    BROADCAST_SLOT,
    CONFIG_HEADER,
    DIRECTIVE,
    HEADER,
    MAC_LENGTH,
    MASK_HEADER,
    MAX_CONFIG_STRING,
    MIN_FRAME,
    RESERVE_HEADER,
    VERSION,
    AtaOp,
    Command,
    ConfigOp,
)

__all__ = [
    "ATA_LAYOUT",
    "CONFIG_LAYOUT",
    "DIRECTIVE_LAYOUT",
    "MASK_LAYOUT",
    "RESERVE_LAYOUT",
    "Argument",
    "AtaArgument",
    "ConfigArgument",
    "Directive",
    "Frame",
    "Header",
    "MalformedFrame",
    "MaskArgument",
    "ReserveArgument",
    "UnknownArgument",
    "config_request",
    "decode",
    "decode_mask",
    "decode_reserve",
    "encode",
    "identify_request",
]

ATA_LAYOUT = struct.Struct("<BBBBIH2x")
"""Flags, feature or error, sector count, op or status, LBA (low 32 bits, then 16: AoE's one little-endian field), reserved."""
CONFIG_LAYOUT = struct.Struct(">HHBBH")
"""Buffer count, firmware version, sector count, version and op, length of the string."""
MASK_LAYOUT = struct.Struct(">xBBB")
"""Reserved, op, error, count."""
DIRECTIVE_LAYOUT = struct.Struct(">xB6s")
RESERVE_LAYOUT = struct.Struct(">BB")
"""Op, count."""

_IDENTIFY_LBA = 0xA0 << 24
"""Linux fills the device byte so (aoecmd.c, aoecmd_ata_id); every target is used to it."""


@dataclass(frozen=True, slots=True)
class AtaArgument:
    """An ATA command's registers, and its data (AoEr11, section 3.1)."""

    flags: int
    """`wire.AtaFlag` bits."""
    feature_or_error: int
    """Feature in a request, error in a response."""
    sector_count: int
    """0 to 255."""
    op_or_status: int
    """`wire.AtaOp` in a request, `wire.AtaStatus` in a response."""
    lba: int
    """48 bits as on the wire; a 28-bit command keeps other things in the upper ones."""
    data: bytes | memoryview
    """All that follows the registers: padding and trailing bytes too."""


@dataclass(frozen=True, slots=True)
class ConfigArgument:
    """Query config (AoEr11, section 3.2)."""

    buffer_count: int
    """Requests the target can queue, 0 to 65535."""
    firmware: int
    """0 to 65535; every program numbers as it likes."""
    sector_count: int
    """The most sectors of one frame; 0 means 2."""
    version: int
    """1 from a target; Linux sends 0 in requests."""
    op: int
    """`wire.ConfigOp`, or another value up to 15."""
    string: bytes
    """The config string, or what it is compared with; at most 1024 bytes."""


@dataclass(frozen=True, slots=True)
class Directive:
    """One line of a MAC mask list."""

    op: int
    """`wire.DirectiveOp`, or another value up to 255; NONE in a response."""
    mac: Mac


@dataclass(frozen=True, slots=True)
class MaskArgument:
    """MAC mask list (AoEr11, section 3.3)."""

    op: int
    """`wire.MaskOp`, or another value up to 255."""
    error: int
    """`wire.MaskError` in a response."""
    count: int
    """Directives that follow; where `error` is set, the number of the one that failed, from 0, and none follows."""
    directives: tuple[Directive, ...]


@dataclass(frozen=True, slots=True)
class ReserveArgument:
    """Reserve/release (AoEr11, section 3.4)."""

    op: int
    """`wire.ReserveOp`, or another value up to 255."""
    macs: tuple[Mac, ...]
    """At most 255; none releases."""


@dataclass(frozen=True, slots=True)
class UnknownArgument:
    """The argument of any other command, or one of an error response that holds no argument of its command."""

    raw: bytes


Argument = AtaArgument | ConfigArgument | MaskArgument | ReserveArgument | UnknownArgument


@dataclass(frozen=True, slots=True)
class Frame:
    """A header and the argument of its command."""

    header: Header
    argument: Argument


def decode(frame: bytes | memoryview) -> Frame:
    """Read a received frame, as long as it was received; trailing bytes are tolerated.

    Raises MalformedFrame. An error response may come without its argument (kvblade sends the bare header): it is taken as it is.
    """
    header = unpack_header(frame)
    try:
        return Frame(header, _decode_argument(header, frame))
    except MalformedFrame:
        if header.error is None or not header.response:
            raise
        return Frame(header, UnknownArgument(bytes(frame[HEADER:])))


def _decode_argument(header: Header, frame: bytes | memoryview) -> Argument:
    match header.command:
        case Command.ATA:
            return _decode_ata(frame)
        case Command.QUERY_CONFIG:
            return _decode_config(frame)
        case Command.MAC_MASK:
            return decode_mask(frame, response=header.response)
        case Command.RESERVE:
            return decode_reserve(frame)
        case _:
            return UnknownArgument(bytes(frame[HEADER:]))


def _decode_ata(frame: bytes | memoryview) -> AtaArgument:
    if len(frame) < ATA_HEADER:
        raise MalformedFrame(f"{len(frame)} bytes are less than an ATA frame")
    flags, feature, count, op, low, high = ATA_LAYOUT.unpack_from(frame, HEADER)
    return AtaArgument(flags, feature, count, op, low | high << 32, bytes(frame[ATA_HEADER:]))


def _decode_config(frame: bytes | memoryview) -> ConfigArgument:
    if len(frame) < CONFIG_HEADER:
        raise MalformedFrame(f"{len(frame)} bytes are less than a query-config frame")
    buffers, firmware, sectors, verop, length = CONFIG_LAYOUT.unpack_from(frame, HEADER)
    end = CONFIG_HEADER + length
    if length > MAX_CONFIG_STRING or end > len(frame):
        raise MalformedFrame(f"a config string of {length} bytes does not fit")
    return ConfigArgument(buffers, firmware, sectors, verop >> 4, verop & 0x0F, bytes(frame[CONFIG_HEADER:end]))


def decode_mask(frame: bytes | memoryview, *, response: bool) -> MaskArgument:
    """Read the argument of a MAC mask list frame; the error byte means something in a response only. Raises MalformedFrame."""
    if len(frame) < MASK_HEADER:
        raise MalformedFrame(f"{len(frame)} bytes are less than a MAC mask list frame")
    op, error, count = MASK_LAYOUT.unpack_from(frame, HEADER)
    if response and error:
        return MaskArgument(op, error, count, ())
    end = MASK_HEADER + count * DIRECTIVE
    if end > len(frame):
        raise MalformedFrame(f"a mask list of {count} directives does not fit")
    lines = (DIRECTIVE_LAYOUT.unpack_from(frame, at) for at in range(MASK_HEADER, end, DIRECTIVE))
    return MaskArgument(op, error, count, tuple(Directive(what, Mac(mac)) for what, mac in lines))


def decode_reserve(frame: bytes | memoryview) -> ReserveArgument:
    """Read the argument of a reserve/release frame. Raises MalformedFrame."""
    if len(frame) < RESERVE_HEADER:
        raise MalformedFrame(f"{len(frame)} bytes are less than a reserve/release frame")
    op, count = RESERVE_LAYOUT.unpack_from(frame, HEADER)
    end = RESERVE_HEADER + count * MAC_LENGTH
    if end > len(frame):
        raise MalformedFrame(f"a list of {count} MACs does not fit")
    macs = (bytes(frame[at : at + MAC_LENGTH]) for at in range(RESERVE_HEADER, end, MAC_LENGTH))
    return ReserveArgument(op, tuple(Mac(mac) for mac in macs))


def encode(frame: Frame) -> bytes:
    """The bytes of `frame`, padded to 60 with zeros.

    Raises struct.error if a field is out of its range, ValueError if a config string is over 1024 bytes.
    """
    return (pack_header(frame.header) + _encode_argument(frame.argument)).ljust(MIN_FRAME, b"\0")


def _encode_argument(argument: Argument) -> bytes:
    match argument:
        case AtaArgument(flags, feature, count, op, lba, data):
            return ATA_LAYOUT.pack(flags, feature, count, op, lba & 0xFFFF_FFFF, lba >> 32) + bytes(data)
        case ConfigArgument(buffers, firmware, sectors, version, op, string):
            if len(string) > MAX_CONFIG_STRING:
                raise ValueError(f"a config string has at most {MAX_CONFIG_STRING} bytes, not {len(string)}")
            return CONFIG_LAYOUT.pack(buffers, firmware, sectors, version << 4 | op, len(string)) + string
        case MaskArgument(op, error, count, directives):
            lines = (DIRECTIVE_LAYOUT.pack(line.op, line.mac.raw) for line in directives)
            return MASK_LAYOUT.pack(op, error, count) + b"".join(lines)
        case ReserveArgument(op, macs):
            return RESERVE_LAYOUT.pack(op, len(macs)) + b"".join(mac.raw for mac in macs)
        case UnknownArgument(raw):
            return raw


def config_request(
    *,
    source: Mac,
    destination: Mac = BROADCAST_MAC,
    address: Address | None,
    tag: int,
    op: ConfigOp = ConfigOp.READ,
    string: bytes = b"",
) -> bytes:
    """A query-config request to `address`, or to every shelf and slot if that is None. Padded to 60 bytes."""
    argument = ConfigArgument(0, 0, 0, VERSION, op, string)
    return encode(Frame(_request(source, destination, address, Command.QUERY_CONFIG, tag), argument))


def identify_request(*, source: Mac, destination: Mac, address: Address, tag: int) -> bytes:
    """An IDENTIFY request to `address`. Padded to 60 bytes."""
    argument = AtaArgument(0, 0, 1, AtaOp.IDENTIFY, _IDENTIFY_LBA, b"")
    return encode(Frame(_request(source, destination, address, Command.ATA, tag), argument))


def _request(source: Mac, destination: Mac, address: Address | None, command: Command, tag: int) -> Header:
    shelf, slot = (address.shelf, address.slot) if address is not None else (BROADCAST_SHELF, BROADCAST_SLOT)
    return Header(destination, source, VERSION, response=False, error=None, shelf=shelf, slot=slot, command=command, tag=tag)
