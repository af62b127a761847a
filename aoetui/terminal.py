"""The terminal a console stands on: whether it is still there, and how to hand it back without waiting for it."""

from __future__ import annotations

import os
import select
import signal
import termios
import time
from contextlib import suppress
from typing import Self

# CAN ends whatever half-written sequence stands before; then what Textual switched on is switched off: mouse, focus and
# size reports, bracketed paste, the kitty keyboard protocol; line wrap, main screen and cursor come back.
RESTORE = (
    b"\x18\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l\x1b[?2004l\x1b[?2048l\x1b[?1004l\x1b[?7h\x1b[<u\x1b[?1049l"
    b"\x1b[?25h\x1b[0m"
)
_TRIES = 200
_TRY_SECONDS = 0.001


class Terminal:
    """One tty by its descriptor, with the settings it had when this was made."""

    def __init__(self, descriptor: int) -> None:
        """Raise OSError or termios.error when the descriptor is no terminal."""
        self._fd = descriptor
        self._path = os.ttyname(descriptor)
        self._settings = termios.tcgetattr(descriptor)

    @classmethod
    def of(cls, descriptor: int) -> Self | None:
        """The terminal on this descriptor, or None if there is none."""
        try:
            return cls(descriptor)
        except (OSError, termios.error):
            return None

    def gone(self) -> bool:
        """Whether the line was hung up (window closed, connection dropped). Never blocks."""
        if not os.isatty(self._fd):
            return True
        poll = select.poll()
        poll.register(self._fd, 0)
        return any(event & (select.POLLHUP | select.POLLNVAL) for _, event in poll.poll(0))

    def let_go(self) -> None:
        """Once it is gone: stdin, stdout and stderr lead nowhere, else the last flush fails and Python exits with 120."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        os.close(nowhere)

    def restore(self) -> None:
        """Give the terminal back as it was. Takes a fifth of a second at most, even when nobody reads the terminal."""
        # A background process that sets a terminal is stopped by SIGTTOU, unless the calling thread blocks it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        with suppress(OSError, termios.error):
            termios.tcsetattr(self._fd, termios.TCSANOW, self._settings)
            self._write_restore()

    def _write_restore(self) -> None:
        # Opened anew: O_NONBLOCK on a shared descriptor would reach the shell that started us.
        fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            for _ in range(_TRIES):
                with suppress(BlockingIOError):
                    if os.write(fd, RESTORE) == len(RESTORE):
                        return
                # Full of a console that is over, and a thread of it may sleep in its write, holding the terminal: drop
                # what waits, and wake that thread (restarting the output does) until all it had has gone the same way.
                termios.tcflush(fd, termios.TCOFLUSH)
                termios.tcflow(fd, termios.TCOOFF)
                termios.tcflow(fd, termios.TCOON)
                time.sleep(_TRY_SECONDS)
        finally:
            os.close(fd)
