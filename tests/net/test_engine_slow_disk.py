"""Exports on a disk that really is slow: many requests are with it at once, in an order that is safe, and nobody else waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import EngineError, SetConfigString, StartExport, StopExport
from aoetui.engine.backing import Backing
from aoetui.engine.clock import Clock
from aoetui.engine.disk_trouble import SLOW
from aoetui.engine.local import LocalEngine
from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.frames import AtaArgument
from aoetui.engine.protocol.wire import SECTOR, AtaOp, AtaStatus
from aoetui.engine.snapshot import ExportState
from aoetui.engine.spec import Durability
from tests.support.engines import E91, PATIENCE, SIZE, add, disk, engine_in, spec
from tests.support.initiator import initiator
from tests.support.slow_disk.skipping import slow_disk
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.initiator import Initiator
    from tests.support.netns import VethPair
    from tests.support.slow_disk import SlowDisk

E92 = Address(9, 2)
FIRST, SECOND = b"\x11" * SECTOR, b"\x22" * SECTOR
APART = 16
"""Sectors between requests that share no page."""


@pytest.fixture(params=["cached", "direct"])
def slow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SlowDisk]:
    """A disk that outlives the engine; the kernel caches what it holds, or not."""
    with slow_disk(tmp_path, SIZE, direct_io=request.param == "direct") as made:
        disk(tmp_path, made.medium.name)
        yield made


class _Turned:
    """The engine's clock, which a test puts forward."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.clock = Clock(monotonic=lambda: time.monotonic() + self.ahead)


def _with_the_disk(slow: SlowDisk, count: int) -> None:
    """Wait until it has so many requests that it has not answered."""
    wait_until(lambda: slow.counts().under_way >= count, f"{count} requests with the disk")


def _asked(ini: Initiator, op: AtaOp, lba: int, tag: int, data: bytes = b"") -> bytes:
    """A request for one sector."""
    return ini.request(op, lba, 1, data, tag)


def _content(ini: Initiator, tags: list[int]) -> dict[int, bytes]:
    """What the answers to these tags bring; each must be good."""
    found = {}
    for frame in ini.answers(tags):
        assert isinstance(frame.argument, AtaArgument)
        assert frame.argument.op_or_status == AtaStatus.DRDY
        found[frame.header.tag] = bytes(frame.argument.data)[:SECTOR]
    return found


def _problem(engine: LocalEngine, address: Address) -> str:
    return next(export.problem for export in engine.snapshot().exports if export.spec.address == address)


@pytest.mark.parametrize("op", [AtaOp.READ_EXT, AtaOp.WRITE_EXT])
def test_a_stalled_disk_holds_up_neither_another_export_nor_the_console(
    slow: SlowDisk, veth_pair: VethPair, tmp_path: Path, op: AtaOp
) -> None:
    turned, data = _Turned(), FIRST if op is AtaOp.WRITE_EXT else b""
    with (
        engine_in(veth_pair.near, clock=turned.clock) as engine,
        initiator(veth_pair.far, "far0") as ini,
        initiator(veth_pair.far, "far0", "e9.2") as other,
    ):
        add(engine, spec(slow.path))
        add(engine, spec(disk(tmp_path, "good.img"), address=E92))
        ini.find()
        other.find()
        slow.stall()
        try:
            tags = list(range(1000, 1048))
            ini.wire.send([_asked(ini, op, APART * at, tag, data) for at, tag in enumerate(tags)])
            _with_the_disk(slow, 1)
            for lba in range(0, 64, 8):
                assert other.write(lba, SECOND) == AtaStatus.DRDY
                assert other.read(lba, 1) == SECOND
            engine.submit(SetConfigString(E92, b"still here")).result(PATIENCE)
            ini.find()  # a query needs no disk
            assert _problem(engine, E91) == ""
            turned.ahead += SLOW + 1
            assert f"{slow.path} has not answered for {SLOW:.0f} seconds" in _problem(engine, E91)
            assert _problem(engine, E92) == ""
        finally:
            slow.go()
        assert set(_content(ini, tags)) == set(tags), "each is answered once the disk is"
        wait_until(lambda: _problem(engine, E91) == "", "the disk is well again")
    assert not data or all(slow.medium.read_bytes()[APART * at * SECTOR :][:SECTOR] == FIRST for at in range(len(tags)))


def test_many_reads_are_with_the_disk_at_once(slow: SlowDisk, near: LocalEngine, ini: Initiator) -> None:
    add(near, spec(slow.path))
    ini.find()
    slow.stall()
    try:
        tags = list(range(1000, 1064))
        ini.wire.send([_asked(ini, AtaOp.READ_EXT, APART * at, tag) for at, tag in enumerate(tags)])
        _with_the_disk(slow, 32)
    finally:
        slow.go()
    assert _content(ini, tags) == {tag: (APART * at).to_bytes(4, "big") * (SECTOR // 4) for at, tag in enumerate(tags)}


@pytest.mark.parametrize("durability", Durability)
def test_requests_for_the_same_sectors_keep_their_order(
    slow: SlowDisk, near: LocalEngine, ini: Initiator, durability: Durability
) -> None:
    """The disk does last what came first: what was with it at once would come out in the wrong order."""
    add(near, spec(slow.path, durability=durability))
    ini.find()
    slow.stall()
    try:
        ini.wire.send(
            [
                _asked(ini, AtaOp.WRITE_EXT, 0, 1000, FIRST),
                _asked(ini, AtaOp.READ_EXT, 0, 1001),
                _asked(ini, AtaOp.WRITE_EXT, 0, 1002, SECOND),
                _asked(ini, AtaOp.READ_EXT, APART, 1003),
            ]
        )
        _with_the_disk(slow, 2)
        slow.turn()
    finally:
        slow.go()
    found = _content(ini, [1000, 1001, 1002, 1003])
    assert found[1001] == FIRST
    assert slow.medium.read_bytes()[:SECTOR] == SECOND
    assert ini.read(0, 1) == SECOND


def test_a_durable_write_is_answered_after_its_flush_and_reads_go_on_meanwhile(
    slow: SlowDisk, near: LocalEngine, ini: Initiator
) -> None:
    add(near, spec(slow.path, durability=Durability.DURABLE))
    ini.find()
    slow.stall("fsync")
    try:
        ini.wire.send([_asked(ini, AtaOp.WRITE_EXT, 0, 1000, FIRST)])
        _with_the_disk(slow, 1)
        assert slow.medium.read_bytes()[:SECTOR] == FIRST
        assert ini.read(APART, 1) == APART.to_bytes(4, "big") * (SECTOR // 4)
        assert ini.meanwhile() == []
    finally:
        slow.go()
    assert set(_content(ini, [1000])) == {1000}


def test_the_stop_of_a_stalled_disk_says_what_did_not_end(
    slow: SlowDisk, near: LocalEngine, ini: Initiator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aoetui.engine.core._CLOSE_TIME", 0.5)
    add(near, spec(slow.path))
    ini.find()
    slow.stall()
    try:
        ini.wire.send([_asked(ini, AtaOp.WRITE_EXT, 0, 1000, FIRST)])
        _with_the_disk(slow, 1)
        with pytest.raises(EngineError, match=r"slow\.img does not answer: e9\.1 is served no more"):
            near.submit(StopExport(E91)).result(PATIENCE)
        assert near.snapshot().exports[0].state is ExportState.STOPPED
    finally:
        slow.go()
    wait_until(lambda: slow.medium.read_bytes()[:SECTOR] == FIRST, "what was accepted is done")

    def starts() -> bool:
        try:
            near.submit(StartExport(E91)).result(PATIENCE)
        except EngineError:  # until the last request has let the backing go
            return False
        return True

    wait_until(starts, "it is served again")
    assert ini.read(0, 1) == FIRST


def test_an_engine_ends_though_a_disk_is_stalled_and_says_that_not_all_was_saved(
    slow: SlowDisk, veth_pair: VethPair, tmp_path: Path
) -> None:
    engine = LocalEngine()
    veth_pair.near.run(engine.start)
    add(engine, spec(slow.path))
    add(engine, spec(disk(tmp_path, "good.img"), address=E92))
    with initiator(veth_pair.far, "far0") as ini, initiator(veth_pair.far, "far0", "e9.2") as other:
        ini.find()
        other.find()
        slow.stall()
        try:
            ini.wire.send([_asked(ini, AtaOp.WRITE_EXT, 0, 1000, FIRST)])
            _with_the_disk(slow, 1)
            assert other.write(0, SECOND) == AtaStatus.DRDY
            assert not engine.stop()
        finally:
            slow.go()
    wait_until(lambda: slow.medium.read_bytes()[:SECTOR] == FIRST, "what was accepted is done")
    wait_until(lambda: not _is_open(slow.path), "its threads have let it go")


def _is_open(path: Path) -> bool:
    try:
        Backing.open(path, read_only=False).close()
    except EngineError:  # somebody has locked it
        return True
    return False
