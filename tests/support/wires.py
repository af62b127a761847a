"""Frames from a wire of the engine."""

from __future__ import annotations

import time
from typing import Protocol

from tests.support.waiting import DEADLINE


class Receiving(Protocol):
    """What frames come from."""

    def receive(self, timeout: float) -> list[bytes]:
        """See packet.Wire."""
        ...


def next_frames(wire: Receiving) -> list[bytes]:
    """Wait for at least one: beside a compiled loop `receive` returns sooner than its timeout, with none."""
    end = time.monotonic() + DEADLINE
    while not (frames := wire.receive(DEADLINE)):
        assert time.monotonic() < end, "no frame came"
    return frames
