"""The life of an interface under an export: down and up, deleted and made again, another MTU or MAC, no carrier."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import AddExport, ChooseInterfaces
from aoetui.engine.protocol.frames import ConfigArgument
from aoetui.engine.protocol.wire import SECTOR, AtaOp, AtaStatus
from aoetui.engine.snapshot import ExportState
from tests.support.engines import PATIENCE, add, disk, engine_in, spec, the_export
from tests.support.initiator import Initiator, initiator
from tests.support.netns import join
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from tests.support.netns import VethPair


@pytest.fixture
def near(veth_pair: VethPair, tmp_path: Path) -> Iterator[LocalEngine]:
    """An engine at the near end that serves e9.1 and scans."""
    with engine_in(veth_pair.near) as engine:
        add(engine, spec(disk(tmp_path)))
        engine.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
        yield engine
        assert engine._thread.is_alive()


def comes_back(engine: LocalEngine, pair: VethPair) -> None:
    """Wait until it is served, and use it."""
    wait_until(lambda: the_export(engine).state is ExportState.SERVING, "it is served")
    with initiator(pair.far, "far0") as ini:
        ini.find()
        assert ini.read(3, 1) == (3).to_bytes(4, "big") * (SECTOR // 4)


def test_a_ring_that_is_made_larger_is_no_absence(near: LocalEngine, veth_pair: VethPair) -> None:
    """We were there all the time: the address has not to be asked for again, and nobody waits for that."""
    before = near._core.ports.require("near0")
    veth_pair.near.set_link("near0", mtu=9000)
    wait_until(lambda: near._core.ports.get("near0") not in (None, before), "it was opened anew")
    wait_until(lambda: the_export(near).ports[0].sector_count == 17, "it is served")
    served = [event for event in near.events(0) if event.text == "served on near0"]
    assert len(served) == 1


def test_a_link_that_goes_while_its_address_is_asked_for(veth_pair: VethPair, tmp_path: Path) -> None:
    with engine_in(veth_pair.near) as engine:
        with initiator(veth_pair.far, "far0") as ini:
            adding = engine.submit(AddExport(spec(disk(tmp_path))))
            ini.heard()
            veth_pair.near.delete_link("near0")
            adding.result(PATIENCE)
        wait_until(lambda: the_export(engine).state is ExportState.WAITING, "it waits")
        join(veth_pair.near, "near0", veth_pair.far, "far0")
        comes_back(engine, veth_pair)


def advertised(ini: Initiator) -> list[int]:
    """The sector counts of the advertisements that came in, the newest last. The initiator's wire may be down meanwhile."""
    with contextlib.suppress(OSError):
        return [
            frame.argument.sector_count
            for frame in ini.decoded(ini.wire.receive(0))
            if frame.header.response and frame.header.tag == 0 and isinstance(frame.argument, ConfigArgument)
        ]
    return []


def ports_alive() -> list[str]:
    """The names of the port threads."""
    return [each.name for each in threading.enumerate() if each.name.startswith("aoe-")]


@pytest.mark.parametrize("mac", ["02:00:00:00:00:01", "02:00:00:00:00:77"])
def test_a_link_that_is_deleted_and_made_again(near: LocalEngine, veth_pair: VethPair, mac: str) -> None:
    veth_pair.near.delete_link("near0")
    wait_until(lambda: the_export(near).state is ExportState.WAITING, "it waits")
    wait_until(lambda: "there is no interface near0" in the_export(near).problem, "it says why")
    assert near.snapshot().devices == ()
    join(veth_pair.near, "near0", veth_pair.far, "far0")
    veth_pair.near.set_link("near0", address=mac)
    comes_back(near, veth_pair)
    wait_until(lambda: str(near._core.ports.require("near0").facts.mac) == mac, "it has the new MAC")
    assert ports_alive() == ["aoe-near0"]


def test_a_link_that_is_replaced_in_one_moment(near: LocalEngine, veth_pair: VethPair) -> None:
    before = near._core.ports.require("near0")
    veth_pair.near.delete_link("near0")
    join(veth_pair.near, "near0", veth_pair.far, "far0")
    wait_until(lambda: near._core.ports.get("near0") not in (None, before), "it is opened anew")
    comes_back(near, veth_pair)
    assert ports_alive() == ["aoe-near0"]


def test_many_short_interruptions(near: LocalEngine, veth_pair: VethPair) -> None:
    before = near.snapshot().last_event
    for _ in range(10):
        veth_pair.near.set_link("near0", state="down")
        veth_pair.near.set_link("near0", state="up")
    comes_back(near, veth_pair)
    wait_until(lambda: ports_alive() == ["aoe-near0"], "one thread is left")
    assert near.snapshot().last_event - before < 100


def test_a_link_that_stays_down_takes_no_time(near: LocalEngine, veth_pair: VethPair) -> None:
    """No thread tries again and again: nothing at all happens but the tick."""
    veth_pair.near.set_link("near0", state="down")
    wait_until(lambda: the_export(near).state is ExportState.WAITING, "it waits")
    wait_until(lambda: ports_alive() == [], "its port is closed")
    told = near._ticks + 2
    wait_until(lambda: near._ticks >= told, "its alarms are told")
    events = near.snapshot().last_event
    wait_until(lambda: near._ticks >= told + 2, "two more ticks passed")
    assert near.snapshot().last_event == events


def test_a_carrier_that_is_lost_is_not_served(near: LocalEngine, veth_pair: VethPair) -> None:
    veth_pair.far.set_link("far0", state="down")
    wait_until(lambda: the_export(near).state is ExportState.WAITING, "it waits")
    assert "carrier" in the_export(near).problem
    assert near.snapshot().devices == ()
    with initiator(veth_pair.far, "far0") as ini:
        veth_pair.far.set_link("far0", state="up")
        wait_until(lambda: the_export(near).state is ExportState.SERVING, "it is served")
        wait_until(lambda: bool(advertised(ini)), "it is advertised")


def test_another_mtu_counts_at_once(near: LocalEngine, veth_pair: VethPair) -> None:
    for mtu, sectors in ((9000, 17), (1500, 2), (4200, 8)):
        veth_pair.far.set_link("far0", mtu=mtu)
        with initiator(veth_pair.far, "far0") as ini:
            veth_pair.near.set_link("near0", mtu=mtu)
            wait_until(lambda: sectors in advertised(ini), f"{sectors} sectors are advertised")  # noqa: B023  # called here
            wait_until(lambda: the_export(near).ports[0].sector_count == sectors, "they are shown")  # noqa: B023  # called here
            ini.find()
            assert len(ini.read(0, sectors)) == sectors * SECTOR
            assert ini.write(0, ini.read(0, sectors)) == AtaStatus.DRDY
            assert ini.ata(AtaOp.READ_EXT, 0, sectors).op_or_status == AtaStatus.DRDY
