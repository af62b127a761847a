"""Which lengths are tried on a path, and how an answer to a READ is judged."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.frames import AtaArgument, Frame, UnknownArgument, decode
from aoetui.engine.protocol.header import Header, MalformedFrame
from aoetui.engine.protocol.path_sizes import ReadOutcome, largest_passing, padded_identify, read_outcome, read_request
from aoetui.engine.protocol.wire import AtaOp, Command

if TYPE_CHECKING:
    from collections.abc import Callable

US, TARGET = Mac.parse("02:00:00:00:00:01"), Mac.parse("02:00:00:00:00:02")
E91 = Address(9, 1)
identify = partial(padded_identify, source=US, destination=TARGET, address=E91, tag=7)
read = partial(read_request, source=US, destination=TARGET, address=E91, tag=7)


def search(known: int, top: int, passes: Callable[[int], bool]) -> tuple[int, list[int]]:
    """What is found, and what was tried for it."""
    tried: list[int] = []
    sizes = largest_passing(known, top)
    try:
        size = next(sizes)
        while True:
            tried.append(size)
            size = sizes.send(passes(size))
    except StopIteration as end:
        return end.value, tried


@given(st.integers(0, 9014), st.integers(0, 9014), st.integers(0, 9100))
def test_the_limit_is_found(known: int, top: int, limit: int) -> None:
    limit = max(known, limit)
    found, tried = search(known, top, lambda size: size <= limit)
    assert found == max(known, min(top, limit))
    assert all(known < size <= top for size in tried)
    assert len(tried) <= 2 + max(0, top - known).bit_length()


def test_where_all_is_well_one_frame_tells() -> None:
    assert search(60, 9014, lambda _: True) == (9014, [9014])


def test_nothing_is_tried_below_what_is_known() -> None:
    assert search(60, 60, lambda _: False) == (60, [])
    assert search(0, 0, lambda _: False) == (0, [])


@given(st.integers(1, 17), st.data())
def test_a_frame_that_is_lost_by_chance_is_no_limit(limit: int, data: st.DataObject) -> None:
    """Any one of those that are tried, but for the longest of all, where a second loss in the search could hide behind it."""
    _, tried = search(0, 18, lambda size: size <= limit)
    unlucky = data.draw(st.integers(1, len(tried) - 1))
    count = iter(range(1000))
    found, _ = search(0, 18, lambda size: size <= limit and next(count) != unlucky)
    assert found == limit


@given(st.lists(st.booleans(), max_size=200))
def test_whatever_is_lost_the_search_ends(luck: list[bool]) -> None:
    left = iter(luck)
    found, tried = search(0, 17, lambda _: next(left, False))
    assert 0 <= found <= 17
    assert len(tried) <= 17 * 7


@pytest.mark.parametrize("length", [60, 61, 548, 1514, 9014])
def test_an_identify_request_is_as_long_as_it_is_asked_to_be(length: int) -> None:
    frame = identify(length=length)
    asked = decode(frame)
    assert len(frame) == length
    assert isinstance(asked.argument, AtaArgument)
    assert (asked.argument.op_or_status, asked.argument.sector_count) == (AtaOp.IDENTIFY, 1)
    assert not any(frame[36:])


@given(st.integers(1, 255), st.integers(0, 2000))
def test_a_read_request_reads_from_the_start_and_writes_nothing(sectors: int, length: int) -> None:
    frame = read(sectors=sectors, length=length)
    asked = decode(frame)
    assert len(frame) == max(60, length)
    assert isinstance(asked.argument, AtaArgument)
    assert (asked.argument.op_or_status, asked.argument.sector_count, asked.argument.flags) == (AtaOp.READ, sectors, 0)
    assert asked.argument.lba & 0x0FFF_FFFF == 0
    assert (asked.header.tag, asked.header.shelf, asked.header.slot, asked.header.response) == (7, 9, 1, False)


HEADER = Header(US, TARGET, 1, response=True, error=None, shelf=9, slot=1, command=Command.ATA, tag=7)
DATA = AtaArgument(0, 0, 0, 0x40, 0, bytes(1024))


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Frame(HEADER, DATA), ReadOutcome.DATA),
        (Frame(HEADER, replace(DATA, data=bytes(1030))), ReadOutcome.DATA),
        (Frame(HEADER, replace(DATA, data=bytes(1023))), ReadOutcome.FAILED),
        (Frame(HEADER, replace(DATA, op_or_status=0x41)), ReadOutcome.FAILED),
        (Frame(HEADER, replace(DATA, op_or_status=0x60)), ReadOutcome.FAILED),
        (Frame(replace(HEADER, error=6), DATA), ReadOutcome.RESERVED),
        (Frame(replace(HEADER, error=6), UnknownArgument(b"")), ReadOutcome.RESERVED),
        (Frame(replace(HEADER, error=2), DATA), ReadOutcome.REFUSED),
        (Frame(HEADER, UnknownArgument(bytes(2000))), ReadOutcome.FAILED),
    ],
)
def test_an_answer_is_judged(answer: Frame, outcome: ReadOutcome) -> None:
    assert read_outcome(answer, 2) is outcome


@given(st.binary(max_size=700))
def test_any_answer_is_judged(raw: bytes) -> None:
    frame = identify(length=60)[:14] + raw
    try:
        answer = decode(frame)
    except MalformedFrame:
        return
    assert (read_outcome(answer, 1) is ReadOutcome.DATA) <= (len(frame) >= 548)
