"""What the doctor makes of facts: one healthy set of them, and each way in which it is broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aoetui.engine.commands.doctor import Check, Finding, Verdict
from aoetui.engine.commands.kernel import Difference, KernelRemark, KernelSnapshot, Remedy
from aoetui.engine.commands.paths import Loss, PathReport, Pause, Reach
from aoetui.engine.conflicts import OtherProgram
from aoetui.engine.doctor.facts import (
    AskedFacts,
    CardFacts,
    Counts,
    Examination,
    HostFacts,
    OwnExport,
    PathFacts,
    SideFacts,
)
from aoetui.engine.doctor.hearing import Heard, Served, VlanTraffic
from aoetui.engine.doctor.judge import judge
from aoetui.engine.doctor.neighbour import Neighbour
from aoetui.engine.link_facts import LinkFacts
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.ata import Identity
from aoetui.engine.protocol.devices import Device, DeviceState, Path, Sameness
from aoetui.engine.snapshot import Severity

E91, E92 = Address(9, 1), Address(9, 2)
OURS, TARGET, OTHER = (Mac.parse(f"02:00:00:00:00:0{number}") for number in (1, 2, 3))
ETH1 = LinkFacts(name="eth1", index=2, kind="ethernet", mac=OURS, mtu=9000, admin_up=True, carrier=True)
BR0 = replace(ETH1, name="br0", index=3, kind="bridge", mac=OTHER)
PATH = PathFacts(
    address=E91,
    mac=TARGET,
    port="eth1",
    sector_count=17,
    buffer_count=64,
    broadcasts=3,
    broadcasts_answered=3,
    unicasts=50,
    unicasts_answered=50,
    rtt=0.0001,
    identified=True,
    mask=(),
    reservation=(),
)
ASKED = AskedFacts(port="eth1", mac=OURS, frames=60, paths=(PATH,))
SILENT = replace(ASKED, paths=())
BUSY = Counts(received=1000, sent=1000)
SIDE = SideFacts(
    name="eth1",
    card=CardFacts(speed=10_000, full_duplex=True, pause=Pause(True, True, True)),
    total=BUSY,
    during=Counts(received=60, sent=60),
    asked=ASKED,
    heard=Heard(),
)
DRIVER = KernelSnapshot(
    version="85",
    interfaces=(),
    dead_seconds=180,
    max_requests=128,
    dynamic_numbers=True,
    starts="",
    here=True,
    controls="",
    devices=(),
)
REMARK = KernelRemark(E91, Difference.NOT_IN_DRIVER, Severity.INFO, "the Linux driver has not got it yet", Remedy.DISCOVER)
NARROW = PathReport(
    interface="eth1",
    mac=TARGET,
    local_mtu=9000,
    sector_count=17,
    buffer_count=64,
    to_target=Reach(1514, 9014),
    from_target=Reach(8740, 8740),
    round_trips=None,
    short_frames=Loss(10, 0),
    long_frames=Loss(10, 0),
    duplicates=0,
)
WELL = Examination(host=HostFacts(kernel=DRIVER), links={"eth1": ETH1}, sides=(SIDE,), seconds=5.0)
"""One device answers on one jumbo link, and everything is as it should be."""


def of_side(**changes: object) -> Examination:
    """WELL but for its side."""
    return replace(WELL, sides=(replace(SIDE, **changes),))  # type: ignore[arg-type]  # the fields of SideFacts


def of_link(**changes: object) -> Examination:
    """WELL but for its link, which is neither asked nor heard then."""
    link = replace(ETH1, **changes)  # type: ignore[arg-type]  # the fields of LinkFacts
    return replace(WELL, links={"eth1": link, "br0": BR0}, sides=(replace(SIDE, asked=None, heard=None),))


def of_path(**changes: object) -> Examination:
    """WELL but for its path."""
    return of_side(asked=replace(ASKED, paths=(replace(PATH, **changes),)))  # type: ignore[arg-type]  # the fields of PathFacts


def of_card(**changes: object) -> Examination:
    """WELL but for what its card says."""
    return of_side(card=replace(SIDE.card, **changes))  # type: ignore[arg-type]  # the fields of CardFacts


def device(sameness: Sameness, *paths: Path) -> Device:
    """e9.1 with these paths."""
    return Device(E91, DeviceState.UP, None, b"", 64, 1, sameness, paths, 0.0, 0.0)


def path(mac: Mac, sectors: int) -> Path:
    """Of a vblade of so many sectors."""
    identity = Identity(sectors=sectors, lba48=True, model="vblade", serial="9.1:nas", firmware="1")
    return Path(mac, "eth1", DeviceState.UP, None, 17, 0.0, 0.0, identity)


def found(facts: Examination) -> list[Finding]:
    """What is not well, the gravest first."""
    return [each for each in judge(facts)[1] if each.verdict is not Verdict.OK]


def test_what_is_well_has_no_finding_but_that() -> None:
    answer, findings = judge(WELL)
    assert {each.verdict for each in findings} == {Verdict.OK}
    assert answer == "Nothing is wrong: 1 device answers on eth1."


@pytest.mark.parametrize(
    ("facts", "check", "verdict", "seen", "remedy"),
    [
        (
            replace(WELL, host=replace(WELL.host, refused="no permission", refused_remedy="run `sudo aoetui`")),
            Check.PERMISSION,
            Verdict.FAULT,
            "no permission",
            "run `sudo aoetui`",
        ),
        (replace(WELL, chosen=False, sides=()), Check.CHOICE, Verdict.FAULT, "nobody has chosen", "`aoetui doctor -i eth1`"),
        (replace(WELL, links={"br0": BR0}), Check.INTERFACE, Verdict.FAULT, "no interface eth1", "`aoetui doctor -i br0`"),
        (of_link(mac=None, kind="tun"), Check.INTERFACE, Verdict.FAULT, "no Ethernet interface (tun)", "another"),
        (of_link(admin_up=False), Check.INTERFACE, Verdict.FAULT, "eth1 is down", "`ip link set eth1 up`"),
        (of_link(bridge="br0"), Check.BRIDGE, Verdict.FAULT, "a port of the bridge br0", "`aoetui doctor -i br0`"),
        (of_link(carrier=False), Check.CARRIER, Verdict.FAULT, "eth1 has no carrier", "cable"),
        (of_link(mtu=500), Check.MTU, Verdict.FAULT, "MTU 500, at which a frame carries no sector", "mtu 1500"),
        (of_card(carrier_losses_now=1), Check.CARRIER, Verdict.WARNING, "lost its carrier 1 time while", "cable"),
        (of_card(carrier_losses=11), Check.CARRIER, Verdict.NOTE, "lost its carrier 11 times", "cable"),
        (of_card(full_duplex=False), Check.SPEED, Verdict.WARNING, "half duplex", "`ethtool -s eth1 autoneg on`"),
        (of_card(speed=100), Check.SPEED, Verdict.NOTE, "100 Mbit/s", "gigabit"),
        (of_card(pause=Pause(True, False, False)), Check.SPEED, Verdict.NOTE, "no flow control", "`ethtool -A eth1 rx on tx on`"),
        (
            of_side(during=replace(SIDE.during, receive_errors=2)),
            Check.DROPS,
            Verdict.WARNING,
            "lost frames while it was looked at: 2 that came in, 0 on their way out",
            "ethtool -S eth1",
        ),
        (of_side(total=replace(BUSY, framing=11)), Check.DROPS, Verdict.WARNING, "11 frames of 2000 were damaged", "cable"),
        (of_side(total=replace(BUSY, overruns=11)), Check.DROPS, Verdict.NOTE, "no room for 11 frames", "ethtool -G eth1"),
        (of_side(during=replace(SIDE.during, receive_dropped=11)), Check.DROPS, Verdict.NOTE, "11 frames that came in", ""),
        (of_side(ring_dropped=3), Check.DROPS, Verdict.WARNING, "3 frames of AoE were dropped", "busy"),
        (of_side(heard=None, deaf="no memory"), Check.RECEIVED, Verdict.UNKNOWN, "could not be listened on: no memory", ""),
        (of_side(asked=replace(ASKED, not_sent=1)), Check.SENT, Verdict.WARNING, "did not take 1 of 60 frames", "tc -s"),
        (of_side(asked=replace(ASKED, not_sent=60)), Check.SENT, Verdict.FAULT, "did not take 60 of 60 frames", "tc -s"),
        (
            replace(of_path(reservation=(OTHER,)), address=E91),
            Check.RESERVATION,
            Verdict.FAULT,
            "refuses reads and writes of this host",
            "`aoetui reserve e9.1 --release`",
        ),
        (of_side(during=Counts(received=60)), Check.SENT, Verdict.WARNING, "counts none that left", "nft"),
        (of_side(asked=AskedFacts(port="eth1", problem="gone")), Check.SENT, Verdict.FAULT, "could not be asked on: gone", ""),
        (of_side(heard=Heard(returned=3)), Check.SWITCH, Verdict.FAULT, "3 questions of ours came back in", "spanning tree"),
        (of_side(heard=Heard(impostors=1)), Check.SWITCH, Verdict.FAULT, "bear its own MAC", "ip link set IFACE address MAC"),
        (of_side(heard=Heard(spanning_tree=True)), Check.SWITCH, Verdict.NOTE, "spanning tree", "portfast"),
        (of_side(heard=Heard(neighbour=Neighbour("sw1", "7", 20))), Check.SWITCH, Verdict.NOTE, "sw1 7, whose", ""),
        (of_side(heard=Heard(initiators={OTHER: 5})), Check.OTHERS, Verdict.NOTE, "5 requests of 1 other initiator", ""),
        (of_side(asked=SILENT), Check.ANSWERS, Verdict.FAULT, "nobody answered on eth1 within 5 s", f"holds {OURS}"),
        (
            of_side(asked=SILENT, during=Counts(sent=60)),
            Check.ANSWERS,
            Verdict.FAULT,
            "not one frame of any kind came in",
            "right switch port",
        ),
        (of_path(unicasts_answered=45), Check.LOSS, Verdict.WARNING, "5 of 50 answers were lost", "1 in 100"),
        (of_path(unicasts_answered=49), Check.LOSS, Verdict.NOTE, "1 of 50 answers were lost", ""),
        (of_path(unicasts_answered=0), Check.SWITCH, Verdict.FAULT, "answers broadcasts, and none of 50", "MAC table"),
        (of_side(asked=replace(ASKED, ring_dropped=1)), Check.LOSS, Verdict.UNKNOWN, "more came in on eth1", "again"),
        (of_path(doubled=3), Check.DUPLICATE, Verdict.WARNING, "answered twice", "loop"),
        (of_path(identified=False), Check.TARGET, Verdict.WARNING, "does not say who it is", "log"),
        (of_path(buffer_count=1), Check.TARGET, Verdict.WARNING, "room for 1 request: Linux cannot use it", "2"),
        (of_path(sector_count=2), Check.MTU, Verdict.NOTE, "takes 2 sectors a frame, and eth1 could carry 17", "9000"),
        (of_path(sector_count=20), Check.MTU, Verdict.NOTE, "takes 20 sectors a frame, and eth1 carries 17", "MTU of eth1"),
        (of_path(reservation=(OTHER,)), Check.RESERVATION, Verdict.NOTE, f"reserved for {OTHER}", str(OURS)),
        (
            replace(WELL, host=replace(WELL.host, kernel=None)),
            Check.DRIVER,
            Verdict.NOTE,
            "not loaded: aoe-stat shows nothing without it",
            "`aoetui kernel load`",
        ),
        (
            replace(WELL, host=replace(WELL.host, kernel=replace(DRIVER, interfaces=("eth0",)))),
            Check.DRIVER,
            Verdict.WARNING,
            "told to use eth0 alone: what eth1 reaches is no disk",
            "`aoetui kernel interfaces eth0 eth1`",
        ),
        (
            replace(WELL, host=replace(WELL.host, kernel=replace(DRIVER, remarks=(REMARK,)))),
            Check.DRIVER,
            Verdict.NOTE,
            "the Linux driver has not got it yet",
            "`aoetui kernel discover`",
        ),
        (
            replace(WELL, reaches=((E91, NARROW),)),
            Check.MTU,
            Verdict.WARNING,
            "only capable of 1024 byte payloads, of 8704",
            "on every switch port between",
        ),
        (
            replace(WELL, exports=(OwnExport(address=E92, ports=("eth1",), problem="its disk is gone"),)),
            Check.EXPORTS,
            Verdict.WARNING,
            "its disk is gone",
            "",
        ),
        (
            replace(WELL, exports=(OwnExport(address=E92, ports=("eth1",), masked=(OTHER,)),)),
            Check.EXPORTS,
            Verdict.NOTE,
            f"{OTHER} asked e9.2, and its mask list",
            "mask list",
        ),
        (
            replace(WELL, exports=(OwnExport(address=E91, ports=("eth1",)),), devices=(device(Sameness.SAME, path(TARGET, 2)),)),
            Check.DUPLICATE,
            Verdict.FAULT,
            f"e9.1 is served by this host, and {TARGET} answers for it too",
            "another shelf or slot",
        ),
        (replace(WELL, address=E92), Check.TARGET, Verdict.FAULT, "e9.2 does not answer on eth1; what does: e9.1", str(OURS)),
        (of_link(default_route=True), Check.ADDRESSES, Verdict.NOTE, "the default route", "VLAN of its own"),
        (of_link(addresses=("192.0.2.1/24",)), Check.ADDRESSES, Verdict.NOTE, "192.0.2.1/24", "`ip address del 192.0.2.1/24"),
        (of_link(mtu=1500), Check.MTU, Verdict.NOTE, "MTU 1500 carries 2 sectors", "`ip link set eth1 mtu 9000`"),
    ],
)  # fmt: skip
def test_each_thing_that_is_not_well_is_named(facts: Examination, check: Check, verdict: Verdict, seen: str, remedy: str) -> None:
    first = found(facts)[0]
    assert (first.check, first.verdict) == (check, verdict)
    assert seen in first.seen
    assert remedy in first.remedy
    if verdict in (Verdict.FAULT, Verdict.WARNING):
        assert first.seen in judge(facts)[0]


def test_a_passive_look_holds_no_link_for_broken() -> None:
    """Nobody chose them: that one is down is worth a note."""
    facts = replace(of_link(admin_up=False), chosen=False)
    assert [each.check for each in found(facts) if each.verdict is Verdict.FAULT] == [Check.CHOICE]


HEARD_IN_100 = Heard(by_vlan={100: VlanTraffic(0, 5, frozenset({E91}))}, vlans=frozenset({100}))
TAGGED = replace(ETH1, name="eth1.100", index=4, kind="vlan", vlan_id=100, parent="eth1")


@pytest.mark.parametrize(
    ("facts", "verdict", "seen", "remedy"),
    [
        (
            of_side(asked=SILENT, heard=HEARD_IN_100),
            Verdict.FAULT,
            "5 AoE frames (of e9.1) came in in VLAN 100",
            "type vlan id 100",
        ),
        (of_side(heard=HEARD_IN_100), Verdict.NOTE, "came in in VLAN 100", "type vlan id 100"),
        (
            replace(of_side(asked=SILENT, heard=HEARD_IN_100), links={"eth1": ETH1, "eth1.100": TAGGED}),
            Verdict.FAULT,
            "came in in VLAN 100",
            "`aoetui doctor -i eth1.100`",
        ),
        (
            replace(
                WELL,
                links={"eth1": ETH1, "eth1.100": TAGGED},
                sides=(
                    replace(
                        SIDE,
                        name="eth1.100",
                        asked=replace(SILENT, port="eth1.100"),
                        heard=Heard(vlan=100, by_vlan={None: VlanTraffic(3, 0)}),
                    ),
                ),
            ),
            Verdict.FAULT,
            "3 AoE frames came in outside of all VLANs, and eth1.100 is in VLAN 100",
            "`aoetui doctor -i eth1`",
        ),
        (
            of_side(asked=SILENT, in_vlans=(replace(ASKED, port="eth1 vlan 7"),), heard=Heard(vlans=frozenset({7}))),
            Verdict.FAULT,
            "e9.1 answers in VLAN 7, and not outside of it",
            "type vlan id 7",
        ),
    ],
)
def test_aoe_in_another_vlan_is_the_reason_only_where_nobody_answers(
    facts: Examination, verdict: Verdict, seen: str, remedy: str
) -> None:
    (first, *_) = [each for each in found(facts) if each.check is Check.VLAN]
    assert first.verdict is verdict
    assert seen in first.seen
    assert remedy in first.remedy
    assert not [each for each in found(facts) if each.check is Check.ANSWERS], "the VLAN explains it"


SERVES = Heard(served=(Served(E92, TARGET, frozenset({OTHER})),))
DOUBTED = frozenset({(E92, TARGET)})


@pytest.mark.parametrize(
    ("asked", "address", "verdict", "seen"),
    [
        (replace(SILENT, doubted=DOUBTED), None, Verdict.FAULT, "or our frames do not reach it"),
        (replace(ASKED, doubted=DOUBTED), E92, Verdict.FAULT, f"e9.2 at {TARGET} serves {OTHER}, and does not answer {OURS}"),
        (replace(ASKED, doubted=DOUBTED), None, Verdict.NOTE, f"we are not, by e9.2 at {TARGET}: a mask list"),
    ],
)
def test_a_target_that_serves_others_alone(asked: AskedFacts, address: Address | None, verdict: Verdict, seen: str) -> None:
    """That others have disks of their own is usual: it is wrong where that disk is looked for, or there is no other."""
    facts = replace(of_side(asked=asked, heard=SERVES), address=address)
    (mask,) = [each for each in found(facts) if each.check is Check.MASK]
    assert mask.verdict is verdict
    assert seen in mask.seen
    assert str(OURS) in mask.remedy


def test_what_is_alike_in_many_devices_is_told_once() -> None:
    """A SAN may have thousands."""
    paths = tuple(replace(PATH, address=Address(7, slot), sector_count=2) for slot in range(200))
    served = tuple(Served(Address(8, slot), TARGET, frozenset({OTHER})) for slot in range(200))
    doubted = frozenset((each.address, each.mac) for each in served)
    facts = of_side(asked=replace(ASKED, paths=paths, doubted=doubted), heard=Heard(served=served))
    told = {each.check: each.seen for each in found(facts)}
    assert len(found(facts)) == 2
    assert told[Check.MTU] == "e7.0, e7.1, e7.2, e7.3, e7.4 and 195 more take 2 sectors a frame, and eth1 could carry 17"
    assert "and 195 more: a mask list" in told[Check.MASK]


def test_a_wire_that_the_kernel_does_not_count_is_not_blamed() -> None:
    """As that of the demo, where there are no namespaces."""
    assert found(of_side(during=Counts(), total=Counts(), counted=False)) == []


def test_a_target_that_was_never_asked_is_not_blamed() -> None:
    """It began when the last question had been sent."""
    assert not [each for each in found(of_side(asked=SILENT, heard=SERVES)) if each.check is Check.MASK]


VBLADE = OtherProgram("vblade", 7, 0, (E91,), target=True)
AOETUI = replace(VBLADE, name="aoetui")


@pytest.mark.parametrize(
    ("program", "asked", "address", "verdict"),
    [
        (VBLADE, SILENT, None, Verdict.WARNING),
        (VBLADE, SILENT, E91, Verdict.FAULT),
        (VBLADE, ASKED, None, Verdict.NOTE),
        (AOETUI, SILENT, None, Verdict.NOTE),
        (replace(VBLADE, name="", process=None, serves=()), SILENT, None, Verdict.WARNING),
        (replace(VBLADE, name="aoeping", target=False), SILENT, None, None),
    ],
)
def test_another_program_of_this_host(
    program: OtherProgram, asked: AskedFacts, address: Address | None, verdict: Verdict | None
) -> None:
    facts = replace(of_side(asked=asked, programs=(program,)), address=address)
    told = [each for each in found(facts) if each.check is Check.PROGRAMS]
    assert [each.verdict for each in told] == ([] if verdict is None else [verdict])


def test_a_default_receive_buffer_that_is_too_small_for_jumbo_frames_of_others() -> None:
    facts = replace(of_side(programs=(VBLADE,)), host=replace(WELL.host, receive_buffer=212992))
    assert any("net.core.rmem_default=278528" in each.remedy for each in found(facts))
    assert not any("rmem" in each.remedy for each in found(replace(facts, host=replace(WELL.host, receive_buffer=278528))))


@pytest.mark.parametrize(
    ("device_", "verdict", "seen"),
    [
        (
            device(Sameness.UNPROVEN, path(TARGET, 2), path(OTHER, 4)),
            Verdict.FAULT,
            "2 MACs answer for e9.1, and they are different",
        ),
        (device(Sameness.UNPROVEN, path(TARGET, 2), path(OTHER, 2)), Verdict.NOTE, "nothing proves that they are one disk"),
        (device(Sameness.SAME, path(TARGET, 2), path(OTHER, 2)), None, ""),
    ],
)
def test_who_answers_at_one_address(device_: Device, verdict: Verdict | None, seen: str) -> None:
    told = [each for each in found(replace(WELL, devices=(device_,))) if each.check is Check.DUPLICATE]
    assert [each.verdict for each in told] == ([] if verdict is None else [verdict])
    assert all(seen in each.seen for each in told)


def test_two_programs_of_one_host_at_one_address() -> None:
    facts = replace(of_path(torn="their config"), devices=(device(Sameness.SAME, path(TARGET, 2)),))
    (told,) = [each for each in found(facts) if each.check is Check.DUPLICATE]
    assert told.seen == f"two programs at {TARGET} answer for e9.1, and differ in their config: two disks at one address"


def test_one_interface_that_is_left_out_of_a_mask_list() -> None:
    eth2 = replace(ETH1, name="eth2", index=9, mac=OTHER)
    second = replace(SIDE, name="eth2", asked=replace(SILENT, port="eth2", mac=OTHER))
    first = replace(SIDE, asked=replace(ASKED, paths=(replace(PATH, mask=(OURS,)),)))
    facts = replace(WELL, links={"eth1": ETH1, "eth2": eth2}, sides=(first, second))
    (told,) = [each for each in found(facts) if each.check is Check.MASK]
    assert told.seen == f"the mask list of e9.1 lets eth1 in, and not eth2 ({OTHER}): it is no path"


def test_a_device_that_the_engine_has_seen_before() -> None:
    before = replace(device(Sameness.SAME, path(TARGET, 2)), address=E92, state=DeviceState.SILENT)
    told = found(replace(WELL, address=E92, known=(before,)))[0]
    assert told.seen == "e9.2 was seen before, and does not answer on eth1 any more"


def test_the_first_fault_is_the_one_that_others_rest_on() -> None:
    facts = replace(of_link(admin_up=False), address=E91, host=replace(WELL.host, refused="no permission"))
    answer, findings = judge(facts)
    assert [each.check for each in findings if each.verdict is Verdict.FAULT] == [Check.PERMISSION, Check.INTERFACE, Check.TARGET]
    assert answer.startswith("Nothing is seen: no permission")
