"""State files: the same after a restart, another disk's never, whole or not at all, and never invented over a damaged one."""

from __future__ import annotations

import errno
import json
import os
import socket
from pathlib import Path

import pytest

from aoetui.engine import state
from aoetui.engine.api import EngineError
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.facts import TargetState
from aoetui.engine.state import MAX_SERIAL, KeptState, StateStore

DISK = Address(9, 1)
KEY = "file:1:/a"
ONE, TWO = Mac.parse("02:00:00:00:00:01"), Mac.parse("02:00:00:00:00:02")
SET = TargetState(b"rack \x004", (ONE, TWO), (TWO,))


def opened(folder: Path, address: Address = DISK, key: str = KEY) -> KeptState:
    """What is kept of an export in `folder`, as a new process finds it."""
    return StateStore(folder).open(address, key)


def only_file(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def macs(count: int) -> tuple[Mac, ...]:
    return tuple(Mac(b"\x02\0\0\0" + number.to_bytes(2, "big")) for number in range(count))


def test_a_serial_stays_and_fits_identify(tmp_path: Path) -> None:
    serial = opened(tmp_path / "state").serial
    assert opened(tmp_path / "state").serial == serial
    assert 0 < len(serial) <= MAX_SERIAL
    assert serial.isascii()
    assert serial.isalnum()


def test_what_is_kept_is_there_again(tmp_path: Path) -> None:
    first = opened(tmp_path)
    assert first.state == TargetState()
    first.keep(SET)
    assert first.state == SET
    assert opened(tmp_path).state == SET


def test_another_disk_at_the_address_inherits_nothing(tmp_path: Path) -> None:
    opened(tmp_path).keep(SET)
    others = [opened(tmp_path, address, key) for address, key in ((DISK, "file:2:/a"), (Address(9, 2), KEY))]
    assert [each.state for each in others] == [TargetState(), TargetState()]
    assert len({opened(tmp_path).serial, *(each.serial for each in others)}) == 3
    assert len(list(tmp_path.iterdir())) == 3


def test_the_file_names_its_export_and_is_ours_alone(tmp_path: Path) -> None:
    kept = opened(tmp_path)
    kept.keep(SET)
    path = only_file(tmp_path)
    assert path.name.startswith("e9.1-")
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {
        "version": 1,
        "address": "e9.1",
        "backing": KEY,
        "serial": kept.serial,
        "config_string": "7261636b200034",
        "mask": [str(ONE), str(TWO)],
        "reservation": [str(TWO)],
    }


def test_without_a_folder_nothing_is_kept_and_the_serial_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept = StateStore(None).open(DISK, KEY)
    kept.keep(SET)
    assert kept.state == SET, "for as long as the process lives"
    assert StateStore(None).open(DISK, KEY).state == TargetState()
    assert not list(tmp_path.iterdir())
    assert opened(tmp_path).serial == kept.serial


def test_a_saved_serial_survives_a_change_of_the_host_s_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serial = opened(tmp_path).serial
    monkeypatch.setattr(state, "_host_id", lambda: "another")  # /etc/machine-id is the host's, not a test's to change
    assert opened(tmp_path).serial == serial
    assert StateStore(None).open(DISK, KEY).serial != serial


def written(**changes: object) -> bytes:
    """A state file, sound but for `changes`."""
    sound: dict[str, object] = {"version": 1, "address": "e9.1", "backing": KEY, "serial": "x"}
    sound |= {"config_string": "", "mask": [], "reservation": []}
    return json.dumps(sound | changes).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        pytest.param(b"[" * 100_000, id="deep"),
        b"\xff\xfe",
        b'{"version": 1, "address": "e9.1", "backing": "file:1:/a", "serial": "x"}',
        written(version=2),
        written(address="e9.2"),
        written(backing="file:2:/a"),
        written(serial=""),
        written(serial="twenty-one-characters"),
        written(serial=5),
        written(config_string="7"),
        written(config_string="zz"),
        written(config_string="00" * 1025),
        written(mask=["52:54"]),
        written(mask=[5]),
        written(mask={}),
        written(mask=[str(mac) for mac in macs(256)]),
        written(reservation="02:00:00:00:00:01"),
        written(reservation=[None]),
    ],
)
def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    serial = opened(tmp_path).serial
    path = only_file(tmp_path)
    path.write_bytes(content)
    with pytest.raises(EngineError, match="is damaged: restore it, or remove it") as caught:
        opened(tmp_path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content
    path.unlink()
    assert opened(tmp_path).serial == serial


def test_the_sound_file_that_those_are_made_of_is_taken(tmp_path: Path) -> None:
    opened(tmp_path)
    only_file(tmp_path).write_bytes(written(config_string="00" * 1024, mask=[str(mac) for mac in macs(255)]))
    assert opened(tmp_path).state == TargetState(bytes(1024), macs(255))


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in its place")
    with pytest.raises(EngineError, match=str(tmp_path / "state")):
        opened(tmp_path / "state")


def test_a_disk_that_becomes_full_leaves_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = opened(tmp_path)
    kept.keep(SET)

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)  # a full disk cannot be had without a file system of our own
        with pytest.raises(EngineError, match=r"No space left.*make room"):
            kept.keep(TargetState(b"new"))
    assert kept.state == SET
    assert len(list(tmp_path.iterdir())) == 1
    assert opened(tmp_path).state == SET


def test_what_is_refused_since_its_folder_cannot_be_synced_does_not_hold_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = opened(tmp_path)
    kept.keep(SET)
    real = os.fsync

    def fails_for_folders(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink() == tmp_path:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails_for_folders)  # a file system that fails between the rename and its own record of it
        with pytest.raises(EngineError, match="Input/output error"):
            kept.keep(TargetState(b"new"))
    assert kept.state == SET
    assert opened(tmp_path).state == SET


def test_what_a_killed_save_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = opened(tmp_path)
    kept.keep(SET)
    path = only_file(tmp_path)
    leftover, other = tmp_path / f".{path.name}.0a1b2c3d.tmp", tmp_path / ".e9.2-0.json.0a1b2c3d.tmp"
    for each in (leftover, other):
        each.write_bytes(b"half a")
    assert opened(tmp_path).state == SET
    assert {each.name for each in tmp_path.iterdir()} == {path.name, other.name}


def test_a_mask_is_added_once_and_an_unchanged_one_writes_nothing(tmp_path: Path) -> None:
    opened(tmp_path).keep(TargetState(b"x", (TWO,)))
    opened(tmp_path).add_to_mask((ONE, TWO, ONE))
    assert opened(tmp_path).state == TargetState(b"x", (TWO, ONE))
    before = only_file(tmp_path).stat()
    for more in ((), (ONE,)):
        opened(tmp_path).add_to_mask(more)
    assert only_file(tmp_path).stat() == before


def test_a_mask_that_no_file_could_hold_is_refused(tmp_path: Path) -> None:
    """Kept all the same, it would pass for damage at the next start."""
    opened(tmp_path).keep(TargetState(mask=macs(250)))
    with pytest.raises(EngineError, match="256 MACs are more than a mask list holds: keep at most 255") as caught:
        opened(tmp_path).add_to_mask(macs(256))
    assert caught.value.field == "mask"
    assert opened(tmp_path).state.mask == macs(250)


def test_a_new_folder_is_on_stable_storage_with_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    real = os.fsync

    def sync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)  # it does its work: only what it was done to is noted
    opened(tmp_path / "new" / "state")
    path = only_file(tmp_path / "new" / "state")
    assert {tmp_path, tmp_path / "new", path.parent} <= set(synced)
    assert synced[-1] == path.parent
    assert synced[-2].name.startswith(f".{path.name}."), "the file itself, before it has its name"


def test_a_host_without_an_id_goes_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "")
    assert state._host_id() == socket.gethostname()
