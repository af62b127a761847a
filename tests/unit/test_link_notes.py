"""What speaks against AoE on a link, and in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aoetui.engine.link_facts import LinkFacts
from aoetui.engine.link_notes import candidates, notes_for, port_refusal, refusal_for
from aoetui.engine.protocol.address import Mac
from aoetui.engine.snapshot import Severity

GOOD = LinkFacts(name="eth1", index=2, kind="ethernet", mac=Mac(bytes(6)), mtu=9000, admin_up=True, carrier=True)
LO = replace(GOOD, name="lo", kind="loopback", mac=None)


def named(*links: LinkFacts) -> dict[str, LinkFacts]:
    """As a source of links gives them."""
    return {link.name: link for link in links}


@pytest.mark.parametrize("link", [GOOD, replace(GOOD, carrier=False), replace(GOOD, default_route=True), replace(GOOD, mtu=548)])
def test_nothing_is_refused_that_can_carry_aoe(link: LinkFacts) -> None:
    assert refusal_for("eth1", named(link)) == ""


@pytest.mark.parametrize(
    ("link", "text"),
    [
        (replace(GOOD, admin_up=False), "eth1 is down: bring it up with `ip link set eth1 up`"),
        (
            replace(GOOD, mtu=547),
            "eth1 has MTU 547, at which a frame carries no sector: `ip link set eth1 mtu 1500`, or at least 548",
        ),
        (replace(GOOD, bridge="br0"), "eth1 is a port of br0 and hears no AoE: use br0"),
        (replace(GOOD, bridge="br0", admin_up=False), "eth1 is a port of br0 and hears no AoE: use br0"),
        (
            replace(GOOD, mac=None, kind="tun"),
            "eth1 is no Ethernet interface (tun): AoE is spoken on Ethernet alone, choose another",
        ),
    ],
)
def test_a_refusal_names_the_link_and_the_remedy(link: LinkFacts, text: str) -> None:
    assert refusal_for("eth1", named(link)) == text


def vlan_link(vlan: int, parent: str | None = "eth1") -> LinkFacts:
    """As a kernel with 8021q has them."""
    return replace(GOOD, name=f"eth1.{vlan}", kind="vlan", vlan_id=vlan, parent=parent)


@pytest.mark.parametrize("name", ["eth1 vlan 100", "eth1 vlan 20", "eth2 vlan 200", "eth1", "eth1.200"])
def test_a_vlan_is_tagged_where_it_has_no_link(name: str) -> None:
    assert port_refusal(name, named(GOOD, replace(GOOD, name="eth2"), vlan_link(200))) == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("eth1 vlan 200", "VLAN 200 of eth1 has its own link here, and both would answer: name eth1.200 and leave vlan out"),
        ("eth1.200 vlan 200", "eth1.200 is the link of VLAN 200 already: leave vlan out"),
        ("eth1.200 vlan 5", "eth1.200 is the link of VLAN 200 already: leave vlan out, or name eth1 for VLAN 5"),
        (
            "eth1.300 vlan 5",
            "eth1.300 is the link of VLAN 300 already: leave vlan out, or name the interface below for VLAN 5",
        ),
        ("eth3 vlan 5", "eth3 is down: bring it up with `ip link set eth3 up`"),
        ("eth9 vlan 5", "there is no interface eth9: choose from eth1, eth1.200, eth1.300"),
    ],
)
def test_where_a_vlan_cannot_be_tagged_the_remedy_is_named(name: str, text: str) -> None:
    down = replace(GOOD, name="eth3", admin_up=False)
    assert port_refusal(name, named(GOOD, down, vlan_link(200), vlan_link(300, parent=None))) == text


def test_a_missing_interface_lists_those_that_would_do() -> None:
    links = named(LO, GOOD, replace(GOOD, name="eth0", default_route=True))
    assert refusal_for("eth9", links) == "there is no interface eth9: choose from eth1, eth0"
    assert refusal_for("eth9", named(LO)) == "there is no interface eth9, and no other here can carry AoE"


def test_candidates_have_carrier_first_and_the_default_route_last() -> None:
    links = named(
        LO,
        replace(GOOD, name="eth0", default_route=True),
        replace(GOOD, name="eth3"),
        replace(GOOD, name="eth2", carrier=False),
        replace(GOOD, name="eth4", bridge="br0"),
        replace(GOOD, name="eth5", admin_up=False),
        GOOD,
    )
    assert candidates(links) == ("eth1", "eth3", "eth2", "eth0")


def test_a_good_link_has_no_notes() -> None:
    assert notes_for(GOOD, chosen=True) == ()


@pytest.mark.parametrize(
    ("link", "severity", "part"),
    [
        (replace(GOOD, addresses=("192.0.2.1/24",)), Severity.WARNING, "`ip address del 192.0.2.1/24 dev eth1`"),
        (replace(GOOD, mtu=1500), Severity.INFO, "MTU 1500 carries 2 sectors a frame; 9000 would carry 17"),
        (replace(GOOD, mtu=4131), Severity.INFO, "MTU 4131 carries 7 sectors a frame"),
        (replace(GOOD, mtu=576), Severity.INFO, "MTU 576 carries 1 sector a frame"),
        (replace(GOOD, bridge="br0"), Severity.WARNING, "hears no AoE: use br0"),
        (replace(GOOD, default_route=True), Severity.WARNING, "carries the default route"),
        (replace(GOOD, carrier=False), Severity.WARNING, "no carrier: check the cable"),
        (replace(GOOD, admin_up=False, carrier=False), Severity.WARNING, "is down: bring it up"),
        (replace(GOOD, mac=None, kind="tun"), Severity.INFO, "no Ethernet interface (tun)"),
    ],
)
def test_each_remark_about_a_chosen_link(link: LinkFacts, severity: Severity, part: str) -> None:
    (note,) = notes_for(link, chosen=True)
    assert note.severity is severity
    assert part in note.text


def test_a_page_of_4_kib_in_a_frame_needs_no_hint() -> None:
    assert notes_for(replace(GOOD, mtu=4132), chosen=True) == ()


def test_a_link_nobody_chose_is_not_warned_about() -> None:
    troubled = replace(GOOD, mtu=1500, default_route=True, carrier=False, bridge="br0", addresses=("192.0.2.1/24",))
    assert {note.severity for note in notes_for(troubled, chosen=False)} == {Severity.INFO}


def test_warnings_come_before_hints() -> None:
    notes = notes_for(replace(GOOD, mtu=1500, addresses=("192.0.2.1/24",), default_route=True), chosen=True)
    assert [note.severity for note in notes] == [Severity.WARNING, Severity.WARNING, Severity.INFO]
