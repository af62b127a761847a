"""The words that choose frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.protocol.captured import Direction, Mark, brief_of, with_tag
from aoetui.engine.protocol.trace_filter import FilterError, Seen, parse_filter
from tests.unit.protocol import golden
from tests.unit.protocol.captures import MS


def seen(
    frame: bytes,
    *marks: Mark,
    asked: bytes | None = None,
    direction: Direction = Direction.IN,
    waited: int = -1,
) -> Seen:
    """A frame on eth1."""
    return Seen(brief_of(frame), direction, "eth1", frozenset(marks), None if asked is None else brief_of(asked), waited)


READ = seen(golden.READ_48)
READ_REPLY = seen(golden.READ_28_REPLY, asked=golden.READ_28, direction=Direction.OUT, waited=12 * MS)
WRITE = seen(with_tag(golden.WRITE_48, 0x8100, 100), Mark.RETRANSMIT)
CONFIG = seen(golden.CONFIG_READ_WILDCARD, Mark.UNANSWERED, direction=Direction.OTHER)
REFUSED = seen(golden.COMMAND_REFUSED, Mark.ERROR)
SHORT = seen(golden.READ_48[:20], Mark.MALFORMED)
ALL = {"read": READ, "reply": READ_REPLY, "write": WRITE, "config": CONFIG, "refused": REFUSED, "short": SHORT}

PASSING = {
    "": "read reply write config refused short",
    "e9.1": "read reply write refused",
    "9.1": "read reply write refused",
    "E9": "read reply write refused",
    "e9.*": "read reply write refused",
    "e9.2": "",
    "!e9.1": "config short",
    "02:00:00:00:00:09": "read reply write refused",
    "02:00": "read reply write config refused",
    "02-00-00-00-00-77": "",
    "ata": "read reply write",
    "config": "config",
    "vendor": "refused",
    "mask": "",
    "reserve": "",
    "read": "read reply",
    "write": "write",
    "identify": "",
    "flush": "",
    "power": "",
    "request": "read write config",
    "answer": "reply refused",
    "in": "read write refused short",
    "out": "reply",
    "other": "config",
    "on eth1": "read reply write config refused short",
    "on eth2": "",
    "vlan 100": "write",
    "vlan 101": "",
    "vlan": "write",
    "!vlan ata": "read reply",
    "vlan 100 ata": "write",
    "tag 0x0badcafe": "read reply write config refused",
    "tag 195939070": "read reply write config refused",
    "slow>10ms": "reply",
    "slow>12.5ms": "",
    "slow>9000us": "reply",
    "!slow>1s": "read reply write config refused short",
    "error": "refused",
    "retransmit": "write",
    "unanswered": "config",
    "malformed": "short",
    "repeat": "",
    "late": "",
    "e9.1 read !out": "read",
    "!!read": "read reply",
}


@pytest.mark.parametrize(("text", "passing"), PASSING.items(), ids=list(PASSING))
def test_words(text: str, passing: str) -> None:
    wanted = parse_filter(text)
    assert " ".join(name for name, each in ALL.items() if wanted.passes(each)) == passing


@pytest.mark.parametrize(
    "word", ["rad", "e70000.1", "e9.900", "slow>10", "slow>ms", "tag", "tag x", "on", "!", "5254", "vlan100"]
)
def test_a_wrong_word_is_told_with_those_there_are(word: str) -> None:
    with pytest.raises(FilterError, match="is no word of a filter: use e9") as told:
        parse_filter(f"ata {word}")
    assert repr(word.split(maxsplit=1)[0]) in str(told.value)


def test_it_says_what_it_needs() -> None:
    assert not parse_filter("e9.1 ata in vlan 7").needs_matching
    assert parse_filter("!write").needs_matching
    assert parse_filter("slow>1ms").needs_matching
    assert not parse_filter("slow>1ms late").needs_hindsight
    assert parse_filter("!unanswered").needs_hindsight


@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from([*PASSING, "vlan 99999", "tag 9" * 9])).map(" ".join)))
def test_any_text_is_a_filter_or_told(text: str) -> None:
    try:
        wanted = parse_filter(text)
    except FilterError:
        return
    for each in ALL.values():
        wanted.passes(each)
