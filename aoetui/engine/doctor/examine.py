"""Carries an examination out: gathers the facts of host, links and wire, and has them judged. One thread, some seconds."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from aoetui.engine.commands.doctor import Report
from aoetui.engine.doctor.facts import Examination, OwnExport, SideFacts
from aoetui.engine.doctor.host import host_facts
from aoetui.engine.doctor.judge import judge
from aoetui.engine.doctor.visit import Visit
from aoetui.engine.initiator.path_check import FoundPath, measure_paths
from aoetui.engine.initiator.path_probes import Ends
from aoetui.engine.kernel.differences import remarks_of
from aoetui.engine.protocol.frames import ConfigArgument
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.wire import VERSION, ConfigOp
from aoetui.engine.san_view import SanView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aoetui.engine.commands.doctor import Examine
    from aoetui.engine.commands.kernel import KernelSnapshot
    from aoetui.engine.commands.paths import PathReport
    from aoetui.engine.core import Core
    from aoetui.engine.doctor.facts import PathFacts
    from aoetui.engine.initiator.conversations import Conversation
    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.protocol.devices import Device

MAX_WAYS = 8
"""To targets that are measured; all devices of one MAC are on one way."""
WAYS_SECONDS = 5.0
"""After which no further way is measured: one that loses long frames takes a second or two, and ten at most."""
PROBES = 10
"""Frames of each kind on each of them."""
_MASKED = frozenset({Silence.MASKED})


def examine(core: Core, command: Examine) -> Report:
    """Look at everything. Raises EndingError once the engine ends."""
    started = core.clock.monotonic()
    facts = gather(core, command)
    answer, findings = judge(facts)
    return Report(
        taken=core.clock.wall(),
        seconds=core.clock.monotonic() - started,
        asked=tuple(side.name for side in facts.sides if side.asked is not None),
        listened=tuple(side.name for side in facts.sides if side.heard is not None),
        address=command.address,
        answer=answer,
        findings=findings,
    )


def gather(core: Core, command: Examine) -> Examination:
    """The facts alone."""
    links = core.links.current()
    chosen = command.interfaces or tuple(core.interfaces or ())
    names = chosen or tuple(sorted(name for name, link in links.items() if link.mac is not None))
    host = host_facts(next(iter(names), "eth1"))
    with ExitStack() as stack:
        visit = Visit(core, command, names, host, asking=bool(chosen))
        stack.callback(visit.close)
        conversation = stack.enter_context(core.conversations.open())
        sides = visit.run(conversation)
        devices = visit.asker.devices()
        return Examination(
            host=replace(host, kernel=_kernel(core, devices, [side.name for side in sides if side.asked is not None])),
            links=core.links.current(),
            chosen=bool(chosen),
            sides=sides,
            address=command.address,
            devices=devices,
            reaches=_reaches(core, conversation, sides, command.address),
            known=tuple(core.devices()),
            exports=_own_exports(core),
            seconds=visit.seconds,
        )


def _kernel(core: Core, devices: Sequence[Device], asked: Sequence[str]) -> KernelSnapshot | None:
    """The Linux driver, compared with what answered just now."""
    kernel = core.kernel.look_now(whole=True)
    if kernel is None:
        return None
    return replace(kernel, remarks=remarks_of(kernel, SanView(core.clock).heard(tuple(devices)).devices, asked))


def _reaches(
    core: Core, conversation: Conversation, sides: Sequence[SideFacts], wanted: Address | None
) -> tuple[tuple[Address, PathReport], ...]:
    """Measure the ways to the MACs that answered, by one device of each, on the ports that the engine itself has open."""
    paths = [path for side in sides if side.asked is not None for path in side.asked.paths if core.ports.get(path.port)]
    ways: dict[tuple[str, Mac], PathFacts] = {}
    for path in sorted(paths, key=lambda path: path.address != wanted):
        ways.setdefault((path.port, path.mac), path)
    chosen = list(ways.values())[:MAX_WAYS]
    found = [FoundPath(Ends(path.port, path.mac, path.address), _said(path)) for path in chosen]
    reports = measure_paths(core, conversation, found, probes=PROBES, seconds=WAYS_SECONDS)
    return tuple((path.address, report) for path, report in zip(chosen, reports, strict=False))


def _said(path: PathFacts) -> ConfigArgument:
    return ConfigArgument(path.buffer_count, 0, path.sector_count, VERSION, ConfigOp.READ, b"")


def _own_exports(core: Core) -> tuple[OwnExport, ...]:
    found = []
    for held in core.serving.held():
        export = held.export
        if not held.spec.enabled:
            continue
        refused = [] if export is None else export.refusals.values()
        found.append(
            OwnExport(
                address=held.spec.address,
                ports=tuple(held.admitted),
                problem=held.problem,
                masked=tuple(dict.fromkeys(each.mac for each in refused if each.why in _MASKED)),
                denied=tuple(dict.fromkeys(each.mac for each in refused if each.why not in _MASKED)),
            )
        )
    return tuple(found)
