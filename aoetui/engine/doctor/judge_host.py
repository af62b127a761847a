"""Judges this host: may it speak, has somebody chosen where, does the Linux driver agree, are its own exports well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.commands.doctor import Check, Finding, Verdict
from aoetui.engine.commands.kernel_words import command_for
from aoetui.engine.doctor.words import listed, many
from aoetui.engine.link_notes import PAGE_MTU, candidates
from aoetui.engine.port_names import interface_of
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aoetui.engine.conflicts import OtherProgram
    from aoetui.engine.doctor.facts import Examination, SideFacts

JUMBO_BUFFER = 17 * 16 << 10
"""Bytes of receive buffer that vblade wants for 16 jumbo frames (its README)."""


_VERDICTS = {Severity.ALARM: Verdict.FAULT, Severity.WARNING: Verdict.WARNING, Severity.INFO: Verdict.NOTE}


def judge_host(facts: Examination) -> Iterator[Finding]:
    """Everything that is no single interface's."""
    yield _permission(facts)
    if not facts.chosen:
        yield _choice(facts)
    yield from _driver(facts)
    yield from _exports(facts)
    for side in facts.sides:
        yield from _programs(facts, side)


def _permission(facts: Examination) -> Finding:
    host = facts.host
    where = f", in {host.surroundings}" if host.surroundings else ""
    if host.refused:
        return Finding(Check.PERMISSION, "host", Verdict.FAULT, f"{host.refused}{where}", host.refused_remedy)
    return Finding(Check.PERMISSION, "host", Verdict.OK, f"this process may send and receive frames{where}")


def _choice(facts: Examination) -> Finding:
    usable = candidates(facts.links)
    heard = [side.name for side in facts.sides if side.heard is not None and side.heard.by_vlan]
    seen = "nobody has chosen an interface for AoE, so none was asked"
    if heard:
        seen += f"; AoE was heard on {listed(heard)}"
    if not usable:
        return Finding(Check.CHOICE, "host", Verdict.FAULT, f"{seen}, and none here can carry AoE now", "bring one up")
    best = next((name for name in heard if name in usable), usable[0])
    remedy = f"`aoetui doctor -i {best}`, or [engine] interfaces in the config; {listed(usable)} can carry AoE"
    return Finding(Check.CHOICE, "host", Verdict.FAULT, seen, remedy)


def _driver(facts: Examination) -> Iterator[Finding]:
    kernel = facts.host.kernel
    if kernel is None:
        seen = "the Linux aoe driver is not loaded: aoe-stat shows nothing without it, and aoetui needs neither"
        yield Finding(Check.DRIVER, "host", Verdict.NOTE, seen, "`aoetui kernel load`, if devices are to be disks in /dev/etherd")
        return
    left_out = [side.name for side in facts.sides if side.asked is not None and side.name not in (kernel.interfaces or ())]
    if kernel.here and kernel.interfaces and left_out:
        seen = (
            f"the Linux aoe driver is told to use {listed(kernel.interfaces)} alone: what {listed(left_out)} reaches is no disk"
        )
        names = " ".join((*kernel.interfaces, *left_out))
        yield Finding(Check.DRIVER, listed(left_out), Verdict.WARNING, seen, f"`aoetui kernel interfaces {names}`")
    for remark in kernel.remarks:
        subject = "host" if remark.address is None else str(remark.address)
        yield Finding(Check.DRIVER, subject, _VERDICTS[remark.severity], remark.what, command_for(remark))
    if not kernel.remarks:
        version = f" {kernel.version}" if kernel.version else ""
        seen = f"the Linux aoe driver{version} has {many(len(kernel.devices), 'device')}, and the wire agrees"
        yield Finding(Check.DRIVER, "host", Verdict.OK, seen)


def _exports(facts: Examination) -> Iterator[Finding]:
    for export in facts.exports:
        name = str(export.address)
        if export.problem:
            yield Finding(Check.EXPORTS, name, Verdict.WARNING, export.problem)
        if export.masked:
            seen = f"{listed(export.masked)} asked {name}, and its mask list shuts them out"
            remedy = f"if they should have it: add them to the mask list of {name} (m on 2 Exports)"
            yield Finding(Check.EXPORTS, name, Verdict.NOTE, seen, remedy)
        if export.denied:
            seen = f"{listed(export.denied)} asked {name}, and accept or deny of the config shuts them out"
            yield Finding(Check.EXPORTS, name, Verdict.NOTE, seen, f"if they should have it: change accept or deny of {name}")


def _programs(facts: Examination, side: SideFacts) -> Iterator[Finding]:
    """Two sockets on one interface of one host never hear each other: a target here is seen by all others, and not by us."""
    link = facts.links.get(interface_of(side.name))
    silent = side.asked is not None and not side.asked.paths
    for program in side.programs:
        if not program.target:
            continue
        who = _name(program)
        what = f"serves {listed(program.serves)}" if program.serves else "speaks AoE"
        seen = f"{who} {what} on {side.name} of this host: nothing else on {side.name} here hears it, other hosts do"
        wanted = facts.address is not None and facts.address in program.serves
        foreign = program.name != "aoetui"
        verdict = Verdict.FAULT if wanted else Verdict.WARNING if silent and foreign else Verdict.NOTE
        yield Finding(Check.PROGRAMS, side.name, verdict, seen, "ask from another host, or on another interface of the network")
        buffer = facts.host.receive_buffer
        if foreign and link is not None and link.mtu >= PAGE_MTU and buffer is not None and buffer < JUMBO_BUFFER:
            seen = f"{who} has a receive buffer of {buffer} bytes by default: too little for 16 jumbo frames"
            remedy = f"`sysctl -w net.core.rmem_max={JUMBO_BUFFER} net.core.rmem_default={JUMBO_BUFFER}`, and start it again"
            yield Finding(Check.PROGRAMS, side.name, Verdict.NOTE, seen, remedy)


def _name(program: OtherProgram) -> str:
    if program.process is None:
        return f"a program of user {program.user}"
    return f"{'another aoetui' if program.name == 'aoetui' else program.name} (process {program.process})"
