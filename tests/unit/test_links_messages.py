"""Netlink messages as the kernel sends them, put together and decoded by pyroute2: also of kinds this kernel may not have."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from aoetui.engine.link_facts import (
    LinkCounters,
    LinkFacts,
    addresses_by_index,
    counters_by_name,
    default_route_indexes,
    link_facts,
)
from aoetui.engine.protocol.address import Mac

NAMES = {1: "lo", 2: "eth1", 3: "eth1.100", 4: "br0", 5: "bond0", 6: "vrf-blue"}


def decoded(kind: type[Any], fields: dict[str, int], attributes: list[tuple[str, Any]]) -> Any:  # noqa: ANN401  # untyped
    """A message that went through its bytes."""
    message = kind()
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = attributes
    message.encode()
    again = kind(bytes(message.data))
    again.decode()
    return again


def link(index: int, *attributes: tuple[str, Any], hardware: int = 1, flags: int = 0x11043) -> Any:  # noqa: ANN401  # untyped
    """A link's message."""
    common = [("IFLA_IFNAME", NAMES[index]), ("IFLA_MTU", 1500), ("IFLA_CARRIER", 1), ("IFLA_ADDRESS", "52:54:00:12:34:56")]
    return decoded(ifinfmsg, {"index": index, "ifi_type": hardware, "flags": flags}, [*common, *attributes])


def linkinfo(kind: str, *data: tuple[str, Any], port_of: str = "") -> tuple[str, Any]:
    """The attribute that tells a link's kind."""
    attributes: list[tuple[str, Any]] = [("IFLA_INFO_KIND", kind)] if kind else []
    if data:
        attributes.append(("IFLA_INFO_DATA", {"attrs": list(data)}))
    if port_of:
        attributes.append(("IFLA_INFO_SLAVE_KIND", port_of))
    return ("IFLA_LINKINFO", {"attrs": attributes})


def facts(message: Any) -> LinkFacts:  # noqa: ANN401  # untyped
    """What is read from it."""
    return link_facts(message, NAMES)


def test_a_network_card() -> None:
    assert facts(link(2)) == LinkFacts(
        name="eth1",
        index=2,
        kind="ethernet",
        mac=Mac.parse("52:54:00:12:34:56"),
        mtu=1500,
        admin_up=True,
        carrier=True,
    )


def test_a_vlan_names_its_number_and_its_parent() -> None:
    vlan = facts(link(3, ("IFLA_LINK", 2), linkinfo("vlan", ("IFLA_VLAN_ID", 100))))
    assert (vlan.kind, vlan.vlan_id, vlan.parent) == ("vlan", 100, "eth1")


def test_a_vlan_whose_parent_is_in_another_namespace_has_none_here() -> None:
    vlan = facts(link(3, ("IFLA_LINK", 2), ("IFLA_LINK_NETNSID", 0), linkinfo("vlan", ("IFLA_VLAN_ID", 100))))
    assert (vlan.vlan_id, vlan.parent) == (100, None)


def test_the_peer_of_a_veth_is_no_parent() -> None:
    assert facts(link(3, ("IFLA_LINK", 2), linkinfo("veth"))).parent is None


def test_bridge_and_bond_take_their_ports_frames_and_a_vrf_does_not() -> None:
    assert facts(link(2, ("IFLA_MASTER", 4), linkinfo("", port_of="bridge"))).bridge == "br0"
    assert facts(link(2, ("IFLA_MASTER", 5), linkinfo("", port_of="bond"))).bridge == "bond0"
    assert facts(link(2, ("IFLA_MASTER", 6), linkinfo("", port_of="vrf"))).bridge is None


def test_a_master_that_is_gone_already_is_told_by_its_index() -> None:
    assert facts(link(2, ("IFLA_MASTER", 77))).bridge == "link 77"


def test_down_and_without_carrier() -> None:
    down = facts(link(2, ("IFLA_CARRIER", 0), flags=0x1002))
    assert (down.admin_up, facts(link(2, flags=0x1002)).admin_up) == (False, False)


def test_only_ethernet_has_a_mac() -> None:
    assert (facts(link(1, hardware=772)).mac, facts(link(1, hardware=772)).kind) == (None, "loopback")
    assert (facts(link(2, hardware=65534)).mac, facts(link(2, hardware=65534)).kind) == (None, "hardware type 65534")


def test_what_the_device_missed_counts_as_dropped() -> None:
    stats = {"rx_bytes": 10, "tx_bytes": 20, "rx_dropped": 3, "rx_missed_errors": 4, "tx_errors": 5, "rx_packets": 1 << 40}
    counted = facts(link(2, ("IFLA_STATS64", stats))).counters
    assert counted == LinkCounters(rx_bytes=10, tx_bytes=20, rx_dropped=7, tx_errors=5, rx_packets=1 << 40)


def test_addresses_without_the_link_local_ones_every_link_has() -> None:
    messages = [
        decoded(
            ifaddrmsg, {"family": 2, "prefixlen": 24, "index": 2}, [("IFA_LOCAL", "192.0.2.2"), ("IFA_ADDRESS", "192.0.2.9")]
        ),
        decoded(ifaddrmsg, {"family": 10, "prefixlen": 64, "index": 2}, [("IFA_ADDRESS", "fd00::2")]),
        decoded(ifaddrmsg, {"family": 10, "prefixlen": 64, "index": 4}, [("IFA_ADDRESS", "fe80::5054:ff:fe12:3456")]),
        decoded(ifaddrmsg, {"family": 2, "prefixlen": 16, "index": 4}, [("IFA_LOCAL", "169.254.1.1")]),
    ]
    assert addresses_by_index(messages) == {2: ("192.0.2.2/24", "fd00::2/64"), 4: ("169.254.1.1/16",)}


def test_default_routes_by_one_way_or_several() -> None:
    one = decoded(rtmsg, {"family": 2, "dst_len": 0}, [("RTA_OIF", 2)])
    other = decoded(rtmsg, {"family": 2, "dst_len": 24}, [("RTA_DST", "192.0.2.0"), ("RTA_OIF", 4)])
    several: Any = {"dst_len": 0, "oif": None, "multipath": [{"oif": 3}, {"oif": 5}]}
    nowhere = decoded(rtmsg, {"family": 10, "dst_len": 0, "type": 7}, [])
    assert default_route_indexes([one, other, several, nowhere]) == {2, 3, 5}


HEAD = "Inter-|   Receive  |  Transmit\n face |bytes packets\n"


def test_counters_of_proc() -> None:
    line = "  eth1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
    assert counters_by_name(HEAD + line) == {"eth1": LinkCounters(1, 9, 2, 10, 4, 12, 3, 11)}


@given(
    st.dictionaries(
        st.from_regex(r"[a-z:@.0-9-]{1,15}", fullmatch=True), st.lists(st.integers(0, 2**64 - 1), min_size=16, max_size=16)
    )
)
def test_every_line_of_proc_is_read(table: dict[str, list[int]]) -> None:
    text = HEAD + "".join(f"{name:>6}: {' '.join(map(str, figures))}\n" for name, figures in table.items())
    read = counters_by_name(text)
    assert {name: (counters.rx_bytes, counters.tx_dropped) for name, counters in read.items()} == {
        name: (figures[0], figures[11]) for name, figures in table.items()
    }
