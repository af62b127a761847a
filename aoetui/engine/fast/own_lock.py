"""The loop's lock in the hand of a thread that has failed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from aoetui.engine.fast import rows

if TYPE_CHECKING:
    from aoetui.engine.fast.tables import Tables


def let_go_of_lock(tables: Tables) -> None:
    """Give the lock back if this thread has it (glibc notes its owner): compiled code that raises does not."""
    if int(tables.lock.view(np.int32)[2]) == threading.get_native_id():
        rows.unlock(tables.lock)
