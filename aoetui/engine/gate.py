"""The gate between an export's queue and whatever answers plain reads and writes past it: nothing may overtake what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Gate(Protocol):
    """Told under the export's lock, in whichever thread queues a request or is through with one."""

    def close(self, *, reads: bool) -> Sequence[Callable[[], object]]:
        """From now on nothing else writes this export; with `reads`, nothing else reads it either.

        Returns what has to be waited for, outside the lock, before what is queued now begins: writes that a disk keeps.

        Called before a request is queued. Called again only with another value of `reads`.
        """
        ...

    def reads_before(self, lba: int, end: int) -> Sequence[Callable[[], object]]:
        """What returns when reads of sectors from `lba` up to, not including, `end` are through that wait for the disk now.

        Asked once the gate is closed to reads: none comes meanwhile.
        """
        ...

    def open(self) -> None:
        """Nothing waits, and nothing is in hand."""
        ...


class OpenGate:
    """Where the queue is the only way to the disk."""

    def close(self, *, reads: bool) -> Sequence[Callable[[], object]]:  # noqa: ARG002 - see Gate
        """Nobody is there to be kept out."""
        return ()

    def reads_before(self, lba: int, end: int) -> Sequence[Callable[[], object]]:  # noqa: ARG002 - see Gate
        """Nobody else reads."""
        return ()

    def open(self) -> None:
        """Nobody is there to be let in."""
