"""ATA (AoEr11, section 3.1): golden replies, sector counts, and where an export ends."""

from __future__ import annotations

import pytest

from aoetui.engine.protocol.facts import PortFacts
from aoetui.engine.protocol.frames import Header
from aoetui.engine.protocol.replies import (
    Flush,
    ReadBlocks,
    WriteBlocks,
    failed_reply,
    flush_reply,
    read_reply,
    reserved_reply,
    write_reply,
)
from aoetui.engine.protocol.target import answer, screen
from aoetui.engine.protocol.wire import AtaError
from tests.unit.protocol import golden
from tests.unit.protocol.asking import ask, assert_aoe_error, assert_ata_error, ata, gist, reply_to
from tests.unit.protocol.golden import PORT, export

LAST_28 = 2**28 - 1
LAST_48 = 2**48 - 1


def test_golden_read() -> None:
    intent = ask(golden.READ_28)
    assert isinstance(intent, ReadBlocks)
    assert (intent.lba, intent.count) == (0x010203, 2)
    assert read_reply(intent, golden.TWO_SECTORS) == golden.READ_28_REPLY
    assert failed_reply(intent, AtaError.UNC) == golden.READ_28_UNREADABLE
    assert reserved_reply(intent) == golden.ATA_RESERVED
    assert reply_to(golden.READ_28, export(sectors=0x010204)).frame == golden.READ_28_PAST_END


def test_golden_write() -> None:
    intent = ask(golden.WRITE_28)
    assert isinstance(intent, WriteBlocks)
    assert (intent.lba, intent.count, bytes(intent.data)) == (8, 1, golden.ONE_SECTOR)
    assert write_reply(intent) == golden.WRITE_28_REPLY
    assert failed_reply(intent, AtaError.ABRT) == golden.WRITE_28_ABORTED
    assert reserved_reply(intent) == golden.ATA_RESERVED
    assert reply_to(golden.WRITE_28, export(read_only=True)).frame == golden.WRITE_28_ABORTED


def test_golden_write_of_48_bits() -> None:
    intent = ask(golden.WRITE_48)
    assert isinstance(intent, WriteBlocks)
    assert (intent.lba, intent.count, bytes(intent.data)) == (8, 2, golden.TWO_SECTORS)
    assert write_reply(intent) == golden.WRITE_48_REPLY


def test_written_data_is_not_copied() -> None:
    frame = bytearray(golden.WRITE_28)
    header = screen(bytes(frame), PORT)
    assert isinstance(header, Header)
    intent = answer(header, memoryview(frame), export(), PORT)
    assert isinstance(intent, WriteBlocks)
    frame[36] = 0x77
    assert intent.data[0] == 0x77


# ---- sector counts


@pytest.mark.parametrize("op", [0x20, 0x24, 0x30, 0x34])
@pytest.mark.parametrize("count", [0, 3, 255])
def test_sector_count_a_frame_cannot_carry(op: int, count: int) -> None:
    assert_aoe_error(ata(op, count=count, data=bytes(count * 512)), 2)
    assert reply_to(ata(op, count=count)).frame == golden.ATA_REFUSED


def test_every_truncation_of_a_write() -> None:
    for length in range(36, len(golden.WRITE_48)):
        assert_aoe_error(golden.WRITE_48[:length], 2)


@pytest.mark.parametrize("count", [0, 2, 255])
def test_identify_of_another_sector_count(count: int) -> None:
    assert_aoe_error(ata(0xEC, count=count), 2)


@pytest.mark.parametrize(("sector_count", "count"), [(17, 17), (255, 255)])
def test_jumbo_frames(sector_count: int, count: int) -> None:
    port = PortFacts(mac=golden.TARGET, sector_count=sector_count)
    intent = ask(ata(0x34, count=count, data=bytes(count * 512)), port=port)
    assert isinstance(intent, WriteBlocks)
    assert len(intent.data) == count * 512


# ---- the end of the export


@pytest.mark.parametrize(
    ("lba", "count", "sectors", "within_28", "within_48"),
    [
        (0, 1, 1, True, True),
        (0, 2, 1, False, False),
        (98, 2, 100, True, True),
        (99, 1, 100, True, True),
        (99, 2, 100, False, False),
        (100, 1, 100, False, False),
        (101, 1, 100, False, False),
        (LAST_28, 1, 100, False, False),
        (LAST_28, 2, 100, False, False),
        (LAST_28, 1, LAST_28, False, False),
        (LAST_28, 1, LAST_28 + 1, True, True),
        (LAST_28, 2, LAST_28 + 1, False, False),
        (LAST_28, 2, LAST_48, True, True),
        (LAST_28 + 1, 1, 1, True, False),  # the four bits above 28 tell the device: it is sector 0
        (LAST_48 - 1, 1, LAST_48, True, True),
        (LAST_48 - 1, 2, LAST_48, True, False),
        (LAST_48, 1, LAST_48, True, False),
        (LAST_48, 2, LAST_48, True, False),
        (LAST_48, 2, 2, False, False),
        (LAST_48, 1, 1, False, False),
    ],
)
def test_where_an_export_ends(lba: int, count: int, sectors: int, *, within_28: bool, within_48: bool) -> None:
    facts = export(sectors=sectors)
    for op in (0x20, 0x30, 0x24, 0x34):
        address, within = (lba, within_48) if op & 0x04 else (lba & LAST_28, within_28)
        frame = ata(op, count=count, lba=lba, data=golden.TWO_SECTORS)
        if within:
            got = ask(frame, facts)
            assert isinstance(got, ReadBlocks if op < 0x30 else WriteBlocks)
            assert (got.lba, got.count) == (address, count)
        else:
            assert_ata_error(frame, 0x10, facts)


@pytest.mark.parametrize(
    ("op", "expected"), [(0x20, 0x0201_0203), (0x24, 0xA1B2_E201_0203), (0x30, 0x0201_0203), (0x34, 0xA1B2_E201_0203)]
)
@pytest.mark.parametrize("flags", [0x00, 0x01, 0x40, 0x41, 0xFF])
def test_op_alone_chooses_direction_and_width(op: int, expected: int, flags: int) -> None:
    got = ask(ata(op, lba=0xA1B2_E201_0203, flags=flags, data=golden.ONE_SECTOR), export(sectors=2**48 - 1))
    assert isinstance(got, ReadBlocks if op < 0x30 else WriteBlocks)
    assert got.lba == expected
    assert got.head[24] == flags & 0x53
    assert got.head[28:34] == bytes.fromhex("030201e2b2a1")


@pytest.mark.parametrize("op", [0x30, 0x34])
@pytest.mark.parametrize("lba", [0, 99, 100])
def test_write_to_a_read_only_export(op: int, lba: int) -> None:
    assert_ata_error(ata(op, lba=lba, data=golden.ONE_SECTOR), 0x04, export(read_only=True, sectors=100))


# ---- without sectors


@pytest.mark.parametrize("op", [0xE7, 0xEA])
@pytest.mark.parametrize("count", [0, 1, 255])
def test_flush_is_answered_after_the_disk(op: int, count: int) -> None:
    intent = ask(ata(op, count=count))
    assert isinstance(intent, Flush)
    assert flush_reply(intent) == golden.FLUSH_REPLY
    failed = failed_reply(intent, AtaError.ABRT)
    assert (failed[25:28], len(failed)) == (bytes([0x04, count, 0x41]), 60)
    assert reserved_reply(intent) == golden.ATA_RESERVED


@pytest.mark.parametrize("op", [0x20, 0x24, 0xE5, 0xE7, 0xEA, 0xEC])
def test_a_read_only_export_is_read(op: int) -> None:
    assert gist(ata(op), export(read_only=True)) == gist(ata(op))


def test_identify_carries_the_page() -> None:
    got = reply_to(golden.IDENTIFY)
    assert got.frame[24:36] == bytes.fromhex("00 00 00 40 000000a00000 0000")
    assert (got.frame[36:], got.error) == (golden.ONE_SECTOR, False)


def test_identify_where_no_sector_fits() -> None:
    assert gist(golden.IDENTIFY, port=PortFacts(golden.TARGET, sector_count=1, frame_limit=548)) == "answers"
    assert gist(golden.IDENTIFY, port=PortFacts(golden.TARGET, sector_count=0, frame_limit=547)) == "AoE error 3"


@pytest.mark.parametrize("count", [0, 1, 255])
def test_check_power_at_any_sector_count(count: int) -> None:
    assert reply_to(ata(0xE5, count=count)).frame == golden.CHECK_POWER_REPLY


def test_other_ata_commands_abort() -> None:
    for op in set(range(256)) - {0x20, 0x24, 0x30, 0x34, 0xE5, 0xE7, 0xEA, 0xEC}:
        assert_ata_error(ata(op, count=7, lba=0x0102_0304_0506), 0x04)


@pytest.mark.parametrize("wildcard", ["ffff01", "0009ff", "ffffff"])
def test_ata_to_a_wildcard(wildcard: str) -> None:
    address = bytes.fromhex(wildcard)
    for op in range(256):
        frame = ata(op, data=golden.ONE_SECTOR)
        got = gist(frame[:16] + address + frame[19:])
        assert got == ("answers" if op in {0xEC, 0xE5} else "silence: wildcard ATA")
