"""The bytes an export answers with. All are padded to 60 with zeros, and carry nothing of a request but its tag and its LBA."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.protocol.frames import CONFIG_LAYOUT, DIRECTIVE_LAYOUT, MASK_LAYOUT, RESERVE_LAYOUT
from aoetui.engine.protocol.header import FLAG_ERROR, FLAG_RESPONSE, HEADER_LAYOUT, Header
from aoetui.engine.protocol.wire import (
    ETHERTYPE_AOE,
    HEADER,
    MIN_FRAME,
    VERSION,
    AoeError,
    AtaError,
    AtaFlag,
    AtaStatus,
    Command,
    ConfigOp,
    DirectiveOp,
    MaskError,
    MaskOp,
    ReserveOp,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.protocol.facts import ExportFacts, PortFacts

FIRMWARE_VERSION = 0x0001
"""Advertised; Linux shows it in sysfs and makes nothing of it."""

_OK = VERSION << 4 | FLAG_RESPONSE
_REFUSED = _OK | FLAG_ERROR
_DONE = int(AtaStatus.DRDY)
_FAILED = int(AtaStatus.DRDY | AtaStatus.ERR)
_KNOWN_FLAGS = int(AtaFlag.EXTENDED | AtaFlag.DEVICE | AtaFlag.ASYNC | AtaFlag.WRITE)
_REGISTERS = struct.Struct("<BBBB")
"""Flags, error, sector count and status: what differs between a success and a failure."""
_FLAGS_AT = 14
_LBA_AT = HEADER + _REGISTERS.size


@dataclass(frozen=True, slots=True)
class Reply:
    """A frame to send now."""

    frame: bytes
    error: bool
    """Whether it reports an ATA or AoE error."""


@dataclass(frozen=True, slots=True)
class ReadBlocks:
    """Read `count` sectors (1 to 255) from `lba` on, then send `read_reply`."""

    lba: int
    count: int
    head: bytes
    """The reply's first 36 bytes, as they are on success."""


@dataclass(frozen=True, slots=True)
class WriteBlocks:
    """Write `data` (`count` sectors, 1 to 255) from `lba` on, then send `write_reply`."""

    lba: int
    count: int
    data: memoryview
    """Exactly `count` * 512 bytes, within the received frame: it is not copied."""
    head: bytes
    """As in ReadBlocks."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Bring every write that was answered to stable storage, then send `flush_reply`."""

    count: int
    """The request's sector count, which a failure carries back."""
    head: bytes
    """As in ReadBlocks."""


def reply_head(header: Header, address: Address, port: PortFacts, error: AoeError | None = None) -> bytes:
    """The 24 bytes that start a reply to the request `header`: from our own address, never the wildcard."""
    return HEADER_LAYOUT.pack(
        header.source.raw,
        port.mac.raw,
        ETHERTYPE_AOE,
        _OK if error is None else _REFUSED,
        error or 0,
        address.shelf,
        address.slot,
        header.command,
        header.tag,
    )


def refusal(header: Header, address: Address, port: PortFacts, error: AoeError) -> Reply:
    """An AoE error: a header and nothing else. Linux only logs it, and asks again for three minutes (aoenet.c)."""
    return Reply(reply_head(header, address, port, error).ljust(MIN_FRAME, b"\0"), error=True)


def reply_with(header: Header, argument: bytes, facts: ExportFacts, port: PortFacts, error: AoeError | None = None) -> Reply:
    """A reply with an argument of the command's own. One that the interface cannot carry (its MTU was cut, or it was added
    after the list was made) is AoE error 3 instead: no part of a list passes for the whole."""
    frame = reply_head(header, facts.address, port, error) + argument
    if len(frame) > port.frame_limit:
        return refusal(header, facts.address, port, AoeError.DEVICE_UNAVAILABLE)
    return Reply(frame.ljust(MIN_FRAME, b"\0"), error=error is not None)


def reserved_reply(intent: ReadBlocks | WriteBlocks | Flush) -> bytes:
    """The export was reserved for others while the request waited: AoE error 6."""
    head = bytearray(intent.head[:HEADER])
    head[_FLAGS_AT : _FLAGS_AT + 2] = bytes((_REFUSED, AoeError.TARGET_RESERVED))
    return bytes(head).ljust(MIN_FRAME, b"\0")


def ata_head(header: Header, frame: bytes | memoryview, address: Address, port: PortFacts) -> bytes:
    """The 36 bytes that start a successful ATA reply to the request `frame`: its LBA as it came, its flags as far as known."""
    flags = frame[HEADER] & _KNOWN_FLAGS
    registers = _REGISTERS.pack(flags, 0, 0, _DONE)
    return b"".join((reply_head(header, address, port), registers, frame[_LBA_AT : _LBA_AT + 6], b"\0\0"))


def read_reply(intent: ReadBlocks, data: bytes | memoryview) -> bytes:
    """`data` is the sectors that were read: exactly `intent.count` * 512 bytes."""
    return b"".join((intent.head, data))


def write_reply(intent: WriteBlocks) -> bytes:
    """The data is written (as durably as the export promises)."""
    return intent.head.ljust(MIN_FRAME, b"\0")


def flush_reply(intent: Flush) -> bytes:
    """All answered writes are on stable storage."""
    return intent.head.ljust(MIN_FRAME, b"\0")


def failed_reply(intent: ReadBlocks | WriteBlocks | Flush, error: AtaError) -> bytes:
    """An ATA error in place of the success: Linux fails the request at once (aoecmd.c, ktiocomplete)."""
    return ata_failure(intent.head, intent.count, error)


def ata_failure(head: bytes, count: int, error: AtaError) -> bytes:
    """The successful reply `head` turned into a failure, with no data. The sector count is what remains undone: all of it."""
    return _with_registers(head, error, count, _FAILED)


def _with_registers(head: bytes, error: int, count: int, status: int) -> bytes:
    registers = _REGISTERS.pack(head[HEADER], error, count, status)
    return b"".join((head[:HEADER], registers, head[_LBA_AT:])).ljust(MIN_FRAME, b"\0")


def identify_reply(head: bytes, page: bytes) -> Reply:
    """`page` is the export's IDENTIFY page."""
    return Reply(head + page, error=False)


def power_reply(head: bytes) -> Reply:
    """Active or idle: sector count 0xFF (ATA/ATAPI-6, CHECK POWER MODE)."""
    return Reply(_with_registers(head, 0, 0xFF, _DONE), error=False)


def config_argument(facts: ExportFacts, port: PortFacts, op: int) -> bytes:
    """The argument of a query-config response, with the current config string."""
    string = facts.state.config_string
    fixed = CONFIG_LAYOUT.pack(facts.buffer_count, FIRMWARE_VERSION, port.sector_count, VERSION << 4 | op, len(string))
    return fixed + string


def mask_argument(op: MaskOp, mask: Sequence[Mac]) -> bytes:
    """The argument of a MAC mask list response: the whole list, as directives that direct nothing."""
    lines = (DIRECTIVE_LAYOUT.pack(DirectiveOp.NONE, mac.raw) for mac in mask)
    return MASK_LAYOUT.pack(op, MaskError.NONE, len(mask)) + b"".join(lines)


def reserve_argument(op: ReserveOp, reservation: Sequence[Mac]) -> bytes:
    """The argument of a reserve/release response: for whom the export is reserved now."""
    return RESERVE_LAYOUT.pack(op, len(reservation)) + b"".join(mac.raw for mac in reservation)


def advertisement(facts: ExportFacts, port: PortFacts, destination: Mac) -> bytes:
    """A query-config response that nobody asked for, tag 0: it tells `destination` (or everyone) that the export is here."""
    head = HEADER_LAYOUT.pack(
        destination.raw,
        port.mac.raw,
        ETHERTYPE_AOE,
        _OK,
        0,
        facts.address.shelf,
        facts.address.slot,
        Command.QUERY_CONFIG,
        0,
    )
    return (head + config_argument(facts, port, ConfigOp.READ)).ljust(MIN_FRAME, b"\0")
