"""Query config (AoEr11, section 3.2): what is asked, what is set, and what is too long."""

from __future__ import annotations

import pytest

from aoetui.engine.protocol.facts import PortFacts
from aoetui.engine.protocol.frames import ConfigArgument, decode
from tests.unit.protocol import golden
from tests.unit.protocol.asking import MARK, ask, config, gist, outcome, patched, reply_to, shown
from tests.unit.protocol.golden import PORT, TARGET, export

LONGEST = bytes(range(256)) * 4


@pytest.mark.parametrize(
    ("request_frame", "reply"),
    [
        (golden.CONFIG_READ, golden.CONFIG_REPLY),
        (golden.CONFIG_READ_WILDCARD, golden.CONFIG_REPLY),
        (golden.CONFIG_READ + MARK * 9, golden.CONFIG_REPLY),
        (config(5, MARK), golden.CONFIG_BAD_OP),
        (golden.CONFIG_SET, golden.CONFIG_PRESENT),
        (config(3, b"x" * 1024), golden.CONFIG_PRESENT),
        (patched(golden.CONFIG_SET, 29, "14"), patched(golden.CONFIG_SET_REPLY, 29, "14")),
    ],
    ids=shown,
)
def test_golden_reply(request_frame: bytes, reply: bytes) -> None:
    assert outcome(request_frame).sent == reply


@pytest.mark.parametrize(
    ("op", "string", "answered"),
    [
        (0, b"", True),
        (0, b"anything", True),
        (1, b"box", True),
        (1, b"bo", False),
        (1, b"boxes", False),
        (1, b"box\0", False),
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
    asked = config(op, string, version=version)
    if answered:
        assert decode(reply_to(asked).frame).argument == ConfigArgument(64, 1, 2, 1, op, b"box")
        assert not reply_to(asked).error
    else:
        assert gist(asked) == "silence: config string mismatch"


@pytest.mark.parametrize("op", [1, 2])
def test_empty_config_string_is_met_by_none(op: int) -> None:
    assert gist(config(op), export(config_string=b"")) == "answers"
    assert gist(config(op, b"x"), export(config_string=b"")) == "silence: config string mismatch"


@pytest.mark.parametrize("op", range(5, 16))
def test_other_config_ops_are_bad_arguments(op: int) -> None:
    decoded = decode(reply_to(config(op, MARK)).frame)
    assert decoded.header == golden.response(1, error=2)
    assert decoded.argument == ConfigArgument(64, 1, 2, 1, op, b"box")


# ---- set


@pytest.mark.parametrize(
    ("op", "before", "given", "after", "error"),
    [
        (3, b"", b"new", b"new", None),
        (3, b"", b"", b"", None),
        (3, b"box", b"new", b"box", 4),
        (3, b"box", b"bo", b"box", 4),
        (3, b"box", b"boxes", b"box", 4),
        (3, b"box", b"", b"box", 4),
        (3, b"box", b"box", b"box", None),  # a repeat of the request that set it
        (4, b"", b"new", b"new", None),
        (4, b"box", b"new", b"new", None),
        (4, b"box", b"box", b"box", None),
        (4, b"box", b"", b"", None),
        (4, b"box", LONGEST, LONGEST, None),
        (4, LONGEST, b"new", b"new", None),
        (4, b"", b"\0\xff\x1b[2J", b"\0\xff\x1b[2J", None),
    ],
    ids=lambda value: "longest" if value == LONGEST else None,
)
def test_config_changes(op: int, before: bytes, given: bytes, after: bytes, error: int | None) -> None:
    got = outcome(config(op, given), export(config_string=before))
    assert outcome(config(op, given, version=0), export(config_string=before)) == got
    assert got.state.config_string == after
    assert isinstance(got.sent, bytes)
    decoded = decode(got.sent)
    assert decoded.header == golden.response(1, error=error)
    assert decoded.argument == ConfigArgument(64, 1, 2, 1, op, after)


# ---- too long


@pytest.mark.parametrize("length", [4, 1025, 0xFFFF])
@pytest.mark.parametrize("op", [0, 1, 2, 3, 4, 5])
def test_config_string_beyond_frame_or_limit(op: int, length: int) -> None:
    frame = config(op)[:30] + length.to_bytes(2, "big") + b"x" * (3 if length == 4 else 1200)
    assert gist(frame) == "silence: malformed"


def test_longest_config_string_is_carried_whole() -> None:
    assert reply_to(config(1, LONGEST), export(config_string=LONGEST)).frame[32:] == LONGEST


@pytest.mark.parametrize("op", [3, 4])
def test_config_string_that_no_reply_holds(op: int) -> None:
    """Some interface of the export has an MTU of 546 and so frames of 560 bytes."""
    assert outcome(config(op, b"x" * 528), export(config_string=b"", frame_limit=560)).state.config_string == b"x" * 528
    got = outcome(config(op, b"x" * 529), export(frame_limit=560))
    assert got.sent == patched(golden.CONFIG_TOO_LONG, 29, f"1{op}")
    assert got.state.config_string == b"box"


def test_config_string_that_no_longer_fits() -> None:
    """The MTU was cut, and the export does not know yet."""
    port = PortFacts(TARGET, sector_count=1, frame_limit=560)
    facts = export(config_string=b"x" * 600)
    for asked in (config(0), config(1, b"x" * 600), config(2), config(3, b"new"), config(5)):
        assert outcome(asked, facts, port).sent == golden.CONFIG_UNFIT
    assert outcome(config(4, b"x" * 700), facts, port).state == facts.state
    assert outcome(config(4, b"new"), facts, port).state.config_string == b"new"


def test_sector_count_and_buffer_count_are_what_is_advertised() -> None:
    jumbo = PortFacts(PORT.mac, sector_count=17, frame_limit=9014)
    assert ask(golden.CONFIG_READ, export(), jumbo) != ask(golden.CONFIG_READ)
    assert decode(reply_to(golden.CONFIG_READ, port=jumbo).frame).argument == ConfigArgument(64, 1, 17, 1, 0, b"box")
