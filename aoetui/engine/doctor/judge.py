"""From facts to findings, and to the one sentence that answers. Pure: no socket, no clock, no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.commands.doctor import Check, Verdict
from aoetui.engine.doctor.judge_answers import judge_answers
from aoetui.engine.doctor.judge_host import judge_host
from aoetui.engine.doctor.judge_link import judge_link
from aoetui.engine.doctor.judge_wire import judge_wire
from aoetui.engine.doctor.words import listed, many

if TYPE_CHECKING:
    from aoetui.engine.commands.doctor import Finding
    from aoetui.engine.doctor.facts import Examination

EXPLAINS = frozenset({Check.PROGRAMS, Check.VLAN, Check.MASK})
"""Where one of these is wrong on an interface, it is why nobody answers there: that nobody does is no fault beside it."""


def judge(facts: Examination) -> tuple[str, tuple[Finding, ...]]:
    """The answer, and every finding in its place."""
    found = [*judge_host(facts)]
    for side in facts.sides:
        found += [*judge_link(facts, side), *judge_wire(facts, side)]
    found += judge_answers(facts)
    grave = [each for each in found if each.verdict in (Verdict.FAULT, Verdict.WARNING)]
    explained = any(each.check in EXPLAINS for each in grave)
    kept = [each for each in found if not (explained and each.check is Check.ANSWERS and each.verdict is Verdict.FAULT)]
    findings = tuple(sorted(dict.fromkeys(kept), key=lambda each: each.place))
    return _answer(facts, findings), findings


def _answer(facts: Examination, findings: tuple[Finding, ...]) -> str:
    """The first fault is the one that others rest on."""
    devices = sorted({path.address for path in facts.paths})
    ports = sorted({path.port for path in facts.paths})
    seen = f"{many(len(devices), 'device')} {'answers' if len(devices) == 1 else 'answer'} on {listed(ports)}"
    worst = next((each for each in findings if each.verdict in (Verdict.FAULT, Verdict.WARNING)), None)
    if worst is None:
        return f"Nothing is wrong: {seen}." if devices else "Nothing is wrong here, and nobody else answers."
    why = f"{worst.seen}. {_sentence(worst.remedy)}".rstrip()
    if not devices:
        return f"Nothing is seen: {why}"
    return f"{seen}, but {why}" if worst.verdict is Verdict.FAULT else f"{seen}; to be mended: {why}"


def _sentence(remedy: str) -> str:
    return f"To do: {remedy}." if remedy else ""
