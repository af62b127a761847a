"""One export's answers: a frame in, and out comes a reply, work for the disk, or silence. Never an exception, whatever the bytes.

`screen` makes the checks that all exports share, once for a frame; `answer` is then asked of each export that `matches`. What
needs the disk comes back as ReadBlocks, WriteBlocks or Flush, and is turned into its reply by `replies.read_reply` and its like;
what changes the export's own state comes back as a Change, and is carried out by `changes.carry_out`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.protocol.address import BROADCAST_MAC
from aoetui.engine.protocol.changes import Change, answer_config, answer_mask, answer_reserve
from aoetui.engine.protocol.frames import ATA_LAYOUT
from aoetui.engine.protocol.header import FLAG_RESPONSE, HEADER_LAYOUT, Header, unpack_header
from aoetui.engine.protocol.replies import (
    Flush,
    ReadBlocks,
    Reply,
    WriteBlocks,
    ata_failure,
    ata_head,
    identify_reply,
    power_reply,
    refusal,
)
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.wire import (
    ATA_HEADER,
    BROADCAST_SHELF,
    BROADCAST_SLOT,
    ETHERTYPE_AOE,
    HEADER,
    SECTOR,
    VERSION,
    AoeError,
    AtaError,
    AtaOp,
    Command,
)

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.protocol.facts import ExportFacts, PortFacts

Answer = Reply | ReadBlocks | WriteBlocks | Flush | Change | Silence

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


def shut_out(source: Mac, facts: ExportFacts) -> Silence | None:
    """Why the export does not speak with `source` at all; None if it does."""
    if source in facts.policy.deny:
        return Silence.DENIED
    if facts.policy.accept is not None and source not in facts.policy.accept:
        return Silence.NOT_ACCEPTED
    if facts.masked and source not in facts.masked:
        return Silence.MASKED
    return None


def reserved(source: Mac, facts: ExportFacts) -> bool:
    """Whether the export is reserved, and not for `source`."""
    return bool(facts.holders) and source not in facts.holders


def answer(header: Header, frame: bytes | memoryview, facts: ExportFacts, port: PortFacts) -> Answer:
    """What the export `facts`, on `port`, makes of a request that `screen` gave `header` of."""
    if not matches(header, facts.address):
        return Silence.NOT_OURS
    silence = shut_out(header.source, facts)
    if silence is not None:
        return silence
    match header.command:
        case Command.ATA:
            return _answer_ata(header, frame, facts, port)
        case Command.QUERY_CONFIG:
            return answer_config(header, frame, facts, port)
        case Command.MAC_MASK:
            return answer_mask(header, frame, facts, port)
        case Command.RESERVE:
            return answer_reserve(header, frame, facts, port)
        case _:
            return refusal(header, facts.address, port, AoeError.UNRECOGNISED_COMMAND)


def _answer_ata(header: Header, frame: bytes | memoryview, facts: ExportFacts, port: PortFacts) -> Answer:
    if len(frame) < ATA_HEADER:
        return Silence.MALFORMED
    _, _, count, op, low, high = ATA_LAYOUT.unpack_from(frame, HEADER)
    wild = header.shelf == BROADCAST_SHELF or header.slot == BROADCAST_SLOT
    if wild and op not in (AtaOp.IDENTIFY, AtaOp.CHECK_POWER):
        return Silence.WILDCARD_ATA
    if op != AtaOp.IDENTIFY and reserved(header.source, facts):
        return refusal(header, facts.address, port, AoeError.TARGET_RESERVED)
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
        case AtaOp.IDENTIFY if port.frame_limit < ATA_HEADER + SECTOR:
            return refusal(header, facts.address, port, AoeError.DEVICE_UNAVAILABLE)
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
