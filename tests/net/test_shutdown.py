"""The program ends in order by every way a terminal or an administrator can end it, and keeps every answered write."""

from __future__ import annotations

import signal
import termios
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.wire import SECTOR
from tests.support.program import Console, Program, unprivileged
from tests.support.writer import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import VethPair

ADDRESS = Address(9, 1)
SECTORS = 1 << 20
ENOUGH = 300
"""Answered writes before the end, so that it comes in the middle of them."""
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A sparse file to serve."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(SECTORS * SECTOR)
    return path


@pytest.fixture
def config(tmp_path: Path, disk: Path, veth_pair: VethPair) -> Path:
    """A config that serves the disk on the near side."""
    path = tmp_path / "config.toml"
    path.write_text(
        f'[engine]\ninterfaces = ["{veth_pair.near_link}"]\n\n'
        f'[[export]]\nshelf = 9\nslot = 1\npath = "{disk}"\ninterfaces = ["{veth_pair.near_link}"]\n'
    )
    return path


def writer(pair: VethPair) -> Writer:
    return Writer(pair.far, pair.far_link, Mac.parse(pair.near_mac), ADDRESS)


def assert_kept(written: Writer, disk: Path) -> None:
    """Every answered write is in the file."""
    assert len(written.answered) >= ENOUGH
    with disk.open("rb") as file:
        for sector in sorted(written.answered):
            file.seek(sector * SECTOR)
            assert file.read(SECTOR) == Writer.content(sector), f"the answered write of sector {sector} is lost"


def assert_given_back(console: Console) -> None:
    """The terminal is as it was found: main screen, cursor, no mouse, no paste marks, and its settings."""
    output = bytes(console.output)
    for on, off in ((b"?1049h", b"?1049l"), (b"?25l", b"?25h"), (b"?1000h", b"?1000l"), (b"?2004h", b"?2004l")):
        assert output.rfind(b"\x1b[" + off) > output.rfind(b"\x1b[" + on), f"{on!r} was left on"
    assert b"Traceback" not in output
    assert termios.tcgetattr(console.terminal) == console.settings


def shown(console: Console) -> Console:
    console.shows(b"\x1b[?1049h")
    console.shows(b"SAN")
    return console


@pytest.mark.parametrize("number", SIGNALS)
def test_export_keeps_answered_writes_under_a_signal(
    number: signal.Signals, veth_pair: VethPair, tmp_path: Path, disk: Path
) -> None:
    with Program(veth_pair.near, tmp_path, "export", "9", "1", veth_pair.near_link, str(disk)) as program:
        program.says("serving on")
        with writer(veth_pair) as written:
            written.until_answered(ENOUGH)
            program.process.send_signal(number)
            assert program.ends() == 0
        assert "Traceback" not in program.stderr
    assert_kept(written, disk)


@pytest.mark.parametrize("number", SIGNALS)
def test_console_gives_its_terminal_back_under_a_signal(number: signal.Signals, veth_pair: VethPair, tmp_path: Path) -> None:
    with Console(veth_pair.near, tmp_path) as console:
        shown(console)
        console.signal(number)
        assert console.ends() == 0
        console.resume()
        assert_given_back(console)


def test_console_on_a_stalled_terminal_still_ends_and_keeps_answered_writes(
    veth_pair: VethPair, tmp_path: Path, disk: Path, config: Path
) -> None:
    with Console(veth_pair.near, tmp_path, "--config", str(config)) as console, writer(veth_pair) as written:
        shown(console)
        written.until_answered(ENOUGH)
        console.stall()
        written.until_answered(len(written.answered) + ENOUGH)
        console.signal(signal.SIGTERM)
        assert console.ends() == 0
        console.resume()
        assert_given_back(console)
    assert_kept(written, disk)


def test_console_ends_when_its_window_is_closed(veth_pair: VethPair, tmp_path: Path, disk: Path, config: Path) -> None:
    with Console(veth_pair.near, tmp_path, "--config", str(config)) as console:
        shown(console)
        with writer(veth_pair) as written:
            written.until_answered(ENOUGH)
            console.hang_up()
            assert console.ends() == 0
    assert_kept(written, disk)


def test_console_ends_when_its_terminal_vanishes_and_no_signal_comes(veth_pair: VethPair, tmp_path: Path) -> None:
    ignored = ["import signal", "signal.signal(signal.SIGHUP, signal.SIG_IGN)", "from aoetui.__main__ import main", "main()"]
    with Console(veth_pair.near, tmp_path, program=["-c", "; ".join(ignored)]) as console:
        shown(console)
        console.hang_up()
        assert console.ends() == 0


def test_console_starts_without_any_capability(veth_pair: VethPair, tmp_path: Path, config: Path) -> None:
    with Console(veth_pair.near, tmp_path, program=["-c", unprivileged("--config", str(config))]) as console:
        shown(console)
        console.signal(signal.SIGTERM)
        assert console.ends() == 0
        console.resume()
        assert_given_back(console)
