"""Whole frames to values and back: golden bytes, every truncation, and anything hypothesis thinks of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.protocol.address import BROADCAST_MAC, Mac
from aoetui.engine.protocol.frames import (
    Argument,
    AtaArgument,
    ConfigArgument,
    Directive,
    Frame,
    Header,
    MalformedFrame,
    MaskArgument,
    ReserveArgument,
    UnknownArgument,
    config_request,
    decode,
    encode,
    identify_request,
)
from aoetui.engine.protocol.wire import ConfigOp
from tests.unit.protocol import golden

BYTE = st.integers(0, 0xFF)
WORD = st.integers(0, 0xFFFF)
MACS = st.binary(min_size=6, max_size=6).map(Mac)
ATA = st.builds(AtaArgument, BYTE, BYTE, BYTE, BYTE, st.integers(0, 2**48 - 1), st.binary(max_size=1100))
CONFIG = st.builds(ConfigArgument, WORD, WORD, BYTE, st.integers(0, 15), st.integers(0, 15), st.binary(max_size=1024))
UNKNOWN = st.builds(UnknownArgument, st.binary(max_size=100))
RESERVE = st.builds(ReserveArgument, BYTE, st.lists(MACS, max_size=255).map(tuple))


@st.composite
def mask_arguments(draw: st.DrawFn) -> MaskArgument:
    """Any mask list that can be written without an error: the count is of what follows."""
    lines = draw(st.lists(st.builds(Directive, BYTE, MACS), max_size=255))
    return MaskArgument(draw(BYTE), 0, len(lines), tuple(lines))


ARGUMENTS: dict[int, st.SearchStrategy[Argument]] = {0: ATA, 1: CONFIG, 2: mask_arguments(), 3: RESERVE}


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Any frame that can be written."""
    command = draw(st.one_of(st.sampled_from([0, 1, 2, 3]), BYTE))
    argument = draw(ARGUMENTS.get(command, UNKNOWN))
    header = Header(
        destination=draw(MACS),
        source=draw(MACS),
        version=draw(st.integers(0, 15)),
        response=draw(st.booleans()),
        error=draw(st.none() | BYTE),
        shelf=draw(WORD),
        slot=draw(BYTE),
        command=command,
        tag=draw(st.integers(0, 2**32 - 1)),
    )
    return Frame(header, argument)


def unpadded(frame: Frame, like: Frame) -> Frame:
    """`frame` without the zeros that padding added to the length of `like`'s variable part; fails if they are not zeros."""
    match frame.argument, like.argument:
        case AtaArgument() as got, AtaArgument() as sent:
            assert not any(got.data[len(sent.data) :])
            data = got.data[: len(sent.data)]
            whole = AtaArgument(got.flags, got.feature_or_error, got.sector_count, got.op_or_status, got.lba, data)
            return Frame(frame.header, whole)
        case UnknownArgument(got_raw), UnknownArgument(sent_raw):
            assert not any(got_raw[len(sent_raw) :])
            return Frame(frame.header, UnknownArgument(got_raw[: len(sent_raw)]))
    return frame


@pytest.mark.parametrize("name", golden.MEANT)
def test_golden_frame_is_read(name: str) -> None:
    raw, meant = golden.MEANT[name]
    assert unpadded(decode(raw), meant) == meant


@pytest.mark.parametrize("name", golden.MEANT)
def test_golden_frame_is_written(name: str) -> None:
    raw, meant = golden.MEANT[name]
    assert encode(meant) == raw.ljust(60, b"\0")


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("config test", 35),
        ("identify", 36),
        ("read, 48 bits", 36),
        ("mask list read", 28),
        ("mask list edit", 44),
        ("reserve set", 38),
        ("vendor command", 24),
    ],
)
def test_every_truncation_of_a_request(name: str, needed: int) -> None:
    raw, _ = golden.MEANT[name]
    for length in range(needed):
        with pytest.raises(MalformedFrame):
            decode(raw[:length])
    for length in range(needed, len(raw) + 1):
        decode(raw[:length])


@pytest.mark.parametrize("name", golden.MEANT)
def test_truncation_raises_nothing_else(name: str) -> None:
    raw, _ = golden.MEANT[name]
    for length in range(len(raw)):
        try:
            decoded = decode(raw[:length])
        except MalformedFrame:
            continue
        assert len(encode(decoded)) <= max(length, 60)


def test_error_response_may_lack_its_argument_and_a_request_may_not() -> None:
    assert decode(golden.BARE_ERROR).argument == UnknownArgument(b"")
    request = bytearray(golden.BARE_ERROR)
    request[14] = 0x14
    with pytest.raises(MalformedFrame):
        decode(bytes(request))


def test_error_byte_without_its_flag_means_nothing() -> None:
    raw = bytearray(golden.CONFIG_REPLY)
    raw[15] = 3
    assert decode(bytes(raw)).header.error is None


def test_trailing_bytes_are_no_part_of_a_config_string() -> None:
    argument = decode(golden.CONFIG_TEST + b"stale").argument
    assert isinstance(argument, ConfigArgument)
    assert argument.string == b"box"


@pytest.mark.parametrize(("length", "follows"), [(4, 3), (1025, 1025), (0xFFFF, 1400)])
def test_config_string_beyond_frame_or_limit(length: int, follows: int) -> None:
    raw = golden.CONFIG_READ[:30] + length.to_bytes(2, "big") + bytes(follows)
    with pytest.raises(MalformedFrame):
        decode(raw)


def test_longest_config_string() -> None:
    raw = golden.CONFIG_READ[:30] + (1024).to_bytes(2, "big") + b"x" * 1024
    argument = decode(raw).argument
    assert isinstance(argument, ConfigArgument)
    assert argument.string == b"x" * 1024


def test_too_long_config_string_is_not_written() -> None:
    with pytest.raises(ValueError, match="at most 1024"):
        encode(Frame(golden.request(1), ConfigArgument(0, 0, 0, 1, 3, bytes(1025))))


def test_mask_error_of_a_request_means_nothing_and_of_a_response_ends_it() -> None:
    asked = bytearray(golden.MASK_EDIT)
    asked[26] = 3
    argument = decode(bytes(asked)).argument
    assert isinstance(argument, MaskArgument)
    assert len(argument.directives) == 2
    answered = bytearray(golden.MASK_OF_TWO)
    answered[26] = 3
    assert decode(bytes(answered)).argument == MaskArgument(0, 3, 2, ())


def test_another_ethertype_is_not_aoe() -> None:
    with pytest.raises(MalformedFrame, match="0x0800"):
        decode(golden.IDENTIFY[:12] + b"\x08\x00" + golden.IDENTIFY[14:])


def test_requests_of_our_own() -> None:
    asked = config_request(source=golden.INITIATOR, address=None, tag=golden.TAG)
    assert asked[:29] == golden.CONFIG_READ_WILDCARD[:29]
    assert decode(asked).argument == ConfigArgument(0, 0, 0, 1, 0, b"")
    tested = config_request(
        source=golden.INITIATOR,
        destination=golden.TARGET,
        address=golden.ADDRESS,
        tag=golden.TAG,
        op=ConfigOp.TEST,
        string=b"box",
    )
    assert tested == golden.CONFIG_TEST.ljust(60, b"\0")
    identify = identify_request(source=golden.INITIATOR, destination=golden.TARGET, address=golden.ADDRESS, tag=golden.TAG)
    assert identify == golden.IDENTIFY.ljust(60, b"\0")
    assert decode(asked).header.destination == BROADCAST_MAC


@given(frames())
def test_what_is_written_reads_the_same(frame: Frame) -> None:
    raw = encode(frame)
    assert len(raw) >= 60
    assert unpadded(decode(raw), frame) == frame
    assert decode(memoryview(raw)) == decode(raw)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_malformed(raw: bytes, looks_like_aoe: bool) -> None:
    if looks_like_aoe:
        raw = raw[:12] + b"\x88\xa2" + raw[14:]
    try:
        decoded = decode(raw)
    except MalformedFrame:
        return
    assert len(encode(decoded)) <= max(len(raw), 60)
