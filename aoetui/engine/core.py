"""The engine's parts joined: links to ports, ports to exports and scanner. Changed by the engine's thread alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.acl import AccessLists
from aoetui.engine.api import EngineError
from aoetui.engine.commands.trace import ClearTrace, PauseTrace, StartTrace, StopTrace
from aoetui.engine.conflicts import EndingError
from aoetui.engine.events import EventLog
from aoetui.engine.initiator.conversations import Conversations
from aoetui.engine.kernel.watch import KernelWatch
from aoetui.engine.link_events import LinkHistory
from aoetui.engine.listeners import let_hear
from aoetui.engine.port_names import interface_of
from aoetui.engine.ports import Port, Ports
from aoetui.engine.san_events import tell
from aoetui.engine.scanner import Scanner
from aoetui.engine.serving import Held, Serving, interfaces_of
from aoetui.engine.stats import LinkMeter
from aoetui.engine.tasks import Tasks
from aoetui.engine.tracing.tracer import Tracer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from aoetui.engine.clock import Clock
    from aoetui.engine.kernel.host import Host
    from aoetui.engine.links import LinkFacts, LinkSource
    from aoetui.engine.packet import Wire
    from aoetui.engine.protocol.address import Address
    from aoetui.engine.protocol.devices import Change, Device
    from aoetui.engine.state import StateStore

_CLOSE_TIME = 10.0
"""Seconds that stopping one export may wait for its disk."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the scanner knows, and what of it is shown."""

    heard: tuple[Device, ...] = ()
    chosen: AbstractSet[str] = frozenset()
    ours: AbstractSet[Address] = frozenset()
    shown: tuple[Device, ...] = ()


class Core:
    """Ports, exports, scanner and links. `on_change` is called, from any thread, when `settle` should be."""

    def __init__(
        self,
        *,
        state: StateStore,
        open_wire: Callable[[str, int], Wire],
        links: LinkSource,
        clock: Clock,
        on_change: Callable[[], None],
        host: Host | None = None,
    ) -> None:
        self.clock = clock
        self.open_wire = open_wire
        """By the name of a port, and the number of its receive queues."""
        self.kernel = KernelWatch(host)
        self.events = EventLog(clock)
        self.links = links
        self.config_path: Path | None = None
        """Where the config is kept; None: nowhere."""
        self.interfaces: tuple[str, ...] | None = None
        """Chosen for the scanner; None if nobody has chosen."""
        self.queues = 1
        """Receive queues of each port that is opened from now on."""
        self.acl = AccessLists()
        self.serving = Serving(state, self.acl, self.events, clock)
        self.history = LinkHistory(self.events, clock, self.serving.at_work)
        self.ports = Ports(lambda name: open_wire(name, self.queues), self, on_change, self.history.lost)
        self.conversations = Conversations(self.ports)
        self.tasks = Tasks(self)
        self.scanner = Scanner(self.ports, clock, self._found)
        self.tracer = Tracer(clock.wall)
        self.meters: dict[str, LinkMeter] = {}
        self._on_change = on_change
        self._carriers: dict[str, bool] = {}
        self._heard = _Heard()

    def start(self) -> None:
        """Start the threads of links and scanner."""
        self.serving.claims.announce(os.getpid())
        self.links.start(lambda _links: self._on_change())
        self.scanner.start()
        self.kernel.start()

    def stop(self, timeout: float) -> bool:
        """Answer what was accepted, flush, close. False if a disk did not let that happen in `timeout` seconds."""
        self.tracer.stop()
        self.kernel.stop()
        ended = self.serving.close_all(timeout)
        self.scanner.stop()
        self.ports.close()
        self.links.stop()
        return ended

    # ---- in the ports' threads

    def requests(self, port: Port, frames: list[bytes]) -> None:
        """Requests go to the exports."""
        self.serving.requests(port, frames)

    def responses(self, port: Port, frames: list[bytes]) -> None:
        """Responses go to the conversation whose tag they carry, else to the scanner and to whoever asks for an address."""
        others = self.conversations.heard(port, frames)
        if others:
            self.serving.questions.heard(port, others)
            self.scanner.heard(port, others)

    def _found(self, changes: list[Change]) -> None:
        shown = {device.address for device in self.devices()}
        ours = {held.spec.address for held in self.serving.held() if held.admitted}
        tell((change for change in changes if change.address in shown), self.events, ours)

    # ---- in any thread

    def devices(self) -> tuple[Device, ...]:
        """What the scanner heard on the chosen interfaces, and anywhere at the addresses of our own exports.

        The same tuple as before while nothing changed.
        """
        chosen = set(self.interfaces or ())
        ours = {held.spec.address for held in self.serving.held() if held.admitted}
        heard, known = self.scanner.devices(), self._heard
        if known.heard is not heard or (known.chosen, known.ours) != (chosen, ours):
            shown = tuple(each for each in heard if any(path.interface in chosen for path in each.paths) or each.address in ours)
            known = self._heard = _Heard(heard, chosen, ours, shown)
        return known.shown

    def asked(self) -> tuple[str, ...]:
        """The interfaces that broadcasts go out on."""
        return tuple(name for name in self.interfaces or () if self.ports.get(name) is not None)

    # ---- in the engine's thread

    def wanted(self) -> set[str]:
        """The names of the ports that AoE is to be spoken on: the scanner's, and those of every open export."""
        links = self.links.current()
        wanted = set(self.interfaces or ())
        for held in self.serving.held():
            if held.export is not None:
                wanted.update(interfaces_of(held.spec, links))
        return wanted

    def reconcile(self, besides: Collection[str] = ()) -> None:
        """Open and close ports until they are what is wanted, and `besides`."""
        self.ports.reconcile(self.wanted() | set(besides), self.links.current())

    def settle(self) -> None:
        """Make everything true to the links of now: ports, the scanner's interfaces, and where exports are served."""
        self.look_at_links()
        self.reconcile()
        self.tracer.reconcile(self.links.current())
        let_hear(self.ports.all().values())
        self.serving.drop_ports(self.ports)
        # Also where we serve, chosen or not: whoever else answers for an address of ours has to be noticed.
        self.scanner.scan_on(self.wanted())
        links = self.links.current()
        waiting = [(held, port) for held in self.serving.held() for port in self.serving.missing(held, self.ports, links)]
        try:
            refused = self.serving.ask(waiting)
        except EndingError:
            return
        for held, port in waiting:
            why = refused.get((held.spec.address, port.interface), "")
            if why:
                self.serving.refuse(held, port.interface, why)
            elif self.ports.get(port.interface) is port:
                self.serving.admit(held, port)
        self.serving.advertise_changes()
        self._advertise_where_carrier_returned(links)

    def trace(self, command: StartTrace | StopTrace | PauseTrace | ClearTrace) -> None:
        """Begin a trace, end it, or change it. Raises EngineError."""
        match command:
            case StartTrace(interfaces, whole):
                self.tracer.start(interfaces, whole=whole)
            case StopTrace():
                self.tracer.stop()
            case PauseTrace(paused):
                self.tracer.pause(paused=paused)
            case ClearTrace():
                self.tracer.clear()
        let_hear(self.ports.all().values())

    def look_at_links(self) -> None:
        """Tell what happened to the links that AoE is spoken on."""
        self.history.see(self.links.current(), self.wanted())

    def serve(self, held: Held) -> None:
        """Serve an open export on all of its interfaces, or raise EngineError and serve it on none."""
        links = self.links.current()
        names = interfaces_of(held.spec, links)
        if not names:
            wanted = ", ".join(held.spec.interfaces)
            raise EngineError(f"no interface of this host that is up matches {wanted}: name one", field="interfaces")
        self.reconcile()
        ports = [self.ports.require(name) for name in names]
        asked = [(held, port) for port in ports if held.admitted.get(port.interface) is not port]
        refused = self.serving.ask(asked)
        if refused:
            raise EngineError(next(iter(refused.values())), field="address")

    def admit(self, held: Held) -> None:
        """Answer for the export from now on, wherever `serve` found nobody else."""
        for name in interfaces_of(held.spec, self.links.current()):
            port = self.ports.get(name)
            if port is not None and held.admitted.get(name) is not port:
                self.serving.admit(held, port)

    def close(self, held: Held) -> None:
        """Serve it no more. Raises EngineError if its disk does not answer, or not all could be saved."""
        problem = self.serving.close(held, _CLOSE_TIME)
        self.reconcile()
        if problem:
            raise EngineError(problem, field="path")

    def sample(self) -> None:
        """Take all counters, once a second."""
        now = self.clock.monotonic()
        self.serving.sample(now)
        links = self.links.current()
        for name, link in links.items():
            self.meters.setdefault(name, LinkMeter()).sample(link.counters, now)
        for name in self.meters.keys() - links.keys():
            del self.meters[name]

    def _advertise_where_carrier_returned(self, links: Mapping[str, LinkFacts]) -> None:
        before, self._carriers = self._carriers, {name: link.carrier for name, link in links.items()}
        for held in self.serving.held():
            for name, port in held.admitted.items():
                link = interface_of(name)
                if self._carriers.get(link) and before.get(link) is False:
                    self.serving.advertise(held, port)
