"""A disk that fails while it is served: initiators are told, nothing stale is read, and whoever looks sees what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import StartExport, StopExport
from aoetui.engine.protocol.wire import SECTOR, AtaError, AtaOp, AtaStatus
from aoetui.engine.snapshot import ExportState, Severity
from aoetui.engine.spec import Durability
from tests.support.engines import E91, PATIENCE, SIZE, add, disk, spec, the_export
from tests.support.mounts import loop_device, small_file_system
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from tests.support.initiator import Initiator

LAST = SIZE // SECTOR - 1
FAILED = AtaStatus.DRDY | AtaStatus.ERR


@pytest.mark.parametrize("durability", Durability)
@pytest.mark.parametrize("direct", [False, True])
def test_a_file_that_becomes_shorter(
    near: LocalEngine, ini: Initiator, tmp_path: Path, durability: Durability, *, direct: bool
) -> None:
    path = disk(tmp_path)
    add(near, spec(path, durability=durability, direct=direct))
    ini.find()
    assert ini.read(LAST, 1)
    os.truncate(path, SIZE // 2)
    for answer in (ini.ata(AtaOp.READ_EXT, LAST, 1), ini.ata(AtaOp.WRITE_EXT, LAST, 1, b"\xa5" * SECTOR)):
        assert (answer.op_or_status, answer.feature_or_error) == (FAILED, AtaError.UNC)
    assert path.stat().st_size == SIZE // 2
    export = the_export(near)
    assert (export.counters.reads, export.counters.writes, export.counters.errors) == (1, 0, 2)
    assert export.state is ExportState.DEGRADED
    assert f"{path} was made shorter: the last {SIZE // SECTOR // 2} sectors of the export are lost" in export.problem
    assert "then stop and start the export" in export.problem
    assert [alarm.subject for alarm in near.snapshot().alarms if alarm.severity is Severity.ALARM] == ["e9.1"]
    assert ini.read(0, 1), "what is still there is served"


def test_a_failing_sector_makes_one_event_not_one_each_time(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    path = disk(tmp_path)
    add(near, spec(path))
    ini.find()
    os.truncate(path, SIZE // 2)
    before = near.snapshot().last_event
    for _ in range(20):
        assert ini.ata(AtaOp.READ_EXT, LAST, 1).op_or_status == FAILED
        assert ini.ata(AtaOp.READ_EXT, 0, 1).op_or_status == AtaStatus.DRDY

    def told() -> list[str]:
        return [event.text for event in near.events(before) if "was made shorter" in event.text]

    wait_until(lambda: bool(told()), "the failure is told")
    assert len(told()) == 1


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    with small_file_system(tmp_path / "small", "256k") as folder:
        yield folder


def fill(ini: Initiator) -> int:
    """Write sector after sector until one fails; its number."""
    for lba in range(SIZE // SECTOR):
        if ini.ata(AtaOp.WRITE_EXT, lba, 1, b"\xa5" * SECTOR).op_or_status == FAILED:
            return lba
    raise AssertionError("the file system was never full")


def test_a_full_file_system(near: LocalEngine, ini: Initiator, small: Path) -> None:
    path = small / "sparse.img"
    path.touch()
    os.truncate(path, SIZE)
    add(near, spec(path))
    ini.find()
    first_bad = fill(ini)
    assert ini.read(first_bad, 1) == bytes(SECTOR)
    assert ini.read(first_bad - 1, 1) == b"\xa5" * SECTOR
    assert "make room on its file system" in the_export(near).problem
    assert the_export(near).counters.writes == first_bad


@pytest.fixture
def thin(small: Path) -> Iterator[Path]:
    """A block device whose writes fail only when they are flushed: a loop device on a sparse file without room."""
    image = small / "image"
    image.touch()
    os.truncate(image, SIZE)
    with loop_device(image) as device:
        yield device


def test_a_flush_that_fails_ends_the_writing_until_someone_looks(near: LocalEngine, ini: Initiator, thin: Path) -> None:
    add(near, spec(thin, durability=Durability.DURABLE))
    ini.find()
    first_bad = fill(ini)
    assert 0 < first_bad < SIZE // SECTOR
    export = the_export(near)
    assert export.state is ExportState.DEGRADED
    assert "stop and start the export" in export.problem
    assert export.counters.writes == first_bad, "a write whose flush failed was counted as written"
    assert any(alarm.text == export.problem for alarm in near.snapshot().alarms)
    assert ini.ata(AtaOp.WRITE_EXT, 0, 1, b"\x11" * SECTOR).op_or_status == FAILED, "what the page cache lost is unknown"
    assert len([event for event in near.events(0) if event.severity is Severity.ALARM and "failed" in event.text]) <= 2
    near.submit(StopExport(E91)).result(PATIENCE)
    near.submit(StartExport(E91)).result(PATIENCE)
    wait_until(lambda: the_export(near).state is ExportState.SERVING, "it is served again")


def test_what_the_kernel_could_not_write_ends_the_writing_too(near: LocalEngine, ini: Initiator, thin: Path) -> None:
    """A cached write is answered before the disk has it, and no initiator flushes: only who asks the kernel learns of it."""
    add(near, spec(thin))
    ini.find()
    for lba in range(0, SIZE // SECTOR, 2):
        assert ini.ata(AtaOp.WRITE_EXT, lba, 2, b"\xa5" * 2 * SECTOR).op_or_status == AtaStatus.DRDY
    assert the_export(near).problem == ""
    with thin.open("rb") as other, pytest.raises(OSError, match="error"):
        os.fsync(other.fileno())  # the kernel would do it by itself, half a minute later
    wait_until(lambda: "may be lost" in the_export(near).problem, "the loss is told")
    assert ini.ata(AtaOp.WRITE_EXT, 0, 1, b"\x11" * SECTOR).op_or_status == FAILED
    assert ini.read(0, 1) == b"\xa5" * SECTOR, "what is refused is not written"
    near.submit(StartExport(E91)).result(PATIENCE)  # one that refuses writes is opened anew by that alone
    wait_until(lambda: the_export(near).state is ExportState.SERVING, "it is served again")
