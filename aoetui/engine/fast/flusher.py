"""The thread that flushes for one durable export on one lane."""

from __future__ import annotations

import logging
import os
import select
import struct
import threading
from typing import TYPE_CHECKING

import numpy as np

from aoetui.engine.fast import rows
from aoetui.engine.fast.flush import flush_all
from aoetui.engine.fast.tables import F_ERROR, F_STOP, F_TOLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.fast.tables import Tables

_POLL = struct.Struct("=ihh")
_log = logging.getLogger(__name__)


class Flusher:
    """Number `number` of a lane's flushers, for the export in row `export`, whose disk `descriptor` is of."""

    def __init__(self, tables: Tables, number: int, export: int, descriptor: int, failed: Callable[[int], None]) -> None:
        """`failed` is called once, with an errno, when a flush failed: what waited for it fails.

        Raises OSError if the disk cannot be opened once more.
        """
        self.number = number
        self._tables = tables
        self._failed = failed
        self._told = False
        self._closing = threading.Lock()
        # Its own open file: what the kernel could not write is told to each once
        self._sync = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC)
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._scratch = np.zeros(32, np.uint8)
        self._scratch[:8] = np.frombuffer(_POLL.pack(self._event, select.POLLIN, 0), np.uint8)
        rows.set_flusher(tables, number, export, self._event, self._sync)
        self._thread = threading.Thread(target=self._run, name=f"flush-{number}", daemon=True)

    def start(self, ended: Callable[[], None]) -> None:
        """Begin; `ended` is called at the end."""
        self._ended = ended
        self._thread.start()

    def _run(self) -> None:
        try:
            flush_all(self._tables, self.number, int(self._scratch.ctypes.data))
        except Exception:  # noqa: BLE001 - the thread's edge: what waited is asked for again
            _log.exception("a flusher of the compiled data path ended")
        finally:
            self._ended()

    def tell(self) -> None:
        """If a flush has failed, say so, once."""
        code = int(self._tables.flushers[self.number, F_ERROR])
        if code and not self._told:
            self._told = True
            self._failed(code)
            self._tables.flushers[self.number, F_TOLD] = 1

    def halt(self) -> None:
        """Flush what waits, and end; returns at once."""
        with self._closing:
            if self._event >= 0:
                self._tables.flushers[self.number, F_STOP] = 1
                os.eventfd_write(self._event, 1)

    def join(self, timeout: float) -> bool:
        """Wait for that, after `halt`; False if the disk takes longer than `timeout` seconds."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        self.tell()
        with self._closing:
            if self._event >= 0:
                rows.set_flusher(self._tables, self.number, -1, -1, -1)
                os.close(self._sync)
                os.close(self._event)
                self._event = -1
        return True
