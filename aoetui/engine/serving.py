"""The exports that are held, and where each is served: opened, asked for on the wire, admitted to an interface, given up.

Changes come from the engine's thread alone. Ports read `_table`, which is replaced whole, so they need no lock.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from aoetui import __version__
from aoetui.engine import conflicts
from aoetui.engine.api import EngineError
from aoetui.engine.backing import Backing
from aoetui.engine.exports import Export
from aoetui.engine.latency import LatencyMeter, add_counts
from aoetui.engine.link_notes import port_refusal
from aoetui.engine.memory import MemoryBudget
from aoetui.engine.port_names import port_name
from aoetui.engine.protocol import target
from aoetui.engine.protocol.address import BROADCAST_MAC, Address
from aoetui.engine.protocol.replies import advertisement
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.wire import BROADCAST_SHELF, BROADCAST_SLOT, LINUX_REFUSED_SHELF
from aoetui.engine.snapshot import Counters, Severity
from aoetui.engine.stats import RateMeter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from aoetui.engine.acl import AccessLists
    from aoetui.engine.clock import Clock
    from aoetui.engine.events import EventLog
    from aoetui.engine.jobs import Job
    from aoetui.engine.links import LinkFacts
    from aoetui.engine.ports import Port, Ports
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.facts import ExportFacts, PortFacts
    from aoetui.engine.protocol.header import Header
    from aoetui.engine.spec import ExportSpec
    from aoetui.engine.state import StateStore

_GLOB = frozenset("*?[")
LOOKS = 64
"""Exports whose backings are looked at each second: with a thousand, one is looked at every sixteen."""


@dataclass(slots=True)
class Held:
    """An export that the engine knows of: open or not, served or not."""

    spec: ExportSpec
    force: bool = False
    export: Export | None = None
    resolved: Path | None = None
    """Where its path led when it was opened."""
    problem: str = ""
    """Why it is not open."""
    admitted: dict[str, Port] = field(default_factory=dict)
    """Where it is served, by interface."""
    refused: dict[str, str] = field(default_factory=dict)
    """Why it is not served on an interface whose port is open. Both maps are replaced, never changed: snapshots read them."""
    claimed: set[str] = field(default_factory=set)
    rivals: dict[str, str] = field(default_factory=dict)
    """Who else of this host has come to serve it, by interface. Replaced, never changed."""
    told: dict[str, tuple[PortFacts, int]] = field(default_factory=dict)
    """What was last advertised, by interface; and the sectors that there were."""
    meter: RateMeter = field(default_factory=RateMeter)
    latency: LatencyMeter = field(default_factory=LatencyMeter)
    moved: bool = True
    """Whether its counters moved at the last sample."""

    def counters(self) -> Counters:
        """Everything since it was opened."""
        export = self.export  # read once: the engine's thread may close it meanwhile
        return Counters() if export is None else export.initiators.total()

    def latency_counts(self) -> list[int]:
        """Of reads and writes together, since it was opened."""
        export = self.export
        return add_counts([] if export is None else export.latency_counts())


@dataclass(frozen=True, slots=True)
class _ServedHere:
    """What one interface answers for."""

    exports: dict[tuple[int, int], Export]

    def addressed(self, header: Header) -> Iterable[Export]:
        """The exports a request is for: one, or with a wildcard any number. The wildcards count each for itself."""
        if header.shelf != BROADCAST_SHELF and header.slot != BROADCAST_SLOT:
            export = self.exports.get((header.shelf, header.slot))
            return () if export is None else (export,)
        return [export for export in self.exports.values() if target.matches(header, export.spec.address)]


def interfaces_of(spec: ExportSpec, links: Mapping[str, LinkFacts]) -> tuple[str, ...]:
    """The names of the ports that an export asks for, its globs resolved among the links that can carry it now."""
    names: dict[str, None] = {}
    for pattern in spec.interfaces:
        if _GLOB.isdisjoint(pattern):
            names[port_name(pattern, spec.vlan)] = None
            continue
        matching = (port_name(name, spec.vlan) for name in sorted(links) if fnmatchcase(name, pattern))
        names.update((name, None) for name in matching if not port_refusal(name, links))
    return tuple(names)


class Serving:
    """Holds the exports and answers requests for them."""

    def __init__(self, state: StateStore, acl: AccessLists, events: EventLog, clock: Clock) -> None:
        self._state = state
        self._acl = acl
        self._memory = MemoryBudget()
        self._events = events
        self._clock = clock
        self._held: dict[Address, Held] = {}
        self._in_order: tuple[Held, ...] = ()
        """By address. Replaced, never changed."""
        self._table: dict[str, _ServedHere] = {}
        self._ending = False
        self._looked = 0
        self._opening = threading.Lock()
        self.claims = conflicts.Claims()
        self.questions = conflicts.WireQuestions()

    # ---- in a port's thread

    def requests(self, port: Port, frames: list[bytes]) -> None:
        """Answer a batch: what needs no disk at once, the rest through each export's own thread."""
        here = self._table.get(port.interface)
        if here is None:
            return
        replies: list[bytes] = []
        jobs: dict[Export, list[Job]] = {}
        now = self._clock.monotonic()
        for frame in frames:
            header = target.screen(frame, port.facts)
            if isinstance(header, Silence):
                port.silences[header] += 1
                continue
            for export in here.addressed(header):
                match export.take(header, frame, port, jobs.setdefault(export, []), now):
                    case Silence() as silence:
                        port.silences[silence] += 1
                    case bytes() as reply:
                        replies.append(reply)
        for export, waiting in jobs.items():
            export.enqueue(waiting)
        if replies:
            port.send(replies)

    # ---- in the engine's thread

    def held(self) -> tuple[Held, ...]:
        """Every export, by address; any thread."""
        return self._in_order

    def get(self, address: Address) -> Held | None:
        """The export at an address, if there is one."""
        return self._held.get(address)

    def hold(self, spec: ExportSpec, *, force: bool = False) -> Held:
        """Know of an export, opened or not."""
        held = Held(spec, force)
        self._held[spec.address] = held
        self._order()
        return held

    def forget(self, address: Address) -> None:
        """Know of it no more. It must be closed."""
        self._held.pop(address, None)
        self._order()

    def _order(self) -> None:
        self._in_order = tuple(sorted(self._held.values(), key=lambda held: held.spec.address))

    def open(self, held: Held) -> None:
        """Open the backing and start the export's thread. Raises EngineError, also kept as the export's problem."""
        spec = held.spec
        try:
            policy = self._acl.policy(spec)
            resolved = spec.path.resolve()
            self._refuse_overlap(spec, resolved)
            backing = Backing.open(
                spec.path, read_only=spec.read_only, direct=spec.direct, offset=spec.offset, length=spec.length
            )
            try:
                self._refuse_shared(spec, backing)
                kept = self._state.open(spec.address, backing.key)
                kept.add_to_mask(spec.mask)
            except EngineError:
                backing.close()
                raise
        except EngineError as error:
            held.problem = str(error)
            raise
        held.problem, held.resolved = "", resolved
        held.meter, held.latency = RateMeter(), LatencyMeter()
        export = Export(
            spec, backing, kept, policy, memory=self._memory, events=self._events, clock=self._clock, firmware=__version__
        )
        with self._opening:
            if self._ending:
                backing.close()
                raise conflicts.EndingError
            export.start()
            held.export = export
        for text in _warnings(spec.address, backing.sectors):
            self._events.add(Severity.WARNING, str(spec.address), text)

    def _refuse_overlap(self, spec: ExportSpec, resolved: Path) -> None:
        for other in self.held():
            if other.export is None or other.resolved != resolved:
                continue
            if (spec.read_only and other.spec.read_only) or not _overlap(spec, other.spec):
                continue
            raise _already_exported(spec, other)

    def _refuse_shared(self, spec: ExportSpec, backing: Backing) -> None:
        """The same sectors by another name: a disk and its partition, of which one is only read."""
        for other in self.held():
            if other.export is None or (spec.read_only and other.spec.read_only):
                continue
            if backing.overlaps(other.export.backing):
                raise _already_exported(spec, other)

    def at_work(self, interface: str) -> list[Mac]:
        """The initiators that lately read or wrote on an interface."""
        now = self._clock.monotonic()
        exports = [export for held in self.held() if (export := held.export) is not None]
        return sorted({record.mac for export in exports for record in export.initiators.at_work(interface, now)})

    def missing(self, held: Held, ports: Ports, links: Mapping[str, LinkFacts]) -> list[Port]:
        """The open ports of its interfaces where it is not served yet and was not refused."""
        if held.export is None:
            return []
        found = [ports.get(name) for name in interfaces_of(held.spec, links)]
        return [
            port
            for port in found
            if port is not None and held.admitted.get(port.interface) is not port and port.interface not in held.refused
        ]

    def ask(self, wanted: list[tuple[Held, Port]]) -> dict[tuple[Address, str], str]:
        """Who else serves these, on the wire and on this host: a sentence by address and interface. Takes 0.6 s.

        What nobody else serves is claimed for this process, and so is what is forced: another process here shall notice it.
        Raises EndingError when the engine ends meanwhile.
        """
        for held, port in wanted:
            if held.force:
                self.claims.force(port.interface, held.spec.address)
                held.claimed.add(port.interface)
        asked = [(held, port) for held, port in wanted if not held.force]
        if not asked:
            return {}
        ours = {port.facts.mac for held, _ in asked for port in held.admitted.values()}
        found = self.questions.ask([(port, held.spec.address) for held, port in asked], ours)
        for port in {port for _, port in asked}:
            found += conflicts.on_this_host([held.spec.address for held, wanted in asked if wanted is port], port)
        refused = {(conflict.address, conflict.interface): conflict.text for conflict in found}
        for held, port in asked:
            key = (held.spec.address, port.interface)
            if key not in refused and not self._claim(held, port.interface):
                refused[key] = f"{key[0]} is served on {port.interface} by another aoetui: choose another address"
        return refused

    def refuse(self, held: Held, interface: str, why: str) -> None:
        """Serve the export on every interface but this one, until its port is made anew or someone starts it again."""
        held.refused = {**held.refused, interface: why}

    def admit(self, held: Held, port: Port) -> None:
        """Serve the export on this port from now on, and advertise it."""
        held.refused = {name: why for name, why in held.refused.items() if name != port.interface}
        held.admitted = {**held.admitted, port.interface: port}
        self._fit(held)
        self._publish([held])
        self.advertise(held, port)
        self._events.add(Severity.INFO, str(held.spec.address), f"served on {port.interface}")

    def advertise(self, held: Held, port: Port) -> None:
        """Tell initiators that it is here: all of them, or those that it answers where it does not answer all."""
        if held.export is not None and not self._ending:
            facts = held.export.facts
            held.told[port.interface] = (port.facts, facts.sectors)
            port.send([advertisement(facts, port.facts, mac) for mac in _audience(facts)])

    def advertise_changes(self) -> None:
        """Advertise again where an interface's MAC or MTU changed, or the export's size."""
        for held in self.held():
            self._fit(held)
            for port in held.admitted.values():
                if held.export is not None and held.told.get(port.interface) != (port.facts, held.export.facts.sectors):
                    self.advertise(held, port)

    @staticmethod
    def _fit(held: Held) -> None:
        """Say what fits a frame on every interface where it is served."""
        if held.export is not None and held.admitted:
            held.export.fits(min(port.facts.frame_limit for port in held.admitted.values()))

    def drop_ports(self, ports: Ports) -> None:
        """Serve no more where the port is gone, or is back after a pause: there the address has to be asked for again."""
        for held in self.held():
            now = {name: ports.get(name) for name in held.admitted}
            stays = {name: port for name, port in now.items() if port and port.presence is held.admitted[name].presence}
            gone = held.admitted.keys() - stays.keys()
            held.admitted = stays
            held.refused = {name: why for name, why in held.refused.items() if ports.get(name) is not None}
            for name in gone:
                self._release(held, name)
        self._publish()

    def look_for_rivals(self) -> None:
        """See who else of this host has come to serve what we serve: on the wire they cannot be heard."""
        ports = {port for held in self.held() for port in held.admitted.values()}
        found = {
            port: conflicts.rivals(port, [held.spec.address for held in self.held() if port in held.admitted.values()])
            for port in ports
        }
        for held in self.held():
            address = held.spec.address
            held.rivals = {name: found[port][address] for name, port in held.admitted.items() if address in found[port]}

    def _claim(self, held: Held, interface: str) -> bool:
        if not self.claims.claim(interface, held.spec.address):
            return False
        held.claimed.add(interface)
        return True

    def _release(self, held: Held, interface: str) -> None:
        held.claimed.discard(interface)
        self.claims.release(interface, held.spec.address)

    def close(self, held: Held, timeout: float) -> str:
        """Take no more requests for it, answer the accepted ones, flush, close.

        Returns what went wrong, in one sentence; empty if all was saved within `timeout` seconds.
        """
        held.admitted, held.refused = {}, {}
        self._publish()
        export, held.export = held.export, None
        if export is not None:  # one that is deleted is not held any more
            _follow_lanes(export, ())
        held.meter, held.latency = RateMeter(), LatencyMeter()
        ended = export is None or export.close(timeout)
        for interface in list(held.claimed):  # not before its last reply has left
            self._release(held, interface)
        if export is None:
            return ""
        if not ended:
            spec = held.spec
            return f"{spec.path} does not answer: {spec.address} is served no more, but its last requests wait for the disk"
        return "" if export.fault else export.lost

    def close_all(self, timeout: float) -> bool:
        """Close every export side by side, for good: no slow disk keeps another from its flush. False as `close`."""
        with self._opening:
            self._ending = True
            open_exports = [export for held in self.held() if (export := held.export) is not None]
        self._publish()
        for export in open_exports:
            export.finish()
        deadline = self._clock.monotonic() + timeout
        ended = [export.close(max(0.0, deadline - self._clock.monotonic())) for export in open_exports]
        self.claims.close()
        return all(ended) and not any(export.lost or export.fault for export in open_exports)

    def _look(self) -> None:
        """Have exports look at their backings: all of them, or where there are many so many that each has its turn."""
        held = self.held()
        turn = [held[(self._looked + number) % len(held)] for number in range(min(LOOKS, len(held)))]
        self._looked = (self._looked + len(turn)) % max(1, len(held))
        for each in turn:
            if each.export is not None:
                each.export.look()

    def sample(self, now: float) -> None:
        """Take every export's counters, and have it look at its backing, once a second."""
        self._look()
        for held in self.held():
            moved = held.meter.sample(held.counters(), now)
            # once more after they moved: an answer is counted a moment before or after it is timed
            held.latency.sample(held.latency_counts() if moved or held.moved else held.latency.latest)
            held.moved = moved

    def _publish(self, changed: Iterable[Held] | None = None) -> None:
        """Answer by the state of now. `changed`: the exports that are served elsewhere than before; None: any may be."""
        table: dict[str, _ServedHere] = {}
        for held in [] if self._ending else self.held():
            if held.export is not None:
                key = (held.spec.address.shelf, held.spec.address.slot)
                for interface in held.admitted:
                    table.setdefault(interface, _ServedHere({})).exports[key] = held.export
        self._table = table
        if self._clock.monotonic is time.monotonic:  # which is the compiled loop's clock
            for held in self.held() if changed is None else changed:
                if held.export is not None:
                    _follow_lanes(held.export, [] if self._ending else held.admitted.values())


def _follow_lanes(export: Export, ports: Iterable[Port]) -> None:
    """Have the compiled loops of these ports serve the export, and no others."""
    wanted = {lane for port in ports for lane in port.lanes}
    for lane in set(export.fast.lanes) - wanted:
        export.fast.leave(lane)
    for lane in wanted - set(export.fast.lanes):
        export.fast.join(lane)


def _audience(facts: ExportFacts) -> Iterable[Mac]:
    """Whom an advertisement is for."""
    if not facts.masked and facts.policy.accept is None:
        return (BROADCAST_MAC,)
    listed = facts.state.mask or sorted(facts.policy.accept or ())
    return [mac for mac in listed if target.shut_out(mac, facts) is None]


def _warnings(address: Address, sectors: int) -> Iterable[str]:
    """What Linux initiators will not like, and what helps."""
    if address.shelf == LINUX_REFUSED_SHELF:
        yield f"Linux refuses shelf {LINUX_REFUSED_SHELF}: initiators that run Linux will not see {address}"
    if sectors % 8:
        yield f"{sectors} sectors are no multiple of 8: Linux will use 512 bytes at a time, slowly; choose a multiple of 4 KiB"


def _already_exported(spec: ExportSpec, other: Held) -> EngineError:
    return EngineError(
        f"{spec.path} is already exported as {other.spec.address}: choose another backing, or delete that export", field="path"
    )


def _overlap(one: ExportSpec, other: ExportSpec) -> bool:
    one_end = None if one.length is None else one.offset + one.length
    other_end = None if other.length is None else other.offset + other.length
    return (other_end is None or one.offset < other_end) and (one_end is None or other.offset < one_end)
