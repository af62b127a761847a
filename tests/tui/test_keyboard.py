"""Keys from a real pseudo terminal through the driver's own thread; what it reads is noted instead of shown."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

from textual.events import Key

from aoetui.keyboard import ConsoleDriver
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.message import Message


class Noting(ConsoleDriver):
    """Has a file descriptor and an end, and none of the terminal's modes."""

    def __init__(self, fileno: int) -> None:
        self.fileno = fileno
        self.exit_event = threading.Event()
        self._debug = False
        self.keys: list[str] = []

    def process_message(self, message: Message) -> None:
        """Note a key."""
        if isinstance(message, Key):
            self.keys.append(message.key)


def readable(fileno: int) -> bool:
    """Whether something waits to be read."""
    return bool(select.select([fileno], [], [], 0)[0])


@contextmanager
def typing() -> Iterator[tuple[int, Noting]]:
    """Where to type, and what reads it."""
    master, terminal = pty.openpty()
    tty.setraw(terminal)
    driver = Noting(terminal)
    thread = threading.Thread(target=driver.run_input_thread)
    thread.start()
    try:
        yield master, driver
    finally:
        driver.exit_event.set()
        thread.join()
        os.close(terminal)
        os.close(master)


def test_an_escape_alone_is_a_key() -> None:
    with typing() as (master, driver):
        os.write(master, b"\x1b")
        wait_until(lambda: driver.keys == ["escape"], "escape")
        os.write(master, b"j")
        wait_until(lambda: driver.keys == ["escape", "j"], "j")


def test_what_begins_with_an_escape_is_one_key() -> None:
    with typing() as (master, driver):
        os.write(master, b"\x1b[A\x1bOBx")
        wait_until(lambda: driver.keys == ["up", "down", "x"], "three keys")


def test_a_letter_in_two_pieces_is_one_key() -> None:
    with typing() as (master, driver):
        os.write(master, "ü".encode()[:1])
        wait_until(lambda: not readable(driver.fileno), "the first half was read")
        os.write(master, "ü".encode()[1:] + b"y")
        wait_until(lambda: len(driver.keys) == 2, "two keys")
        assert driver.keys == ["ü", "y"]


def test_what_is_no_text_ends_nothing() -> None:
    """A terminal that sends Latin-1, or sets the eighth bit for alt."""
    with typing() as (master, driver):
        os.write(master, "ü".encode("latin-1") + b"y")
        wait_until(lambda: driver.keys[-1:] == ["y"], "y")


def test_it_ends_with_its_terminal() -> None:
    master, terminal = pty.openpty()
    os.close(master)
    Noting(terminal).run_input_thread()  # the kernel says EIO; nobody has set `exit_event`
    os.close(terminal)
