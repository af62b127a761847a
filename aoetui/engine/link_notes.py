"""What a person should know about a link before AoE is spoken on it: refusals, notes, candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.port_names import split_port_name
from aoetui.engine.protocol.wire import ATA_HEADER, SECTOR, sectors_per_frame
from aoetui.engine.snapshot import Note, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aoetui.engine.link_facts import LinkFacts

PAGE_SECTORS = 8
"""Sectors of 4 KiB, the block that file systems read and write: below it each takes several frames."""
PAGE_MTU = ATA_HEADER + PAGE_SECTORS * SECTOR
"""4132."""
JUMBO_MTU = 9000
MIN_MTU = ATA_HEADER + SECTOR
"""548: below it a frame carries no sector, and to advertise 0 sectors means 2 (AoEr11, section 3.2)."""


def refusal_for(name: str, links: Mapping[str, LinkFacts]) -> str:
    """Why AoE cannot be spoken on this interface, with the remedy; empty if it can. A missing carrier is no refusal."""
    link = links.get(name)
    if link is None:
        usable = ", ".join(candidates(links))
        return f"there is no interface {name}" + (f": choose from {usable}" if usable else ", and no other here can carry AoE")
    if link.mac is None:
        return f"{name} is no Ethernet interface ({link.kind}): AoE is spoken on Ethernet alone, choose another"
    if link.bridge is not None:
        return _port_text(link)
    if not link.admin_up:
        return f"{name} is down: bring it up with `ip link set {name} up`"
    if link.mtu < MIN_MTU:
        return (
            f"{name} has MTU {link.mtu}, at which a frame carries no sector: `ip link set {name} mtu 1500`, or at least {MIN_MTU}"
        )
    return ""


def port_refusal(name: str, links: Mapping[str, LinkFacts]) -> str:
    """As `refusal_for`, for a port's name (see port_names): also why we cannot tag frames of its VLAN there."""
    interface, vlan = split_port_name(name)
    return refusal_for(interface, links) or ("" if vlan is None else _tagging_refusal(links[interface], vlan, links))


def _tagging_refusal(link: LinkFacts, vlan: int, links: Mapping[str, LinkFacts]) -> str:
    if link.vlan_id is not None:
        other = f", or name {link.parent or 'the interface below'} for VLAN {vlan}" if vlan != link.vlan_id else ""
        return f"{link.name} is the link of VLAN {link.vlan_id} already: leave vlan out{other}"
    for own in links.values():
        if (own.parent, own.vlan_id) == (link.name, vlan):
            return f"VLAN {vlan} of {link.name} has its own link here, and both would answer: name {own.name} and leave vlan out"
    return ""


def _port_text(link: LinkFacts) -> str:
    return f"{link.name} is a port of {link.bridge} and hears no AoE: use {link.bridge}"


def candidates(links: Mapping[str, LinkFacts]) -> tuple[str, ...]:
    """The interfaces that AoE can be spoken on: by name, those without carrier after, those with a default route last."""
    usable = [link for name, link in links.items() if not refusal_for(name, {name: link})]
    return tuple(link.name for link in sorted(usable, key=lambda link: (link.default_route, not link.carrier, link.name)))


def notes_for(link: LinkFacts, *, chosen: bool) -> tuple[Note, ...]:
    """Remarks about a link, the gravest first. `chosen`: AoE is, or is to be, spoken on it."""
    return tuple(sorted(_notes(link, chosen=chosen), key=lambda note: note.severity is Severity.INFO))


def _notes(link: LinkFacts, *, chosen: bool) -> Iterator[Note]:
    if link.mac is None:
        yield Note(Severity.INFO, f"no Ethernet interface ({link.kind}): it cannot carry AoE")
        return
    grave = Severity.WARNING if chosen else Severity.INFO
    if link.bridge is not None:
        yield Note(grave, _port_text(link))
    if not link.admin_up:
        yield Note(grave, f"{link.name} is down: bring it up with `ip link set {link.name} up`")
    elif not link.carrier:
        yield Note(grave, f"{link.name} has no carrier: check the cable, and that the port at its other end is on")
    if link.default_route:
        yield Note(grave, f"{link.name} carries the default route: AoE shares it with other traffic, a link of its own is better")
    if chosen:
        yield from _chosen_notes(link)


def _chosen_notes(link: LinkFacts) -> Iterator[Note]:
    if link.addresses:
        first = link.addresses[0]
        remedy = f"`ip address del {first} dev {link.name}` if nothing else needs it"
        yield Note(Severity.WARNING, f"{link.name} has the IP address {first}: AoE needs none, {remedy}")
    if link.mtu < PAGE_MTU:
        now, then = sectors_per_frame(link.mtu), sectors_per_frame(JUMBO_MTU)
        carries = f"MTU {link.mtu} carries {now} {'sector' if now == 1 else 'sectors'} a frame"
        yield Note(Severity.INFO, f"{carries}; {JUMBO_MTU} would carry {then} (set it on every port of the way)")
