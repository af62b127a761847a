"""What happened, numbered and bounded. Every event also goes to the log."""

from __future__ import annotations

import logging
import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from aoetui.engine.snapshot import Event, Severity

if TYPE_CHECKING:
    from aoetui.engine.clock import Clock

KEPT_EVENTS = 5000
_LEVELS = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING, Severity.ALARM: logging.ERROR}
_log = logging.getLogger("aoetui.events")


class EventLog:
    """The last 5,000 events, numbered from 1 without gaps. Any thread may add and read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._last = 0

    @property
    def last(self) -> int:
        """The newest event's number; 0 before the first."""
        return self._last

    def add(self, severity: Severity, subject: str, text: str) -> None:
        """Record that something happened now."""
        with self._lock:
            self._last += 1
            self._kept.append(Event(self._last, self._clock.wall(), severity, subject, text))
        _log.log(_LEVELS[severity], "%s: %s", subject, text)

    def since(self, number: int) -> list[Event]:
        """The kept events newer than `number`, oldest first."""
        with self._lock:
            fresh = min(self._last - number, len(self._kept))
            return list(islice(self._kept, len(self._kept) - fresh, None)) if fresh > 0 else []
