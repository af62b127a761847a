"""`aoetui export` as a process: vblade's line, what it refuses, and what it says later."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import ExitCode
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.frames import ConfigArgument, MaskArgument
from aoetui.engine.protocol.wire import SECTOR, AtaOp, ConfigOp
from tests.support.initiator import initiator
from tests.support.program import Program, run
from tests.support.waiting import wait_until
from tests.support.writer import Writer

if TYPE_CHECKING:
    from tests.support.netns import VethPair

SECTORS = 20480


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A sparse file of 10 MiB."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(SECTORS * SECTOR)
    return path


def test_it_prints_the_line_of_vblade_and_where_it_serves(veth_pair: VethPair, tmp_path: Path, disk: Path) -> None:
    with Program(veth_pair.near, tmp_path, "export", "9", "1", "near0", str(disk)) as program:
        program.says("serving on")
        lines = program.stdout.splitlines()
        assert lines[0] == f"pid {program.process.pid}: e9.1, {SECTORS} sectors O_RDWR"
        assert lines[1].startswith("serving on near0, cached")
        assert program.stderr == ""


def test_options_of_vblade_are_taken_together(veth_pair: VethPair, tmp_path: Path, disk: Path) -> None:
    options = ["-b16", "-s", "-o", "8", "-l", "1000", "-m", "02:00:00:00:00:02,02:00:00:00:00:03", "-m", "020000000004"]
    with Program(veth_pair.near, tmp_path, "export", *options, "9", "1", "near0", str(disk)) as program:
        program.says("serving on")
        assert "e9.1, 1000 sectors O_RDWR" in program.stdout
        assert "durable" in program.stdout
        with Writer(veth_pair.far, "far0", Mac.parse(veth_pair.near_mac), Address(9, 1)) as writer:
            writer.until_answered(100)
    assert disk.read_bytes()[8 * SECTOR : 9 * SECTOR] == Writer.content(0)


def test_read_only(veth_pair: VethPair, tmp_path: Path, disk: Path) -> None:
    with Program(veth_pair.near, tmp_path, "export", "-r", "9", "1", "near0", str(disk)) as program:
        program.says("serving on near0, read-only")
        assert "O_RDONLY" in program.stdout


def test_shelf_4095_is_served_with_a_warning(veth_pair: VethPair, tmp_path: Path, disk: Path) -> None:
    with Program(veth_pair.near, tmp_path, "export", "4095", "1", "near0", str(disk)) as program:
        program.says("serving on")
        program.says("shelf 4095")
        assert program.stderr.startswith("aoetui: ")
        assert program.stderr.count("\n") == 1


def test_a_link_that_goes_is_one_line_and_not_the_end(veth_pair: VethPair, tmp_path: Path, disk: Path) -> None:
    with Program(veth_pair.near, tmp_path, "export", "9", "1", "near0", str(disk)) as program:
        program.says("serving on")
        veth_pair.near.delete_link("near0")
        program.says("near0")
        program.says("aoetui: ")
        assert program.process.poll() is None
        assert "Traceback" not in program.stderr


def test_an_end_that_its_disk_holds_up_says_that_and_no_more(veth_pair: VethPair, tmp_path: Path, freezer: Path) -> None:
    path = freezer / "disk.img"
    path.write_bytes(bytes(SECTORS * SECTOR // 16))
    with Program(veth_pair.near, tmp_path, "export", "9", "1", "near0", str(path)) as program:
        program.says("serving on")
        with initiator(veth_pair.far, "far0") as ini:
            ini.find()
            subprocess.run(["fsfreeze", "-f", freezer], check=True)
            try:
                ini.wire.send([ini.request(AtaOp.WRITE_EXT, 0, 1, b"\xa5" * SECTOR, 77)])
                wait_until(lambda: a_thread_waits_for_the_disk(program.process.pid), "the write has reached the disk")
                program.process.send_signal(signal.SIGTERM)
                program.says("e9.1 did not end within 2 seconds: its disk did not finish in time")
                assert "lost" not in program.stderr
            finally:
                subprocess.run(["fsfreeze", "-u", freezer], check=True)
        assert program.ends() == ExitCode.NO


def a_thread_waits_for_the_disk(process: int) -> bool:
    """Whether one sleeps in the kernel and cannot be woken (proc(5): state D)."""
    states = [task.read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{process}/task").glob("*/stat")]
    return "D" in states


def test_an_address_that_is_served_already_is_refused(veth_pair: VethPair, tmp_path: Path, disk: Path) -> None:
    (tmp_path / "far").mkdir()
    with Program(veth_pair.far, tmp_path / "far", "export", "-r", "9", "1", "far0", str(disk)) as other:
        other.says("serving on")
        refused = run(veth_pair.near, tmp_path, "export", "-r", "9", "1", "near0", str(disk))
        assert refused.returncode == ExitCode.NO
        assert veth_pair.far_mac in refused.stderr
        assert refused.stderr.count("\n") == 1
        with Program(veth_pair.near, tmp_path, "export", "-r", "--force", "9", "1", "near0", str(disk)) as forced:
            forced.says("serving on")


@pytest.mark.parametrize(
    ("interface", "path"),
    [("nope", "disk.img"), ("near0", "missing.img"), ("near0,lo", "disk.img")],
)
def test_what_cannot_be_served_is_refused_by_name(
    interface: str, path: str, veth_pair: VethPair, tmp_path: Path, disk: Path
) -> None:
    refused = run(veth_pair.near, tmp_path, "export", "9", "1", interface, str(disk.with_name(path)))
    assert refused.returncode == ExitCode.NO
    assert refused.stdout == ""
    assert (path if path == "missing.img" else interface.rsplit(",", maxsplit=1)[-1]) in refused.stderr
    assert refused.stderr.count("\n") == 1


def state_of(pair: VethPair, folder: Path, *arguments: str, string: bytes = b"") -> tuple[bytes, tuple[Mac, ...]]:
    """Config string and mask list as a new `aoetui export` tells them; then it sets `string`, if there is one, and ends."""
    with Program(pair.near, folder, "export", *arguments) as program, initiator(pair.far, "far0") as ini:
        program.says("serving on")
        argument, mask = ini.find().argument, ini.mask().argument
        if string:
            assert ini.config(ConfigOp.FORCE_SET, string).header.error is None
        program.process.terminate()
        assert program.ends() == 0
    assert isinstance(argument, ConfigArgument)
    assert isinstance(mask, MaskArgument)
    return argument.string, tuple(line.mac for line in mask.directives)


def test_without_a_folder_no_state_is_kept(veth_pair: VethPair, tmp_path: Path, disk: Path) -> None:
    words = ("9", "1", "near0", str(disk))
    assert state_of(veth_pair, tmp_path, *words, string=b"web01") == (b"", ())
    assert state_of(veth_pair, tmp_path, *words) == (b"", ())
    assert not (tmp_path / "config").exists()
    assert not list((tmp_path / "state").rglob("*.json"))


def test_state_is_kept_in_the_folder_that_was_named_and_m_adds_to_it(veth_pair: VethPair, tmp_path: Path, disk: Path) -> None:
    kept, mine, other = tmp_path / "kept", Mac.parse(veth_pair.far_mac), Mac.parse("02:00:00:00:00:77")
    words = ("--state", str(kept), "9", "1", "near0", str(disk))
    assert state_of(veth_pair, tmp_path, *words, string=b"web01") == (b"", ())
    assert state_of(veth_pair, tmp_path, "-m", str(mine), *words) == (b"web01", (mine,))
    assert state_of(veth_pair, tmp_path, "-m", f"{other},{mine}", *words) == (b"web01", (mine, other))
    assert state_of(veth_pair, tmp_path, *words) == (b"web01", (mine, other))
    assert len(list(kept.iterdir())) == 1
    assert not (tmp_path / "config").exists()
