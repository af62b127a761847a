"""Serials: the same after a restart, different for another disk, never invented over a damaged file."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from aoetui.engine import state
from aoetui.engine.api import EngineError
from aoetui.engine.protocol.address import Address
from aoetui.engine.state import MAX_SERIAL, StateStore

DISK = Address(9, 1)


def only_file(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def test_a_serial_stays_and_fits_identify(tmp_path: Path) -> None:
    serial = StateStore(tmp_path / "state").serial_for(DISK, "file:1:/a")
    assert StateStore(tmp_path / "state").serial_for(DISK, "file:1:/a") == serial
    assert 0 < len(serial) <= MAX_SERIAL
    assert serial.isascii()
    assert serial.isalnum()


def test_another_disk_at_the_address_inherits_nothing(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    serials = {store.serial_for(address, key) for address in (DISK, Address(9, 2)) for key in ("file:1:/a", "file:2:/a")}
    assert len(serials) == 4
    assert len(list(tmp_path.iterdir())) == 4


def test_the_file_names_its_export_and_is_ours_alone(tmp_path: Path) -> None:
    serial = StateStore(tmp_path).serial_for(DISK, "file:1:/a")
    path = only_file(tmp_path)
    assert path.name.startswith("e9.1-")
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {"version": 1, "address": "e9.1", "backing": "file:1:/a", "serial": serial}


def test_without_a_folder_the_serial_is_the_same_and_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    serial = StateStore(None).serial_for(DISK, "file:1:/a")
    assert serial == StateStore(None).serial_for(DISK, "file:1:/a")
    assert not list(tmp_path.iterdir())
    assert serial == StateStore(tmp_path).serial_for(DISK, "file:1:/a")


def test_a_saved_serial_survives_a_change_of_the_host_s_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serial = StateStore(tmp_path).serial_for(DISK, "file:1:/a")
    monkeypatch.setattr(state, "_host_id", lambda: "another")  # /etc/machine-id is the host's, not a test's to change
    assert StateStore(tmp_path).serial_for(DISK, "file:1:/a") == serial
    assert StateStore(None).serial_for(DISK, "file:1:/a") != serial


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"version": 2, "address": "e9.1", "backing": "file:1:/a", "serial": "x"}',
        b'{"version": 1, "address": "e9.2", "backing": "file:1:/a", "serial": "x"}',
        b'{"version": 1, "address": "e9.1", "backing": "file:2:/a", "serial": "x"}',
        b'{"version": 1, "address": "e9.1", "backing": "file:1:/a", "serial": ""}',
        b'{"version": 1, "address": "e9.1", "backing": "file:1:/a", "serial": "twenty-one-characters"}',
        b'{"version": 1, "address": "e9.1", "backing": "file:1:/a", "serial": 5}',
    ],
)
def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    serial = StateStore(tmp_path).serial_for(DISK, "file:1:/a")
    path = only_file(tmp_path)
    path.write_bytes(content)
    with pytest.raises(EngineError, match="is damaged: restore it, or remove it") as caught:
        StateStore(tmp_path).serial_for(DISK, "file:1:/a")
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content
    path.unlink()
    assert StateStore(tmp_path).serial_for(DISK, "file:1:/a") == serial


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in its place")
    with pytest.raises(EngineError, match=str(tmp_path / "state")):
        StateStore(tmp_path / "state").serial_for(DISK, "file:1:/a")


def test_a_full_disk_leaves_no_part_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)  # a full disk cannot be had without a file system of our own
    with pytest.raises(EngineError, match="No space left"):
        StateStore(tmp_path).serial_for(DISK, "file:1:/a")
    assert not list(tmp_path.iterdir())


def test_a_host_without_an_id_goes_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "")
    assert state._host_id() == socket.gethostname()
