"""Judges who answered: nobody, two disks at one address, answers that are lost, devices that cannot be used."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from aoetui.engine.commands.doctor import Check, Finding, Verdict
from aoetui.engine.doctor.words import listed, many
from aoetui.engine.initiator.path_findings import reach_findings
from aoetui.engine.link_notes import refusal_for
from aoetui.engine.port_names import interface_of
from aoetui.engine.protocol.devices import DeviceState, Sameness
from aoetui.engine.protocol.wire import LINUX_REFUSED_SHELF, MIN_BUFFER_COUNT, SECTOR, sectors_per_frame
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aoetui.engine.doctor.facts import AskedFacts, Examination, PathFacts, SideFacts
    from aoetui.engine.protocol.address import Address
    from aoetui.engine.protocol.devices import Device, Path

LOSSY = 0.01
"""Share of lost answers at which the Linux driver begins to give devices up."""
_ENOUGH = 4
"""Questions of which not one was answered, to call that more than loss."""


def judge_answers(facts: Examination) -> Iterator[Finding]:
    """All interfaces together."""
    for side in facts.sides:
        if side.asked is not None and not side.asked.problem:
            yield from _answers(facts, side, side.asked)
            yield from _loss(side, side.asked)
    torn: dict[Address, list[PathFacts]] = defaultdict(list)
    for path in facts.paths:
        if path.torn:
            torn[path.address].append(path)
    for device in facts.devices:
        yield from _sameness(facts, device, torn[device.address])
    for path in facts.paths:
        yield from _usable(path)
    yield from _sectors(facts)
    for address, report in facts.reaches:
        for found in reach_findings(str(address), report):
            verdict = Verdict.NOTE if found.severity is Severity.INFO else Verdict.WARNING
            yield Finding(Check.MTU, found.subject, verdict, found.text, found.remedy)
    yield from _lists(facts)
    if facts.address is not None:
        yield _wanted(facts)


def _answers(facts: Examination, side: SideFacts, asked: AskedFacts) -> Iterator[Finding]:
    link = facts.links.get(interface_of(side.name))
    if refusal_for(interface_of(side.name), facts.links) or link is None or not link.carrier:
        return
    if asked.paths:
        devices = {path.address for path in asked.paths}
        macs = {path.mac for path in asked.paths}
        seen = f"{many(len(devices), 'device')} on {many(len(macs), 'MAC')} answered: {listed(sorted(devices))}"
        yield Finding(Check.ANSWERS, side.name, Verdict.OK, seen)
        return
    own = [export.address for export in facts.exports if side.name in export.ports]
    own += [address for program in side.programs for address in program.serves]
    if own:
        seen = (
            f"nobody else answers on {side.name}; this host itself serves {listed(sorted(set(own)))} there, and does not hear it"
        )
        yield Finding(Check.ANSWERS, side.name, Verdict.NOTE, seen)
        return
    if side.during.received:
        seen = f"nobody answered on {side.name} within {facts.seconds:g} s; {many(side.during.received, 'other frame')} came in"
        remedy = "see that a target runs, on this network and in this VLAN, and that its mask list, if it has one, holds"
    else:
        seen = f"nobody answered on {side.name} within {facts.seconds:g} s, and not one frame of any kind came in"
        remedy = "see that its cable is in the right switch port, and the port not shut; that a target runs, and lets in"
    remedy = f"{remedy} {asked.mac}"
    yield Finding(Check.ANSWERS, side.name, Verdict.FAULT, seen, remedy)


def _loss(side: SideFacts, asked: AskedFacts) -> Iterator[Finding]:
    if asked.ring_dropped:
        seen = f"more came in on {side.name} than this host took: how many answers the network lost is not known"
        yield Finding(Check.LOSS, side.name, Verdict.UNKNOWN, seen, "examine again when it is quieter")
        return
    tried = [path for path in asked.paths if path.unicasts]
    deaf = [path for path in tried if path.unicasts >= _ENOUGH and not path.unicasts_answered]
    for path in deaf:
        seen = f"{path.address} at {path.mac} answers broadcasts, and none of {path.unicasts} questions sent to its own MAC"
        remedy = "clear the switch's MAC table and look at its port security: frames to that MAC go astray"
        yield Finding(Check.SWITCH, side.name, Verdict.FAULT, seen, remedy)
    heard = [path for path in tried if path not in deaf]
    asked_for = sum(path.unicasts for path in heard)
    lost = asked_for - sum(path.unicasts_answered for path in heard)
    if lost:
        worst = max(heard, key=lambda path: path.unicasts - path.unicasts_answered)
        grave = lost > 1 and lost > LOSSY * asked_for
        seen = f"{lost} of {asked_for} answers were lost on {side.name}, most of {worst.address} at {worst.mac}"
        remedy = "check cables, flow control and the switch's drop counters: at 1 in 100 the Linux driver gives devices up"
        yield Finding(Check.LOSS, side.name, Verdict.WARNING if grave else Verdict.NOTE, seen, remedy)
    elif asked_for:
        yield Finding(Check.LOSS, side.name, Verdict.OK, f"all of {many(asked_for, 'question')} asked one by one were answered")
    doubled = [path for path in asked.paths if path.doubled and not path.torn]
    if doubled:
        seen = f"questions on {side.name} are answered twice: by {listed(f'{path.address} at {path.mac}' for path in doubled)}"
        remedy = (
            "either the network doubles frames (a loop, a mirror port), or that host serves the address twice: `pgrep -a vblade`"
        )
        yield Finding(Check.DUPLICATE, side.name, Verdict.WARNING, seen, remedy)


def _sameness(facts: Examination, device: Device, torn: Sequence[PathFacts]) -> Iterator[Finding]:
    name = str(device.address)
    for path in torn:
        seen = f"two programs at {path.mac} answer for {name}, and differ in {path.torn}: two disks at one address"
        yield Finding(Check.DUPLICATE, name, Verdict.FAULT, seen, _ONE_ADDRESS)
    foreign = [path for path in device.paths if path.mac not in facts.own_macs]
    ours = next((export for export in facts.exports if export.address == device.address and export.ports), None)
    if ours is not None and foreign:
        seen = f"{name} is served by this host, and {listed(sorted({path.mac for path in foreign}))} answers for it too"
        yield Finding(Check.DUPLICATE, name, Verdict.FAULT, seen, _ONE_ADDRESS)
    by_mac = {path.mac: path for path in device.paths if path.identity is not None}
    macs = {path.mac for path in device.paths}
    if len({_who(path) for path in by_mac.values()}) > 1 or device.sameness is Sameness.DIFFERENT:
        who = "; ".join(f"{mac} is {_who(path)}" for mac, path in sorted(by_mac.items()))
        seen = f"{many(len(macs), 'MAC')} answer for {name}, and they are different disks: {who}"
        yield Finding(Check.DUPLICATE, name, Verdict.FAULT, seen, _ONE_ADDRESS)
    elif device.sameness is Sameness.UNPROVEN and len(macs) > 1:
        seen = f"{listed(sorted(macs))} answer for {name} alike, and nothing proves that they are one disk"
        yield Finding(Check.DUPLICATE, name, Verdict.NOTE, seen, "if they are not: give one of them another shelf or slot")


_ONE_ADDRESS = "give one of them another shelf or slot before anybody writes: Linux takes the two for one disk, and corrupts both"


def _who(path: Path) -> str:
    identity = path.identity
    return (
        "" if identity is None else f"{identity.model} serial {identity.serial or '(none)'} of {identity.sectors * SECTOR} bytes"
    )


def _usable(path: PathFacts) -> Iterator[Finding]:
    name = str(path.address)
    if path.address.shelf == LINUX_REFUSED_SHELF:
        seen = f"{name} is on shelf {LINUX_REFUSED_SHELF}, which Linux refuses"
        yield Finding(Check.TARGET, name, Verdict.WARNING, seen, "give it another shelf")
    if path.buffer_count < MIN_BUFFER_COUNT:
        seen = f"{name} offers room for {many(path.buffer_count, 'request')}: Linux cannot use it"
        yield Finding(Check.TARGET, name, Verdict.WARNING, seen, f"raise its buffer count to {MIN_BUFFER_COUNT} at least")
    if path.identified is False and path.unicasts_answered:
        seen = f"{name} at {path.mac} answers, and does not say who it is (IDENTIFY): Linux makes no disk of it"
        yield Finding(Check.TARGET, name, Verdict.WARNING, seen, "look at the target's log, and at its mask list and reservation")


def _sectors(facts: Examination) -> Iterator[Finding]:
    """Where the two ends of a path differ: one finding for all devices that differ alike."""
    alike: dict[tuple[str, int, int], list[Address]] = defaultdict(list)
    for path in facts.paths:
        link = facts.links.get(interface_of(path.port))
        if link is not None and path.sector_count and path.sector_count != sectors_per_frame(link.mtu):
            alike[path.port, link.mtu, path.sector_count].append(path.address)
    for (port, mtu, theirs), addresses in alike.items():
        names, ours = listed(dict.fromkeys(addresses)), sectors_per_frame(mtu)
        verb = "takes" if len(set(addresses)) == 1 else "take"
        subject = str(addresses[0]) if len(set(addresses)) == 1 else port
        if theirs < ours:
            seen = f"{names} {verb} {many(theirs, 'sector')} a frame, and {port} could carry {ours}"
            remedy = f"raise the MTU at the target's end to {mtu}, and on every switch port between"
        else:
            seen = f"{names} {verb} {many(theirs, 'sector')} a frame, and {port} carries {ours}"
            remedy = f"raise the MTU of {port} and of every switch port between"
        yield Finding(Check.MTU, subject, Verdict.NOTE, seen, remedy)


def _lists(facts: Examination) -> Iterator[Finding]:
    """Mask lists that let one interface of ours in and not another, and reservations of others."""
    answering: dict[str, set[str]] = defaultdict(set)
    for path in facts.paths:
        answering[str(path.address)].add(path.port)
    told: set[str] = set()
    for path in facts.paths:
        name = str(path.address)
        for side in facts.sides:
            mac = None if side.asked is None else side.asked.mac
            if path.mask and mac is not None and mac not in path.mask and side.name not in answering[name] | told:
                told.add(side.name)
                seen = f"the mask list of {name} lets {path.port} in, and not {side.name} ({mac}): it is no path"
                yield Finding(Check.MASK, name, Verdict.NOTE, seen, f"`aoetui mask {name} -i {path.port} --add {mac}`")
        if path.reservation and not set(path.reservation) & facts.own_macs and f"reserved {name}" not in told:
            told.add(f"reserved {name}")
            seen = f"{name} is reserved for {listed(path.reservation)}: it answers, and refuses reads and writes of this host"
            verdict = Verdict.FAULT if path.address == facts.address else Verdict.NOTE
            yield Finding(
                Check.RESERVATION,
                name,
                verdict,
                seen,
                f"at one of them: `aoetui reserve {name} --release`; or for this host too: {_own(facts, path)}",
            )


def _own(facts: Examination, path: PathFacts) -> str:
    mac = next((side.asked.mac for side in facts.sides if side.asked is not None and side.name == path.port), None)
    return str(mac or "this host's MAC")


def _wanted(facts: Examination) -> Finding:
    """The device that was looked for."""
    address, name = facts.address, str(facts.address)
    found = [path for path in facts.paths if path.address == address]
    if found:
        rtts = [path.rtt for path in found if path.rtt is not None]
        rtt = f" in {min(rtts) * 1000:.2f} ms" if rtts else ""
        return Finding(Check.TARGET, name, Verdict.OK, f"{name} answers on {listed(sorted({path.port for path in found}))}{rtt}")
    if any(export.address == address and export.ports for export in facts.exports):
        seen = f"{name} is served by this host itself, which does not hear it"
        return Finding(Check.TARGET, name, Verdict.NOTE, seen, "use its backing, or ask from another host")
    ports = [side.name for side in facts.sides if side.asked is not None and not side.asked.problem]
    where = listed(ports) or "no interface"
    remedy = f"see that it runs, on this network and VLAN, and that its mask list, if it has one, holds {_macs(facts)}"
    before = next((device for device in facts.known if device.address == address), None)
    if before is not None and before.state is not DeviceState.UP:
        seen = f"{name} was seen before, and does not answer on {where} any more"
        return Finding(Check.TARGET, name, Verdict.FAULT, seen, remedy)
    others = sorted({path.address for path in facts.paths}, key=lambda each: (each.shelf != facts_shelf(facts), each))
    instead = f"; what does: {listed(others)}" if others else ""
    return Finding(Check.TARGET, name, Verdict.FAULT, f"{name} does not answer on {where}{instead}", remedy)


def facts_shelf(facts: Examination) -> int:
    """The shelf that is looked for."""
    return -1 if facts.address is None else facts.address.shelf


def _macs(facts: Examination) -> str:
    macs = {side.asked.mac for side in facts.sides if side.asked is not None and side.asked.mac is not None}
    return listed(sorted(macs)) or "this host's MAC"
