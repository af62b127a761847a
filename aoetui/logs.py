"""Where the program's log goes: the journal under systemd, a rotating file otherwise, and never the terminal.

Lines are written by a thread of their own: a disk or journal that hangs must not hold up whoever has something to say.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from contextlib import suppress
from logging.handlers import QueueHandler, QueueListener, WatchedFileHandler
from queue import Full, Queue
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1 << 20
"""A log file that has grown to this is set aside before the next line."""
KEPT = 3
"""Older files that are kept, as `aoetui.log.1` (the newest) to `aoetui.log.3`."""

MAX_WAITING = 4096
"""Lines that wait to be written. What does not fit is dropped, and counted in one line once there is room."""
FINISH_SECONDS = 0.5
"""What the end waits for lines that are not written yet."""

_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
_JOURNAL_FORMAT = "%(name)s: %(message)s"

log = logging.getLogger("aoetui")


class SharedLogFile(WatchedFileHandler):
    """A log file that several processes append to. It is made at the first line; whoever finds it full sets it aside.

    A folder or disk that refuses the line loses the line and stops nothing.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(path, encoding="utf-8", delay=True)
        self.path = path
        self.max_bytes = max_bytes

    def emit(self, record: logging.LogRecord) -> None:
        """Append one record; OSError is swallowed, as there is nowhere left to say it."""
        with suppress(OSError):
            self._make_folder()
            self._set_aside_if_full()
            super().emit(record)

    def _make_folder(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _set_aside_if_full(self) -> None:
        if not self.path.exists() or self.path.stat().st_size < self.max_bytes:
            return
        for number in range(KEPT, 0, -1):
            older = self._kept(number - 1)
            if older.exists():
                older.replace(self._kept(number))

    def _kept(self, number: int) -> Path:
        return self.path if number == 0 else self.path.with_name(f"{self.path.name}.{number}")


class JournalLines(logging.StreamHandler[TextIO]):
    """Lines for the journal's end of stderr, each with the `<N>` priority that systemd reads (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        """One record; every line of a traceback gets the priority, else the journal would take it for another level."""
        priority = 3 if record.levelno >= logging.ERROR else 4 if record.levelno >= logging.WARNING else 6
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


class _Writer(QueueListener):
    """The thread that writes."""

    def __init__(self, waiting: Queue[logging.LogRecord], lines: LogLines, handler: logging.Handler) -> None:
        super().__init__(waiting, handler)
        self._lines = lines
        self._told = 0

    def handle(self, record: logging.LogRecord) -> None:
        """Write it, and once nothing waits any more, how many were dropped."""
        super().handle(record)
        dropped = self._lines.dropped - self._told
        if dropped and not self._lines.waiting:
            self._told += dropped
            text = f"{dropped} lines are missing here: the log was not written as fast as they came"
            super().handle(log.makeRecord(log.name, logging.WARNING, __file__, 0, text, (), None))


class LogLines(QueueHandler):
    """Takes records in any thread without waiting, and has `handler` write them in its own."""

    def __init__(self, handler: logging.Handler, *, max_waiting: int = MAX_WAITING) -> None:
        self._waiting: Queue[logging.LogRecord] = Queue(max_waiting)
        super().__init__(self._waiting)
        self.dropped = 0
        """Records that did not fit."""
        self.handler = handler
        self._writer = _Writer(self._waiting, self, handler)
        self._writer.start()

    @property
    def waiting(self) -> int:
        """Records that nobody has begun to write."""
        return self._waiting.qsize()

    def enqueue(self, record: logging.LogRecord) -> None:
        """Hand one record over, or count it as dropped."""
        try:
            self._waiting.put_nowait(record)
        except Full:
            self.dropped += 1  # under the handler's lock

    def flush_within(self, seconds: float) -> bool:
        """Wait until all that was handed over is written. False if that took longer."""
        with self._waiting.all_tasks_done:
            return self._waiting.all_tasks_done.wait_for(lambda: not self._waiting.unfinished_tasks, seconds)

    def end_within(self, seconds: float) -> None:
        """Write what waits, and end the thread. One that hangs is left to its disk; what a disk refuses is lost."""
        if self.flush_within(seconds):
            self._writer.stop()
            with suppress(OSError):  # there is nowhere left to say it, and the process has to end
                self.handler.close()


def under_journal(stream: TextIO) -> bool:
    """Whether the stream is the journal's own socket: JOURNAL_STREAM holds its device and inode (systemd.exec(5))."""
    named = os.environ.get("JOURNAL_STREAM", "")
    try:
        facts = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{facts.st_dev}:{facts.st_ino}"


def start(path: Path, stderr: TextIO | None = None) -> None:
    """Send all logging to the journal or to `path`, the exceptions of threads and Python's warnings too."""
    stream = stderr or sys.stderr
    handler: logging.Handler
    if under_journal(stream):
        handler = JournalLines(stream)
        handler.setFormatter(logging.Formatter(_JOURNAL_FORMAT))
    else:
        handler = SharedLogFile(path)
        handler.setFormatter(logging.Formatter(_FORMAT))
    logging.raiseExceptions = False  # a line that cannot be written must not draw over the console
    finish()
    logging.getLogger().addHandler(LogLines(handler))
    log.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_thread_exception
    atexit.unregister(logging.shutdown)  # it would wait without end for a handler whose disk hangs
    atexit.unregister(finish)
    atexit.register(finish)


def finish() -> None:
    """Write what waits, for FINISH_SECONDS at most; the log takes nothing more. Not for a signal handler, as it takes locks."""
    lines = _lines()
    if lines is not None:
        logging.getLogger().removeHandler(lines)
        lines.end_within(FINISH_SECONDS)


def _lines() -> LogLines | None:
    return next((each for each in logging.getLogger().handlers if isinstance(each, LogLines)), None)


def _log_thread_exception(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread is not None else "a thread"
    value = failure.exc_value
    if value is not None:
        log.error("%s ended with an exception", name, exc_info=(failure.exc_type, value, failure.exc_traceback))


def describe(path: Path) -> str:
    """Where a reader finds the log, for the end of a sentence."""
    lines = _lines()
    written = lines is not None and lines.flush_within(FINISH_SECONDS)
    if written and lines is not None and isinstance(lines.handler, JournalLines):
        return "the journal has the details"
    if written and path.exists():
        return f"the details are in {path}"
    return f"no log could be written to {path}"
