"""Judges one interface by itself: is it there, up, connected, healthy, and its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.commands.doctor import Check, Finding, Verdict
from aoetui.engine.doctor.words import many
from aoetui.engine.link_notes import JUMBO_MTU, MIN_MTU, PAGE_MTU, candidates, port_refusal
from aoetui.engine.port_names import split_port_name
from aoetui.engine.protocol.wire import sectors_per_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aoetui.engine.doctor.facts import Examination, SideFacts
    from aoetui.engine.link_facts import LinkFacts

SLOW = 1000
"""Mbit/s below which a link is called slow."""
RESTLESS = 10
"""Losses of carrier since the link was made, above which that is told."""
DAMAGED = 1e-5
"""Share of damaged frames above which cables are suspected: a sound link has none."""
_FEW = 10


def judge_link(facts: Examination, side: SideFacts) -> Iterator[Finding]:
    """What keeps this interface from carrying AoE, or else what is worth knowing of it."""
    interface, _ = split_port_name(side.name)
    link = facts.links.get(interface)
    obstacle = _obstacle(facts, side.name, link)
    if obstacle is not None:
        yield obstacle
    if link is None or link.mac is None or link.bridge is not None or not link.admin_up:
        return
    yield from _carrier(facts, side, link)
    yield from _mtu(link)
    yield from _speed(side, link)
    yield from _addresses(link)
    yield from _drops(side)


def _obstacle(facts: Examination, name: str, link: LinkFacts | None) -> Finding | None:
    """Why AoE cannot be spoken there; where nobody chose it, that is only a note."""
    verdict = Verdict.FAULT if facts.chosen else Verdict.NOTE
    if link is None:
        usable = candidates(facts.links)
        remedy = f"`aoetui doctor -i {usable[0]}`; there are {', '.join(usable)}" if usable else "plug a network card in"
        return Finding(Check.INTERFACE, name, verdict, f"there is no interface {name}", remedy)
    if link.mac is None:
        seen = f"{name} is no Ethernet interface ({link.kind}), and AoE is spoken on Ethernet alone"
        return Finding(Check.INTERFACE, name, verdict, seen, "choose another")
    if link.bridge is not None:
        master = facts.links.get(link.bridge)
        kind = "bridge" if master is None else master.kind
        seen = (
            f"{name} is a port of the {kind} {link.bridge}, which takes all its frames: nothing that asks on {name} is answered"
        )
        return Finding(Check.BRIDGE, name, verdict, seen, f"ask on {link.bridge}: `aoetui doctor -i {link.bridge}`")
    if not link.admin_up:
        return Finding(Check.INTERFACE, name, verdict, f"{name} is down", f"`ip link set {name} up`")
    if link.mtu < MIN_MTU:
        seen = f"{name} has MTU {link.mtu}, at which a frame carries no sector"
        return Finding(Check.MTU, name, verdict, seen, f"`ip link set {name} mtu 1500`, or at least {MIN_MTU}")
    refusal = port_refusal(name, facts.links)
    if refusal:
        seen, _, remedy = refusal.partition(": ")
        return Finding(Check.VLAN, name, verdict, seen, remedy)
    return None


def _carrier(facts: Examination, side: SideFacts, link: LinkFacts) -> Iterator[Finding]:
    name = link.name
    if not link.carrier:
        verdict = Verdict.FAULT if facts.chosen else Verdict.NOTE
        below = facts.links.get(link.parent or "")
        if below is not None and not below.admin_up:
            yield Finding(Check.CARRIER, name, verdict, f"{below.name}, below {name}, is down", f"`ip link set {below.name} up`")
        else:
            seen = f"{name} has no carrier: nothing at the other end of its cable is on"
            yield Finding(Check.CARRIER, name, verdict, seen, "check the cable, and that the switch port is on")
        return
    if side.card.carrier_losses_now:
        seen = f"{name} lost its carrier {many(side.card.carrier_losses_now, 'time')} while it was looked at"
        yield Finding(Check.CARRIER, name, Verdict.WARNING, seen, "change the cable, then the switch port")
    elif side.card.carrier_losses > RESTLESS:
        seen = f"{name} has lost its carrier {side.card.carrier_losses} times since it was made"
        yield Finding(Check.CARRIER, name, Verdict.NOTE, seen, "if nobody pulled it: change the cable, then the switch port")
    else:
        yield Finding(Check.CARRIER, name, Verdict.OK, f"{name} is up and has carrier")


def _mtu(link: LinkFacts) -> Iterator[Finding]:
    sectors = sectors_per_frame(link.mtu)
    if MIN_MTU <= link.mtu < PAGE_MTU:
        seen = f"MTU {link.mtu} carries {many(sectors, 'sector')} a frame, and a page of 4 KiB takes several"
        remedy = f"MTU {JUMBO_MTU} on every port of the way carries {sectors_per_frame(JUMBO_MTU)}"
        yield Finding(Check.MTU, link.name, Verdict.NOTE, seen, f"{remedy}: `ip link set {link.name} mtu {JUMBO_MTU}`")
    elif link.mtu >= PAGE_MTU:
        yield Finding(Check.MTU, link.name, Verdict.OK, f"MTU {link.mtu} carries {many(sectors, 'sector')} a frame")


def _speed(side: SideFacts, link: LinkFacts) -> Iterator[Finding]:
    card, name = side.card, link.name
    if card.full_duplex is False:
        seen = f"{name} runs at half duplex: frames collide, and each lost one waits for its retransmission"
        yield Finding(
            Check.SPEED, name, Verdict.WARNING, seen, f"`ethtool -s {name} autoneg on`, and the same on the switch port"
        )
    elif card.speed is not None and card.speed < SLOW:
        seen = f"{name} runs at {card.speed} Mbit/s"
        yield Finding(Check.SPEED, name, Verdict.NOTE, seen, "a disk deserves a gigabit: check cable and switch port")
    if card.pause is not None and not card.pause.rx and not card.pause.tx:
        seen = f"{name} uses no flow control: a full switch drops frames, and each waits for its retransmission"
        yield Finding(Check.SPEED, name, Verdict.NOTE, seen, f"`ethtool -A {name} rx on tx on`, and the same on the switch port")


def _addresses(link: LinkFacts) -> Iterator[Finding]:
    if link.default_route:
        seen = f"{link.name} carries the default route: AoE has no protection from whoever is there, and shares the link"
        yield Finding(Check.ADDRESSES, link.name, Verdict.NOTE, seen, "give AoE a link or a VLAN of its own")
    elif link.addresses:
        first = link.addresses[0]
        remedy = f"`ip address del {first} dev {link.name}` if nothing else needs it"
        yield Finding(Check.ADDRESSES, link.name, Verdict.NOTE, f"{link.name} has the IP address {first}: AoE needs none", remedy)


def _drops(side: SideFacts) -> Iterator[Finding]:
    name, now, total = side.name, side.during, side.total
    lost = now.overruns + now.receive_errors + now.send_errors + now.send_dropped
    damaged = total.framing + total.carrier_errors
    if lost:
        seen = (
            f"{name} lost frames while it was looked at: {now.receive_errors + now.overruns} that came in,"
            f" {now.send_errors + now.send_dropped} on their way out"
        )
        yield Finding(Check.DROPS, name, Verdict.WARNING, seen, f"`ethtool -S {name}` says where; check cable and flow control")
    elif damaged > _FEW and damaged > DAMAGED * (total.received + total.sent):
        seen = f"{many(damaged, 'frame')} of {total.received + total.sent} were damaged on the way since {name} was made"
        yield Finding(Check.DROPS, name, Verdict.WARNING, seen, "change the cable, then the switch port")
    elif total.overruns > _FEW:
        seen = f"{name} had no room for {many(total.overruns, 'frame')} since it was made"
        yield Finding(
            Check.DROPS, name, Verdict.NOTE, seen, f"`ethtool -g {name}` shows its rings, `ethtool -G {name} rx N` widens"
        )
    if now.receive_dropped > _FEW:
        seen = f"{many(now.receive_dropped, 'frame')} that came in on {name} were dropped: unwanted, or too many"
        yield Finding(Check.DROPS, name, Verdict.NOTE, seen)
    if side.ring_dropped:
        seen = f"the receive ring of {name} was full, and {many(side.ring_dropped, 'frame')} of AoE were dropped"
        yield Finding(
            Check.DROPS, name, Verdict.WARNING, seen, "this host is too busy to serve them: look at what else runs on it"
        )
