"""Judges what went out on an interface and what came in: frames, VLANs, loops, lists that shut us out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.commands.doctor import Check, Finding, Verdict
from aoetui.engine.doctor.words import listed, many
from aoetui.engine.link_notes import refusal_for
from aoetui.engine.port_names import split_port_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aoetui.engine.doctor.facts import AskedFacts, Examination, SideFacts
    from aoetui.engine.doctor.hearing import Heard, Served, VlanTraffic


def judge_wire(facts: Examination, side: SideFacts) -> Iterator[Finding]:
    """One interface."""
    if side.deaf and not facts.host.refused and not refusal_for(split_port_name(side.name)[0], facts.links):
        seen = f"{side.name} could not be listened on: {side.deaf}"
        yield Finding(Check.RECEIVED, side.name, Verdict.UNKNOWN, seen)
    if side.asked is not None:
        yield from _sent(side, side.asked)
    if side.heard is not None:
        yield from _loops(side.name, side.heard)
        yield from _neighbour(side.name, side.heard)
        yield from _others(facts, side.name, side.heard)
        if side.asked is not None and not side.asked.problem:
            yield from _vlans(facts, side, side.asked, side.heard)
            yield from _shut_out(facts, side.name, side.asked, side.heard)


def _sent(side: SideFacts, asked: AskedFacts) -> Iterator[Finding]:
    name = side.name
    if asked.problem:
        yield Finding(Check.SENT, name, Verdict.FAULT, f"{name} could not be asked on: {asked.problem}")
    elif asked.not_sent:
        verdict = Verdict.FAULT if asked.not_sent == asked.frames else Verdict.WARNING
        seen = f"the kernel did not take {asked.not_sent} of {many(asked.frames, 'frame')} for {name}"
        yield Finding(Check.SENT, name, verdict, seen, f"`ip -s link show {name}`, `tc -s qdisc show dev {name}`")
    elif asked.frames and side.counted and not side.during.sent:
        seen = f"the kernel took {many(asked.frames, 'frame')} for {name}, and counts none that left"
        yield Finding(Check.SENT, name, Verdict.WARNING, seen, f"`tc -s filter show dev {name} egress` and `nft list ruleset`")
    elif asked.frames:
        yield Finding(Check.SENT, name, Verdict.OK, f"{many(asked.frames, 'question')} left {name}")


def _loops(name: str, heard: Heard) -> Iterator[Finding]:
    if heard.returned:
        seen = f"{many(heard.returned, 'question')} of ours came back in on {name}: the network has a loop"
        yield Finding(Check.SWITCH, name, Verdict.FAULT, seen, "find the cable that closes it, and switch spanning tree on")
    if heard.impostors:
        seen = f"{many(heard.impostors, 'frame')} came in on {name} that bear its own MAC: another host has the same"
        yield Finding(Check.SWITCH, name, Verdict.FAULT, seen, "give one of them another: `ip link set IFACE address MAC`")


def _neighbour(name: str, heard: Heard) -> Iterator[Finding]:
    if heard.neighbour is not None:
        vlan = "" if heard.neighbour.vlan is None else f", whose untagged frames are of VLAN {heard.neighbour.vlan}"
        where = " ".join(part for part in (heard.neighbour.system, heard.neighbour.port) if part)
        yield Finding(Check.SWITCH, name, Verdict.NOTE, f"{name} is at the switch port {where}{vlan}")
    if heard.spanning_tree:
        seen = f"the switch port of {name} speaks spanning tree: after the link comes up it passes nothing for up to 30 seconds"
        yield Finding(Check.SWITCH, name, Verdict.NOTE, seen, "make it an edge port (portfast)")


def _others(facts: Examination, name: str, heard: Heard) -> Iterator[Finding]:
    others = {mac: count for mac, count in heard.initiators.items() if mac not in facts.own_macs}
    if others:
        most = sorted(others, key=lambda mac: -others[mac])
        seen = (
            f"{many(sum(others.values()), 'request')} of {many(len(others), 'other initiator')} heard on {name}: {listed(most)}"
        )
        yield Finding(Check.OTHERS, name, Verdict.NOTE, seen)


def _vlans(facts: Examination, side: SideFacts, asked: AskedFacts, heard: Heard) -> Iterator[Finding]:
    """AoE that passes the interface by: the reason where nobody answers, and else nothing odd."""
    interface, _ = split_port_name(side.name)
    found: set[int | None] = set()
    for other in side.in_vlans:
        if other.paths:
            vlan = _vlan_of(facts, other.port)
            found.add(vlan)
            seen = f"{listed(dict.fromkeys(path.address for path in other.paths))} answers in VLAN {vlan}, and not outside of it"
            yield Finding(Check.VLAN, side.name, Verdict.FAULT, f"{seen}, where {side.name} is", _way(facts, interface, vlan))
    for vlan, traffic in sorted(heard.foreign.items(), key=lambda item: item[0] or 0):
        if vlan in found:
            continue
        verdict = Verdict.NOTE if asked.paths else Verdict.FAULT
        seen = f"{_traffic(traffic)} {_place(vlan)}, and {side.name} is {_place(heard.vlan)}"
        yield Finding(Check.VLAN, side.name, verdict, seen, _way(facts, interface, vlan))
    if not heard.foreign and heard.vlans and not asked.paths:
        seen = f"frames of VLAN {listed(sorted(heard.vlans))} come in on {side.name}, none of them AoE"
        yield Finding(Check.VLAN, side.name, Verdict.NOTE, seen)


def _place(vlan: int | None) -> str:
    return "outside of all VLANs" if vlan is None else f"in VLAN {vlan}"


def _traffic(traffic: VlanTraffic) -> str:
    frames = many(traffic.requests + traffic.answers, "AoE frame")
    of = f" (of {listed(sorted(traffic.addresses))})" if traffic.addresses else ""
    return f"{frames}{of} came in"


def _vlan_of(facts: Examination, port: str) -> int | None:
    interface, vlan = split_port_name(port)
    return vlan if vlan is not None or interface not in facts.links else facts.links[interface].vlan_id


def _way(facts: Examination, interface: str, vlan: int | None) -> str:
    """How to get into a VLAN, or out of one."""
    link = facts.links.get(interface)
    below = link.parent if link is not None and link.vlan_id is not None and link.parent else interface
    if vlan is None:
        return f"ask on {below}: `aoetui doctor -i {below}`; or put the target into the VLAN"
    own = next((each.name for each in facts.links.values() if (each.parent, each.vlan_id) == (below, vlan)), "")
    if own:
        return f"ask on {own}: `aoetui doctor -i {own}`"
    name = f"{below}.{vlan}"
    add = f"`ip link add link {below} name {name} type vlan id {vlan}`, `ip link set {name} up`"
    return f"{add}, then `aoetui doctor -i {name}`; or have the switch hand VLAN {vlan} out untagged here"


def _shut_out(facts: Examination, name: str, asked: AskedFacts, heard: Heard) -> Iterator[Finding]:
    """Targets that were heard to serve, and do not answer us although they were asked; what nobody looks for in one finding."""
    unwanted = []
    for served in _silent_to_us(facts, asked, heard):
        if served.address == facts.address or (facts.address is None and not asked.paths):
            proof = "" if any(path.mac == served.mac for path in asked.paths) else ", or our frames do not reach it"
            seen = (
                f"{served.address} at {served.mac} {_activity(served)}, and does not answer {asked.mac} ({name}):"
                f" its mask list, or another list of its, shuts us out{proof}"
            )
            remedy = f"at the target, or from a host that it answers: `aoetui mask {served.address} --add {asked.mac}`"
            yield Finding(Check.MASK, str(served.address), Verdict.FAULT, seen, remedy)
        else:
            unwanted.append(f"{served.address} at {served.mac}")
    if unwanted:
        seen = f"others are served on {name}, and we are not, by {listed(unwanted)}: a mask list, or another list, shuts us out"
        yield Finding(Check.MASK, name, Verdict.NOTE, seen, f"if they should answer here: put {asked.mac} on their mask lists")


def _silent_to_us(facts: Examination, asked: AskedFacts, heard: Heard) -> Iterator[Served]:
    answering = {(path.address, path.mac) for path in asked.paths}
    for served in heard.served:
        ours_alone = served.clients and served.clients <= facts.own_macs  # another interface of ours is answered
        who = (served.address, served.mac)
        if who in asked.doubted and who not in answering and served.mac not in facts.own_macs and not ours_alone:
            yield served


def _activity(served: Served) -> str:
    return f"serves {listed(sorted(served.clients))}" if served.clients else "advertises itself"
