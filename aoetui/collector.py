"""The console's garbage collection: little at a time, and all of it only while nobody types.

Python's own full collection looks at every object of the process at once, and no thread goes on meanwhile: a tenth of a
second with a few exports, half a second with thousands of devices, whenever it happens to be due.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FULL_EVERY = 600.0
"""Seconds between two full collections. What only they find, as dialogs that were closed, waits so long."""
QUIET = 5.0
"""Seconds without a key before one."""
_YOUNG = 20_000
"""Objects that are made before the young ones are looked at: a millisecond's work."""
_YOUNG_LOOKS = 10
_NEVER = 1_000_000_000


def hold_back() -> None:
    """From now on only young objects are collected by themselves, in the whole process."""
    gc.set_threshold(_YOUNG, _YOUNG_LOOKS, _NEVER)
    _collect()


class Collector:
    """Knows when a full collection disturbs nobody. Times in seconds of `clock`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._typed = self._collected = clock()

    def typed(self) -> None:
        """Somebody is there."""
        self._typed = self._clock()

    def rest(self) -> bool:
        """Collect, if it is time to and nobody is there; whether it did. All threads wait for it."""
        now = self._clock()
        if now - self._collected < FULL_EVERY or now - self._typed < QUIET:
            return False
        self._collected = now
        _collect()
        return True


def _collect() -> None:
    gc.unfreeze()
    gc.collect()
    gc.freeze()
