"""Ending in order when a signal asks for it or the terminal is gone: the disks first, whatever the terminal does.

A stalled terminal blocks Textual's loop and a vanished one makes it spin, so nothing here goes through that loop: a
thread stops the engine, asks the console to leave, and ends the process itself when the console cannot.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Self

from aoetui import logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

    from aoetui.terminal import Terminal

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
ENGINE_SECONDS = 2.0
"""What the engine gets to answer, flush and close."""
TOTAL_SECONDS = 2.5
"""After this, and what the log may take, the process ends without the console's help, engine and console together."""
LOOK_SECONDS = 1.0
"""Between two looks at whether the terminal is still there."""

log = logging.getLogger(__name__)


class OrderlyStop:
    """While entered, SIGTERM, SIGHUP, SIGINT and a vanished terminal stop the engine and then the process.

    Enter it in the main thread, before the console runs. `stop_engine(timeout)` answers what was accepted, flushes and
    closes, and tells whether that ended in time; `leave` asks the console to return and must not block. A second signal
    ends the process at once. A signal that was ignored when the process started (nohup) stays ignored.
    """

    def __init__(
        self, stop_engine: Callable[[float], bool], *, leave: Callable[[], None], terminal: Terminal | None = None
    ) -> None:
        self._stop_engine = stop_engine
        self._leave = leave
        self._terminal = terminal
        # A signal handler may interrupt any bytecode of the main thread: SimpleQueue.put is safe there, an Event is not.
        self._asked: SimpleQueue[str | None] = SimpleQueue()
        self._signalled = False
        self._left = threading.Event()
        self._previous: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}
        self._watchdog = threading.Thread(target=self._watch, name="orderly-stop", daemon=True)
        self.reason = ""
        """Why the process was asked to end; empty if it was not."""
        self.in_time = True
        """Whether the engine answered and flushed everything before it was closed."""

    def __enter__(self) -> Self:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._on_signal)
        self._watchdog.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self._left.set()
        self._asked.put(None)
        self._watchdog.join()
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._signalled:
            self._end_now(128 + number)
        self._signalled = True
        self._asked.put(signal.Signals(number).name)

    def _watch(self) -> None:
        """The watchdog thread, from start to end."""
        reason = self._next_reason()
        if reason is None:
            return
        self.reason = reason
        log.info("ending: %s", reason)
        deadline = time.monotonic() + TOTAL_SECONDS
        self.in_time = False
        # In a thread of its own: a disk that never answers must not keep the process from ending.
        engine = threading.Thread(target=self._stop, name="engine-stop", daemon=True)
        engine.start()
        self._leave()
        engine.join(TOTAL_SECONDS)
        if engine.is_alive() or not self._left.wait(max(0.0, deadline - time.monotonic())):
            logs.finish()
            self._end_now(0 if self.in_time else 1)

    def _stop(self) -> None:
        try:
            self.in_time = self._stop_engine(ENGINE_SECONDS)
        except Exception:  # a thread's edge; the process ends all the same
            log.exception("stopping the engine after %s", self.reason)

    def _next_reason(self) -> str | None:
        """Wait for a signal, a vanished terminal, or (None) an end of its own accord."""
        while True:
            with suppress(Empty):
                return self._asked.get(timeout=LOOK_SECONDS)
            if self._terminal is not None and self._terminal.gone():
                return "a vanished terminal"

    def _end_now(self, code: int) -> None:
        if self._terminal is not None:
            self._terminal.restore()
        os._exit(code)
