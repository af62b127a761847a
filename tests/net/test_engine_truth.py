"""What is shown is what happened: counters, initiators, ages and states, under bad frames and from many threads."""

from __future__ import annotations

import contextlib
import random
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import ChooseInterfaces, DeleteExport, Watch
from aoetui.engine.clock import Clock
from aoetui.engine.initiators import MAX_INITIATORS
from aoetui.engine.local import LocalEngine
from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.wire import SECTOR, AtaOp, AtaStatus
from aoetui.engine.snapshot import DeviceState
from aoetui.engine.spec import Durability
from tests.net.test_engine_conflicts import needs_vblade, vblade
from tests.support.engines import E91, PATIENCE, add, at_work, disk, spec, the_export
from tests.support.initiator import Initiator, initiator
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import VethPair


@pytest.mark.parametrize("durability", Durability)
def test_counters_are_what_the_initiator_counts(
    near: LocalEngine, ini: Initiator, tmp_path: Path, durability: Durability
) -> None:
    add(near, spec(disk(tmp_path), durability=durability))
    ini.find()
    for lba in range(20):
        assert ini.read(lba, 2)
    for lba in range(10):
        assert ini.write(lba, b"\xa5" * SECTOR) == AtaStatus.DRDY
    assert ini.ata(AtaOp.FLUSH_EXT).op_or_status == AtaStatus.DRDY
    assert ini.ata(AtaOp.IDENTIFY).op_or_status == AtaStatus.DRDY
    assert ini.ata(AtaOp.READ_EXT, 1 << 20, 1).op_or_status & AtaStatus.ERR
    counters = the_export(near).counters
    assert (counters.reads, counters.read_bytes) == (20, 40 * SECTOR)
    assert (counters.writes, counters.write_bytes) == (10, 10 * SECTOR)
    assert (counters.others, counters.errors) == (4, 1), "find, flush, identify, and the refusal"
    (one,) = the_export(near).initiators
    assert one.counters == counters


def test_an_initiator_is_active_for_a_minute(veth_pair: VethPair, ini: Initiator, tmp_path: Path) -> None:
    ahead = 0.0
    real = Clock()
    engine = LocalEngine(clock=Clock(monotonic=lambda: real.monotonic() + ahead))
    veth_pair.near.run(engine.start)
    try:
        add(engine, spec(disk(tmp_path)))
        ini.find()
        assert the_export(engine).active_initiators == ()
        ini.read(0, 1)
        assert len(the_export(engine).active_initiators) == 1
        ahead = 61.0
        assert the_export(engine).active_initiators == ()
        assert len(the_export(engine).initiators) == 1
    finally:
        assert engine.stop()


def test_forged_macs_fill_no_memory_and_change_no_total(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    ini.find()
    template = ini.request(AtaOp.READ_EXT, 0, 1, b"", 7)
    count = MAX_INITIATORS + 500
    for number in range(count):
        ini.wire.send([template[:6] + b"\x06\0" + number.to_bytes(4, "big") + template[12:]])
        if number % 64 == 0:  # no more than the ring holds
            assert ini.read(1, 1)
    every = count + (count + 63) // 64
    wait_until(lambda: the_export(near).counters.reads >= every, "each was answered")
    export = the_export(near)
    assert len(export.initiators) <= MAX_INITIATORS
    assert export.counters.reads == every
    assert veth_mac(ini) in {str(each.mac) for each in export.initiators}, "the one that works all the time is not forgotten"


def veth_mac(ini: Initiator) -> str:
    """The initiator's MAC."""
    return str(ini.wire.mac)


def test_bad_frames_end_nothing(near: LocalEngine, ini: Initiator, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = disk(tmp_path)
    before = path.read_bytes()
    add(near, spec(path))
    near.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
    ini.find()
    chance = random.Random(9)  # noqa: S311  # no secret
    good = ini.request(AtaOp.READ_EXT, 0, 1, b"", 7)
    for _ in range(200):
        frames = []
        for _ in range(16):
            frame = bytearray(good[: chance.randrange(14, 61)])
            for _ in range(chance.randrange(4)):
                frame[chance.randrange(len(frame))] = chance.randrange(256)
            frame += chance.randbytes(chance.choice((0, 0, 30, 600)))
            frame[12:14] = b"\x88\xa2"
            if len(frame) > 27 and frame[27] in (AtaOp.WRITE, AtaOp.WRITE_EXT):
                frame[27] = AtaOp.READ
            frames.append(bytes(frame))
        ini.wire.send(frames)
        ini.wire.receive(0)
    ini.find()
    wait_until(lambda: not at_work(near).is_busy, "no more than the buffer count waits: one beyond it would be dropped")
    assert ini.read(5, 1) == before[5 * SECTOR : 6 * SECTOR]
    assert path.read_bytes() == before
    assert not [record for record in caplog.records if record.exc_info], "no thread met an exception it did not expect"
    assert not [event for event in near.events(0) if "internal" in event.text]


def test_snapshots_while_exports_come_and_go(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    near.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
    failures: list[BaseException] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            try:
                shown = near.snapshot()
                assert all(len(export.history) <= 120 for export in shown.exports)
                assert all(rate >= 0 for export in shown.exports for rate in (export.rates.bytes, export.rates.requests))
            except BaseException as error:  # noqa: BLE001  # it is what the test is about
                failures.append(error)
                return

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for each in lookers:
        each.start()
    with contextlib.ExitStack() as stack:
        for each in lookers:
            stack.callback(each.join)
        stack.callback(ended.set)
        for number in range(4):
            add(near, spec(disk(tmp_path)))
            with initiator(veth_pair.far, "far0") as ini:
                ini.find()
                ini.read(number, 1)
            near.submit(DeleteExport(E91)).result(PATIENCE)
    assert failures == []


@needs_vblade
def test_a_device_is_shown_when_it_starts_and_silent_when_it_ended(
    near: LocalEngine, veth_pair: VethPair, tmp_path: Path
) -> None:
    near.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
    near.submit(Watch(looking=True)).result(PATIENCE)
    with vblade(veth_pair.far, "far0", disk(tmp_path), slot="2"):
        wait_until(lambda: [each.size for each in near.snapshot().devices] == [1 << 20], "it is shown")
        (device,) = near.snapshot().devices
        assert (device.address, device.state, device.ours) == (Address(9, 2), DeviceState.UP, False)
        assert 0 <= (datetime.now(UTC) - device.last_seen).total_seconds() < PATIENCE
    wait_until(lambda: near.snapshot().devices[0].state is DeviceState.SILENT, "it is silent")
    snapshot = near.snapshot()
    assert snapshot.devices[0].last_seen < snapshot.taken
