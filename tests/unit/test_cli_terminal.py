"""A terminal is given back even when nobody reads it, and is known to be gone once it is."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import termios
import threading
import tty
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.terminal import RESTORE, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo terminal: master, terminal."""
    master, terminal = pty.openpty()
    yield master, terminal
    for descriptor in (master, terminal):
        try:
            os.close(descriptor)
        except OSError:
            continue  # the test has closed it


def drain(master: int) -> bytes:
    read = b""
    while select.select([master], [], [], 0)[0]:
        read += os.read(master, 65536)
    return read


def fill(descriptor: int) -> None:
    """Write until nothing more is taken."""
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(descriptor, b"x" * 1024)
    os.set_blocking(descriptor, True)


def test_no_terminal_is_none() -> None:
    reader, writer = os.pipe()
    assert Terminal.of(reader) is None
    os.close(reader)
    os.close(writer)


def test_a_terminal_is_gone_once_its_master_is_closed(ends: tuple[int, int]) -> None:
    master, descriptor = ends
    terminal = Terminal(descriptor)
    assert not terminal.gone()
    os.close(master)
    assert terminal.gone()


def test_a_gone_terminal_can_be_restored_without_an_error(ends: tuple[int, int]) -> None:
    master, descriptor = ends
    terminal = Terminal(descriptor)
    os.close(master)
    terminal.restore()


def test_restore_brings_settings_and_screen_back(ends: tuple[int, int]) -> None:
    master, descriptor = ends
    before = termios.tcgetattr(descriptor)
    terminal = Terminal(descriptor)
    tty.setraw(descriptor)
    assert termios.tcgetattr(descriptor) != before
    terminal.restore()
    assert termios.tcgetattr(descriptor) == before
    assert drain(master) == RESTORE


def test_restore_ends_and_has_the_last_word_when_nobody_reads(ends: tuple[int, int]) -> None:
    master, descriptor = ends
    terminal = Terminal(descriptor)
    fill(descriptor)
    terminal.restore()
    assert drain(master).endswith(RESTORE)


def test_restore_ends_and_has_the_last_word_over_a_writer_that_sleeps(ends: tuple[int, int]) -> None:
    """As Textual's output thread does on a stalled terminal: it is inside write(2), and so holds the terminal."""
    master, descriptor = ends
    terminal = Terminal(descriptor)
    fill(descriptor)
    writer = threading.Thread(target=os.write, args=(descriptor, b"y" * 100_000), daemon=True)
    writer.start()
    call = Path(f"/proc/self/task/{writer.native_id}/syscall")  # its number, then its arguments: the first is the descriptor
    while call.read_text().split()[1:2] != [hex(descriptor)]:
        continue
    terminal.restore()
    read = drain(master)
    writer.join()
    assert read.endswith(RESTORE)
