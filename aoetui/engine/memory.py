"""The one bound on memory that stands behind every export's queue."""

from __future__ import annotations

import threading

LIMIT = 256 << 20
"""Bytes of requests that may wait for disks, over all exports."""
REQUEST = 1024
"""Bytes that a waiting request takes beside its data."""
LISTED = 160
"""Bytes that each directive or MAC of it takes, as an object: many times what it takes in the frame."""


class MemoryBudget:
    """Takes and gives back bytes; any thread."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._lock = threading.Lock()
        self._limit = limit
        self._free = limit

    @property
    def free(self) -> int:
        """Bytes that may still be taken."""
        return self._free

    @property
    def plenty(self) -> bool:
        """Whether half of it is free."""
        return 2 * self._free >= self._limit

    def take(self, size: int) -> bool:
        """Take `size` bytes; False, and nothing is taken, if there are not that many."""
        with self._lock:
            if size > self._free:
                return False
            self._free -= size
            return True

    def give(self, size: int) -> None:
        """Give them back."""
        with self._lock:
            self._free += size
