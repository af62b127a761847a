"""How long requests wait for their replies: counted in steps of a quarter octave, so that any number of them costs the same."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from aoetui.engine.snapshot import Latency

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_OCTAVES = 26
STEPS = 4 * _OCTAVES
"""The last one begins at 117 s and holds everything above."""
RECENT = 10
"""Seconds that a recent figure looks back."""


def _step(microseconds: int) -> int:
    if microseconds < 4:
        return max(0, microseconds)
    bits = microseconds.bit_length()
    return min(STEPS - 1, 4 * (bits - 2) + (microseconds >> (bits - 3) & 3))


def _upper(step: int) -> float:
    """Where a step ends, in microseconds."""
    return step + 1 if step < 4 else (5 + step % 4) << (step // 4 - 1)


class Latencies:
    """Counts by step. One thread at a time writes; any may read."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts = [0] * STEPS

    def add(self, seconds: float) -> None:
        """Count one reply."""
        self.counts[_step(int(seconds * 1e6))] += 1


def latency_of(counts: Sequence[int]) -> Latency:
    """The figures that counts come to."""
    total = sum(counts)
    if not total:  # most of many exports are idle
        return Latency()
    return Latency(
        count=total,
        p50_us=_percentile(counts, 0.50),
        p99_us=_percentile(counts, 0.99),
        buckets=tuple((float(_upper(step)), count) for step, count in enumerate(counts) if count),
    )


def _percentile(counts: Sequence[int], part: float) -> float | None:
    """The end of the step in which this part of all is reached."""
    wanted, seen = part * sum(counts), 0
    for step, count in enumerate(counts):
        seen += count
        if count and seen >= wanted:
            return float(_upper(step))
    return None


def add_counts(all_counts: Iterable[Sequence[int]]) -> list[int]:
    """Add counts up, step by step."""
    busy = [counts for counts in all_counts if any(counts)]
    if len(busy) < 2:  # as with most of many exports
        return list(busy[0]) if busy else [0] * STEPS
    return [sum(step) for step in zip([0] * STEPS, *busy, strict=True)]


class LatencyMeter:
    """What was counted within the last RECENT seconds, of counts that are sampled once a second."""

    def __init__(self) -> None:
        self._samples: deque[list[int]] = deque(maxlen=RECENT + 1)

    def sample(self, counts: list[int]) -> None:
        """Take the counts of now."""
        self._samples.append(counts)

    @property
    def recent(self) -> list[int]:
        """By step; all zero before the second sample."""
        if len(self._samples) < 2 or self._samples[-1] == self._samples[0]:
            return [0] * STEPS
        return [now - then for now, then in zip(self._samples[-1], self._samples[0], strict=True)]
