"""Every verb that asks the wire finds its interfaces alike: those of `-i`, else those of the config, else none and a list."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from aoetui import cli
from aoetui.engine.api import ExitCode
from aoetui.engine.initiator import finding, path_check
from tests.support.program import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import VethPair

VERBS: tuple[tuple[str, ...], ...] = (
    ("discover", "--wait", "0.1"),
    ("stat", "--wait", "0.1"),
    ("check",),
    ("check", "9.1"),
    ("identify", "9.1"),
    ("ping", "-c", "1", "9.1"),
    ("cfg", "--wait", "0.1"),
    ("cfg", "9.1"),
    ("mask", "9.1"),
    ("reserve", "9.1"),
    ("read", "9.1", "copy.img"),
    ("verify", "9.1", "disk.img"),
    ("bench", "9.1"),
    ("sectors", "9.1"),
)
"""None of them changes anything."""
EACH = pytest.mark.parametrize("words", VERBS, ids=" ".join)


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A home folder of its own, in which the verbs work; nobody is waited for long where nobody is."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk.img").write_bytes(bytes(4096))
    monkeypatch.setattr(finding, "FIRST_ANSWER", 0.02)
    monkeypatch.setattr(path_check, "ROUND_SECONDS", 0.02)
    yield
    assert not os.path.exists("copy.img"), "nobody answered, so nothing was copied"  # noqa: PTH110  # as the verb was given it


def run(pair: VethPair, *words: str) -> int:
    """One command line, at the near end."""
    return pair.near.run(lambda: cli.run(list(words)))


@EACH
def test_nobody_chose(words: tuple[str, ...], veth_pair: VethPair, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(veth_pair, *words) == ExitCode.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    complaint = "aoetui: no interface is chosen: name one with -i, or in [engine] interfaces of the config (near0)\n"
    assert printed.err == complaint


@EACH
def test_the_config_names_one(
    words: tuple[str, ...], veth_pair: VethPair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[engine]\ninterfaces = ["near0"]\n')
    assert run(veth_pair, "--config", str(config), *words) == ExitCode.NO_ANSWER
    assert "near0" in capsys.readouterr().err


@EACH
def test_the_option_goes_before_the_config(
    words: tuple[str, ...], veth_pair: VethPair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[engine]\ninterfaces = ["near0"]\n')
    verb, *rest = words
    assert run(veth_pair, "--config", str(config), verb, "-i", "nope", *rest) == ExitCode.NO
    assert "there is no interface nope: choose from near0" in capsys.readouterr().err
