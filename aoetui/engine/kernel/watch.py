"""Keeps a recent picture of the driver: one thread reads it once a second, and whoever wants it takes the last one."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from aoetui.engine.kernel.host import Host
from aoetui.engine.kernel.reading import Reader

if TYPE_CHECKING:
    from aoetui.engine.commands.kernel import KernelSnapshot

PERIOD = 1.0
"""Seconds."""
_log = logging.getLogger(__name__)


class KernelWatch:
    """`start` and `stop` once. Reading may hang with a driver that does, so no other thread waits for it."""

    def __init__(self, host: Host | None = None) -> None:
        self.host = host or Host()
        self._reader = Reader(self.host)
        self._reading = threading.Lock()
        self._current: KernelSnapshot | None = None
        self._failed = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kernel", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def current(self) -> KernelSnapshot | None:
        """The driver as it was within the last second or so, without remarks; None while it is not loaded."""
        return self._current

    def look_now(self, *, whole: bool = False) -> KernelSnapshot | None:
        """Look at once; for threads that may wait."""
        with self._reading:
            self._current = self._reader.look(whole=whole)
            return self._current

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look_now()
                self._failed = False
            except Exception:  # noqa: BLE001 - the thread's edge: the next look may do better
                self._current = None
                if not self._failed:
                    _log.exception("the aoe driver could not be looked at")
                self._failed = True
            self._stopping.wait(PERIOD)
