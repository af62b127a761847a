"""Whether the paths of a transfer still lead to the same disk: each is asked now and then who it is, and once more at the end.

A target that is started again with another disk, or whose cable is changed, may answer as if nothing had happened. What was
delivered before a question is of the disk that the answer to it names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.protocol.transfer_path import DEAF_AFTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aoetui.engine.protocol.transfer_path import TransferPath

CHECK_EVERY = 1.0
CHECK_AGAIN = 0.25
"""Seconds between two questions, and at the end."""


class DiskCheck:
    """See the module. Times in seconds of the transfer's clock."""

    def __init__(self, now: float, remaining: list[tuple[int, int]]) -> None:
        self.at = now + CHECK_EVERY
        """When to ask next."""
        self.remaining = remaining
        """What was still to be done when all paths were last known to lead to the right disk."""
        self._asked = remaining
        self._begun = now
        self._until: float | None = None
        """At the end: how long to wait for the last answers."""
        self._last_asked = self._closed = False

    def ask(self, paths: Iterable[TransferPath], remaining: Callable[[], list[tuple[int, int]]], now: float) -> None:
        """Have each path in use asked, if it is time."""
        if now < self.at:
            return
        self._last_asked = self._until is not None
        self.at = now + (CHECK_AGAIN if self._last_asked else CHECK_EVERY)
        self._asked = remaining()
        for path in paths:
            if not path.aside:
                path.unsure = path.probe_due = True

    def confirmed(self, path: TransferPath, paths: Iterable[TransferPath]) -> None:
        """It leads to the right disk, and did so when it was asked."""
        path.unsure = False
        if not any(each.unsure for each in paths):
            self.remaining = self._asked

    def finish(self, now: float) -> None:
        """All is done: ask once more, unless the transfer has only just begun."""
        if self._until is None:
            self._until, self._closed = now + DEAF_AFTER, now - self._begun <= CHECK_EVERY
            self.at = now

    def handle_timer(self, now: float) -> None:
        """Whoever says nothing at the end is not waited for: it led to the right disk a moment ago."""
        self._closed = self._closed or (self._until is not None and now >= self._until)

    def finished(self, paths: Iterable[TransferPath]) -> bool:
        """Whether nobody needs to be waited for any more, now that all is done."""
        if self._until is None or self._closed:
            return True
        return self._last_asked and not any(path.unsure and not path.aside for path in paths)
