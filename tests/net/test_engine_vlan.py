"""Exports in a VLAN that has no link of its own, beside untagged ones on the same interface."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import CheckAddress, EngineError
from aoetui.engine.links import LinkWatcher
from aoetui.engine.local import LocalEngine
from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.frames import ConfigArgument, config_request, decode
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.wire import ETHERTYPE_AOE, SECTOR, AtaOp, AtaStatus
from aoetui.engine.snapshot import ExportState, Severity
from tests.support.engines import E91, PATIENCE, SIZE, add, disk, engine_in, spec, the_export
from tests.support.netns import Namespace, join
from tests.support.netns import veth_pair as make_veth_pair
from tests.support.program import Program
from tests.support.tap import Tap, initiator_in, tap, with_tag
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aoetui.engine.links import LinkFacts
    from tests.support.initiator import Initiator
    from tests.support.netns import VethPair

E92 = Address(9, 2)
PORT = "near0 vlan 100"
TAG = b"\x81\x00\x00\x64"


def use(ini: Initiator, path: Path, sectors: int) -> None:
    """Identify, read and write in frames of the whole MTU."""
    assert bytes(ini.ata(AtaOp.IDENTIFY).data)[54:60] == b"oateiu"  # the model, its bytes swapped by two
    data = os.urandom(sectors * SECTOR)
    assert ini.write(8, data) == AtaStatus.DRDY
    assert ini.read(8, sectors) == data
    assert path.read_bytes()[8 * SECTOR : (8 + sectors) * SECTOR] == data


def replies(capture: Tap, count: int) -> list[tuple[int | None, int]]:
    """VLAN and slot of the next replies that come in, without advertisements."""
    found: list[tuple[int | None, int]] = []
    while len(found) < count:
        (seen,) = capture.incoming(1)
        header = decode(seen.frame).header
        if header.response and header.tag:
            found.append((seen.vlan, header.slot))
    return found


@pytest.mark.parametrize(("mtu", "sectors"), [(1500, 2), (9000, 17)])
@pytest.mark.usefixtures("private_network")
def test_each_client_reaches_the_export_of_its_vlan_and_no_other(tmp_path: Path, mtu: int, sectors: int) -> None:
    paths = {None: disk(tmp_path, "untagged.img"), 100: disk(tmp_path, "tagged.img")}
    with make_veth_pair(mtu=mtu) as pair, engine_in(pair.near) as engine, ExitStack() as stack:
        add(engine, spec(paths[None], address=E91))
        add(engine, spec(paths[100], address=E92, vlan=100))
        capture = stack.enter_context(tap(pair.far, "far0"))
        for vlan, address in ((None, E92), (100, E91), (200, E91), (200, E92)):
            asking = stack.enter_context(initiator_in(pair.far, "far0", vlan))
            asking.wire.send([config_request(source=asking.wire.mac, address=address, tag=0xBAD)])
        for vlan, address in ((None, E91), (100, E92)):
            ini = stack.enter_context(initiator_in(pair.far, "far0", vlan, str(address)))
            ini.find()  # answered behind whatever was asked before
            use(ini, paths[vlan], sectors)
        assert replies(capture, 8) == [(None, 1)] * 4 + [(100, 2)] * 4


def advertised(capture: Tap) -> tuple[int | None, int, int]:
    """VLAN, slot and sector count of the next advertisement by broadcast."""
    while True:
        (seen,) = capture.incoming(1)
        if seen.frame[12:14] != ETHERTYPE_AOE.to_bytes(2):  # a bridge says things of its own
            continue
        frame = decode(seen.frame)
        if frame.header.response and not frame.header.tag:
            assert isinstance(frame.argument, ConfigArgument)
            return seen.vlan, frame.header.slot, frame.argument.sector_count


def test_it_is_advertised_in_its_vlan_and_again_when_the_mtu_grew(veth_pair: VethPair, tmp_path: Path) -> None:
    path = disk(tmp_path)
    with engine_in(veth_pair.near) as engine, tap(veth_pair.far, "far0") as capture:
        add(engine, spec(path, vlan=100))
        assert advertised(capture) == (100, 1, 2)
        veth_pair.far.set_link("far0", mtu=9000)
        veth_pair.near.set_link("near0", mtu=9000)
        assert advertised(capture) == (100, 1, 17)
        wait_until(lambda: the_export(engine).ports[0].sector_count == 17, "it is served with the new MTU")
        with initiator_in(veth_pair.far, "far0", 100) as ini:
            ini.find()
            use(ini, path, 17)


def test_a_link_that_was_down_is_served_again_in_the_vlan(veth_pair: VethPair, tmp_path: Path) -> None:
    path = disk(tmp_path)
    with engine_in(veth_pair.near) as engine:
        add(engine, spec(path, vlan=100))
        veth_pair.near.set_link("near0", state="down")
        wait_until(lambda: "near0 is down" in the_export(engine).problem, "it is served no more")
        assert the_export(engine).state is ExportState.WAITING
        assert "near0 is down" in next(link.problem for link in engine.snapshot().links if link.name == "near0")
        with tap(veth_pair.far, "far0") as capture:
            veth_pair.near.set_link("near0", state="up")
            assert advertised(capture) == (100, 1, 2)
        wait_until(lambda: the_export(engine).state is ExportState.SERVING, "it is served again")
        with initiator_in(veth_pair.far, "far0", 100) as ini:
            ini.find()
            use(ini, path, 2)


@pytest.mark.usefixtures("private_network")
def test_it_is_advertised_in_its_vlan_when_the_carrier_is_back(tmp_path: Path) -> None:
    with Namespace() as near, Namespace() as switch, Namespace() as far, engine_in(near) as engine:
        bridge = switch.add_link("br0", kind="bridge")
        switch.set_link("br0", state="up")
        for number, (end, link) in enumerate(((near, "near0"), (far, "far0"))):
            join(end, link, switch, f"port{number}")
            switch.set_link(f"port{number}", master=bridge)
        wait_until(lambda: any(link.name == "near0" and link.carrier for link in engine.snapshot().links), "the cable is there")
        add(engine, spec(disk(tmp_path), vlan=100))
        switch.set_link("port0", state="down")
        wait_until(lambda: the_export(engine).problem == "near0 has no carrier: check the cable", "the carrier is lost")
        with tap(far, "far0") as capture:
            switch.set_link("port0", state="up")
            assert advertised(capture) == (100, 1, 2)


def test_figures_name_the_vlan_and_are_those_of_the_interface_together(veth_pair: VethPair, tmp_path: Path) -> None:
    with engine_in(veth_pair.near) as engine, initiator_in(veth_pair.far, "far0", 100, "e9.2") as ini:
        add(engine, spec(disk(tmp_path, "untagged.img"), address=E91))
        served = add(engine, spec(disk(tmp_path, "tagged.img"), address=E92, vlan=100))
        assert [(port.interface, port.serving, port.sector_count) for port in served.ports] == [(PORT, True, 2)]
        ini.find()
        ini.read(0, 1)
        wrong_version = ini.request(AtaOp.READ_EXT, 0, 1, b"", 7)
        wrong_version = wrong_version[:14] + b"\x20" + wrong_version[15:]
        with tap(veth_pair.far, "far0") as sender:
            for tag in (b"", TAG, TAG):
                sender.send(with_tag(wrong_version, tag))

        def figures() -> tuple[int, int]:
            (link,) = (link for link in engine.snapshot().links if link.name == "near0")
            assert link.chosen
            assert any("VLAN 100" in note.text for note in link.notes)
            return dict(link.silences).get(Silence.WRONG_VERSION, 0), link.foreign_vlan

        # as of a foreign VLAN: find, read and both of the wrong version, all at the untagged port
        wait_until(lambda: figures() == (3, 4), f"silences and refusals of both ports together, not {figures()}")
        tagged = next(export for export in engine.snapshot().exports if export.spec.address == E92)
        assert [(str(each.mac), each.interface) for each in tagged.initiators] == [(veth_pair.far_mac, PORT)]
        assert "served on near0 vlan 100" in [event.text for event in engine.events(0)]


def test_a_pattern_takes_the_interfaces_where_the_vlan_can_be_tagged(veth_pair: VethPair, tmp_path: Path) -> None:
    with engine_in(veth_pair.near) as engine:
        served = add(engine, spec(disk(tmp_path), interfaces=("n*0",), vlan=100))
        assert [port.interface for port in served.ports] == [PORT]


def test_an_address_is_asked_for_in_its_vlan_alone(veth_pair: VethPair, tmp_path: Path) -> None:
    with engine_in(veth_pair.near) as near, engine_in(veth_pair.far) as far:
        add(far, spec(disk(tmp_path, "theirs.img"), interfaces=("far0",), vlan=100))
        (told,) = near.submit(CheckAddress(E91, ("near0",), vlan=100)).result(PATIENCE)
        assert told.startswith(f"e9.1 is answered by {veth_pair.far_mac} on {PORT}: ")
        with pytest.raises(EngineError) as refused:
            add(near, spec(disk(tmp_path), vlan=100))
        assert (str(refused.value), refused.value.field) == (told, "address")
        for vlan in (None, 200):
            assert near.submit(CheckAddress(E91, ("near0",), vlan=vlan)).result(PATIENCE) == ()
        add(near, spec(disk(tmp_path), vlan=200))


def test_whoever_comes_to_an_address_of_ours_in_its_vlan_raises_an_alarm(veth_pair: VethPair, tmp_path: Path) -> None:
    with engine_in(veth_pair.near) as near, engine_in(veth_pair.far) as far:
        add(near, spec(disk(tmp_path), vlan=100))
        add(far, spec(disk(tmp_path, "theirs.img", SIZE // 2), interfaces=("far0",), vlan=100), force=True)

        def alarms() -> list[str]:
            return [each.text for each in near.snapshot().alarms if each.severity is Severity.ALARM and each.subject == "e9.1"]

        wait_until(lambda: bool(alarms()), "the conflict is an alarm")
        (text,) = alarms()
        assert veth_pair.far_mac in text
        assert veth_pair.near_mac in text
        (device,) = near.snapshot().devices
        assert [path.interface for path in device.paths] == [PORT]


def test_another_aoetui_of_this_host_is_known_by_address_and_vlan(veth_pair: VethPair, tmp_path: Path) -> None:
    arguments = ("export", "--vlan", "100", "9", "1", "near0", str(disk(tmp_path, "theirs.img")))
    with engine_in(veth_pair.near) as engine, Program(veth_pair.near, tmp_path, *arguments) as program:
        program.says("serving on near0 vlan 100, cached")
        told = f"e9.1 is served on {PORT} by another aoetui (process {program.process.pid}): choose another address"
        assert engine.submit(CheckAddress(E91, ("near0",), vlan=100)).result(PATIENCE) == (told,)
        with pytest.raises(EngineError, match="another aoetui"):
            add(engine, spec(disk(tmp_path), vlan=100))
        for address, vlan in ((E92, 100), (E91, 200), (E91, None)):
            assert engine.submit(CheckAddress(address, ("near0",), vlan=vlan)).result(PATIENCE) == ()


def test_other_programs_that_hear_everything_are_no_conflict(veth_pair: VethPair, tmp_path: Path) -> None:
    """A capture or a DHCP client has such a socket; nothing says that it speaks AoE."""
    hears = "import socket; s = socket.socket(17, 3, 768); s.bind(('near0', 3)); print('yes', flush=True); input()"
    other = veth_pair.near.popen([sys.executable, "-c", hears], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with engine_in(veth_pair.near) as engine, other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"yes\n"
        assert engine.submit(CheckAddress(E91, ("near0",), vlan=100)).result(PATIENCE) == ()
        add(engine, spec(disk(tmp_path), vlan=100))


class _WithVlanLink(LinkWatcher):
    """The links of this host, and on demand one that only a kernel with 8021q makes."""

    present = False

    def current(self) -> Mapping[str, LinkFacts]:
        links = super().current()
        if not self.present:
            return links
        own = replace(links["near0"], name="near0.100", index=99, kind="vlan", vlan_id=100, parent="near0")
        return {**links, own.name: own}


def test_the_hosts_own_link_of_the_vlan_has_the_first_right(veth_pair: VethPair, tmp_path: Path) -> None:
    links = _WithVlanLink()
    engine = LocalEngine(links=links)
    veth_pair.near.run(engine.start)
    try:
        add(engine, spec(disk(tmp_path), vlan=100))
        links.present = True
        told = "VLAN 100 of near0 has its own link here, and both would answer: name near0.100 and leave vlan out"
        wait_until(lambda: told in [link.problem for link in engine.snapshot().links], "we give way")
        assert (the_export(engine).state, the_export(engine).problem) == (ExportState.WAITING, told)
        with pytest.raises(EngineError, match="leave vlan out"):
            add(engine, spec(disk(tmp_path, "other.img"), address=E92, vlan=100))
        links.present = False
        wait_until(lambda: the_export(engine).state is ExportState.SERVING, "it is served again")
    finally:
        assert engine.stop()
