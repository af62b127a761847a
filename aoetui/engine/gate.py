"""The gate between an export's queue and whatever answers plain reads and writes past it: nothing may overtake what waits."""

from __future__ import annotations

from typing import Protocol


class Gate(Protocol):
    """Told under the export's lock, in whichever thread queues a request or is through with one."""

    def close(self, *, reads: bool) -> None:
        """From now on nothing else writes this export; with `reads`, nothing else reads it either.

        Called before a request is queued. Called again only with another value of `reads`.
        """
        ...

    def open(self) -> None:
        """Nothing waits, and nothing is in hand."""
        ...


class OpenGate:
    """Where the queue is the only way to the disk."""

    def close(self, *, reads: bool) -> None:
        """Nobody is there to be kept out."""

    def open(self) -> None:
        """Nobody is there to be let in."""
