"""The engine on a real cable: exports served in one namespace, used and contested from the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import CheckAddress, ChooseInterfaces, DeleteExport, EngineError, StartExport, StopExport
from aoetui.engine.protocol.wire import SECTOR, AtaOp, AtaStatus
from aoetui.engine.snapshot import DeviceState, ExportState, Sameness
from aoetui.engine.spec import Durability, NewFile
from tests.support.engines import E91, SIZE, add, disk, engine_in, spec
from tests.support.initiator import initiator
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from tests.support.netns import VethPair


@pytest.mark.parametrize("durability", Durability)
@pytest.mark.parametrize("direct", [False, True])
def test_what_is_written_is_read_and_is_in_the_file(
    near: LocalEngine, veth_pair: VethPair, tmp_path: Path, durability: Durability, *, direct: bool
) -> None:
    path = disk(tmp_path)
    before = path.read_bytes()
    add(near, spec(path, durability=durability, direct=direct))
    with initiator(veth_pair.far, "far0") as ini:
        assert str(ini.find().header.source) == veth_pair.near_mac
        assert ini.read(5, 2) == before[5 * SECTOR : 7 * SECTOR]
        assert ini.write(7, b"\xa5" * 2 * SECTOR) == AtaStatus.DRDY
        assert ini.read(6, 2) == before[6 * SECTOR : 7 * SECTOR] + b"\xa5" * SECTOR
        assert ini.ata(AtaOp.FLUSH_EXT).op_or_status == AtaStatus.DRDY
    assert path.read_bytes() == before[: 7 * SECTOR] + b"\xa5" * 2 * SECTOR + before[9 * SECTOR :]
    (export,) = near.snapshot().exports
    assert (export.counters.reads, export.counters.writes, export.counters.write_bytes) == (2, 1, 1024)
    assert [str(each.mac) for each in export.active_initiators] == [veth_pair.far_mac]


def test_it_is_advertised_when_it_starts(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    with initiator(veth_pair.far, "far0") as ini:
        add(near, spec(disk(tmp_path)))
        while True:
            frames = [frame.header for frame in ini.heard() if frame.header.response]
            if frames:
                break
    assert [(header.tag, header.shelf, header.slot) for header in frames] == [(0, 9, 1)]


def test_an_odd_size_is_served_with_a_warning(near: LocalEngine, tmp_path: Path) -> None:
    path = tmp_path / "odd.img"
    path.write_bytes(bytes(7 * SECTOR))
    add(near, spec(path))
    assert [event.text for event in near.events(0) if "7 sectors" in event.text and "multiple of 4 KiB" in event.text]


def test_an_export_comes_back_with_the_next_start(veth_pair: VethPair, tmp_path: Path) -> None:
    config, path = tmp_path / "config.toml", tmp_path / "new.img"
    with engine_in(veth_pair.near, config) as engine:
        add(engine, spec(path), new_file=NewFile(SIZE))
    with engine_in(veth_pair.near, config) as engine:
        wait_until(lambda: engine.snapshot().exports[0].state is ExportState.SERVING, "it is served")
        with initiator(veth_pair.far, "far0") as ini:
            ini.find()
            assert ini.read(0, 1) == bytes(SECTOR)


def test_stop_start_delete(near: LocalEngine, tmp_path: Path) -> None:
    path = disk(tmp_path)
    add(near, spec(path))
    near.submit(StopExport(E91)).result(10)
    assert near.snapshot().exports[0].state is ExportState.STOPPED
    near.submit(StartExport(E91)).result(10)
    assert near.snapshot().exports[0].state is ExportState.SERVING
    near.submit(DeleteExport(E91)).result(10)
    assert near.snapshot().exports == ()
    assert path.exists()


def test_two_engines_across_the_wire_contest_an_address(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    with engine_in(veth_pair.far, tmp_path / "far.toml") as far:
        other = tmp_path / "other.img"
        wanted = spec(other, interfaces=("far0",))
        assert veth_pair.near_mac in far.submit(CheckAddress(E91, ("far0",))).result(10)[0]
        with pytest.raises(EngineError, match=veth_pair.near_mac) as refused:
            add(far, wanted, new_file=NewFile(SIZE))
        assert refused.value.field == "address"
        assert not other.exists()
        assert far.snapshot().exports == ()
        assert not (tmp_path / "far.toml").exists()
        add(far, wanted, new_file=NewFile(SIZE), force=True)
        assert far.snapshot().exports[0].state is ExportState.SERVING


def test_two_engines_on_one_host_contest_an_address(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    """They cannot hear each other: the claim tells them apart."""
    add(near, spec(disk(tmp_path)))
    with engine_in(veth_pair.near) as second, pytest.raises(EngineError, match="another aoetui"):
        add(second, spec(disk(tmp_path, "other.img")))


def test_the_scanner_sees_a_device_and_its_silence(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    with engine_in(veth_pair.far) as far:
        add(far, spec(disk(tmp_path), interfaces=("far0",)))
        near.submit(ChooseInterfaces(("near0",))).result(10)
        wait_until(lambda: [device.size for device in near.snapshot().devices] == [SIZE], "the device is identified")
        (device,) = near.snapshot().devices
        assert (device.address, device.state, device.sameness, device.model) == (E91, DeviceState.UP, Sameness.SAME, "aoetui")
        assert [(str(path.mac), path.interface) for path in device.paths] == [(veth_pair.far_mac, "near0")]
        (own,) = far.snapshot().devices
        assert own.ours


@pytest.mark.parametrize(
    ("wanted", "field", "sentence"),
    [
        ({"interfaces": ("eth7",)}, "interfaces", "eth7"),
        ({"interfaces": ("lo",)}, "interfaces", "lo"),
        ({"offset": 4096}, "offset", "offset"),
        ({"length": 4096}, "length", "length"),
    ],
)
def test_what_cannot_be_served_is_refused_whole(
    near: LocalEngine, tmp_path: Path, wanted: dict[str, object], field: str, sentence: str
) -> None:
    with pytest.raises(EngineError, match=sentence) as refused:
        add(near, spec(disk(tmp_path), **wanted))
    assert refused.value.field == field
    assert near.snapshot().exports == ()


def test_an_interface_that_goes_and_comes_back(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    veth_pair.near.set_link("near0", state="down")
    wait_until(lambda: near.snapshot().exports[0].state is ExportState.WAITING, "it waits for its interface")
    assert "near0" in near.snapshot().exports[0].problem
    veth_pair.near.set_link("near0", state="up")
    wait_until(lambda: near.snapshot().exports[0].state is ExportState.SERVING, "it is served")
    with initiator(veth_pair.far, "far0") as ini:
        ini.find()
        assert len(ini.read(0, 2)) == 2 * SECTOR
