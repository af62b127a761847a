"""Frames from a wire of the engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.support.waiting import DEADLINE

if TYPE_CHECKING:
    from aoetui.engine.packet import Wire


def next_frames(wire: Wire) -> list[bytes]:
    """Wait for at least one: beside a compiled loop `receive` returns sooner than its timeout, with none."""
    end = time.monotonic() + DEADLINE
    while not (frames := wire.receive(DEADLINE)):
        assert time.monotonic() < end, "no frame came"
    return frames
