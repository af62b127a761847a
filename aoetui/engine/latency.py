"""How long requests wait for their replies: counted in steps of a quarter octave, so that any number of them costs the same."""

from __future__ import annotations

from collections import deque
from operator import add, sub
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


_UPPER = tuple(float(step + 1 if step < 4 else (5 + step % 4) << (step // 4 - 1)) for step in range(STEPS))
"""Where each step ends, in microseconds."""


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
    buckets = tuple((upper, count) for upper, count in zip(_UPPER, counts, strict=True) if count)
    return Latency(total, _percentile(buckets, 0.50 * total), _percentile(buckets, 0.99 * total), buckets)


def _percentile(buckets: Iterable[tuple[float, int]], wanted: float) -> float | None:
    """The end of the step in which so many are reached."""
    seen = 0
    for upper, count in buckets:
        seen += count
        if seen >= wanted:
            return upper
    return None


def add_counts(all_counts: Iterable[Sequence[int]]) -> list[int]:
    """Add counts up, step by step."""
    total = [0] * STEPS
    for counts in all_counts:
        if any(counts):  # most are not, with many exports
            total = list(map(add, total, counts))
    return total


class LatencyMeter:
    """What was counted within the last RECENT seconds, of counts that are sampled once a second."""

    def __init__(self) -> None:
        self._samples: deque[list[int]] = deque(maxlen=RECENT + 1)

    def sample(self, counts: list[int]) -> None:
        """Take the counts of now."""
        self._samples.append(counts)

    @property
    def latest(self) -> list[int]:
        """The counts that were sampled last; empty before."""
        return self._samples[-1] if self._samples else []

    @property
    def recent(self) -> list[int]:
        """By step; all zero before the second sample."""
        if len(self._samples) < 2 or self._samples[-1] == self._samples[0]:
            return [0] * STEPS
        return list(map(sub, self._samples[-1], self._samples[0]))
