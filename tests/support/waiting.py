"""Waiting for what another thread, process or the kernel does: on the condition itself, with a deadline only failures meet."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE = 20.0
"""Seconds after which a condition is taken to be never met."""


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Look until the condition holds. Raises AssertionError naming `what` at the deadline."""
    end = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        pause.wait(0.01)
