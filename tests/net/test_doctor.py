"""The doctor on setups that are really broken, each in namespaces of its own, and on healthy ones."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from aoetui.demo import memory
from aoetui.engine.api import ChooseInterfaces
from aoetui.engine.commands.doctor import Check, Examine, Finding, Report, Verdict
from aoetui.engine.conflicts import EndingError
from aoetui.engine.doctor.tap import Tap, ready
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.frames import config_request
from tests.support.engines import E91, PATIENCE, SIZE, add, disk, engine_in, spec
from tests.support.initiator import initiator
from tests.support.netns import Namespace, join
from tests.support.tap import initiator_in, tap, with_tag
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from aoetui.engine.snapshot import LinkSnapshot
    from tests.support.netns import VethPair

VBLADE = shutil.which("vblade", path=os.environ["PATH"] + ":/usr/sbin")
needs_vblade = pytest.mark.skipif(VBLADE is None, reason="vblade is not installed")
E92 = Address(9, 2)
SECONDS = 1.2
"""Of an examination: nothing here is slow."""


@contextlib.contextmanager
def vblade(namespace: Namespace, link: str, path: Path, *options: str, slot: str = "1") -> Iterator[subprocess.Popen[bytes]]:
    """Debian's target as e9.SLOT, from when it has opened its socket."""
    assert VBLADE is not None
    argv = [VBLADE, *options, "9", slot, link, str(path)]
    process = namespace.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def examine(engine: LocalEngine, namespace: Namespace, *names: str, **options: Any) -> Report:  # noqa: ANN401  # of Examine
    """Have the engine examine, in its namespace: an errand's thread has that of whoever submits it."""
    command = Examine(names, **{"seconds": SECONDS, **options})
    return namespace.run(lambda: engine.submit(command)).result(PATIENCE)


def wrong(report: Report) -> list[Finding]:
    """The faults and warnings."""
    return [each for each in report.findings if each.verdict in (Verdict.FAULT, Verdict.WARNING)]


def link_of(engine: LocalEngine) -> LinkSnapshot:
    """near0 as the engine knows it."""
    return next(link for link in engine.snapshot().links if link.name == "near0")


def the_fault(report: Report, check: Check) -> Finding:
    """The one thing that is wrong, and the reason that the answer gives."""
    (found,) = wrong(report)
    assert (found.check, found.verdict) == (check, Verdict.FAULT), report.lines()
    assert not report.healthy
    assert found.seen in report.answer
    assert report.findings[0] == found
    return found


@needs_vblade
def test_a_vblade_that_answers_is_nothing_wrong(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    with vblade(veth_pair.far, "far0", disk(tmp_path)):
        report = examine(near, veth_pair.near, "near0")
    assert wrong(report) == [], report.lines()
    assert report.healthy
    assert report.answer == "Nothing is wrong: 1 device answers on near0."
    assert report.asked == report.listened == ("near0",)


@needs_vblade
def test_a_jumbo_san_of_many_devices_with_others_at_work_is_nothing_wrong(tmp_path: Path) -> None:
    """Several exports of ours, one vblade, another initiator that reads all the time, all through one switch."""
    with hub(mtu=9000) as (near, far, third), engine_in(near) as engine, engine_in(far) as target:
        for slot in range(1, 6):
            add(target, spec(disk(tmp_path, f"{slot}.img"), address=Address(9, slot), interfaces=("far0",)))
        with vblade(third, "third0", disk(tmp_path), slot="9"), reading(third, "third0", "e9.1"):
            report = examine(engine, near, "near0", address=E92)
    assert wrong(report) == [], report.lines()
    assert report.answer == "Nothing is wrong: 6 devices answer on near0."
    (sent,) = [each.seen for each in report.findings if each.check is Check.SENT]
    assert int(sent.split()[0]) < 500, "the wire is not flooded"
    (others,) = [each for each in report.findings if each.check is Check.OTHERS]
    assert "of 1 other initiator heard on near0" in others.seen


def test_a_host_that_serves_and_hears_nobody_else_is_nothing_wrong(
    near: LocalEngine, veth_pair: VethPair, tmp_path: Path
) -> None:
    add(near, spec(disk(tmp_path)))
    report = examine(near, veth_pair.near, "near0")
    assert wrong(report) == [], report.lines()
    (note,) = [each for each in report.findings if each.check is Check.ANSWERS]
    assert "this host itself serves e9.1 there" in note.seen


@pytest.mark.usefixtures("private_network")
def test_two_interfaces_on_one_network_are_nothing_wrong(tmp_path: Path) -> None:
    with hub() as (near, far, _), engine_in(near) as engine, engine_in(far) as target:
        add(target, spec(disk(tmp_path), interfaces=("far0",)))
        report = examine(engine, near, "near0", "near1")
    assert wrong(report) == [], report.lines()
    assert report.answer == "Nothing is wrong: 1 device answers on near0, near1."


@contextlib.contextmanager
def hub(mtu: int = 1500) -> Iterator[tuple[Namespace, Namespace, Namespace]]:
    """Three hosts on a switch that learns no MAC, so that everybody hears everything: near0 and near1, far0, third0."""
    with Namespace() as near, Namespace() as far, Namespace() as third, Namespace() as switch:
        bridge = switch.add_link("br0", kind="bridge", br_ageing_time=0)
        switch.set_link("br0", state="up")
        for host, name in ((near, "near0"), (near, "near1"), (far, "far0"), (third, "third0")):
            join(host, name, switch, f"to-{name}", mtu=mtu)
            switch.set_link(f"to-{name}", master=bridge)
        yield near, far, third


@contextlib.contextmanager
def reading(namespace: Namespace, link: str, address: str) -> Iterator[Mac]:
    """Another initiator, that reads a device as long as this lasts; gives its MAC, once it has read."""
    with initiator(namespace, link) as ini:
        ini.address = Address.parse(address)
        ini.find()
        begun, ending = threading.Event(), threading.Event()

        def body() -> None:
            while not ending.is_set():
                ini.read(0, 1)
                begun.set()
                ending.wait(0.02)

        thread = threading.Thread(target=body)
        thread.start()
        assert begun.wait(PATIENCE)
        try:
            yield ini.wire.mac
        finally:
            ending.set()
            thread.join()


# ---- eight broken setups


def test_an_interface_that_is_down(near: LocalEngine, veth_pair: VethPair) -> None:
    veth_pair.near.set_link("near0", state="down")
    wait_until(lambda: not link_of(near).admin_up, "the engine knows it")
    fault = the_fault(examine(near, veth_pair.near, "near0"), Check.INTERFACE)
    assert (fault.seen, fault.remedy) == ("near0 is down", "`ip link set near0 up`")


def test_a_far_end_that_is_down_is_a_missing_carrier(near: LocalEngine, veth_pair: VethPair) -> None:
    veth_pair.far.set_link("far0", state="down")
    wait_until(lambda: not link_of(near).carrier, "the engine knows it")
    fault = the_fault(examine(near, veth_pair.near, "near0"), Check.CARRIER)
    assert fault.seen.startswith("near0 has no carrier")


def test_a_target_in_a_vlan_that_we_are_not_in(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    """Nothing is heard of AoE there, only that there is such a VLAN: it is asked in."""
    with engine_in(veth_pair.far) as target, other_traffic(veth_pair.far, "far0", vlan=100):
        add(target, spec(disk(tmp_path), interfaces=("far0",), vlan=100))
        report = examine(near, veth_pair.near, "near0", address=E91)
    found = wrong(report)
    assert found[0].check is Check.VLAN, report.lines()
    assert found[0].seen == "e9.1 answers in VLAN 100, and not outside of it, where near0 is"
    assert "`ip link add link near0 name near0.100 type vlan id 100`" in found[0].remedy
    assert found[0].seen in report.answer


def test_other_initiators_that_are_heard_in_a_vlan_tell_of_it(near: LocalEngine, veth_pair: VethPair) -> None:
    with initiator_in(veth_pair.far, "far0", 300) as ini:
        asking = threading.Event()

        def ask() -> None:
            while not asking.wait(0.1):
                ini.wire.send([config_request(source=ini.wire.mac, address=None, tag=1)])

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            fault = the_fault(examine(near, veth_pair.near, "near0"), Check.VLAN)
        finally:
            asking.set()
            thread.join()
    assert "in VLAN 300, and near0 is outside of all VLANs" in fault.seen


@contextlib.contextmanager
def other_traffic(namespace: Namespace, link: str, vlan: int) -> Iterator[None]:
    """Frames of another protocol in a VLAN, as long as this lasts."""
    with initiator_in(namespace, link, vlan) as ini:
        ending = threading.Event()

        def body() -> None:
            while not ending.wait(0.05):
                ini.wire.send([b"\xff" * 6 + ini.wire.mac.raw + b"\x08\x06" + bytes(46)])

        thread = threading.Thread(target=body)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()


@needs_vblade
@pytest.mark.usefixtures("private_network")
def test_a_port_of_a_bridge(tmp_path: Path) -> None:
    with Namespace() as near, Namespace() as far:
        join(near, "near0", far, "far0")
        bridge = near.add_link("br0", kind="bridge")
        near.set_link("br0", state="up")
        near.set_link("near0", master=bridge)
        with engine_in(near) as engine, vblade(far, "far0", disk(tmp_path)):
            fault = the_fault(examine(engine, near, "near0"), Check.BRIDGE)
            assert "near0 is a port of the bridge br0" in fault.seen
            assert "`aoetui doctor -i br0`" in fault.remedy
            assert examine(engine, near, "br0").answer == "Nothing is wrong: 1 device answers on br0."


@pytest.mark.usefixtures("private_network")
def test_a_switch_port_of_a_smaller_mtu_on_the_way(tmp_path: Path) -> None:
    """Both ends say 9000; what lies between carries 1500."""
    with Namespace() as near, Namespace() as far, Namespace() as switch:
        bridge = switch.add_link("br0", kind="bridge")
        switch.set_link("br0", state="up")
        for host, name in ((near, "near0"), (far, "far0")):
            join(host, name, switch, f"to-{name}", mtu=9000)
            switch.set_link(f"to-{name}", master=bridge)
        switch.set_link("to-far0", mtu=1500)
        with engine_in(near) as engine, engine_in(far) as target:
            engine.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
            add(target, spec(disk(tmp_path), interfaces=("far0",)))
            report = examine(engine, near)
    (found,) = wrong(report)
    assert (found.check, found.subject, found.verdict) == (Check.MTU, "e9.1", Verdict.WARNING), report.lines()
    assert "only capable of 1024 byte payloads, of 8704" in found.seen
    assert "every switch port between" in found.remedy
    assert found.seen in report.answer


@needs_vblade
@pytest.mark.parametrize("sizes", [(SIZE, SIZE // 2)])
@pytest.mark.usefixtures("private_network")
def test_two_disks_at_one_address(tmp_path: Path, sizes: tuple[int, int]) -> None:
    first, second = (disk(tmp_path, f"{size}.img", size) for size in sizes)
    with hub() as (near, far, third), engine_in(near) as engine, vblade(far, "far0", first), vblade(third, "third0", second):
        fault = the_fault(examine(engine, near, "near0"), Check.DUPLICATE)
    assert fault.subject == "e9.1"
    assert "2 MACs answer for e9.1, and they are different disks" in fault.seen
    assert "another shelf or slot" in fault.remedy


@needs_vblade
def test_two_disks_at_one_address_of_one_host(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    """Both answer from one MAC: nobody's list of paths shows it."""
    first, second = disk(tmp_path), disk(tmp_path, "other.img", SIZE // 2)
    with vblade(veth_pair.far, "far0", first), vblade(veth_pair.far, "far0", second):
        fault = the_fault(examine(near, veth_pair.near, "near0"), Check.DUPLICATE)
    assert fault.seen.startswith(f"two programs at {veth_pair.far_mac} answer for e9.1")


def test_somebody_else_at_an_address_of_ours(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    with engine_in(veth_pair.far) as far:
        add(far, spec(disk(tmp_path, "theirs.img"), interfaces=("far0",)), force=True)
        fault = the_fault(examine(near, veth_pair.near, "near0"), Check.DUPLICATE)
    assert fault.seen == f"e9.1 is served by this host, and {veth_pair.far_mac} answers for it too"


@needs_vblade
@pytest.mark.parametrize("asked", [E91, None])
@pytest.mark.usefixtures("private_network")
def test_a_mask_list_that_locks_us_out(tmp_path: Path, asked: Address | None) -> None:
    """The only proof on the wire is another initiator, that is answered."""
    with hub() as (near, far, third), engine_in(near) as engine:
        allowed = mac_of(third, "third0")
        with vblade(far, "far0", disk(tmp_path), "-m", allowed), reading(third, "third0", "e9.1"):
            report = examine(engine, near, "near0", address=asked)
        found = wrong(report)
        assert (found[0].check, found[0].subject, found[0].verdict) == (Check.MASK, "e9.1", Verdict.FAULT), report.lines()
        assert f"serves {allowed}, and does not answer {mac_of(near, 'near0')} (near0): its mask list" in found[0].seen
        assert found[0].seen in report.answer


@pytest.mark.usefixtures("private_network")
def test_a_mask_list_that_lets_in_one_interface_of_ours_and_not_the_other(tmp_path: Path) -> None:
    with hub() as (near, far, _), engine_in(near) as engine, engine_in(far) as target:
        macs = [mac_of(near, name) for name in ("near0", "near1")]
        add(target, spec(disk(tmp_path), interfaces=("far0",), mask=(Mac.parse(macs[0]),)))
        report = examine(engine, near, "near0", "near1", address=E91)
    (found,) = [each for each in report.findings if each.check is Check.MASK]
    assert found.seen == f"the mask list of e9.1 lets near0 in, and not near1 ({macs[1]}): it is no path"


def mac_of(namespace: Namespace, link: str) -> str:
    """The MAC of a link."""
    index = namespace.index(link)
    return str(namespace.route(lambda netlink: netlink.link("get", index=index)[0].get("address")))


@needs_vblade
def test_another_aoe_program_on_our_interface(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    with vblade(veth_pair.near, "near0", disk(tmp_path)) as process:
        report = examine(near, veth_pair.near, "near0")
        (found,) = wrong(report)
        assert (found.check, found.verdict) == (Check.PROGRAMS, Verdict.WARNING)
        assert found.seen.startswith(f"vblade (process {process.pid}) serves e9.1 on near0 of this host")
        assert found.seen in report.answer
        wanted = examine(near, veth_pair.near, "near0", address=E91)
        assert wrong(wanted)[0].check is Check.PROGRAMS
        assert wrong(wanted)[0].verdict is Verdict.FAULT


def test_nobody_has_chosen_an_interface(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    """Nothing is asked then, on any."""
    with engine_in(veth_pair.far) as far:
        add(far, spec(disk(tmp_path), interfaces=("far0",)))
        far.submit(ChooseInterfaces(("far0",))).result(PATIENCE)
        before = far._core.ports.get("far0")
        report = examine(near, veth_pair.near)
        assert before is not None
        assert dict(before.silences) == {}
        assert far.snapshot().exports[0].counters.others == 0
    fault = the_fault(report, Check.CHOICE)
    assert (report.asked, report.listened) == ((), ("near0",))
    assert "`aoetui doctor -i near0`" in fault.remedy


def test_a_link_that_is_lost_while_it_is_looked_at_is_told(near: LocalEngine, veth_pair: VethPair) -> None:
    told = veth_pair.near.run(lambda: near.submit(Examine(("near0",), seconds=1.5)))
    with tap(veth_pair.far, "far0") as capture:
        capture.incoming(1)  # it has begun
    veth_pair.near.delete_link("near0")
    report = told.result(PATIENCE)
    assert "no interface near0" in report.answer
    assert [each.verdict for each in report.findings if each.check is Check.SENT] == [Verdict.FAULT]


def test_an_examination_does_not_keep_the_engine_from_ending(veth_pair: VethPair) -> None:
    with engine_in(veth_pair.near) as engine:
        told = veth_pair.near.run(lambda: engine.submit(Examine(("near0",), seconds=60.0)))
        with tap(veth_pair.far, "far0") as capture:
            capture.incoming(1)
    with pytest.raises(EndingError):
        told.result(PATIENCE)


def test_the_tap_hears_aoe_in_every_vlan_what_switches_say_and_what_is_tagged_and_nothing_else(veth_pair: VethPair) -> None:
    index = veth_pair.near.index("near0")
    ours = Mac.parse(veth_pair.far_mac).raw
    aoe, ip = b"\xff" * 6 + ours + b"\x88\xa2" + bytes(600), b"\xff" * 6 + ours + b"\x08\x00" + bytes(46)
    tree = bytes.fromhex("0180c2000000") + ours + b"\x00\x26\x42\x42\x03" + bytes(40)
    sent = (aoe, ip, with_tag(aoe, b"\x81\x00\x00\x64"), with_tag(ip, b"\x81\x00\x0f\xff"), tree)

    def body() -> list[tuple[int | None, bytes]]:
        with Tap("near0", index, promiscuous=True) as ears, tap(veth_pair.far, "far0") as far:
            for frame in sent:
                far.send(frame)
            heard: list[tuple[int | None, bytes]] = []
            while len(heard) < 4:
                ready([ears.fileno()], PATIENCE)
                heard += ears.frames()
            assert ears.lost() == 0
            return heard

    assert veth_pair.near.run(body) == [(None, aoe[:512]), (100, aoe[:512]), (0xFFF, ip), (None, tree)]


def test_the_demo_without_namespaces_is_examined_too(tmp_path: Path) -> None:
    """Over its wire in memory, which no kernel counts and nobody can listen on."""
    engine, end = memory.start(tmp_path)
    try:
        wait_until(lambda: any(not each.ours for each in engine.snapshot().devices), "its peer serves")
        report = engine.submit(Examine(seconds=SECONDS)).result(PATIENCE)
    finally:
        engine.stop()
        end()
    assert wrong(report) == [], report.lines()
    assert {each.verdict for each in report.findings if each.check is Check.ANSWERS} == {Verdict.OK}
    assert {each.check for each in report.findings if each.verdict is Verdict.UNKNOWN} == {Check.RECEIVED}
