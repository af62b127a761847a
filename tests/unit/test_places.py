"""Where files are, for root, for a user, and as the XDG variables say."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from aoetui.engine import places

VARIABLES = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def as_user(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    """The id alone: becoming another user would need root, and the places read nothing else of it."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setenv("HOME", "/home/ann")


def test_root_has_the_system_s_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    assert places.config_file() == Path("/etc/aoetui/config.toml")
    assert places.state_dir() == Path("/var/lib/aoetui")
    assert places.runtime_dir() == Path("/run/aoetui")
    assert places.log_file() == Path("/var/lib/aoetui/log/aoetui.log")


def test_a_user_has_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 4242)
    assert places.config_file() == Path("/home/ann/.config/aoetui/config.toml")
    assert places.state_dir() == Path("/home/ann/.local/state/aoetui")


def test_nothing_is_ever_in_a_folder_that_anyone_may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 4242)  # who has no /run/user/4242
    for place in (places.config_file(), places.state_dir(), places.runtime_dir(), places.log_dir()):
        assert not place.is_relative_to(tempfile.gettempdir())
        assert place.parts[1] != "tmp"


@pytest.mark.parametrize("uid", [0, 4242])
def test_the_variables_win(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    as_user(monkeypatch, uid)
    for name in VARIABLES:
        monkeypatch.setenv(name, f"/else/{name}")
    assert places.config_file() == Path("/else/XDG_CONFIG_HOME/aoetui/config.toml")
    assert places.state_dir() == Path("/else/XDG_STATE_HOME/aoetui")
    assert places.runtime_dir() == Path("/else/XDG_RUNTIME_DIR/aoetui")


@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_a_variable_that_names_no_absolute_folder_is_ignored(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    as_user(monkeypatch, 0)
    monkeypatch.setenv("XDG_CONFIG_HOME", value)
    assert places.config_file() == Path("/etc/aoetui/config.toml")
