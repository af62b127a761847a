"""The facts that an export answers by: replaced whole, by the engine's thread and by the export's own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.protocol.facts import ExportFacts


class CurrentFacts:
    """`now` may be read by any thread, without a lock."""

    def __init__(self, facts: ExportFacts) -> None:
        self.now = facts
        self._lock = threading.Lock()

    def change(self, change: Callable[[ExportFacts], ExportFacts]) -> None:
        """Replace them by what `change` makes of them."""
        with self._lock:
            self.now = change(self.now)
