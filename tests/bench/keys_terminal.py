"""A terminal that knows when each byte came: a pseudo terminal, read by a thread, its picture drawn by pyte."""

from __future__ import annotations

import fcntl
import os
import queue
import re
import struct
import sys
import termios
import threading
import time
from typing import TYPE_CHECKING, Self

import pyte

from .console_rig import ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from .console_rig import Rig

PATIENCE = 30.0
"""Seconds after which what a key is to show is taken never to come."""
_SWITCH = 0.0002
"""Seconds that the drawing thread may keep the reader from noting when a byte came."""
_ROW = re.compile(r"^\s*([v>] +shelf \d+|[v>] +\d+|e\d+\.\d+)\s")


class Picture:
    """What a person sees of the console."""

    def __init__(self, columns: int, lines: int) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)

    def draw(self, output: bytes) -> None:
        """Take what the program wrote."""
        self._stream.feed(output)

    @property
    def lines(self) -> list[str]:
        """From top to bottom."""
        return self._screen.display

    def has(self, text: str) -> bool:
        """Whether `text` stands in any line; a blank ends each."""
        return any(text in f"{line} " for line in self.lines)

    @property
    def section(self) -> str:
        """`2 Exports`: the one in brackets."""
        found = re.search(r"\[(\d \w+)\]", "\n".join(self.lines[:3]))
        return found[1] if found else ""

    @property
    def rows(self) -> dict[str, str]:
        """The first cell of each row of the list, from top to bottom, and the colour behind it."""
        head = next((number for number, line in enumerate(self.lines) if line.lstrip().startswith("address")), None)
        found: dict[str, str] = {}
        for number, line in enumerate(self.lines[head + 1 :] if head is not None else [], start=(head or 0) + 1):
            if not (row := _ROW.match(line)):
                break
            found[row[1]] = self._screen.buffer[number][row.start(1)].bg
        return found

    @property
    def selected(self) -> str:
        """The row whose colour is like no other's; empty while there is not exactly one."""
        rows = self.rows
        colours = list(rows.values())
        alone = [name for name, colour in rows.items() if colours.count(colour) == 1]
        return alone[0] if len(alone) == 1 and len(rows) > 2 else ""


class Terminal:
    """The console of a rig's host on a terminal of so many columns and lines."""

    def __init__(self, rig: Rig, columns: int, lines: int) -> None:
        self.picture = Picture(columns, lines)
        self._master, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._came: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        command = [sys.executable, "-m", "aoetui"]
        self._process = rig.host.popen(command, env=rig.environment, preexec_fn=lambda: os.login_tty(os.dup(terminal)))
        os.close(terminal)
        self._reader = threading.Thread(target=self._read)
        self._switch = sys.getswitchinterval()

    def __enter__(self) -> Self:
        sys.setswitchinterval(_SWITCH)
        self._reader.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with ended(self._process):
            pass
        self._reader.join()
        os.close(self._master)
        sys.setswitchinterval(self._switch)

    def rest(self, seconds: float) -> None:
        """Draw what comes within so many seconds."""
        end = time.monotonic() + seconds
        while self._draw_next(end) is not None:
            pass

    def press(self, key: bytes, effect: Callable[[Picture], bool]) -> float:
        """Type a key; returns the seconds until the last byte of its effect was read.

        Raises AssertionError if the effect stands there already, or does not come.
        """
        assert not effect(self.picture), f"{key!r} can show nothing new:\n{self._shown()}"
        begin = time.monotonic()
        os.write(self._master, key)
        return self.shows(effect, repr(key)) - begin

    def shows(self, effect: Callable[[Picture], bool], what: str) -> float:
        """Wait until the picture is so; returns when the bytes were read that made it so."""
        end = time.monotonic() + PATIENCE
        while (came := self._draw_next(end)) is not None:
            if effect(self.picture):
                return came
        raise AssertionError(f"{what} showed nothing within {PATIENCE:.0f} s:\n{self._shown()}")

    def _shown(self) -> str:
        return "\n".join(self.picture.lines)

    def _draw_next(self, end: float) -> float | None:
        try:
            came, output = self._came.get(timeout=max(end - time.monotonic(), 0.0))
        except queue.Empty:
            return None
        self.picture.draw(output)
        return came

    def _read(self) -> None:
        try:
            while output := os.read(self._master, 65536):
                self._came.put((time.monotonic(), output))
        except OSError:  # EIO: the program has ended
            return
