"""Random numbers from a seed, in the few ways that the fuzzer needs and as fast as Python has them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Dice(Random):
    """The same throws for the same seed. `choice` and `randrange` of Random take three times as long."""

    def pick(self, several: Sequence[T]) -> T:
        """One of these."""
        return several[int(self.random() * len(several))]

    def below(self, end: int) -> int:
        """A number from 0 to before `end`, of at most 53 random bits."""
        return int(self.random() * end)
