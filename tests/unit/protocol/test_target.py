"""What an export answers: golden replies, a table of each command and each bad input, and any bytes at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aoetui.engine.protocol.address import BROADCAST_MAC, Address, Mac
from aoetui.engine.protocol.frames import AtaArgument, ConfigArgument, Header, UnknownArgument, decode
from aoetui.engine.protocol.facts import ExportFacts, PortFacts
from aoetui.engine.protocol.replies import (
    Flush,
    ReadBlocks,
    Reply,
    WriteBlocks,
    advertisement,
    failed_reply,
    flush_reply,
    read_reply,
    write_reply,
)
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.target import Answer, answer, matches, screen
from aoetui.engine.protocol.wire import AtaError
from tests.unit.protocol import golden
from tests.unit.protocol.golden import PORT, export

MARK = b"\xa5" * 8
"""Bytes that no reply may carry."""


def ask(frame: bytes, facts: ExportFacts | None = None, port: PortFacts = PORT) -> Answer:
    """Screen the frame, and ask the export if it passes."""
    header = screen(frame, port)
    return header if isinstance(header, Silence) else answer(header, memoryview(frame), facts or export(), port)


def reply_to(frame: bytes, facts: ExportFacts | None = None, port: PortFacts = PORT) -> Reply:
    """The reply to a frame that is answered at once."""
    got = ask(frame, facts, port)
    assert isinstance(got, Reply)
    return got


def patched(frame: bytes, at: int, text: str) -> bytes:
    """`frame` with the hex `text` written over it from byte `at` on."""
    new = bytes.fromhex(text)
    return frame[:at] + new + frame[at + len(new) :]


def ata(op: int, *, count: int = 1, lba: int = 0, flags: int = 0, data: bytes = b"") -> bytes:
    """An ATA request from the initiator to e9.1."""
    return golden.IDENTIFY[:24] + bytes([flags, 0, count, op]) + lba.to_bytes(6, "little") + b"\0\0" + data


def config(op: int, string: bytes = b"", *, version: int = 1) -> bytes:
    """A query-config request from the initiator to e9.1."""
    return golden.CONFIG_READ[:29] + bytes([version << 4 | op]) + len(string).to_bytes(2, "big") + string


def assert_aoe_error(frame: bytes, code: int, facts: ExportFacts | None = None) -> None:
    """The answer is an AoE error: code, padded header and nothing of the request."""
    got = reply_to(frame, facts)
    assert got.error
    assert got.frame[14:16] == bytes([0x1C, code])
    assert got.frame[24:] == bytes(36)


def assert_ata_error(frame: bytes, error: int, facts: ExportFacts | None = None) -> None:
    """The answer is an ATA error: no AoE error flag, status 41h, the error, the sector count as it came, no data."""
    got = reply_to(frame, facts)
    assert got.error
    assert got.frame[14:16] == b"\x18\0"
    assert got.frame[25:28] == bytes([error, frame[26], 0x41])
    assert got.frame[28:34] == frame[28:34]
    assert got.frame[34:] == bytes(26)


# ---- golden replies


@pytest.mark.parametrize(
    ("request_frame", "reply"),
    [
        (golden.CONFIG_READ, golden.CONFIG_REPLY),
        (golden.CONFIG_READ_WILDCARD, golden.CONFIG_REPLY),
        (golden.CHECK_POWER, golden.CHECK_POWER_REPLY),
        (patched(golden.CONFIG_TEST, 29, "13"), golden.CONFIG_REFUSED),
        (patched(golden.READ_28, 26, "03"), golden.ATA_REFUSED),
        (golden.MASK_READ, golden.MASK_REFUSED),
    ],
)
def test_golden_reply(request_frame: bytes, reply: bytes) -> None:
    assert reply_to(request_frame).frame == reply


def test_golden_read() -> None:
    intent = ask(golden.READ_28)
    assert isinstance(intent, ReadBlocks)
    assert (intent.lba, intent.count) == (0x010203, 2)
    assert read_reply(intent, golden.TWO_SECTORS) == golden.READ_28_REPLY
    assert failed_reply(intent, AtaError.UNC) == golden.READ_28_UNREADABLE
    assert reply_to(golden.READ_28, export(sectors=0x010204)).frame == golden.READ_28_PAST_END


def test_golden_write() -> None:
    intent = ask(golden.WRITE_28)
    assert isinstance(intent, WriteBlocks)
    assert (intent.lba, intent.count, bytes(intent.data)) == (8, 1, golden.ONE_SECTOR)
    assert write_reply(intent) == golden.WRITE_28_REPLY
    assert failed_reply(intent, AtaError.ABRT) == golden.WRITE_28_ABORTED
    assert reply_to(golden.WRITE_28, export(read_only=True)).frame == golden.WRITE_28_ABORTED


def test_golden_write_of_48_bits() -> None:
    intent = ask(golden.WRITE_48)
    assert isinstance(intent, WriteBlocks)
    assert (intent.lba, intent.count, bytes(intent.data)) == (8, 2, golden.TWO_SECTORS)
    assert write_reply(intent) == golden.WRITE_48_REPLY


def test_golden_advertisement() -> None:
    assert advertisement(export(), PORT, BROADCAST_MAC) == golden.ADVERTISEMENT
    assert advertisement(export(), PORT, golden.INITIATOR)[:6] == golden.INITIATOR.raw


@pytest.mark.parametrize("op", [0xE7, 0xEA])
@pytest.mark.parametrize("count", [0, 1, 255])
def test_flush_is_answered_after_the_disk(op: int, count: int) -> None:
    intent = ask(ata(op, count=count))
    assert isinstance(intent, Flush)
    assert flush_reply(intent) == golden.FLUSH_REPLY
    failed = failed_reply(intent, AtaError.ABRT)
    assert (failed[25:28], len(failed)) == (bytes([0x04, count, 0x41]), 60)


def test_identify_carries_the_page() -> None:
    got = reply_to(golden.IDENTIFY)
    assert got.frame[24:36] == bytes.fromhex("00 00 00 40 000000a00000 0000")
    assert (got.frame[36:], got.error) == (golden.ONE_SECTOR, False)


# ---- who is answered


@pytest.mark.parametrize(
    ("at", "text", "why"),
    [
        (14, "18", Silence.NOT_A_REQUEST),
        (14, "1c", Silence.NOT_A_REQUEST),
        (14, "28", Silence.NOT_A_REQUEST),
        (14, "00", Silence.WRONG_VERSION),
        (14, "20", Silence.WRONG_VERSION),
        (14, "f0", Silence.WRONG_VERSION),
        (12, "0800", Silence.MALFORMED),
        (6, "010000000001", Silence.BAD_SOURCE),
        (6, "ffffffffffff", Silence.BAD_SOURCE),
        (6, "000000000000", Silence.BAD_SOURCE),
        (0, "020000000008", Silence.NOT_TO_US),
        (0, "01005e000001", Silence.NOT_TO_US),
    ],
)
@pytest.mark.parametrize("frame", [golden.CONFIG_READ, golden.IDENTIFY, golden.READ_28, golden.WRITE_28, golden.MASK_READ])
def test_screened_out(frame: bytes, at: int, text: str, why: Silence) -> None:
    assert screen(patched(frame, at, text), PORT) is why


def test_screened_in() -> None:
    assert screen(golden.IDENTIFY, PORT) == decode(golden.IDENTIFY).header
    assert screen(patched(golden.IDENTIFY, 0, "ffffffffffff"), PORT) == replace(golden.request(0), destination=BROADCAST_MAC)


@pytest.mark.parametrize(
    ("shelf", "slot", "expected"),
    [
        (9, 1, True),
        (9, 0xFF, True),
        (0xFFFF, 1, True),
        (0xFFFF, 0xFF, True),
        (9, 2, False),
        (8, 1, False),
        (8, 0xFF, False),
        (0xFFFF, 2, False),
    ],
)
def test_wildcards_match_independently(shelf: int, slot: int, *, expected: bool) -> None:
    header = golden.request(1, shelf=shelf, slot=slot)
    assert matches(header, golden.ADDRESS) is expected
    asked = patched(golden.CONFIG_READ, 16, f"{shelf:04x}{slot:02x}")
    assert (ask(asked) is not Silence.NOT_OURS) is expected


EVERY_COMMAND = [
    golden.CONFIG_READ,
    golden.CONFIG_TEST,
    golden.IDENTIFY,
    golden.READ_28,
    golden.READ_48,
    golden.WRITE_28,
    golden.WRITE_48,
    golden.FLUSH,
    golden.CHECK_POWER,
    golden.MASK_READ,
    patched(golden.MASK_READ, 19, "03"),
    patched(golden.MASK_READ, 19, "f0"),
]


@pytest.mark.parametrize("frame", EVERY_COMMAND)
def test_mask_list(frame: bytes) -> None:
    other = Mac.parse("02:00:00:00:00:77")
    assert ask(frame, export(mask=frozenset({other}))) is Silence.MASKED
    allowed = export(mask=frozenset({other, golden.INITIATOR}))
    assert not isinstance(ask(frame, allowed), Silence)


@pytest.mark.parametrize("wildcard", ["ffff01", "0009ff", "ffffff"])
def test_ata_to_a_wildcard(wildcard: str) -> None:
    for op in range(256):
        got = ask(patched(ata(op, data=golden.ONE_SECTOR), 16, wildcard))
        if op in (0xEC, 0xE5):
            assert isinstance(got, Reply)
            assert got.frame[16:19] == bytes.fromhex("000901")
        else:
            assert got is Silence.WILDCARD_ATA


@pytest.mark.parametrize("address", [Address(0, 0), Address(65534, 254)])
def test_reply_is_from_our_own_address(address: Address) -> None:
    header = decode(reply_to(golden.CONFIG_READ_WILDCARD, export(address=address)).frame).header
    assert header == replace(golden.response(1), shelf=address.shelf, slot=address.slot)


@pytest.mark.parametrize("frame", EVERY_COMMAND)
def test_stale_error_of_a_request_is_not_echoed(frame: bytes) -> None:
    assert ask(patched(frame, 14, "1403")) == ask(frame)


# ---- lengths


@pytest.mark.parametrize(
    ("frame", "needed"),
    [(golden.CONFIG_READ, 32), (golden.CONFIG_TEST, 35), (golden.IDENTIFY, 36), (golden.READ_28, 36), (golden.MASK_READ, 24)],
)
def test_every_truncation(frame: bytes, needed: int) -> None:
    for length in range(needed):
        assert ask(frame[:length]) is Silence.MALFORMED
    for length in range(needed, len(frame) + 1):
        assert ask(frame[:length]) == ask(frame)


def test_every_truncation_of_a_write() -> None:
    for length in range(len(golden.WRITE_48)):
        if length < 36:
            assert ask(golden.WRITE_48[:length]) is Silence.MALFORMED
        else:
            assert_aoe_error(golden.WRITE_48[:length], 2)


@pytest.mark.parametrize("frame", EVERY_COMMAND)
def test_trailing_bytes_change_nothing(frame: bytes) -> None:
    assert ask(frame + MARK * 120) == ask(frame)


# ---- ATA


@pytest.mark.parametrize("op", [0x20, 0x24, 0x30, 0x34])
@pytest.mark.parametrize("count", [0, 3, 255])
def test_sector_count_a_frame_cannot_carry(op: int, count: int) -> None:
    assert_aoe_error(ata(op, count=count, data=bytes(count * 512)), 2)


@pytest.mark.parametrize("count", [0, 2, 255])
def test_identify_of_another_sector_count(count: int) -> None:
    assert_aoe_error(ata(0xEC, count=count), 2)


@pytest.mark.parametrize(("sector_count", "count"), [(17, 17), (255, 255)])
def test_jumbo_frames(sector_count: int, count: int) -> None:
    port = PortFacts(mac=golden.TARGET, sector_count=sector_count)
    intent = ask(ata(0x34, count=count, data=bytes(count * 512)), port=port)
    assert isinstance(intent, WriteBlocks)
    assert len(intent.data) == count * 512


@pytest.mark.parametrize("op", [0x20, 0x24, 0x30, 0x34])
@pytest.mark.parametrize(("lba", "count"), [(99, 2), (100, 1), (0x0FFF_FFFF, 2)])
def test_past_the_end(op: int, lba: int, count: int) -> None:
    assert_ata_error(ata(op, count=count, lba=lba, data=golden.TWO_SECTORS), 0x10, export(sectors=100))


@pytest.mark.parametrize("op", [0x24, 0x34])
def test_past_the_end_of_48_bits(op: int) -> None:
    facts = export(sectors=2**48 - 1)
    assert_ata_error(ata(op, count=1, lba=2**48 - 1, data=golden.ONE_SECTOR), 0x10, facts)
    assert isinstance(ask(ata(op, count=1, lba=2**48 - 2, data=golden.ONE_SECTOR), facts), (ReadBlocks, WriteBlocks))


@pytest.mark.parametrize("op", [0x20, 0x24, 0x30, 0x34])
@pytest.mark.parametrize(("lba", "count"), [(0, 1), (0, 2), (98, 2), (99, 1)])
def test_up_to_the_end(op: int, lba: int, count: int) -> None:
    got = ask(ata(op, count=count, lba=lba, data=golden.TWO_SECTORS), export(sectors=100))
    assert isinstance(got, ReadBlocks if op < 0x30 else WriteBlocks)
    assert (got.lba, got.count) == (lba, count)


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
def test_write_to_a_read_only_export(op: int) -> None:
    assert_ata_error(ata(op, data=golden.ONE_SECTOR), 0x04, export(read_only=True))
    assert isinstance(ask(golden.READ_28, export(read_only=True)), ReadBlocks)


def test_other_ata_commands_abort() -> None:
    for op in set(range(256)) - {0x20, 0x24, 0x30, 0x34, 0xE5, 0xE7, 0xEA, 0xEC}:
        assert_ata_error(ata(op, count=7, lba=0x0102_0304_0506), 0x04)


@pytest.mark.parametrize("count", [0, 1, 255])
def test_check_power_at_any_sector_count(count: int) -> None:
    assert reply_to(ata(0xE5, count=count)).frame == golden.CHECK_POWER_REPLY


def test_written_data_is_not_copied() -> None:
    frame = bytearray(golden.WRITE_28)
    header = screen(bytes(frame), PORT)
    assert isinstance(header, Header)
    intent = answer(header, memoryview(frame), export(), PORT)
    assert isinstance(intent, WriteBlocks)
    frame[36] = 0x77
    assert intent.data[0] == 0x77


# ---- query config


@pytest.mark.parametrize(
    ("op", "string", "answered"),
    [
        (0, b"", True),
        (0, b"anything", True),
        (1, b"box", True),
        (1, b"bo", False),
        (1, b"boxes", False),
        (1, b"", False),
        (2, b"box", True),
        (2, b"bo", True),
        (2, b"", True),
        (2, b"boxes", False),
        (2, b"ox", False),
    ],
)
@pytest.mark.parametrize("version", [0, 1, 15])
def test_config_questions(op: int, string: bytes, version: int, *, answered: bool) -> None:
    got = ask(config(op, string, version=version))
    if not answered:
        assert got is Silence.CONFIG_MISMATCH
        return
    assert isinstance(got, Reply)
    assert decode(got.frame).argument == ConfigArgument(64, 1, 2, 1, op, b"box")
    assert not got.error


@pytest.mark.parametrize("op", [1, 2])
def test_empty_config_string_is_met_by_none(op: int) -> None:
    assert isinstance(ask(config(op), export(config_string=b"")), Reply)
    assert ask(config(op, b"x"), export(config_string=b"")) is Silence.CONFIG_MISMATCH


@pytest.mark.parametrize("op", range(3, 16))
def test_config_changes_are_refused(op: int) -> None:
    got = reply_to(config(op, MARK))
    assert got.error
    decoded = decode(got.frame)
    assert decoded.header == golden.response(1, error=2)
    assert decoded.argument == ConfigArgument(64, 1, 2, 1, op, b"box")


@pytest.mark.parametrize("length", [4, 1025, 0xFFFF])
@pytest.mark.parametrize("op", [0, 1, 2, 3, 4, 5])
def test_config_string_beyond_frame_or_limit(op: int, length: int) -> None:
    frame = config(op)[:30] + length.to_bytes(2, "big") + b"x" * (3 if length == 4 else 1200)
    assert ask(frame) is Silence.MALFORMED


def test_longest_config_string_is_carried_whole() -> None:
    string = bytes(range(256)) * 4
    got = reply_to(config(1, string), export(config_string=string))
    assert got.frame[32:] == string


# ---- the rest


@pytest.mark.parametrize("command", [2, 3, 4, 0x7F, 0xEF, 0xF0, 0xFF])
@pytest.mark.parametrize("argument", [b"", MARK * 3])
def test_commands_that_are_not_served(command: int, argument: bytes) -> None:
    assert_aoe_error(patched(golden.MASK_READ[:24], 19, f"{command:02x}") + argument, 1)


@given(st.binary(min_size=4, max_size=4), st.sampled_from(EVERY_COMMAND))
def test_tag_comes_back_byte_for_byte(tag: bytes, frame: bytes) -> None:
    got = ask(frame[:20] + tag + frame[24:])
    sent = got.frame if isinstance(got, Reply) else getattr(got, "head", b"")
    assert sent[20:24] == tag


@given(st.binary(max_size=120))
def test_any_bytes_are_screened(raw: bytes) -> None:
    got = screen(raw, PORT)
    assert isinstance(got, Silence)  # 8 bytes of a header do not come about by chance


REQUESTS = st.builds(
    lambda to, shelf, slot, command, tag, rest: (
        to + golden.INITIATOR.raw + b"\x88\xa2\x10\0" + shelf + slot + command + tag + rest
    ),
    st.sampled_from([golden.TARGET.raw, BROADCAST_MAC.raw]),
    st.sampled_from([b"\0\x09", b"\xff\xff"]),
    st.sampled_from([b"\x01", b"\xff"]),
    st.one_of(st.sampled_from([b"\0", b"\x01"]), st.binary(min_size=1, max_size=1)),
    st.binary(min_size=4, max_size=4),
    st.one_of(st.binary(max_size=1100), st.builds(lambda op, rest: b"\0\0\x01" + op + rest, st.binary(min_size=1), st.binary())),
)


@given(REQUESTS, st.booleans(), st.integers(1, 2**48 - 1), st.integers(0, 255))
@example(golden.WRITE_48, False, 1, 0)
def test_any_request_is_answered_or_silence(frame: bytes, read_only: bool, sectors: int, sector_count: int) -> None:
    facts, port = export(read_only=read_only, sectors=sectors), PortFacts(mac=golden.TARGET, sector_count=sector_count)
    got = ask(frame, facts, port)
    match got:
        case Silence():
            assert got in (Silence.MALFORMED, Silence.WILDCARD_ATA, Silence.CONFIG_MISMATCH)
        case ReadBlocks():
            assert 1 <= got.count <= sector_count
            assert got.lba + got.count <= sectors
            assert len(read_reply(got, bytes(got.count * 512))) == 36 + got.count * 512
        case WriteBlocks():
            assert not read_only
            assert got.lba + got.count <= sectors
            assert got.data == frame[36 : 36 + got.count * 512]
            assert len(got.data) == got.count * 512
            assert len(write_reply(got)) == 60
        case Flush():
            assert len(flush_reply(got)) == 60
        case Reply():
            assert_sound(got, frame)


def assert_sound(reply: Reply, frame: bytes) -> None:
    """A reply holds what its fields say, and zeros after that."""
    decoded = decode(reply.frame)
    assert decoded.header == replace(
        golden.response(frame[19], error=decoded.header.error), tag=int.from_bytes(frame[20:24], "big")
    )
    assert len(reply.frame) >= 60
    match decoded.argument:
        case ConfigArgument():
            assert decoded.argument.string == b"box"
            assert not any(reply.frame[35:])
        case AtaArgument():
            assert decoded.argument.data == golden.ONE_SECTOR or not any(decoded.argument.data)
        case UnknownArgument():
            assert not any(decoded.argument.raw)
