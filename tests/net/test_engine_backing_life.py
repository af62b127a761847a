"""What becomes of a backing while it is served: grown, cut short, replaced, moved, deleted, full, gone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import EngineError, StartExport, StopExport
from aoetui.engine.backing import Backing
from aoetui.engine.clock import Clock
from aoetui.engine.disk_trouble import CALM
from aoetui.engine.local import LocalEngine
from aoetui.engine.protocol.frames import ConfigArgument
from aoetui.engine.protocol.wire import SECTOR, AtaError, AtaOp, AtaStatus
from aoetui.engine.snapshot import ExportState, Severity
from tests.support.engines import E91, PATIENCE, SIZE, Held, add, at_work, disk, spec, the_export
from tests.support.mounts import loop_device, small_file_system
from tests.support.stalled import stalled
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.initiator import Initiator
    from tests.support.netns import VethPair

SECTORS = SIZE // SECTOR
FAILED = (AtaStatus.DRDY | AtaStatus.ERR, AtaError.UNC)
LOCKED = """
import fcntl, os, struct, sys
file = os.open(sys.argv[1], os.O_RDWR)
start, length = int(sys.argv[2]), int(sys.argv[3])
fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi0q", fcntl.F_WRLCK, 0, start, length, 0))
print("locked", flush=True)
sys.stdin.read()
"""


def served_sectors(ini: Initiator) -> int:
    """The size that IDENTIFY tells, in words 100 to 103."""
    return int.from_bytes(ini.ata(AtaOp.IDENTIFY).data[200:208], "little")


def outcome(ini: Initiator, op: AtaOp, lba: int, data: bytes = b"") -> tuple[int, int]:
    """Status and error of one sector's request."""
    answer = ini.ata(op, lba, 1, data)
    return answer.op_or_status, answer.feature_or_error


def told(engine: LocalEngine) -> list[str]:
    """Every event about the export's disk."""
    return [event.text for event in engine.events(0) if event.subject == "e9.1" and not event.text.startswith("served on")]


def looked_twice(engine: LocalEngine) -> None:
    """Wait until the backing was looked at twice from now on."""
    ticks = engine._ticks + 3
    wait_until(lambda: engine._ticks >= ticks, "three ticks")


def alarm_of(engine: LocalEngine) -> str:
    """Wait for the export's alarm, and that it is told."""
    wait_until(lambda: bool(engine.snapshot().alarms), "an alarm")
    (alarm,) = engine.snapshot().alarms
    assert engine._alarms_now() == (alarm,)  # what the events are made of is what the console shows
    assert (alarm.severity, alarm.subject) == (Severity.ALARM, "e9.1")
    wait_until(lambda: alarm.text in told(engine), "it is told")
    assert the_export(engine).state is ExportState.DEGRADED
    return alarm.text


def well_again(engine: LocalEngine) -> None:
    """Wait until the alarm is over, and that it is told."""
    wait_until(lambda: the_export(engine).state is ExportState.SERVING, "it is well")
    wait_until(lambda: told(engine)[-1:] == ["well again"], "that is told")


def restart(engine: LocalEngine) -> None:
    """Stop and start the export, as alarms advise."""
    engine.submit(StopExport(E91)).result(PATIENCE)
    engine.submit(StartExport(E91)).result(PATIENCE)
    wait_until(lambda: the_export(engine).state is ExportState.SERVING, "it is served again")


@pytest.fixture
def path(tmp_path: Path, near: LocalEngine, ini: Initiator) -> Path:
    """A disk that is served whole, as e9.1."""
    made = disk(tmp_path)
    add(near, spec(made))
    ini.find()
    return made


# ---- grown


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("offset", [0, 8])
def test_a_file_that_grew_is_served_whole(
    near: LocalEngine, ini: Initiator, tmp_path: Path, offset: int, *, direct: bool
) -> None:
    path = disk(tmp_path)
    add(near, spec(path, offset=offset, direct=direct))
    ini.find()
    ini.wire.receive(0)
    os.truncate(path, 2 * SIZE)
    wait_until(lambda: the_export(near).size == 2 * SIZE - offset * SECTOR, "the new size is served")
    assert served_sectors(ini) == 2 * SECTORS - offset
    last = 2 * SECTORS - offset - 1
    assert ini.write(last, b"\x5a" * SECTOR) == AtaStatus.DRDY
    assert path.read_bytes()[-SECTOR:] == b"\x5a" * SECTOR
    assert outcome(ini, AtaOp.READ_EXT, last + 1)[1] == AtaError.IDNF
    (text,) = told(near)
    assert text.startswith(f"{path} grew from {SECTORS - offset} to {2 * SECTORS - offset} sectors")
    assert "`echo e9.1 > /dev/etherd/revalidate`" in text
    assert near.snapshot().alarms == ()


def test_a_new_size_is_advertised(near: LocalEngine, ini: Initiator, path: Path) -> None:
    ini.wire.receive(0)
    os.truncate(path, 2 * SIZE)

    def is_advertised() -> bool:
        frames = ini.decoded(ini.wire.receive(0))
        return any(frame.header.tag == 0 and isinstance(frame.argument, ConfigArgument) for frame in frames)

    wait_until(is_advertised, "an advertisement")
    assert served_sectors(ini) == 2 * SECTORS
    assert the_export(near).size == 2 * SIZE


def test_the_lock_grows_with_the_file(near: LocalEngine, tmp_path: Path) -> None:
    path = disk(tmp_path)
    add(near, spec(path, offset=8))
    os.truncate(path, 2 * SIZE)
    wait_until(lambda: the_export(near).size == 2 * SIZE - 8 * SECTOR, "the new size is served")
    with pytest.raises(EngineError, match="locked"):
        Backing.open(path, read_only=False, offset=SECTORS, length=1)
    Backing.open(path, read_only=False, length=8).close()


def test_a_part_is_served_as_it_was(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    path = disk(tmp_path)
    add(near, spec(path, length=SECTORS - 8))
    ini.find()
    os.truncate(path, 2 * SIZE)
    looked_twice(near)
    assert served_sectors(ini) == SECTORS - 8
    assert told(near) == []
    with closing(Backing.open(path, read_only=False, offset=SECTORS - 8)) as rest:
        assert rest.sectors == SECTORS + 8


def test_half_a_sector_is_not_served(near: LocalEngine, ini: Initiator, path: Path) -> None:
    os.truncate(path, SIZE + 100)
    assert f"run `truncate -s {SIZE + SECTOR} {path}`" in alarm_of(near)
    assert served_sectors(ini) == SECTORS
    os.truncate(path, SIZE + SECTOR)
    well_again(near)
    wait_until(lambda: the_export(near).size == SIZE + SECTOR, "the new size is served")


def test_what_another_program_has_locked_is_not_served(near: LocalEngine, ini: Initiator, path: Path) -> None:
    command = [sys.executable, "-c", LOCKED, str(path), str(SIZE), str(SIZE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        os.truncate(path, 2 * SIZE)
        assert "another program has locked the new part" in alarm_of(near)
        assert served_sectors(ini) == SECTORS
        other.communicate("")
    well_again(near)
    wait_until(lambda: the_export(near).size == 2 * SIZE, "the new size is served")


# ---- cut short


@pytest.mark.parametrize("direct", [False, True])
def test_what_was_cut_off_never_comes_back_as_zeros(near: LocalEngine, ini: Initiator, tmp_path: Path, *, direct: bool) -> None:
    """Nobody asks for anything while the file is short: it is looked at all the same."""
    path = disk(tmp_path)
    add(near, spec(path, direct=direct))
    ini.find()
    os.truncate(path, SIZE // 2 - 100)
    assert f"{path} was made shorter: the last {SECTORS // 2 + 1} sectors of the export are lost" in alarm_of(near)
    os.truncate(path, 2 * SIZE)
    looked_twice(near)
    for lba in (SECTORS // 2 - 1, SECTORS - 1):
        assert outcome(ini, AtaOp.READ_EXT, lba) == FAILED
        assert outcome(ini, AtaOp.WRITE_EXT, lba, b"\xa5" * SECTOR) == FAILED
    assert ini.read(SECTORS // 2 - 2, 1) == (SECTORS // 2 - 2).to_bytes(4, "big") * (SECTOR // 4)
    assert served_sectors(ini) == SECTORS, "a disk does not shrink under its users"
    alarm_of(near)
    restart(near)
    assert ini.read(SECTORS - 1, 1) == bytes(SECTOR), "someone has decided so"
    assert served_sectors(ini) == 2 * SECTORS


def test_a_request_that_meets_the_end_first_is_enough(near: LocalEngine, ini: Initiator, path: Path) -> None:
    held = Held(near)
    os.truncate(path, SIZE // 2)
    held.go()
    assert outcome(ini, AtaOp.READ_EXT, SECTORS - 1) == FAILED
    os.truncate(path, SIZE)
    assert outcome(ini, AtaOp.READ_EXT, SECTORS - 1) == FAILED
    assert "was made shorter" in the_export(near).problem


# ---- another name, or none


def rescue(alarm: str, copy: Path) -> None:
    """Do what the alarm advises to save the data."""
    found = re.search(r"`(cp /proc/\d+/fd/\d+) COPY`", alarm)
    assert found is not None, alarm
    subprocess.run([*found[1].split(), str(copy)], check=True)


def test_a_file_that_is_replaced(near: LocalEngine, ini: Initiator, path: Path, tmp_path: Path) -> None:
    old = path.read_bytes()
    new = tmp_path / "new.img"
    new.write_bytes(b"N" * SIZE)
    new.rename(path)
    alarm = alarm_of(near)
    assert f"{path} is another file now, and the export goes on with the one that it opened" in alarm
    assert ini.read(0, 1) == old[:SECTOR]
    assert ini.write(0, b"\x5a" * SECTOR) == AtaStatus.DRDY
    assert path.read_bytes() == b"N" * SIZE
    rescue(alarm, tmp_path / "copy.img")
    assert (tmp_path / "copy.img").read_bytes() == b"\x5a" * SECTOR + old[SECTOR:]
    restart(near)
    assert ini.read(0, 1) == b"N" * SECTOR


def test_a_file_that_is_deleted(near: LocalEngine, ini: Initiator, path: Path, tmp_path: Path) -> None:
    old = path.read_bytes()
    path.unlink()
    alarm = alarm_of(near)
    assert f"{path} was deleted, and the export goes on with the one that it opened" in alarm
    assert ini.read(1, 1) == old[SECTOR : 2 * SECTOR]
    rescue(alarm, tmp_path / "copy.img")
    assert (tmp_path / "copy.img").read_bytes() == old


def test_a_file_that_is_moved_and_moved_back(near: LocalEngine, ini: Initiator, path: Path, tmp_path: Path) -> None:
    moved = path.rename(tmp_path / "elsewhere.img")
    assert f"{path} was moved, and the export goes on" in alarm_of(near)
    assert ini.read(1, 1)
    moved.rename(path)
    well_again(near)


def test_a_disk_that_hangs_holds_up_nobody_else(near: LocalEngine, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look waits in one of the export's threads; no second one is asked for meanwhile."""
    with stalled(at_work(near), monkeypatch, "look") as stall:
        stall.reached()
        path.unlink()
        looked_twice(near)
        assert stall.begun == ["look"]
        assert the_export(near).problem == ""
        stall.go_on()
        assert "was deleted" in alarm_of(near)


def test_a_request_that_hangs_holds_up_no_look(near: LocalEngine, path: Path) -> None:
    held = Held(near)
    path.unlink()
    assert "was deleted" in alarm_of(near)
    held.go()


# ---- file systems and devices of the test's own


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    with small_file_system(tmp_path / "small", "256k") as folder:
        yield folder


def test_room_that_is_made_ends_the_alarm(veth_pair: VethPair, ini: Initiator, small: Path) -> None:
    """Though nobody writes."""
    ahead = 0.0
    real = Clock()
    engine = LocalEngine(clock=Clock(monotonic=lambda: real.monotonic() + ahead))
    veth_pair.near.run(engine.start)
    try:
        path, other = small / "sparse.img", small / "other"
        path.touch()
        os.truncate(path, SIZE)
        add(engine, spec(path))
        other.write_bytes(bytes(256 << 10))
        ini.find()
        assert outcome(ini, AtaOp.WRITE_EXT, 0, b"\xa5" * SECTOR) == FAILED
        assert "make room on its file system" in alarm_of(engine)
        assert ini.read(0, 1) == bytes(SECTOR)
        ahead = CALM + 1
        looked_twice(engine)
        assert "make room on its file system" in the_export(engine).problem, "there is none yet"
        other.unlink()
        assert ini.write(0, b"\x5a" * SECTOR) == AtaStatus.DRDY
        assert ini.read(0, 1) == b"\x5a" * SECTOR
        well_again(engine)
    finally:
        assert engine.stop()


@pytest.fixture
def image(small: Path) -> Path:
    """A file for a loop device to stand on."""
    return disk(small, size=SIZE // 8)


@pytest.fixture
def loop(image: Path) -> Iterator[Path]:
    """A block device on it."""
    with loop_device(image) as device:
        yield device


def resize(image: Path, loop: Path, size: int) -> None:
    """Let the device have another size."""
    os.truncate(image, size)
    subprocess.run([shutil.which("losetup") or "losetup", "-c", loop], check=True)


def test_a_block_device_that_grew(near: LocalEngine, ini: Initiator, image: Path, loop: Path) -> None:
    add(near, spec(loop))
    ini.find()
    resize(image, loop, SIZE // 4)
    wait_until(lambda: the_export(near).size == SIZE // 4, "the new size is served")
    assert served_sectors(ini) == SECTORS // 4
    assert ini.write(SECTORS // 4 - 1, b"\x5a" * SECTOR) == AtaStatus.DRDY


def test_a_block_device_that_shrank_and_grew(near: LocalEngine, ini: Initiator, image: Path, loop: Path) -> None:
    add(near, spec(loop))
    ini.find()
    resize(image, loop, SIZE // 16)
    for op, data in ((AtaOp.WRITE_EXT, b"\xa5" * SECTOR), (AtaOp.READ_EXT, b"")):
        assert outcome(ini, op, SECTORS // 8 - 1, data) == FAILED
    resize(image, loop, SIZE // 8)
    assert outcome(ini, AtaOp.READ_EXT, SECTORS // 8 - 1) == FAILED
    assert f"{loop} was made shorter: the last {SECTORS // 16} sectors of the export are lost" in alarm_of(near)
    assert ini.read(0, 1)


def test_a_block_device_that_is_gone(near: LocalEngine, ini: Initiator, image: Path, loop: Path) -> None:
    """What is left of a device that was pulled out while it was open has no size."""
    add(near, spec(loop))
    ini.find()
    resize(image, loop, 0)
    assert alarm_of(near) == f"{loop} is gone: connect it again, then stop and start the export"
    for op, data in ((AtaOp.WRITE_EXT, b"\xa5" * SECTOR), (AtaOp.READ_EXT, b"")):
        assert outcome(ini, op, 0, data) == FAILED


def test_a_block_device_that_fails(near: LocalEngine, ini: Initiator, image: Path, loop: Path) -> None:
    """EIO: what it stands on is shorter than the device says."""
    add(near, spec(loop, direct=True))
    ini.find()
    os.truncate(image, SIZE // 16)
    assert outcome(ini, AtaOp.READ_EXT, SECTORS // 8 - 1) == FAILED
    assert f"reading {loop} failed: Input/output error" in alarm_of(near)
    assert "check the disk and its file system (dmesg says what failed)" in the_export(near).problem
    assert ini.read(0, 1)
