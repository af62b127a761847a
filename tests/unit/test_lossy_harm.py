"""What the lossy wire does to frames, by a clock of the test's own."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.lossy import Harm, Parcel, Rates
from tests.support.lossy.harm import LATE_SECONDS, MOMENT_SECONDS, MOST_PASSING

FRAMES = 20_000
APART = 0.0001
"""Seconds between two frames."""


def outcome(rates: Rates, seed: int = 1) -> tuple[Harm, list[int]]:
    """The numbers of the frames that came out, in order, when all went in."""
    harm = Harm(rates, seed)
    numbers = []
    for number in range(1, FRAMES + 1):
        parcels = harm.offer(Parcel(number, number * APART, b""))
        numbers += [parcel.number for parcel in parcels]
    numbers += [parcel.number for parcel in harm.due(float("inf"))]
    return harm, numbers


def test_without_harm_all_pass_in_order() -> None:
    assert outcome(Rates(0, 0, 0))[1] == list(range(1, FRAMES + 1))


def test_the_seed_decides() -> None:
    assert outcome(Rates(), 7)[1] == outcome(Rates(), 7)[1]
    assert outcome(Rates(), 7)[1] != outcome(Rates(), 8)[1]


def test_every_frame_is_accounted_for() -> None:
    harm, numbers = outcome(Rates())
    times = Counter(Counter(numbers).values())
    counts = harm.counts
    assert counts.seen == FRAMES
    assert times == {1: FRAMES - counts.dropped - counts.repeated, 2: counts.repeated}


def test_the_shares_are_those_asked_for() -> None:
    counts = outcome(Rates(drop=0.02, repeat=0.01, reorder=0.03, late=0.25))[0].counts
    assert counts.dropped / FRAMES == pytest.approx(0.02, rel=0.2)
    assert counts.repeated / FRAMES == pytest.approx(0.01, rel=0.2)
    assert counts.reordered / FRAMES == pytest.approx(0.03, rel=0.2)
    assert counts.late / (counts.repeated + counts.reordered) == pytest.approx(0.25, rel=0.2)


def test_reordered_frames_are_overtaken() -> None:
    harm, numbers = outcome(Rates(drop=0, repeat=0, reorder=0.02, late=0))
    before = [sum(other > number for other in numbers[max(0, at - 50) : at]) for at, number in enumerate(numbers)]
    overtaken = sum(passed > 0 for passed in before)
    assert 0.95 * harm.counts.reordered < overtaken <= harm.counts.reordered  # the next one may have been held back as well
    assert max(before) == MOST_PASSING


@pytest.mark.parametrize(("late", "seconds"), [(1, LATE_SECONDS), (0, MOMENT_SECONDS)])
def test_a_frame_that_nothing_follows_goes_on_by_the_clock(late: float, seconds: float) -> None:
    harm = Harm(Rates(drop=0, repeat=0, reorder=1, late=late), 1)
    parcel = Parcel(1, 50.0, b"frame")
    assert harm.next_due() == float("inf")
    assert harm.offer(parcel) == []
    assert harm.next_due() == 50.0 + seconds
    assert harm.due(50.0 + seconds - 0.001) == []
    assert harm.due(50.0 + seconds) == [parcel]
    assert harm.due(60.0) == []


def test_the_copy_of_a_frame_may_come_late() -> None:
    harm = Harm(Rates(drop=0, repeat=1, reorder=0, late=1), 1)
    parcel = Parcel(1, 50.0, b"frame")
    assert harm.offer(parcel) == [parcel]
    assert harm.due(50.0 + LATE_SECONDS) == [parcel]
