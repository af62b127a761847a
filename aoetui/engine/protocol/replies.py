"""The bytes an export answers with. All are padded to 60 with zeros, and carry nothing of a request but its tag and its LBA."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.protocol.frames import CONFIG_LAYOUT
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
)

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address, Mac

FIRMWARE_VERSION = 0x0001
"""Advertised; Linux shows it in sysfs and makes nothing of it."""

_OK = VERSION << 4 | FLAG_RESPONSE
_REFUSED = _OK | FLAG_ERROR
_DONE = int(AtaStatus.DRDY)
_FAILED = int(AtaStatus.DRDY | AtaStatus.ERR)
_KNOWN_FLAGS = int(AtaFlag.EXTENDED | AtaFlag.DEVICE | AtaFlag.ASYNC | AtaFlag.WRITE)
_REGISTERS = struct.Struct("<BBBB")
"""Flags, error, sector count and status: what differs between a success and a failure."""
_LBA_AT = HEADER + _REGISTERS.size


@dataclass(frozen=True, slots=True)
class PortFacts:
    """What an answer needs to know of the interface it leaves by."""

    mac: Mac
    sector_count: int
    """Advertised there: the most sectors of one frame, 0 to 255."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFacts:
    """What an answer needs to know of the export."""

    address: Address
    sectors: int
    """Of 512 bytes, from 1."""
    identify: bytes
    """The IDENTIFY page, 512 bytes."""
    read_only: bool
    buffer_count: int
    """Advertised, 2 to 65535."""
    config_string: bytes
    """At most 1024 bytes."""
    mask: frozenset[Mac]
    """Where not empty, the only initiators that are answered."""


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
    string = facts.config_string
    fixed = CONFIG_LAYOUT.pack(facts.buffer_count, FIRMWARE_VERSION, port.sector_count, VERSION << 4 | op, len(string))
    return fixed + string


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
