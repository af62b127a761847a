"""What is wrong without looking at the host: refused with exit code 2 and one plain line."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

import aoetui
from aoetui.__main__ import TEXTUAL_DEFAULTS
from aoetui.cli import run
from aoetui.cli.errors import INTERRUPTED, guarded
from aoetui.cli.options import address_of, macs_of, parts
from aoetui.engine.api import EngineError, ExitCode, NoAnswerError, NoPermissionError, UsageError
from aoetui.engine.protocol.address import Address, Mac

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's own config, state or log."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str, code: ExitCode = ExitCode.USAGE) -> str:
    """Run a command line that is refused; return its one line."""
    assert run(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("aoetui: ")
    assert err.count("\n") == 1
    return str(err)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["--frob"], "No such option"),
        (["export", "9", "1", "eth1"], "Missing argument 'PATH'"),
        (["export", "-x", "9", "1", "eth1", "disk"], "No such option"),
        (["export", "65535", "1", "eth1", "disk"], "shelf 65535 is out of range: choose 0 to 65534"),
        (["export", "9", "255", "eth1", "disk"], "slot 255 is out of range: choose 0 to 254"),
        (["export", "-1", "1", "eth1", "disk"], "shelf -1 is out of range"),
        (["export", "-b", "16", "9", "-1", "eth1", "disk"], "slot -1 is out of range"),
        (["export", "nine", "1", "eth1", "disk"], "shelf 'nine' is not a number"),
        (["export", "9", "²", "eth1", "disk"], "slot '²' is not a number"),
        (["export", "-b", "1", "9", "1", "eth1", "disk"], "buffer count 1 is out of range"),
        (["export", "-b", "x", "9", "1", "eth1", "disk"], "'x' is not a valid integer"),
        (["export", "-o", "-5", "9", "1", "eth1", "disk"], "offset -5 is out of range"),
        (["export", "-l", "0", "9", "1", "eth1", "disk"], "length 0 is out of range"),
        (["doctor", "nine"], "'nine' is not an address: write shelf.slot, as e9.1"),
        (["doctor", "--wait", "0.5"], "0.5 is not in the range 1.0<=x<=60.0"),
        (["export", "--vlan", "0", "9", "1", "eth1", "disk"], "vlan 0 is out of range: choose 1 to 4094"),
        (["export", "--vlan", "-1", "9", "1", "eth1", "disk"], "vlan -1 is out of range"),
        (["export", "9", "1", "eth1 vlan 7", "disk"], "'eth1 vlan 7' is no interface"),
        (["export", "-m", "52:54", "9", "1", "eth1", "disk"], "'52:54' is not a MAC"),
        (["export", "-m", "ff:ff:ff:ff:ff:ff", "9", "1", "eth1", "disk"], "name the initiator's own MAC"),
        (["export", "9", "1", ",", "disk"], "needs at least one interface"),
        (["--config", "x.toml", "export", "9", "1", "eth1", "disk"], "export keeps no config"),
        (["--demo", "stat"], "--demo and --read-only belong to the console"),
        (["--read-only", "export", "9", "1", "eth1", "disk"], "--demo and --read-only belong to the console"),
        (["--demo", "--config", "x.toml"], "--demo has exports of its own"),
        (["stat", "("], "is not a regular expression"),
        (["stat", "--wait", "-1"], "-1"),
        (["discover", "extra"], "unexpected extra argument"),
        (["cfg", "9.x"], "'9.x' is not an address"),
        (["cfg", "9.1", "--set", "x" * 1025], "at most 1024 bytes, not 1025: shorten it"),
        (["cfg", "9.1", "--set", "a", "--test", "b"], "--test and --set are different things"),
        (["cfg", "9.1", "--set", "\\q"], "means nothing"),
        (["cfg", "9.1", "--hex", "--set", "0g"], "is no hex"),
        (["cfg", "--set", "a"], "would set it on every device"),
        (["cfg", "--force", "a"], "would set it on every device"),
        (["mask", "9.1", "--add", "ff:ff:ff:ff:ff:ff"], "name the initiator's own MAC"),
        (["mask", "9.1", "--add", "2:0:0:0:0:1", "--clear"], "do one or the other"),
        (["mask", "9.1", "--force"], "--force has nothing to do"),
        (["mask"], "Missing argument 'ADDRESS'"),
        (["reserve", "9.1", "--set", "--release"], "do one at a time"),
        (["reserve", "9.1", "--force"], "--force has nothing to do"),
        (["reserve", "9.1", "--mac", "52:54"], "'52:54' is not a MAC"),
        (["identify"], "name the address of a device, or --from-hex"),
        (["ping", "9.1", "--smart", "bogus"], "'bogus' is no SMART command: choose read_data"),
        (["ping", "9.1", "--smart", "read_log:256"], "256 is no value of a register"),
        (["ping", "9.1", "--smart", "read_log:x"], "'x' is no number"),
        (["ping", "9.1", "--tag", "1048576"], "1048576"),
    ],
)
def test_bad_usage_is_refused(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refusal(capsys, *arguments)


def test_a_usage_error_names_the_help_that_helps(capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, "export", "--frob").endswith("; see aoetui export --help\n")


def test_a_broken_config_is_refused_with_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[engine]\ninterfaces = [\n")
    said = refusal(capsys, "--config", str(config), "stat")
    assert str(config) in said
    assert "line" in said


def test_the_console_needs_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    if os.isatty(0):
        pytest.skip("stdin is a terminal here")
    assert "needs a terminal" in refusal(capsys)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == ExitCode.DONE
    assert capsys.readouterr().out == f"aoetui {aoetui.__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["export", "-h"], ["discover", "--help"], ["stat", "--help"], ["locate", "-h"]]
)
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == ExitCode.DONE
    assert capsys.readouterr().out.startswith("Usage: aoetui")


def test_locate_names_the_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["locate"]) == ExitCode.DONE
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["config"] == str(tmp_path / "XDG_CONFIG_HOME" / "aoetui" / "config.toml")
    assert lines.keys() == {"config", "state", "log"}


@pytest.mark.parametrize(
    ("error", "code"),
    [(EngineError("x"), 1), (UsageError("x"), 2), (NoPermissionError("x"), 3), (NoAnswerError("x"), 4)],
)
def test_each_error_has_its_exit_code(error: EngineError, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise error

    assert guarded(fail) == code
    assert capsys.readouterr().err == "aoetui: x\n"


def test_an_interrupt_ends_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> int:
        raise click.Abort

    assert guarded(interrupt) == INTERRUPTED
    assert capsys.readouterr().err == ""


def test_the_unexpected_is_one_line_that_names_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise KeyError("shelf")

    assert guarded(fail) == ExitCode.NO
    said = capsys.readouterr().err
    assert "unexpected KeyError: 'shelf'" in said
    assert "aoetui.log" in said
    assert said.count("\n") == 1


def test_another_os_error_is_not_taken_for_a_reader_that_left(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise OSError(errno.EIO, "disk")

    assert guarded(fail) == ExitCode.NO
    assert "unexpected OSError" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    script = "import sys; from aoetui.cli import run; sys.exit(run(['--help']))"
    with os.fdopen(writer, "wb") as pipe:
        ended = subprocess.run([sys.executable, "-c", script], stdout=pipe, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_terminal_without_the_character_is_no_error() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "iso-8859-1:strict"}
    command = [sys.executable, "-m", "aoetui", "export", "9", "€", "eth1", "disk"]
    ended = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert ended.returncode == ExitCode.USAGE
    assert ended.stderr == b"aoetui: slot '?' is not a number: choose 0 to 254\n"


def test_commands_do_not_load_textual() -> None:
    script = "import sys; from aoetui.cli import run; run(['locate']); sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


def test_textual_finds_its_settings_when_it_is_loaded() -> None:
    script = "import runpy, sys; sys.argv = ['aoetui', '--version']\ntry:\n runpy.run_module('aoetui', run_name='__main__')\n"
    script += "except SystemExit:\n from textual import constants; print(constants.TEXTUAL_ANIMATIONS, constants.SMOOTH_SCROLL)"
    cleared = {name: value for name, value in os.environ.items() if name not in TEXTUAL_DEFAULTS}
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=cleared, check=True)
    assert ended.stdout.splitlines()[-1] == "none False"


def test_lists_are_taken_with_commas_and_repeats() -> None:
    assert parts(["eth1,eth2", "eth1", " eth3 ,"]) == ("eth1", "eth2", "eth3")
    one, other = Mac.parse("52:54:00:00:00:01"), Mac.parse("52:54:00:00:00:02")
    assert macs_of([f"{one},{other}", str(one)]) == (one, other)


def test_an_address_is_taken_at_its_limits() -> None:
    assert address_of("65534", "254") == Address(65534, 254)
    assert address_of("0", "0") == Address(0, 0)
