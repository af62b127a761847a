"""The two clocks the engine reads, handed in so that tests can turn them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _wall() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Monotonic seconds for intervals, aware UTC time for people."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime] = _wall

    def when(self, monotonic: float) -> datetime:
        """The wall time of a past monotonic moment, as the wall clock stands now."""
        return self.wall() - timedelta(seconds=self.monotonic() - monotonic)
