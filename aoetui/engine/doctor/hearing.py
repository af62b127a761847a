"""What is heard on a link that is only listened on: who asks, who answers, in which VLAN, and what the switch says of itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aoetui.engine.doctor.neighbour import ETHERTYPE_LLDP, Neighbour, neighbour_of
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.header import Header, MalformedFrame, unpack_header
from aoetui.engine.protocol.wire import ETHERNET_HEADER, ETHERTYPE_AOE, SCANNER_TAG_BIT

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_KEPT = 1024
"""Addresses, and MACs, that are told apart; anyone can make up more."""
TAG_MASK = 0xFE00_0000
DOCTOR_TAG = SCANNER_TAG_BIT | 0x3C00_0000
"""In the tags of an examination, with its last bit either way: 32 million."""
_SPANNING_TREE = bytes.fromhex("0180c2000000")


@dataclass(frozen=True, slots=True)
class Served:
    """An address that a MAC was heard to serve, to others than this host or to all."""

    address: Address
    mac: Mac
    clients: frozenset[Mac]
    """Who was answered; empty if it was only advertised to all."""


@dataclass(frozen=True, slots=True)
class VlanTraffic:
    """AoE frames in one VLAN, or outside of all."""

    requests: int = 0
    answers: int = 0
    addresses: frozenset[Address] = frozenset()
    """That were answered for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """All of it."""

    vlan: int | None = None
    """The VLAN that the interface itself is in; None: its untagged frames."""
    by_vlan: Mapping[int | None, VlanTraffic] = field(default_factory=dict)
    """AoE frames of others; None: untagged."""
    vlans: frozenset[int] = frozenset()
    """Of frames of any protocol."""
    served: tuple[Served, ...] = ()
    """In the interface's own VLAN, as all that follows."""
    initiators: Mapping[Mac, int] = field(default_factory=dict)
    """Requests of others."""
    returned: int = 0
    """Frames of ours that came back in."""
    impostors: int = 0
    """Frames of others that bear our MAC."""
    spanning_tree: bool = False
    neighbour: Neighbour | None = None
    lost: int = 0
    """Frames that came too fast to be looked at."""

    @property
    def foreign(self) -> dict[int | None, VlanTraffic]:
        """AoE frames that pass the interface by: of other VLANs, or untagged ones where it is in a VLAN."""
        return {vlan: traffic for vlan, traffic in self.by_vlan.items() if vlan != self.vlan}


class Ears:
    """Takes frames, and tells what was heard. `mac` is the interface's own."""

    def __init__(self, mac: Mac, vlan: int | None) -> None:
        self._mac = mac
        self._vlan = vlan
        self._requests: Counter[int | None] = Counter()
        self._answers: Counter[int | None] = Counter()
        self._addresses: dict[int | None, set[Address]] = {}
        self._vlans: set[int] = set()
        self._served: dict[tuple[Address, Mac], set[Mac]] = {}
        self._initiators: Counter[Mac] = Counter()
        self._returned = self._impostors = 0
        self._spanning_tree = False
        self._neighbour: Neighbour | None = None

    def hear(self, vlan: int | None, frame: bytes) -> None:
        """Take one frame, without its outer tag, cut short perhaps. VLAN 0 is a priority and no VLAN."""
        vlan = vlan or None
        if vlan is not None:
            self._vlans.add(vlan)
        if len(frame) < ETHERNET_HEADER:
            return
        ethertype = int.from_bytes(frame[12:14])
        if ethertype == ETHERTYPE_AOE:
            self._hear_aoe(vlan, frame)
        elif ethertype == ETHERTYPE_LLDP:
            self._neighbour = neighbour_of(frame) or self._neighbour
        elif frame[:6] == _SPANNING_TREE:
            self._spanning_tree = True

    def heard(self, lost: int) -> Heard:
        """Everything until now."""
        return Heard(
            vlan=self._vlan,
            by_vlan={
                vlan: VlanTraffic(self._requests[vlan], self._answers[vlan], frozenset(self._addresses.get(vlan, ())))
                for vlan in self._requests.keys() | self._answers.keys()
            },
            vlans=frozenset(self._vlans),
            served=tuple(Served(address, mac, frozenset(self._served[address, mac])) for address, mac in sorted(self._served)),
            initiators=dict(self._initiators),
            returned=self._returned,
            impostors=self._impostors,
            spanning_tree=self._spanning_tree,
            neighbour=self._neighbour,
            lost=lost,
        )

    def _hear_aoe(self, vlan: int | None, frame: bytes) -> None:
        try:
            header = unpack_header(frame)
        except MalformedFrame:
            return
        if header.source == self._mac:
            if header.tag & TAG_MASK == DOCTOR_TAG and not header.response:
                self._returned += 1
            else:
                self._impostors += 1
            return
        if header.response and header.destination == self._mac and vlan == self._vlan:
            return  # to us: whoever asked has it
        (self._answers if header.response else self._requests)[vlan] += 1
        if header.response:
            self._hear_answer(vlan, header)
        elif vlan == self._vlan and (header.source in self._initiators or len(self._initiators) < MAX_KEPT):
            self._initiators[header.source] += 1

    def _hear_answer(self, vlan: int | None, header: Header) -> None:
        try:
            address = Address(header.shelf, header.slot)
        except ValueError:
            return
        addresses = self._addresses.setdefault(vlan, set())
        if len(addresses) < MAX_KEPT:
            addresses.add(address)
        if vlan != self._vlan or header.source.is_multicast:
            return
        key = address, header.source
        if key in self._served or len(self._served) < MAX_KEPT:
            clients = self._served.setdefault(key, set())
            if not header.destination.is_multicast and len(clients) < MAX_KEPT:
                clients.add(header.destination)
