"""Which writes are repeats, rule by rule, and what is forgotten. Times are the test's own, in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aoetui.engine.protocol.repeats import MEMORY, MEMORY_SECONDS, Repeats, Retransmissions, TagUse
from aoetui.engine.protocol.replies import ReadBlocks, WriteBlocks
from tests.unit.protocol.asking import ask, ata, patched
from tests.unit.protocol.golden import INITIATOR, SOMEONE

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Mac

A, B = b"A" * 512, b"B" * 512
ONCE = TagUse()
"""Of an initiator that gives each tag to one request."""


def write(tag: int, data: bytes = A, *, lba: int = 0, mac: Mac = INITIATOR) -> WriteBlocks:
    """A write as the target machine gives it."""
    frame = ata(0x34, count=len(data) // 512, lba=lba, data=data)
    got = ask(patched(frame[:6] + mac.raw + frame[12:], 20, f"{tag:08x}"))
    assert isinstance(got, WriteBlocks)
    return got


def read(tag: int, *, lba: int = 0, count: int = 1) -> ReadBlocks:
    """A read as the target machine gives it."""
    got = ask(patched(ata(0x24, count=count, lba=lba), 20, f"{tag:08x}"))
    assert isinstance(got, ReadBlocks)
    return got


def after(*executed: tuple[WriteBlocks, float]) -> Repeats:
    """The memory of these writes and when each was done."""
    repeats = Repeats()
    for done, when in executed:
        assert not repeats.is_repeat(done, when, ONCE)
        repeats.executed(done, when - 0.01, when)
    return repeats


# ---- one frame, delivered twice


@pytest.mark.parametrize("arrived", [10.0, 10.001, 10.0 + MEMORY_SECONDS])
def test_same_frame_is_a_repeat(arrived: float) -> None:
    assert after((write(1), 10.0)).is_repeat(write(1), arrived, ONCE)


def test_same_frame_after_the_memory_s_end_is_a_write() -> None:
    assert not after((write(1), 10.0)).is_repeat(write(1), 10.01 + MEMORY_SECONDS, ONCE)


@pytest.mark.parametrize(
    "other",
    [
        write(2),
        write(1, B),
        write(1, lba=1),
        write(1, A + A),
        write(1, mac=SOMEONE),
    ],
    ids=["tag", "data", "lba", "count", "mac"],
)
def test_what_differs_is_a_write(other: WriteBlocks) -> None:
    assert not after((write(1), 10.0)).is_repeat(other, 10.5, ONCE)


def test_same_frame_after_newer_writes_to_its_sectors_is_a_repeat() -> None:
    repeats = after((write(1), 10.0), (write(2, B), 10.1), (write(3, B + B), 10.2), (write(4, B, mac=SOMEONE), 10.3))
    assert repeats.is_repeat(write(1), 10.4, ONCE)


def test_same_frame_any_number_of_times_is_a_repeat() -> None:
    repeats = after((write(1), 10.0))
    assert [repeats.is_repeat(write(1), 10.0 + late, ONCE) for late in (0.1, 0.2, 4.9)] == [True, True, True]


# ---- tags that tell nothing


def test_writes_of_one_tag_are_executed_in_turn() -> None:
    """A, B, A, each acknowledged before the next."""
    repeats = after((write(7, A), 10.0), (write(7, B), 10.1))
    assert not repeats.is_repeat(write(7, A), 10.2, ONCE)


def test_writes_of_one_tag_to_several_places_are_executed_in_turn() -> None:
    repeats = after((write(7, A), 10.0), (write(7, A, lba=1), 10.1))
    assert not repeats.is_repeat(write(7, A), 10.2, ONCE)


def test_a_write_that_failed_ends_the_tag_of_the_one_before() -> None:
    repeats = after((write(7, A), 10.0))
    assert not repeats.is_repeat(write(7, B), 10.1, ONCE)  # the disk fails it half way: it is not executed
    assert not repeats.is_repeat(write(7, A), 10.2, ONCE)


def test_a_write_that_failed_is_executed_when_it_comes_again() -> None:
    repeats = Repeats()
    assert not repeats.is_repeat(write(1), 10.0, ONCE)
    assert not repeats.is_repeat(write(1), 10.1, ONCE)
    assert not repeats.is_repeat(write(2), 10.2, ONCE)


# ---- tags that are used again


def asked(*requests: tuple[int, bytes]) -> TagUse:
    """Of an initiator that asked so: tags and frames."""
    use = TagUse()
    for tag, frame in requests:
        use.note(tag, patched(frame, 20, f"{tag:08x}"))
    return use


READ, OTHER_READ = ata(0x24, lba=7), ata(0x24, lba=8)


@pytest.mark.parametrize(
    "requests",
    [
        [(1, READ), (1, OTHER_READ)],
        [(1, READ), (2, READ), (1, ata(0x25, lba=7))],
        [(1, ata(0x34, data=A)), (1, ata(0x34, data=B))],
    ],
    ids=["other sectors", "other command", "other data"],
)
def test_a_tag_that_two_requests_had_tells_no_frame(requests: list[tuple[int, bytes]]) -> None:
    tags = asked(*requests)
    assert tags.reused(1)
    assert tags.reused(0x7FFF_FFFF)
    assert not tags.reused(0x8000_0001), "of another program behind this MAC"
    assert not after((write(1), 10.0), (write(2, B), 10.1)).is_repeat(write(1), 10.2, tags)


@pytest.mark.parametrize(
    "requests", [[(1, READ), (1, READ)], [(1, READ), (2, OTHER_READ)], [(1, READ), (0x8000_0001, OTHER_READ)]]
)
def test_one_request_for_each_tag(requests: list[tuple[int, bytes]]) -> None:
    tags = asked(*requests)
    assert not tags.reused(1)
    assert after((write(1), 10.0), (write(2, B), 10.1)).is_repeat(write(1), 10.2, tags)


def test_the_use_of_tags_needs_a_bounded_memory() -> None:
    tags = asked(*((tag, READ) for tag in range(TagUse.MEMORY + 1)))
    assert len(tags._asked) == TagUse.MEMORY


# ---- asked again, with a new tag


@pytest.mark.parametrize(("arrived", "repeat"), [(9.0, True), (9.999, True), (10.0, False), (10.5, False)])
def test_asked_again_before_it_was_done(arrived: float, *, repeat: bool) -> None:
    assert after((write(1), 10.0)).is_repeat(write(2), arrived, ONCE) is repeat


@pytest.mark.parametrize(
    "other", [write(2, B), write(2, lba=1), write(2, A + A), write(2, mac=SOMEONE)], ids=["data", "lba", "count", "mac"]
)
def test_what_differs_was_not_asked_before(other: WriteBlocks) -> None:
    assert not after((write(1), 10.0)).is_repeat(other, 9.0, ONCE)


@pytest.mark.parametrize("other", [write(2, B), write(2, B, mac=SOMEONE), write(2, B + A), write(2, A + B)])
def test_writes_that_were_under_way_together_keep_their_order_of_arrival(other: WriteBlocks) -> None:
    repeats = Repeats()
    repeats.executed(write(1, A), 8.0, 10.0)
    repeats.executed(other, 8.5, 10.1)
    assert not repeats.is_repeat(write(3, A), 9.0, ONCE)


def test_a_newer_write_to_the_same_sectors_stays() -> None:
    """It came after the first was answered, and its port was quicker than that of the one that asked again."""
    repeats = Repeats()
    repeats.executed(write(1, A), 8.0, 10.0)
    repeats.executed(write(2, B), 10.05, 10.1)
    assert repeats.is_repeat(write(3, A), 9.0, ONCE)


def test_a_write_to_other_sectors_changes_nothing() -> None:
    repeats = Repeats()
    repeats.executed(write(1, A), 8.0, 10.0)
    repeats.executed(write(2, B, lba=1), 8.5, 10.1)
    assert repeats.is_repeat(write(3, A), 9.0, ONCE)


def test_who_asked_again_is_remembered_by_that_tag_too() -> None:
    """The network repeats the frame that asked again, and delivers the copy after a newer write."""
    repeats = after((write(1, A), 10.0))
    assert repeats.is_repeat(write(2, A), 9.0, ONCE)
    repeats.executed(write(3, B), 10.05, 10.1)
    assert repeats.is_repeat(write(2, A), 10.2, ONCE)


# ---- bounds


def test_the_oldest_are_forgotten_first() -> None:
    repeats = Repeats()
    for tag in range(MEMORY + 1):
        repeats.executed(write(tag, lba=tag), 9.5, 10.0)
    assert not repeats.is_repeat(write(0, lba=0), 10.0, ONCE)
    assert not repeats.is_repeat(write(MEMORY + 1, lba=0), 9.0, ONCE)
    assert repeats.is_repeat(write(1, lba=1), 10.0, ONCE)
    assert repeats.is_repeat(write(MEMORY + 2, lba=2), 9.0, ONCE)


def test_memory_is_bounded_whatever_comes() -> None:
    repeats = Repeats()
    for tag in range(MEMORY + 50):
        repeats.executed(write(tag, lba=tag % 3), 9.5, 10.0)
        assert not repeats.is_repeat(write(tag, B), 10.0, ONCE)
        assert repeats.is_repeat(write(MEMORY + 50 + tag, lba=tag % 3), 9.0, ONCE)
    assert len(repeats._by_tag) <= MEMORY
    assert len(repeats._by_content) == 3


def test_what_no_frame_can_repeat_any_more_takes_no_memory() -> None:
    """Each export has a memory of its own, and most write little: it holds the last seconds, not the last 32768 writes."""
    repeats = Repeats()
    for second in range(1000):
        repeats.executed(write(second, lba=second), float(second), second + 0.5)
    assert len(repeats._by_tag) <= 2 * MEMORY_SECONDS + 1
    assert len(repeats._by_content) <= 2 * MEMORY_SECONDS + 1
    assert repeats.is_repeat(write(995, lba=995), 1000.5, ONCE)


# ---- a guess, for the figures


@pytest.mark.parametrize(
    ("tag", "lba", "count", "later", "guessed"),
    [
        (2, 0, 1, 0.01, True),
        (2, 0, 1, 1.0, True),
        (2, 0, 1, 3.0, True),
        (2, 0, 1, 0.009, False),
        (2, 0, 1, 3.01, False),
        (1, 0, 1, 1.0, False),
        (2, 1, 1, 1.0, False),
        (2, 0, 2, 1.0, False),
    ],
)
def test_guessed_retransmission(tag: int, lba: int, count: int, later: float, *, guessed: bool) -> None:
    asked = Retransmissions()
    assert not asked.is_retransmission(read(1), 0.0, write=False)
    assert asked.is_retransmission(read(tag, lba=lba, count=count), later, write=False) is guessed


def test_a_read_is_no_retransmission_of_a_write() -> None:
    asked = Retransmissions()
    assert not asked.is_retransmission(write(1), 0.0, write=True)
    assert not asked.is_retransmission(read(2), 1.0, write=False)
    assert asked.is_retransmission(write(3), 1.0, write=True)


def test_other_data_for_the_same_sectors_is_no_retransmission() -> None:
    asked = Retransmissions()
    assert not asked.is_retransmission(write(1, A), 0.0, write=True)
    assert not asked.is_retransmission(write(2, B), 0.1, write=True)
    assert asked.is_retransmission(write(3, B), 0.2, write=True)


def test_guesses_need_a_bounded_memory() -> None:
    asked = Retransmissions()
    for number in range(Retransmissions.MEMORY + 1):
        asked.is_retransmission(read(number, lba=number), 0.0, write=False)
    assert len(asked._asked) == Retransmissions.MEMORY
    assert not asked.is_retransmission(read(5000, lba=0), 1.0, write=False)
    assert asked.is_retransmission(read(5001, lba=9), 1.0, write=False)


def test_a_copy_that_waits_behind_a_stalled_request_finds_its_record() -> None:
    repeats = Repeats()
    repeats.executed(write(1, A), 1.0, 1.0)
    repeats.executed(write(2, B), 2.0, 2.0)
    repeats.executed(write(9, lba=9), 30.0, 30.0, oldest=3.0)
    assert repeats.is_repeat(write(1, A), 3.0, ONCE), "its frame came at 3.0, and waited for 27 s"
    repeats.executed(write(10, lba=10), 31.0, 31.0, oldest=31.0)
    assert not repeats.is_repeat(write(1, A), 3.0, ONCE)
