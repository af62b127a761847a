"""What a backing fails at, from the first request that meets it until it has worked for a while: one alarm, not thousands.

That it does not answer at all is told as well, while it lasts.
"""

from __future__ import annotations

import errno
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    """The failures of one export's backing. `text` may be read by any thread, the rest is the export's thread's."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._failures: dict[tuple[str, int | None], _Failure] = {}
        self.asked: float | None = None
        """Since when the disk owes an answer, in seconds of the clock; None if it does not."""

    @property
    def text(self) -> str:
        """What fails now, with the remedy; empty if nothing does."""
        asked = self.asked
        if asked is not None and self._clock.monotonic() - asked > SLOW:
            return (
                f"{self._path} has not answered for {SLOW:.0f} seconds and more: requests wait for it, and initiators repeat"
                " them. Check the disk (dmesg says what it does)"
            )
        return next((failure.text for failure in list(self._failures.values())), "")

    def failed(self, doing: str, error: OSError) -> None:
        """Note that `doing` (reading, writing) met an error."""
        now, key = self._clock.monotonic(), (doing, error.errno)
        if key not in self._failures:
            reason = f"{doing} {self._path} failed: {error.strerror}"
            text = f"{reason}. Initiators were told; {_remedy(error.errno)}"
            _log.error("%s", text)
            self._failures[key] = _Failure(text, now)
        self._failures[key].last = now

    def succeeded(self, doing: str) -> None:
        """Note that `doing` worked."""
        if not self._failures:
            return
        now = self._clock.monotonic()
        over = [key for key, failure in self._failures.items() if key[0] == doing and now - failure.last > CALM]
        for key in over:
            del self._failures[key]

    @property
    def is_full(self) -> bool:
        """Whether writes fail for want of room."""
        return any(number == errno.ENOSPC for _, number in self._failures)

    def found_room(self) -> None:
        """Note that there is room again: what failed for want of it is over, unless it just did."""
        now = self._clock.monotonic()
        for key, failure in list(self._failures.items()):
            if key[1] == errno.ENOSPC and now - failure.last > CALM:
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
