"""What the kernel tells of an interface, read from its netlink messages (rtnetlink(7); Linux include/uapi/linux/if_link.h)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Protocol

from aoetui.engine.protocol.address import Mac

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ARPHRD_ETHER = 1
_ARPHRD_LOOPBACK = 772
_IFF_UP = 1


class Message(Protocol):
    """A netlink message: header fields by item; attributes by `get`, nested ones by a tuple of names, None where missing."""

    def __getitem__(self, field: str, /) -> Any:  # noqa: ANN401  # a field's type follows from its name
        """A field of the fixed header."""
        ...

    def get(self, attribute: str | tuple[str, ...], /) -> Any:  # noqa: ANN401  # an attribute's type follows from its name
        """An attribute."""
        ...


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """Of the whole link, all protocols, since it was made: bytes, and frames for all others.

    `rx_dropped` includes what the device missed for want of a buffer (rx_missed_errors), as /proc/net/dev counts.
    """

    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_packets: int = 0
    tx_packets: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0
    rx_errors: int = 0
    tx_errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFacts:
    """One interface of this host, as the kernel tells it. The fields mean what those of `snapshot.LinkSnapshot` mean."""

    name: str
    index: int
    kind: str
    mac: Mac | None
    """None when it is not Ethernet."""
    mtu: int
    admin_up: bool
    carrier: bool
    vlan_id: int | None = None
    parent: str | None = None
    bridge: str | None = None
    addresses: tuple[str, ...] = ()
    default_route: bool = False
    carrier_losses: int = 0
    """Since the link was made."""
    counters: LinkCounters = LinkCounters()


def link_facts(
    message: Message, names: Mapping[int, str], addresses: tuple[str, ...] = (), *, default_route: bool = False
) -> LinkFacts:
    """Read one RTM_NEWLINK message; `names` are those of all links by index."""
    index = int(message["index"])
    return LinkFacts(
        name=names[index],
        index=index,
        kind=_kind(message),
        mac=_mac(message),
        mtu=message.get("mtu") or 0,
        admin_up=bool(message["flags"] & _IFF_UP),
        carrier=message.get("carrier") == 1,
        vlan_id=message.get(("linkinfo", "data", "vlan_id")),
        parent=_parent(message, names),
        bridge=_bridge(message, names),
        addresses=addresses,
        default_route=default_route,
        carrier_losses=message.get("carrier_down_count") or 0,
        counters=_counters(message),
    )


def _kind(message: Message) -> str:
    kind = message.get(("linkinfo", "kind"))
    if kind:
        return str(kind)
    match message["ifi_type"]:
        case int(hardware) if hardware == _ARPHRD_ETHER:
            return "ethernet"
        case int(hardware) if hardware == _ARPHRD_LOOPBACK:
            return "loopback"
        case hardware:
            return f"hardware type {hardware}"


def _mac(message: Message) -> Mac | None:
    text = message.get("address")
    return Mac.parse(text) if text and message["ifi_type"] == _ARPHRD_ETHER else None


def _parent(message: Message, names: Mapping[int, str]) -> str | None:
    """The link it stands on. A veth names its peer so, and a link whose other end is in another namespace an index from there."""
    if message.get(("linkinfo", "kind")) == "veth" or message.get("link_netnsid") is not None:
        return None
    below = message.get("link")
    return names.get(below) if below and below != message["index"] else None


def _bridge(message: Message, names: Mapping[int, str]) -> str | None:
    """The bridge, bond or team that takes its frames. A VRF is a master too, and takes none but IP."""
    master = message.get("master")
    if not master or message.get(("linkinfo", "slave_kind")) == "vrf":
        return None
    return names.get(master, f"link {master}")


def _counters(message: Message) -> LinkCounters:
    stats = message.get("stats64") or {}
    counters = LinkCounters(*(int(stats.get(name) or 0) for name in LinkCounters.__dataclass_fields__))
    return replace(counters, rx_dropped=counters.rx_dropped + int(stats.get("rx_missed_errors") or 0))


def counters_by_name(table: str) -> dict[str, LinkCounters]:
    """Read /proc/net/dev: two lines of heads, then a line for each link (net/core/net-procfs.c, dev_seq_printf_stats)."""
    found = {}
    for line in table.splitlines()[2:]:
        name, _, figures = line.rpartition(":")
        rx_bytes, rx_packets, rx_errors, rx_dropped, _, _, _, _, tx_bytes, tx_packets, tx_errors, tx_dropped, *_ = (
            int(figure) for figure in figures.split()
        )
        found[name.strip()] = LinkCounters(
            rx_bytes, tx_bytes, rx_packets, tx_packets, rx_dropped, tx_dropped, rx_errors, tx_errors
        )
    return found


def addresses_by_index(messages: Iterable[Message]) -> dict[int, tuple[str, ...]]:
    """The IP addresses of each link, as `192.0.2.1/24`, sorted; without link-local IPv6, which every link that is up has."""
    found: dict[int, list[str]] = {}
    for message in messages:
        text = message.get("local") or message.get("address")
        if text and not (":" in text and ip_address(text).is_link_local):
            found.setdefault(message["index"], []).append(f"{text}/{message['prefixlen']}")
    return {index: tuple(sorted(texts)) for index, texts in found.items()}


def default_route_indexes(messages: Iterable[Message]) -> frozenset[int]:
    """The links that a default route leaves by; of a multipath route, all of them."""
    found: set[int] = set()
    for message in messages:
        if message["dst_len"]:
            continue
        hops = [hop.get("oif") for hop in message.get("multipath") or ()]
        found.update(index for index in (message.get("oif"), *hops) if index)
    return frozenset(found)
