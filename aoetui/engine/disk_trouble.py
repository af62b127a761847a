"""What a backing fails at, from the first request that meets it until it has worked for a while: one alarm, not thousands.

That it does not answer at all is told as well, while it lasts.
"""

from __future__ import annotations

import errno
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aoetui.engine.clock import Clock

CALM = 10.0
"""Seconds without a failure after which what works again is believed: one bad sector among good ones is no recovery."""
SLOW = 10.0
"""Seconds that a disk may owe an answer before it is told: after as many Linux looks for another path (aoecmd.c, HARD_SCORN)."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Failure:
    """Of one kind. `last` in seconds of the engine's clock."""

    text: str
    last: float


class DiskTrouble:
    """The failures of one export's backing; any thread."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.owes_elsewhere: Callable[[], float] = lambda: 0.0
        """For how many seconds the disk owes an answer to a compiled loop."""
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[tuple[str, int | None], _Failure] = {}
        self._asked: dict[int, float] = {}
        """Since when the disk owes an answer, in seconds of the clock, by the thread that waits for it."""

    def asks(self) -> float:
        """This thread asks the disk for something. Returns the time."""
        now = self._asked[threading.get_ident()] = self._clock.monotonic()
        return now

    def answered(self) -> None:
        """The disk answered this thread."""
        del self._asked[threading.get_ident()]

    def owes(self) -> float:
        """For how many seconds the oldest answer has been due."""
        asked = list(self._asked.values())
        return self._clock.monotonic() - min(asked) if asked else 0.0

    @property
    def text(self) -> str:
        """What fails now, with the remedy; empty if nothing does."""
        if max(self.owes(), self.owes_elsewhere()) > SLOW:
            return (
                f"{self._path} has not answered for {SLOW:.0f} seconds and more: requests wait for it, and initiators repeat"
                " them. Check the disk (dmesg says what it does)"
            )
        return next((failure.text for failure in list(self._failures.values())), "")

    def failed(self, doing: str, error: OSError) -> None:
        """Note that `doing` (reading, writing) met an error."""
        now, key = self._clock.monotonic(), (doing, error.errno)
        reason = f"{doing} {self._path} failed: {error.strerror}"
        text = f"{reason}. Initiators were told; {_remedy(error.errno)}"
        with self._lock:
            is_new = key not in self._failures
            self._failures[key] = _Failure(text, now)
        if is_new:
            _log.error("%s", text)

    def succeeded(self, doing: str) -> None:
        """Note that `doing` worked."""
        if not self._failures:
            return
        self._forget(lambda key: key[0] == doing)

    @property
    def is_full(self) -> bool:
        """Whether writes fail for want of room."""
        return any(number == errno.ENOSPC for _, number in list(self._failures))

    def found_room(self) -> None:
        """Note that there is room again: what failed for want of it is over, unless it just did."""
        self._forget(lambda key: key[1] == errno.ENOSPC)

    def _forget(self, works_now: Callable[[tuple[str, int | None]], bool]) -> None:
        now = self._clock.monotonic()
        with self._lock:
            for key, failure in list(self._failures.items()):
                if works_now(key) and now - failure.last > CALM:
                    del self._failures[key]


def _remedy(number: int | None) -> str:
    match number:
        case errno.ENOSPC | errno.EDQUOT:
            return "make room on its file system"
        case errno.EIO:
            return "check the disk and its file system (dmesg says what failed)"
        case errno.ENXIO | errno.ENODEV | errno.ENOMEDIUM | errno.ESTALE:
            return "it is gone: connect it again, then stop and start the export"
        case errno.EROFS:
            return "its file system has become read-only: dmesg says why"
        case _:
            return "check the backing"
