"""A disk that answers when a test says so.

The kernel gives an ordinary user no disk that hangs, and root only one whose writes do (fsfreeze): the lock stands in the real
backing's `read` and `write`, where the export's threads would wait for the kernel.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.support.waiting import DEADLINE, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from aoetui.engine.exports import Export


class Stall:
    """What a stalled disk has been asked for."""

    def __init__(self) -> None:
        self._goes_on = threading.Event()
        self.begun: list[str] = []
        """Calls, as they began: `read`, `write` or `flush`."""

    def go_on(self) -> None:
        """Answer from now on."""
        self._goes_on.set()

    def reached(self) -> None:
        """Wait until a request has come as far as the disk."""
        wait_until(lambda: bool(self.begun), "a request at the disk")

    def waits(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, after the disk goes on."""

        def body(*arguments: Any) -> Any:  # noqa: ANN401  # whatever `call` takes
            self.begun.append(name)
            assert self._goes_on.wait(DEADLINE)
            return call(*arguments)

        return body


@contextmanager
def stalled(export: Export, monkeypatch: pytest.MonkeyPatch, *calls: str) -> Iterator[Stall]:
    """The export's disk answers nothing (or none of these `calls`) until told to, or until the end."""
    stall = Stall()
    with monkeypatch.context() as patched:
        for name in calls or ("read", "write"):
            patched.setattr(export.backing, name, stall.waits(name, getattr(export.backing, name)))
        try:
            yield stall
        finally:
            stall.go_on()


def queued(export: Export, count: int) -> None:
    """Wait until so many are queued or at the disk."""
    wait_until(lambda: len(export._turns._queue) == count, f"{count} that are not answered")
