"""From the engine's live parts to the frozen values that the console and the command line read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from aoetui import __version__
from aoetui.engine.latency import latency_of
from aoetui.engine.links import notes_for, port_refusal
from aoetui.engine.packet import LOOP_FAILED
from aoetui.engine.port_names import interface_of, split_port_name
from aoetui.engine.protocol.devices import DeviceState, Sameness
from aoetui.engine.protocol.replies import FIRMWARE_VERSION
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.wire import MAX_CONFIG_STRING, MAX_LIST, SECTOR
from aoetui.engine.serving import interfaces_of
from aoetui.engine.snapshot import (
    DeviceSnapshot,
    ExportSnapshot,
    ExportState,
    InitiatorSnapshot,
    Latency,
    LinkSnapshot,
    Note,
    PathSnapshot,
    PortSnapshot,
    RefusedSnapshot,
    Severity,
    StateLimits,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from aoetui.engine.clock import Clock
    from aoetui.engine.exports import Export
    from aoetui.engine.initiators import InitiatorRecord
    from aoetui.engine.links import LinkFacts
    from aoetui.engine.ports import Port, Ports
    from aoetui.engine.refusals import Refusal
    from aoetui.engine.serving import Held
    from aoetui.engine.spec import ExportSpec
    from aoetui.engine.stats import LinkMeter


@dataclass(frozen=True, slots=True)
class Standing:
    """What alarms are made of; the fields are those of an ExportSnapshot."""

    spec: ExportSpec
    state: ExportState
    problem: str
    size: int
    serial: str
    ports: tuple[PortSnapshot, ...]


def standing_of(held: Held, ports: Ports, links: Mapping[str, LinkFacts]) -> Standing:
    """Whether an export is served, and what is wrong: with a thousand exports the rest of its view costs ten times as much."""
    export = held.export  # read once: another thread may close it meanwhile
    served = tuple(_port_view(held, name, ports, links) for name in interfaces_of(held.spec, links))
    trouble = "" if export is None else export.problem
    state = _state(held, served, trouble)
    return Standing(
        spec=held.spec,
        state=state,
        problem=_problem(held, state, served, trouble),
        size=0 if export is None else export.facts.sectors * SECTOR,
        serial="" if export is None else export.serial,
        ports=served,
    )


def export_view(held: Held, ports: Ports, links: Mapping[str, LinkFacts], clock: Clock) -> ExportSnapshot:
    """One export as it is now."""
    export = held.export  # read once: another thread may close it meanwhile
    standing = standing_of(held, ports, links)
    read_latency, write_latency = (Latency(), Latency()) if export is None else map(latency_of, export.latency_counts())
    return ExportSnapshot(
        spec=standing.spec,
        state=standing.state,
        problem=standing.problem,
        size=standing.size,
        block_device=export is not None and export.backing.block_device,
        serial=standing.serial,
        ports=standing.ports,
        config_string=b"" if export is None else export.facts.state.config_string,
        mask=() if export is None else export.facts.state.mask,
        reservation=() if export is None else export.facts.state.reservation,
        limits=_limits(export),
        counters=held.counters(),
        rates=held.meter.rates,
        history=tuple(held.meter.history),
        latency=latency_of(held.latency.recent),
        read_latency=read_latency,
        write_latency=write_latency,
        initiators=() if export is None else tuple(_initiator_view(record, clock) for record in export.initiators.values()),
        refused=() if export is None else tuple(_refused_view(refusal, clock) for refusal in export.refusals.values()),
        refused_frames=0 if export is None else export.refusals.total,
    )


def _port_view(held: Held, interface: str, ports: Ports, links: Mapping[str, LinkFacts]) -> PortSnapshot:
    port = held.admitted.get(interface)
    link = links.get(interface_of(interface))
    if port is None or link is None or ports.get(interface) is not port:
        why = ports.problem(interface) or held.refused.get(interface) or held.problem
        return PortSnapshot(interface, serving=False, sector_count=0, problem=why)
    why = port_refusal(interface, links) or ("" if link.carrier else f"{link.name} has no carrier: check the cable")
    rival = held.rivals.get(interface, "")
    return PortSnapshot(interface, serving=not why, sector_count=0 if why else port.facts.sector_count, problem=why, rival=rival)


def _state(held: Held, served: tuple[PortSnapshot, ...], trouble: str) -> ExportState:
    if not held.spec.enabled:
        return ExportState.STOPPED
    if not any(port.serving for port in served):
        return ExportState.WAITING
    return ExportState.SERVING if all(port.serving for port in served) and not trouble else ExportState.DEGRADED


def _problem(held: Held, state: ExportState, served: tuple[PortSnapshot, ...], trouble: str) -> str:
    if state in (ExportState.SERVING, ExportState.STOPPED):
        return ""
    unmatched = "" if served else f"no interface of this host matches {', '.join(held.spec.interfaces)}"
    problems = [held.problem, trouble, *(port.problem for port in served), unmatched]
    return next((problem for problem in problems if problem), "")


def _initiator_view(record: InitiatorRecord, clock: Clock) -> InitiatorSnapshot:
    last_io, zero = record.last_read_or_written, clock.when(0.0)
    return InitiatorSnapshot(
        mac=record.mac,
        interface=record.interface,
        first_seen=zero + timedelta(seconds=record.first_seen),
        last_io=None if last_io is None else zero + timedelta(seconds=last_io),
        last_seen=zero + timedelta(seconds=record.last_asked),
        counters=record.counters(),
        under_way=record.waiting,
        dropped=record.dropped_everywhere,
        latency=latency_of(record.latency_counts()),
        active=record.is_active(clock.monotonic()),
    )


def _limits(export: Export | None) -> StateLimits:
    if export is None:
        return StateLimits(MAX_CONFIG_STRING, MAX_LIST, MAX_LIST)
    facts = export.facts
    return StateLimits(facts.config_limit, facts.mask_limit, facts.reservation_limit)


def _refused_view(refusal: Refusal, clock: Clock) -> RefusedSnapshot:
    zero = clock.when(0.0)
    return RefusedSnapshot(
        mac=refusal.mac,
        interface=refusal.interface,
        why=refusal.why,
        count=refusal.count,
        first=zero + timedelta(seconds=refusal.first),
        last=zero + timedelta(seconds=refusal.last),
    )


def own_device_view(
    held: Held, shown: Standing | ExportSnapshot, foreign: DeviceSnapshot | None, clock: Clock
) -> DeviceSnapshot | None:
    """One of our exports as the SAN shows it: a socket does not hear itself, so it comes from here. None while served nowhere.

    `shown` is the export as it is now, `foreign` what the scanner has heard at its address.
    """
    export = held.export
    if export is None or not any(port.serving for port in shown.ports):
        return None
    now = clock.wall()
    own_macs = {port.facts.mac for port in held.admitted.values()}
    others = () if foreign is None else tuple(path for path in foreign.paths if path.mac not in own_macs)
    return DeviceSnapshot(
        address=held.spec.address,
        ours=True,
        state=DeviceState.UP,
        size=shown.size,
        model="aoetui",
        serial=export.serial,
        firmware=__version__,
        config_string=export.facts.state.config_string,
        buffer_count=held.spec.buffer_count,
        firmware_version=FIRMWARE_VERSION,
        sameness=_sameness(shown, foreign, others),
        paths=others,
        first_seen=min((path.first_seen for path in others), default=now),
        last_seen=max((path.last_seen for path in others), default=now),
    )


def _sameness(shown: Standing | ExportSnapshot, foreign: DeviceSnapshot | None, others: tuple[PathSnapshot, ...]) -> Sameness:
    """Another host may serve the same replicated disk at our address, if it was given our serial."""
    if foreign is None or all(path.state is not DeviceState.UP for path in others):
        return Sameness.SAME
    same = (foreign.serial, foreign.size) == (shown.serial, shown.size)
    return foreign.sameness if same else Sameness.DIFFERENT


def link_view(link: LinkFacts, meter: LinkMeter, ports: Ports, wanted: Collection[str]) -> LinkSnapshot:
    """An interface, with what our sockets on it counted. `wanted`: the names of all ports that AoE is to be spoken on."""
    names = sorted(name for name in wanted if interface_of(name) == link.name)
    opened = [port for name, port in ports.all().items() if interface_of(name) == link.name]
    counted = [port.statistics() for port in opened]
    silences = sum((port.silences.copy() for port in opened), Counter[Silence]())
    return LinkSnapshot(
        name=link.name,
        index=link.index,
        kind=link.kind,
        mac=link.mac,
        mtu=link.mtu,
        admin_up=link.admin_up,
        carrier=link.carrier,
        vlan_id=link.vlan_id,
        parent=link.parent,
        bridge=link.bridge,
        addresses=link.addresses,
        default_route=link.default_route,
        rates=meter.rates,
        rx_dropped=link.counters.rx_dropped,
        tx_dropped=link.counters.tx_dropped,
        rx_errors=link.counters.rx_errors,
        tx_errors=link.counters.tx_errors,
        chosen=bool(names),
        ring_dropped=sum(each.ring_dropped for each in counted),
        foreign_vlan=sum(each.foreign_vlan for each in counted),
        truncated=sum(each.truncated for each in counted),
        send_failed=sum(each.send_failed for each in counted),
        silences=tuple(sorted(silences.items())),
        data_path=_data_path(opened),
        memory=sum(port.memory for port in opened),
        problem=next((problem for name in names if (problem := ports.problem(name))), ""),
        notes=(*_failure_notes(opened), *notes_for(link, chosen=bool(names)), *_tagging_notes(names)),
    )


def _data_path(ports: Collection[Port]) -> str:
    if not ports:
        return ""
    why = next((port.interpreted for port in ports if port.interpreted), "")
    return f"interpreted: {why}" if why else "compiled"


def _failure_notes(ports: Iterable[Port]) -> Iterable[Note]:
    """Whose compiled loop ended by itself."""
    for port in ports:
        if port.interpreted == LOOP_FAILED:
            happened = f"the compiled data path of {port.interface} failed, and the slower interpreted one serves instead"
            remedy = "the log says why (`aoetui locate` names it); start aoetui again to have it back"
            yield Note(Severity.WARNING, f"{happened}: {remedy}")


def _tagging_notes(names: Iterable[str]) -> Iterable[Note]:
    """Which VLANs of a link we tag ourselves."""
    vlans = ", ".join(str(vlan) for _, vlan in map(split_port_name, names) if vlan is not None)
    if vlans:
        yield Note(Severity.INFO, f"AoE is spoken in VLAN {vlans} too: aoetui itself tags the frames (an export's vlan)")
