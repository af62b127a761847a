"""The terminal's keys as the console reads them: Textual's own driver, but that a lone escape is known for one without delay."""

from __future__ import annotations

import os
import select
from codecs import getincrementaldecoder
from contextlib import suppress
from typing import TYPE_CHECKING

from textual import constants
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.message import Message

LOOK_SECONDS = 0.1
"""Between two looks at whether the console ends."""
_READ = 4096


class ConsoleDriver(LinuxDriver):
    """Reads the terminal in a thread, as Textual's does.

    An escape may begin another key, so the parser waits ESCAPE_DELAY for more. Textual looks whether that time is over only
    every 100 ms; here the thread comes back when it is. Once the terminal is gone it ends, and does not spin.
    """

    def run_input_thread(self) -> None:
        """The thread, until `exit_event` is set or the terminal is gone: whoever looks after that ends the console."""
        parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")("replace").decode
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        unsettled = False
        while not self.exit_event.is_set():
            wait = constants.ESCAPE_DELAY if unsettled else LOOK_SECONDS
            unsettled = False
            messages: list[Message] = []
            if poll.poll(wait * 1000 + 1):
                typed = self._read()
                if not typed:
                    return
                # Half a letter is no text yet, and the parser takes no text for the end of the terminal.
                if text := decode(typed):
                    messages += parser.feed(text)
                unsettled = True
            messages += parser.tick()
            for message in messages:
                self.process_message(message)
        with suppress(EOFError, ParseError):
            for _ in parser.feed(""):
                pass

    def _read(self) -> bytes:
        """What is there; nothing once the terminal is gone (EIO)."""
        try:
            return os.read(self.fileno, _READ)
        except OSError:
            return b""
