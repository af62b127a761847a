"""Latencies: what is counted is what is shown, in steps that are never more than a quarter octave too long."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.latency import RECENT, STEPS, Latencies, LatencyMeter, add_counts, latency_of
from aoetui.engine.snapshot import Latency


def counted(*microseconds: float) -> list[int]:
    """The counts of these."""
    made = Latencies()
    for each in microseconds:
        made.add(each / 1e6)
    return made.counts


def test_nothing_counted_has_no_percentile() -> None:
    assert latency_of(counted()) == Latency(0, None, None, ())


def test_percentiles_are_the_ends_of_the_steps_they_fall_in() -> None:
    shown = latency_of(counted(*[100.5] * 98, 1000.5, 50_000.5))
    assert shown.count == 100
    assert shown.buckets == ((112.0, 98), (1024.0, 1), (57344.0, 1))
    assert (shown.p50_us, shown.p99_us) == (112.0, 1024.0)
    assert latency_of(counted(*[100.5] * 97, *[1000.5] * 3)).p99_us == 1024.0
    assert latency_of(counted(*[100.5] * 99, 1000.5)).p99_us == 112.0, "99 of 100 were as fast as that"
    assert latency_of(counted(7.5)).p50_us == latency_of(counted(7.5)).p99_us == 8.0


@given(st.floats(0.0, 50e6))
def test_a_step_ends_above_what_is_in_it_and_at_most_a_quarter_octave_above(microseconds: float) -> None:
    end = latency_of(counted(microseconds)).p50_us
    assert end is not None
    whole = math.floor(microseconds / 1e6 * 1e6)  # as it is counted
    assert whole < end <= max(whole + 1, whole * 1.25)


def test_times_out_of_all_bounds_are_counted_too() -> None:
    shown = latency_of(counted(-5.0, 0.0, 3600e6))
    assert shown.count == 3
    assert len(counted(3600e6)) == STEPS


def test_the_recent_figures_forget_what_is_old() -> None:
    meter, made = LatencyMeter(), Latencies()
    assert latency_of(meter.recent).count == 0
    made.add(1e-4)
    meter.sample(list(made.counts))
    assert latency_of(meter.recent).count == 0, "what was there before is not recent"
    made.add(1e-3)
    for _ in range(RECENT):
        meter.sample(list(made.counts))
        assert latency_of(meter.recent).count == 1
    meter.sample(list(made.counts))
    assert latency_of(meter.recent).count == 0


def test_sums_are_step_by_step() -> None:
    both = add_counts([counted(7.5, 100.5), counted(7.5)])
    assert latency_of(both).buckets == ((8.0, 2), (112.0, 1))
    assert add_counts([]) == [0] * STEPS
