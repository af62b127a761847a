"""Carries out CheckPaths: finds who answers, measures each path, and has it all judged."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.commands.paths import DeviceReport, InterfaceReport, PathReport, PathsReport, Troubles
from aoetui.engine.conflicts import EndingError
from aoetui.engine.initiator.path_findings import findings_in
from aoetui.engine.initiator.path_measure import Measured, measure
from aoetui.engine.initiator.path_probes import Ends, Probes
from aoetui.engine.link_hardware import hardware_of, troubles_now
from aoetui.engine.link_notes import notes_for
from aoetui.engine.port_names import interface_of
from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.devices import Sameness
from aoetui.engine.protocol.frames import ConfigArgument, MalformedFrame, config_request, decode
from aoetui.engine.protocol.sightings import DEFAULT_SECTOR_COUNT, Advertised, compare_facts, facts_of
from aoetui.engine.protocol.wire import MAX_SHELF, MAX_SLOT, SECTOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aoetui.engine.commands.paths import CheckPaths
    from aoetui.engine.core import Core
    from aoetui.engine.initiator.conversations import Conversation, Heard

ROUNDS = 3
"""Broadcasts, whoever has answered; as many again where nobody has."""
ROUND_SECONDS = 0.25
ALL_SECONDS = 300.0
"""What begins later is not measured, and said to be so."""


@dataclass(frozen=True, slots=True)
class FoundPath:
    """A path that answered query config."""

    ends: Ends
    said: ConfigArgument
    """What it answered."""

    @property
    def order(self) -> tuple[object, ...]:
        return self.ends.address, self.ends.interface, self.ends.mac


def check_paths(core: Core, command: CheckPaths) -> PathsReport:
    """See CheckPaths. Raises EngineError where no chosen interface is open; that nobody answers is a report too."""
    names = [name for name in core.interfaces or () if core.ports.get(name)]
    if not names:
        core.ports.require((core.interfaces or ("no interface",))[0])
    until = core.clock.monotonic() + ALL_SECONDS
    before = troubles_now()
    with core.conversations.open() as conversation:
        found = _find(core, conversation, names, command.address)
        measured = [_measured(core, conversation, each, command.probes, until) for each in found]
    after = troubles_now()
    interfaces = tuple(_interface(core, name, before, after) for name in core.interfaces or ())
    devices = tuple(
        _device(core, address, list(paths))
        for address, paths in groupby(zip(found, measured, strict=True), key=lambda pair: pair[0].ends.address)
    )
    frames = sum(each.frames for each in measured)
    return PathsReport(interfaces, devices, findings_in(interfaces, devices, asked=command.address), frames)


def measure_paths(
    core: Core, conversation: Conversation, found: Sequence[FoundPath], *, probes: int, seconds: float
) -> tuple[PathReport, ...]:
    """Measure these paths one after the other, by `probes` frames of each kind; none is begun after `seconds`.

    Raises EndingError.
    """
    until = core.clock.monotonic() + seconds
    begun = (each for each in found if core.clock.monotonic() <= until)
    return tuple(_path(core, each, _measured(core, conversation, each, probes, until)) for each in begun)


def _find(core: Core, conversation: Conversation, names: Sequence[str], address: Address | None) -> list[FoundPath]:
    """Who answers, sorted."""
    found: dict[Ends, FoundPath] = {}
    for round_ in range(2 * ROUNDS):
        if round_ >= ROUNDS and found:
            break
        for name in names:
            if (port := core.ports.get(name)) is not None:
                conversation.send(name, [config_request(source=port.facts.mac, address=address, tag=conversation.tag())])
        end = core.clock.monotonic() + ROUND_SECONDS
        while (left := end - core.clock.monotonic()) > 0:
            for heard in conversation.receive(left):
                if (path := _path_of(heard)) is not None and address in (None, path.ends.address):
                    found[path.ends] = path
    return sorted(found.values(), key=lambda each: each.order)


def _path_of(heard: Heard) -> FoundPath | None:
    """The path that an answer tells of; None if it is no sound answer to query config."""
    name, frame = heard
    try:
        answer = decode(frame)
    except MalformedFrame:
        return None
    header, said = answer.header, answer.argument
    if not isinstance(said, ConfigArgument) or header.error is not None or header.source.is_multicast:
        return None
    if header.shelf > MAX_SHELF or header.slot > MAX_SLOT:
        return None
    return FoundPath(Ends(name, header.source, Address(header.shelf, header.slot)), said)


def _measured(core: Core, conversation: Conversation, found: FoundPath, count: int, until: float) -> Measured:
    """Measure one path. That its interface goes meanwhile ends this path's measuring, not the check."""
    probes = Probes(core, conversation, found.ends)
    result = Measured()
    if core.clock.monotonic() > until:
        result.problem = f"it was not measured: {ALL_SECONDS:g} s were over before its turn came"
        return result
    try:
        measure(core, probes, found.said.sector_count or DEFAULT_SECTOR_COUNT, count, result)
    except EndingError:
        raise
    except EngineError as error:
        result.problem = str(error)
    result.frames, result.duplicates = probes.frames, probes.duplicates
    return result


def _device(core: Core, address: Address, paths: list[tuple[FoundPath, Measured]]) -> DeviceReport:
    by_mac = {}
    for found, measured in paths:
        said = found.said
        advertised = Advertised(said.string, said.buffer_count, said.firmware, said.sector_count)
        by_mac[found.ends.mac] = facts_of(advertised, measured.identity)
    sameness, difference = compare_facts(by_mac)
    identity = next((measured.identity for _, measured in paths if measured.identity is not None), None)
    return DeviceReport(
        address=address,
        size=None if identity is None else identity.sectors * SECTOR,
        model="" if identity is None else identity.model,
        serial="" if identity is None else identity.serial,
        sameness=sameness,
        difference=difference if sameness is Sameness.DIFFERENT else "",
        paths=tuple(_path(core, found, measured) for found, measured in paths),
    )


def _path(core: Core, found: FoundPath, measured: Measured) -> PathReport:
    link = core.links.current().get(interface_of(found.ends.interface))
    return PathReport(
        interface=found.ends.interface,
        mac=found.ends.mac,
        local_mtu=measured.local_mtu or (0 if link is None else link.mtu),
        sector_count=found.said.sector_count or DEFAULT_SECTOR_COUNT,
        buffer_count=found.said.buffer_count,
        to_target=measured.to_target,
        from_target=measured.from_target,
        round_trips=measured.round_trips,
        short_frames=measured.short_frames,
        long_frames=measured.long_frames,
        duplicates=measured.duplicates,
        problem=measured.problem,
    )


def _interface(core: Core, name: str, before: Mapping[str, Troubles], after: Mapping[str, Troubles]) -> InterfaceReport:
    link = core.links.current().get(interface_of(name))
    if link is None:
        return InterfaceReport(name, 0, False, False, None, "", "", None, Troubles(), Troubles(), ())
    hardware = hardware_of(link)
    had = before.get(link.name, Troubles())
    return InterfaceReport(
        name=name,
        mtu=link.mtu,
        up=link.admin_up,
        carrier=link.carrier,
        mac=link.mac,
        pci_id=hardware.pci_id,
        driver=hardware.driver,
        pause=hardware.pause,
        before=had,
        during=after.get(link.name, had) - had,
        notes=notes_for(link, chosen=True),
    )
