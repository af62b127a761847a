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
        self._changed: Callable[[], None] = lambda: None

    def watch(self, changed: Callable[[], None]) -> None:
        """Call this after each change, before whoever made it goes on."""
        self._changed = changed

    def change(self, change: Callable[[ExportFacts], ExportFacts]) -> None:
        """Replace them by what `change` makes of them."""
        with self._lock:
            self.now = change(self.now)
            self._changed()
