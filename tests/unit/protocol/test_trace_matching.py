"""Which frames of a trace belong together, and what is odd about them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.protocol import matching
from aoetui.engine.protocol.captured import brief_of
from aoetui.engine.protocol.matching import Matched, Matcher, Odd
from tests.unit.protocol import golden
from tests.unit.protocol.captures import FRAMES, MS, SECOND, START, tagged

if TYPE_CHECKING:
    import pytest


class Fed:
    """A matcher, with numbers and times."""

    def __init__(self) -> None:
        self.matcher = Matcher()
        self._numbers = count(1)
        self.time = START

    def __call__(self, frame: bytes, *, after: int = MS, on: str = "eth1") -> Matched:
        self.time += after
        brief = brief_of(frame)
        assert brief is not None
        return self.matcher.feed(next(self._numbers), self.time, on, brief)

    def unanswered(self, *, after: int = 0) -> list[int]:
        """By now."""
        self.matcher.until(self.time + after)
        return self.matcher.unanswered


def test_an_answer_finds_its_request() -> None:
    feed = Fed()
    assert feed(golden.READ_28) == (-1, 0, None, -1)
    assert feed(tagged(golden.READ_28, 7)).odd == 0, "within a millisecond these are two questions"
    answer = feed(golden.READ_28_REPLY, after=3 * MS)
    assert (answer.request, answer.odd, answer.waited_ns) == (1, 0, 4 * MS)
    assert answer.asked == brief_of(golden.READ_28)


def test_others_are_told_apart() -> None:
    """By interface, initiator, tag and command."""
    feed = Fed()
    feed(golden.READ_28)
    assert feed(golden.READ_28_REPLY, on="eth2").request == -1
    assert feed(tagged(golden.READ_28_REPLY, 7)).request == -1
    assert feed(golden.CONFIG_REPLY).request == -1
    assert feed(golden.SOMEONE.raw + golden.READ_28_REPLY[6:]).request == -1
    assert feed(golden.ADVERTISEMENT).request == -1
    assert feed(golden.READ_28_REPLY).request == 1


def test_a_broadcast_is_answered_by_many() -> None:
    feed = Fed()
    feed(golden.CONFIG_READ_WILDCARD)
    other = golden.CONFIG_REPLY[:6] + golden.SOMEONE.raw + golden.CONFIG_REPLY[12:]
    assert [(each.request, each.odd) for each in (feed(golden.CONFIG_REPLY), feed(other))] == [(1, 0), (1, 0)]
    assert feed(other).odd == Odd.REPEAT


def test_a_retransmission_has_another_tag() -> None:
    feed = Fed()
    feed(golden.READ_28)
    assert feed(tagged(golden.READ_28, 7), after=300 * MS).odd == Odd.RETRANSMIT
    assert feed(golden.READ_28_REPLY).odd == Odd.LATE
    assert feed(tagged(golden.READ_28_REPLY, 7)).odd == 0
    assert feed(tagged(golden.READ_28, 8)).odd == 0, "all were answered"


def test_the_same_tag_again_is_a_repeat() -> None:
    feed = Fed()
    feed(golden.MASK_READ)
    assert feed(golden.MASK_READ).odd == Odd.REPEAT
    assert feed.unanswered(after=SECOND) == [2]
    assert feed(golden.MASK_READ, after=6 * SECOND).odd == 0
    feed(golden.CONFIG_READ)
    assert feed(golden.CONFIG_READ).odd == 0, "Linux asks with tag 0 every time"


def test_a_second_answer_is_a_repeat() -> None:
    feed = Fed()
    feed(golden.WRITE_48)
    assert feed(golden.WRITE_48_REPLY).odd == 0
    assert feed(golden.WRITE_48_REPLY).odd == Odd.REPEAT


def test_after_a_second_a_request_is_unanswered_and_its_answer_late() -> None:
    feed = Fed()
    feed(golden.FLUSH)
    feed(golden.CONFIG_READ, after=SECOND - 1)
    assert feed.unanswered() == []
    assert feed.unanswered(after=1) == [1]
    assert feed(golden.FLUSH_REPLY).odd == Odd.LATE
    assert feed.unanswered(after=SECOND) == [1, 2]


def test_it_forgets_the_oldest_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_REMEMBERED", 100)
    feed = Fed()
    feed(golden.READ_28)
    for tag in range(100):
        feed(tagged(golden.CONFIG_READ, tag), after=0)
    assert feed(golden.READ_28_REPLY).request == -1
    assert feed(tagged(golden.CONFIG_REPLY, 99)).request == 101
    assert 1 not in feed.unanswered(after=SECOND)


@given(st.lists(st.tuples(FRAMES, st.integers(0, 2 * SECOND)), max_size=30))
def test_anything_can_be_fed(frames: list[tuple[bytes, int]]) -> None:
    matcher, now = Matcher(), START
    for number, (frame, after) in enumerate(frames, 1):
        now += after
        brief = brief_of(frame)
        if brief is not None:
            found = matcher.feed(number, now, "eth1", brief)
            assert found.request < number
            assert (found.asked is None) == (found.request == -1) == (found.waited_ns == -1)
    matcher.until(now + SECOND)
    assert len(set(matcher.unanswered)) == len(matcher.unanswered)
