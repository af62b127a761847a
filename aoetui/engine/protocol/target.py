"""One export's answers: a frame in, and out comes a reply, work for the disk, or silence. Never an exception, whatever the bytes.

`screen` makes the checks that all exports share, once for a frame; `answer` is then asked of each export that `matches`. What
needs the disk comes back as ReadBlocks, WriteBlocks or Flush, and is turned into its reply by `read_reply` and its like.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from aoetui.engine.protocol.address import BROADCAST_MAC
from aoetui.engine.protocol.frames import ATA_LAYOUT, CONFIG_LAYOUT
from aoetui.engine.protocol.header import FLAG_RESPONSE, HEADER_LAYOUT, Header, unpack_header
from aoetui.engine.protocol.replies import (
    FIRMWARE_VERSION,
    ExportFacts,
    Flush,
    PortFacts,
    ReadBlocks,
    Reply,
    WriteBlocks,
    advertisement,
    ata_failure,
    ata_head,
    config_argument,
    failed_reply,
    flush_reply,
    identify_reply,
    power_reply,
    read_reply,
    refusal,
    reply_head,
    write_reply,
)
from aoetui.engine.protocol.wire import (
    ATA_HEADER,
    BROADCAST_SHELF,
    BROADCAST_SLOT,
    CONFIG_HEADER,
    ETHERTYPE_AOE,
    HEADER,
    MAX_CONFIG_STRING,
    MIN_FRAME,
    SECTOR,
    VERSION,
    AoeError,
    AtaError,
    AtaOp,
    Command,
    ConfigOp,
)

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address

__all__ = [
    "FIRMWARE_VERSION",
    "Answer",
    "ExportFacts",
    "Flush",
    "PortFacts",
    "ReadBlocks",
    "Reply",
    "Silence",
    "WriteBlocks",
    "advertisement",
    "answer",
    "failed_reply",
    "flush_reply",
    "matches",
    "read_reply",
    "screen",
    "write_reply",
]


class Silence(StrEnum):
    """Why a frame is not answered."""

    MALFORMED = "malformed"
    """Not AoE, or shorter than its own fields say."""
    NOT_A_REQUEST = "not a request"
    """The response flag is set: two targets that answered such frames would never stop."""
    WRONG_VERSION = "wrong version"
    BAD_SOURCE = "bad source"
    """A multicast or all-zero source, which no answer can reach."""
    NOT_TO_US = "not to us"
    """Sent neither to this port's MAC nor to broadcast."""
    NOT_OURS = "not ours"
    """For another shelf or slot."""
    MASKED = "masked"
    """The mask list does not hold the requester."""
    WILDCARD_ATA = "wildcard ATA"
    """An ATA command other than IDENTIFY and CHECK POWER to every shelf or slot: a write would reach every disk."""
    CONFIG_MISMATCH = "config string mismatch"
    """A test of the config string that is not met: silence is its answer (AoEr11, section 3.2)."""


Answer = Reply | ReadBlocks | WriteBlocks | Flush | Silence

_MASK_28 = 0x0FFF_FFFF
_ZERO_MAC = bytes(6)
_BROADCAST = BROADCAST_MAC.raw


def screen(frame: bytes | memoryview, port: PortFacts) -> Header | Silence:
    """Whether a received frame is a request that some export on `port` may answer: its header then, or why not."""
    if len(frame) < HEADER:
        return Silence.MALFORMED
    destination, source, ethertype, verfl, _, _, _, _, _ = HEADER_LAYOUT.unpack_from(frame)
    if ethertype != ETHERTYPE_AOE:
        return Silence.MALFORMED
    if verfl & FLAG_RESPONSE:
        return Silence.NOT_A_REQUEST
    if verfl >> 4 != VERSION:
        return Silence.WRONG_VERSION
    if source[0] & 1 or source == _ZERO_MAC:
        return Silence.BAD_SOURCE
    if destination not in (port.mac.raw, _BROADCAST):
        return Silence.NOT_TO_US
    return unpack_header(frame)


def matches(header: Header, address: Address) -> bool:
    """Whether the request is for `address`: shelf and slot each exactly or by its own wildcard."""
    return header.shelf in (address.shelf, BROADCAST_SHELF) and header.slot in (address.slot, BROADCAST_SLOT)


def answer(header: Header, frame: bytes | memoryview, facts: ExportFacts, port: PortFacts) -> Answer:
    """What the export `facts`, on `port`, makes of a request that `screen` gave `header` of."""
    if not matches(header, facts.address):
        return Silence.NOT_OURS
    if facts.mask and header.source not in facts.mask:
        return Silence.MASKED
    match header.command:
        case Command.ATA:
            return _answer_ata(header, frame, facts, port)
        case Command.QUERY_CONFIG:
            return _answer_config(header, frame, facts, port)
        case _:
            return refusal(header, facts.address, port, AoeError.UNRECOGNISED_COMMAND)


def _answer_ata(header: Header, frame: bytes | memoryview, facts: ExportFacts, port: PortFacts) -> Answer:
    if len(frame) < ATA_HEADER:
        return Silence.MALFORMED
    _, _, count, op, low, high = ATA_LAYOUT.unpack_from(frame, HEADER)
    wild = header.shelf == BROADCAST_SHELF or header.slot == BROADCAST_SLOT
    if wild and op not in (AtaOp.IDENTIFY, AtaOp.CHECK_POWER):
        return Silence.WILDCARD_ATA
    if _ata_is_malformed(op, count, len(frame), port):
        return refusal(header, facts.address, port, AoeError.BAD_ARGUMENT)
    head = ata_head(header, frame, facts.address, port)
    match op:
        # The op alone says how wide the LBA is and which way data goes: initiators set the flags to agree, or not at all.
        case AtaOp.READ:
            return _read(head, low & _MASK_28, count, facts)
        case AtaOp.READ_EXT:
            return _read(head, low | high << 32, count, facts)
        case AtaOp.WRITE:
            return _write(head, low & _MASK_28, count, frame, facts)
        case AtaOp.WRITE_EXT:
            return _write(head, low | high << 32, count, frame, facts)
        case _:
            return _answer_without_blocks(head, op, count, facts)


def _ata_is_malformed(op: int, count: int, length: int, port: PortFacts) -> bool:
    """Whether the sector count cannot be meant: not what a frame carries, or more than this one does."""
    match op:
        case AtaOp.READ | AtaOp.READ_EXT:
            return not 1 <= count <= port.sector_count
        case AtaOp.WRITE | AtaOp.WRITE_EXT:
            return not 1 <= count <= port.sector_count or length < ATA_HEADER + count * SECTOR
        case AtaOp.IDENTIFY:
            return count != 1
        case _:
            return False


def _read(head: bytes, lba: int, count: int, facts: ExportFacts) -> Answer:
    if lba + count > facts.sectors:
        return Reply(ata_failure(head, count, AtaError.IDNF), error=True)
    return ReadBlocks(lba, count, head)


def _write(head: bytes, lba: int, count: int, frame: bytes | memoryview, facts: ExportFacts) -> Answer:
    if facts.read_only:
        return Reply(ata_failure(head, count, AtaError.ABRT), error=True)
    if lba + count > facts.sectors:
        return Reply(ata_failure(head, count, AtaError.IDNF), error=True)
    return WriteBlocks(lba, count, memoryview(frame)[ATA_HEADER : ATA_HEADER + count * SECTOR], head)


def _answer_without_blocks(head: bytes, op: int, count: int, facts: ExportFacts) -> Answer:
    match op:
        case AtaOp.IDENTIFY:
            return identify_reply(head, facts.identify)
        case AtaOp.FLUSH | AtaOp.FLUSH_EXT:
            return Flush(count, head)
        case AtaOp.CHECK_POWER:
            return power_reply(head)
        case _:
            return Reply(ata_failure(head, count, AtaError.ABRT), error=True)


def _answer_config(header: Header, frame: bytes | memoryview, facts: ExportFacts, port: PortFacts) -> Answer:
    if len(frame) < CONFIG_HEADER:
        return Silence.MALFORMED
    _, _, _, verop, length = CONFIG_LAYOUT.unpack_from(frame, HEADER)
    if length > MAX_CONFIG_STRING or CONFIG_HEADER + length > len(frame):
        return Silence.MALFORMED
    op = verop & 0x0F  # the nibble above is the version, which Linux sends as 0
    given = frame[CONFIG_HEADER : CONFIG_HEADER + length]
    error = None
    match op:
        case ConfigOp.READ:
            pass
        case ConfigOp.TEST if given != facts.config_string:
            return Silence.CONFIG_MISMATCH
        case ConfigOp.TEST_PREFIX if given != facts.config_string[:length]:
            return Silence.CONFIG_MISMATCH
        case ConfigOp.TEST | ConfigOp.TEST_PREFIX:
            pass
        case _:
            error = AoeError.BAD_ARGUMENT
    reply = reply_head(header, facts.address, port, error) + config_argument(facts, port, op)
    return Reply(reply.ljust(MIN_FRAME, b"\0"), error=error is not None)
