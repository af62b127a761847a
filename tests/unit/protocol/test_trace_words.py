"""A frame in words, and all of its fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.protocol.ata import identify_page
from aoetui.engine.protocol.captured import Brief, Captured, brief_of, tags_of, untagged, with_tag
from aoetui.engine.protocol.decoded import fields_of, is_malformed
from aoetui.engine.protocol.words import failed, what
from tests.unit.protocol import golden
from tests.unit.protocol.asking import patched
from tests.unit.protocol.captures import CAPTURED, FRAMES, GOLDEN, captured

WORDS = {
    "CONFIG_READ_WILDCARD": "config read",
    "CONFIG_TEST": 'config test "box"',
    "CONFIG_SET": 'config set if empty "new"',
    "IDENTIFY": "IDENTIFY",
    "READ_28": "READ 2 at 0x10203",
    "READ_48": "READ 2 at 0x10203040506",
    "WRITE_48": "WRITE 2 at 0x8",
    "FLUSH": "FLUSH",
    "CHECK_POWER": "CHECK POWER",
    "MASK_READ": "mask read",
    "MASK_EDIT": "mask edit +02:00:00:00:00:01 +02:00:00:00:00:77",
    "RESERVE_READ": "reserve read",
    "RESERVE_SET": "reserve set 02:00:00:00:00:01 02:00:00:00:00:77",
    "CONFIG_REPLY": 'config "box", 64 buffers, 2 sectors',
    "ADVERTISEMENT": 'advertises config "box", 64 buffers, 2 sectors',
    "CONFIG_PRESENT": "config: error 4, config string present",
    "READ_28_REPLY": "ATA: ok",
    "READ_28_PAST_END": "ATA: IDNF",
    "WRITE_28_ABORTED": "ATA: ABRT",
    "ATA_REFUSED": "ATA: error 2, bad argument",
    "ATA_RESERVED": "ATA: error 6, target is reserved",
    "MASK_EMPTY": "mask: everybody",
    "MASK_FULL": "mask: list full at directive 1",
    "RESERVE_EMPTY": "not reserved",
    "RESERVE_OF_TWO": "reserved for 02:00:00:00:00:01 02:00:00:00:00:77",
    "RESERVE_HELD": "reserve: error 6, target is reserved",
    "COMMAND_REFUSED": "vendor 0xf0: error 1, unrecognised command",
}


def said(frame: bytes, asked: bytes | None = None) -> str:
    """In words; `asked` is the request that it answers."""
    brief = brief_of(frame)
    assert brief is not None
    return what(brief, frame, None if asked is None else brief_of(asked))


def fields(each: Captured, asked: Brief | None = None) -> dict[str, str]:
    """Values by section and name."""
    return {f"{field.section} {field.name}": field.value for field in fields_of(each, asked)}


@pytest.mark.parametrize(("name", "words"), WORDS.items(), ids=list(WORDS))
def test_words(name: str, words: str) -> None:
    assert said(GOLDEN[name]) == words


def test_an_answer_is_told_by_its_request() -> None:
    assert said(golden.READ_28_REPLY, golden.READ_28) == "READ 2 at 0x10203: ok"
    assert said(golden.READ_28_UNREADABLE, golden.READ_28) == "READ 2 at 0x10203: UNC"
    assert said(golden.ATA_RESERVED, golden.WRITE_48) == "WRITE 2 at 0x8: error 6, target is reserved"
    assert said(patched(golden.FLUSH_REPLY, 27, "20"), golden.FLUSH) == "FLUSH: status DF"


def test_release_and_long_lists_and_what_has_no_name() -> None:
    assert said(patched(golden.RESERVE_READ, 24, "01 00")) == "reserve set: release"
    many = golden.RESERVE_READ[:24] + b"\x02\x09" + golden.SOMEONE.raw * 9
    assert said(many) == f"reserve force set {' '.join([str(golden.SOMEONE)] * 3)} and 6 more"
    assert said(patched(golden.IDENTIFY, 27, "b0")) == "SMART"
    assert said(patched(golden.IDENTIFY, 27, "99")) == "ATA 0x99"
    assert said(patched(golden.MASK_READ, 19, "17")) == "command 0x17"
    assert said(patched(golden.MASK_READ, 25, "07")) == "mask 0x07"
    assert said(patched(golden.CONFIG_READ, 30, "0400")) == "config: a config string of 1024 bytes does not fit"
    assert said(golden.IDENTIFY[:30]) == "ATA: 30 bytes are less than an ATA frame"


def test_a_string_from_the_wire_is_printable() -> None:
    reply = golden.CONFIG_REPLY[:30] + b"\x00\x05" + b'\x1b"[\xff\\'
    assert said(reply) == 'config "\\x1b\\x22[\\xff\\x5c", 64 buffers, 2 sectors'


def test_failure() -> None:
    answers = {name for name, frame in GOLDEN.items() if (brief := brief_of(frame)) and failed(brief)}
    assert {"READ_28_PAST_END", "ATA_RESERVED", "BARE_ERROR", "WRITE_28_ABORTED"} <= answers
    assert not {"READ_28_REPLY", "READ_28", "CONFIG_REPLY", "CHECK_POWER"} & answers


def test_every_field_by_name() -> None:
    shown = fields(captured(golden.READ_48))
    assert shown["Ethernet to"] == "02:00:00:00:00:09"
    assert shown["AoE tag"] == "0x0badcafe"
    assert shown["ATA flags"] == "0x40, EXTENDED"
    assert shown["ATA command"] == "0x24, READ 2 at 0x10203040506"
    assert shown["ATA LBA"] == "1108152157446 (0x010203040506)"
    assert fields(captured(golden.CONFIG_REPLY))["config string"] == '"box"'
    assert fields(captured(golden.MASK_FULL))["mask error"] == "3, list full"
    assert fields(captured(golden.RESERVE_OF_TWO))["reserve MAC"] == "02:00:00:00:00:77"
    assert fields(captured(golden.ATA_RESERVED))["AoE error"] == "6, target is reserved"


def test_identify_is_told_where_its_request_is_known() -> None:
    page = identify_page(sectors=4096, serial="7f3a11c0", firmware="1", write_cache=True)
    reply = captured(golden.READ_28_REPLY[:36] + page)
    assert "ATA model" not in fields(reply)
    shown = fields(reply, brief_of(golden.IDENTIFY))
    assert (shown["ATA model"], shown["ATA serial"], shown["ATA size"]) == ('"aoetui"', '"7f3a11c0"', "4096 sectors, 48-bit")


def test_what_was_cut_off_is_said_and_no_fault() -> None:
    cut = captured(golden.READ_28_REPLY[:104], length=len(golden.READ_28_REPLY))
    assert fields(cut)["ATA data"] == "1024 bytes, 68 kept"
    assert fields(cut)["Ethernet length"] == "1060 bytes, 104 kept"
    short = captured(golden.CONFIG_REPLY[:33], length=60)
    assert "AoE cut off" in fields(short)
    assert not any(is_malformed(brief_of(each.frame), each) for each in (cut, short))


def test_tags() -> None:
    frame = with_tag(with_tag(golden.READ_48, 0x8100, 0x6005), 0x88A8, 100)
    assert tags_of(frame) == ((0x88A8, 100), (0x8100, 0x6005))
    assert untagged(frame, 2) == golden.READ_48
    brief = brief_of(frame)
    assert brief is not None
    assert brief.vlan == 100
    assert brief._replace(vlan=None) == brief_of(golden.READ_48)
    shown = fields(captured(frame))
    assert (shown["802.1ad VLAN"], shown["802.1Q VLAN"], shown["802.1Q priority"]) == ("100", "5", "3")


def test_malformed() -> None:
    bad = [golden.CONFIG_READ[:31], golden.MASK_EDIT[:-1], golden.RESERVE_SET[:-1], golden.IDENTIFY[:35], golden.WRITE_48[:-1]]
    assert all(is_malformed(brief_of(frame), captured(frame)) for frame in bad)
    assert not any(is_malformed(brief_of(frame), captured(frame)) for frame in GOLDEN.values())


@given(FRAMES)
def test_anything_can_be_said(frame: bytes) -> None:
    brief = brief_of(frame)
    if brief is not None:
        plain = untagged(frame, len(tags_of(frame)))
        assert said_of(brief, plain, None)
        assert said_of(brief, plain, brief)


def said_of(brief: Brief, frame: bytes, asked: Brief | None) -> str:
    """In words, printable."""
    text = what(brief, frame, asked)
    assert text.isprintable()
    return text


@given(CAPTURED, st.booleans())
def test_anything_has_fields(each: Captured, asked: bool) -> None:  # hypothesis gives it
    brief = brief_of(each.frame)
    shown = fields_of(each, brief if asked else None)
    assert shown[0].section == "Ethernet"
    assert all(field.value.isprintable() for field in shown)
    is_malformed(brief, each)
