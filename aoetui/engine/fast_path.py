"""Whether this process has the compiled data path: loaded in the background, while the interpreted one already serves."""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import threading
from typing import TYPE_CHECKING

from aoetui.engine import compiled_cache

if TYPE_CHECKING:
    from aoetui.engine.fast.lane import Lane

SWITCH = "AOETUI_COMPILED"
"""Environment variable: with 0, everything is interpreted."""
_log = logging.getLogger(__name__)


class FastPath:
    """`lane` is the class of compiled loops, once there is one. One for the process."""

    def __init__(self) -> None:
        self.lane: type[Lane] | None = None
        self.why_not = "the compiled one has not been asked for"
        """Why everything is interpreted; empty once it is not."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def load(self) -> None:
        """Begin to load it, unless that was done before; returns at once."""
        with self._lock:
            if self._thread is None:
                self.why_not = "the compiled one is being prepared"
                self._thread = threading.Thread(target=self._load, name="load-compiled", daemon=True)
                self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Load it and wait; whether it is there."""
        self.load()
        if self._thread is not None:
            self._thread.join(timeout)
        return self.lane is not None

    def _load(self) -> None:
        if os.environ.get(SWITCH) == "0":
            self.why_not = f"{SWITCH}=0 is set"
        elif importlib.util.find_spec("numba") is None:
            self.why_not = "numba is not installed"
        else:
            try:
                self._import()
            except Exception as error:  # noqa: BLE001 - the thread's edge: what cannot be compiled here is interpreted
                _log.exception("the compiled data path cannot be loaded: the interpreted one serves")
                self.why_not = f"the compiled one cannot be made here ({type(error).__name__}), and the log says why"

    def _import(self) -> None:
        try:
            compiled_cache.fill()
        except (OSError, subprocess.SubprocessError) as error:
            _log.warning("the compiled data path cannot be kept in %s (%s)", compiled_cache.cache_folder(), error)
            raise
        from aoetui.engine.fast.lane import Lane  # noqa: PLC0415 - half a second, and only where numba is
        from aoetui.engine.fast.warming import warm  # noqa: PLC0415 - the same

        warm()
        self.lane, self.why_not = Lane, ""
        _log.info("the data path is compiled")


fast_path = FastPath()
