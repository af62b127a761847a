"""Commands that AoEr11 leaves to vendors or does not name, and any bytes at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aoetui.engine.protocol.address import BROADCAST_MAC
from aoetui.engine.protocol.changes import EditMask, SetConfig, SetReservation, carry_out
from aoetui.engine.protocol.facts import PortFacts
from aoetui.engine.protocol.frames import AtaArgument, ConfigArgument, MaskArgument, ReserveArgument, UnknownArgument, decode
from aoetui.engine.protocol.replies import Flush, ReadBlocks, Reply, WriteBlocks, flush_reply, read_reply, write_reply
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.target import screen
from tests.unit.protocol import golden
from tests.unit.protocol.asking import MARK, ask, assert_aoe_error, ata, config, mask, other, outcome, reserve
from tests.unit.protocol.golden import PORT, export

ANSWERED = [golden.CONFIG_READ, golden.IDENTIFY, golden.READ_28, golden.WRITE_48, golden.FLUSH, golden.CHECK_POWER]
ANSWERED += [golden.MASK_EDIT, golden.RESERVE_SET, golden.CONFIG_SET, ata(0xB0), config(9), mask(9), reserve(9), other(0xF0)]


@pytest.mark.parametrize("command", [4, 5, 0x7F, 0xEF, 0xF0, 0xFF])
@pytest.mark.parametrize("argument", [b"", MARK * 3, MARK * 180], ids=["bare", "short", "long"])
def test_commands_that_are_not_served(command: int, argument: bytes) -> None:
    assert_aoe_error(other(command, argument), 1)


def test_golden_refusal_of_a_vendor_command() -> None:
    assert outcome(other(0xF0, MARK)).sent == golden.COMMAND_REFUSED


@given(st.binary(min_size=4, max_size=4), st.sampled_from(ANSWERED))
def test_tag_comes_back_byte_for_byte(tag: bytes, frame: bytes) -> None:
    sent = outcome(frame[:20] + tag + frame[24:]).sent
    assert isinstance(sent, bytes)
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
    st.one_of(st.sampled_from([b"\0", b"\x01", b"\x02", b"\x03"]), st.binary(min_size=1, max_size=1)),
    st.binary(min_size=4, max_size=4),
    st.one_of(
        st.binary(max_size=1100),
        st.builds(lambda op, rest: b"\0\0\x01" + op + rest, st.binary(min_size=1), st.binary()),
        st.builds(lambda op, count, rest: bytes([0, op, 0, count]) + rest, st.integers(0, 3), st.integers(0, 9), st.binary()),
        st.builds(lambda op, count, rest: bytes([op, count]) + rest, st.integers(0, 3), st.integers(0, 9), st.binary()),
    ),
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
        case SetConfig() | EditMask() | SetReservation():
            assert_sound(carry_out(got, facts).reply, frame)
        case Reply():
            assert_sound(got, frame)


def assert_sound(reply: Reply, frame: bytes) -> None:
    """A reply is the target's, holds what its fields say, and zeros after that."""
    decoded = decode(reply.frame)
    assert decoded.header == replace(
        golden.response(frame[19], error=decoded.header.error), tag=int.from_bytes(frame[20:24], "big")
    )
    assert 60 <= len(reply.frame) <= PORT.frame_limit
    assert not any(reply.frame[end_of(decoded.argument) :])


def end_of(argument: AtaArgument | ConfigArgument | MaskArgument | ReserveArgument | UnknownArgument) -> int:
    """Where zeros must begin."""
    match argument:
        case AtaArgument(data=data):
            return 36 + 512 if data == golden.ONE_SECTOR else 36
        case ConfigArgument(string=string):
            return 32 + len(string)
        case MaskArgument(directives=directives):
            return 28 + 8 * len(directives)
        case ReserveArgument(macs=holders):
            return 26 + 6 * len(holders)
        case UnknownArgument():
            return 24
