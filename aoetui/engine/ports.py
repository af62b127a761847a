"""One thread for each port (an interface, or a VLAN of it) that AoE is spoken on.

It receives, tells requests from answers, and never waits for a disk.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from aoetui.engine.api import EngineError
from aoetui.engine.links import LinkFacts, port_refusal
from aoetui.engine.port_names import interface_of
from aoetui.engine.protocol.facts import PortFacts
from aoetui.engine.protocol.header import FLAG_RESPONSE
from aoetui.engine.protocol.wire import longest_frame, sectors_per_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from aoetui.engine.fast.lane import Lane
    from aoetui.engine.packet import Wire
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.silence import Silence
    from aoetui.engine.receive_queue import WireStatistics

_FLAGS_AT = 14
_WAIT = 1.0
_log = logging.getLogger(__name__)


class FrameHandler(Protocol):
    """Where a port brings what it received, in its own thread, a batch at a time."""

    def requests(self, port: Port, frames: list[bytes]) -> None:
        """Frames without the response flag."""
        ...

    def responses(self, port: Port, frames: list[bytes]) -> None:
        """Frames with the response flag: answers to the scanner, advertisements, answers to others."""
        ...


class Port:
    """One open port. `facts` is what the target machine needs of it, true to its MAC and MTU of now.

    `interface` is its name (see port_names), `index` that of its link.
    """

    def __init__(
        self,
        name: str,
        link: LinkFacts,
        wire: Wire,
        handler: FrameHandler,
        *,
        on_lost: Callable[[Port, str], None],
        on_change: Callable[[], None],
    ) -> None:
        self.interface = name
        self.index = link.index
        self._wire = wire
        self._handler = handler
        self._on_lost = on_lost
        self._on_change = on_change
        self.presence = object()
        """The same in ports that followed each other without a pause, as when the receive ring was made larger."""
        self.silences: Counter[Silence] = Counter()
        """Requests that were not answered; counted by this port's thread alone."""
        self._heard = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"aoe-{name}", daemon=True)
        self.facts = self._facts()

    def start(self) -> None:
        """Begin to receive."""
        self._thread.start()

    def send(self, frames: Sequence[bytes]) -> int:
        """Send a batch, from any thread. Returns how many the kernel took; 0 once the port is closed."""
        return 0 if self._stopping else self._wire.send(frames)

    def refresh(self) -> bool:
        """Read MAC and MTU again. True if they changed."""
        before = self.facts
        self._wire.refresh()
        self.facts = self._facts()
        return self.facts != before

    @property
    def needs_reopen(self) -> bool:
        """Whether it cannot receive any more as it is: see Wire."""
        return self._wire.needs_reopen

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The compiled loops that answer plain reads and writes before this thread sees them."""
        return self._wire.lanes

    def lane_of(self, mac: Mac) -> Lane | None:
        """The one of them that has the frames of this source."""
        return self._wire.lane_of(mac)

    @property
    def interpreted(self) -> str:
        """Why there is none; empty if there is."""
        return self._wire.interpreted

    @property
    def memory(self) -> int:
        """The most bytes that its socket and loop may take."""
        return self._wire.memory

    def statistics(self) -> WireStatistics:
        """What the socket counted since it was opened."""
        return self._wire.statistics()

    @property
    def inodes(self) -> frozenset[int]:
        """Of its sockets; none once they are closed."""
        try:
            return frozenset(os.fstat(number).st_ino for number in self._wire.filenos())
        except OSError:
            return frozenset()

    def let_hear(self, *, others: bool) -> None:
        """See Wire."""
        if others != self._heard:
            self._heard = others
            self._wire.let_hear(others=others)

    def hush(self) -> None:
        """Answer and send nothing from now on; returns at once."""
        self._stopping = True
        self._wire.wake()

    def close(self) -> None:
        """Receive no more, and close the socket. Returns when the thread has ended."""
        self.hush()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        self._wire.close()

    def _facts(self) -> PortFacts:
        mtu = self._wire.mtu
        return PortFacts(mac=self._wire.mac, sector_count=sectors_per_frame(mtu), frame_limit=longest_frame(mtu))

    def _run(self) -> None:
        known: object = ((), False)
        while not self._stopping:
            if known != (known := (self._wire.lanes, self._wire.needs_reopen)):
                self._on_change()
            try:
                frames = self._wire.receive(_WAIT)
            except OSError as error:
                if not self._stopping:
                    self._on_lost(self, os.strerror(error.errno) if error.errno else str(error))
                return
            if frames and not self._stopping:
                self._deliver(frames)

    def _deliver(self, frames: list[bytes]) -> None:
        requests: list[bytes] = []
        responses: list[bytes] = []
        for frame in frames:
            if len(frame) > _FLAGS_AT:
                (responses if frame[_FLAGS_AT] & FLAG_RESPONSE else requests).append(frame)
        try:
            if requests:
                self._handler.requests(self, requests)
            if responses:
                self._handler.responses(self, responses)
        except Exception:  # noqa: BLE001 - the thread's edge: one bad batch must not end the service of an interface
            _log.exception("a batch of frames on %s was dropped", self.interface)


class Ports:
    """The open ports, kept true to what is wanted and to the links that exist.

    `on_change` is called, in whichever thread noticed, after a port opened, closed, or changed its MAC or MTU.
    """

    def __init__(
        self,
        open_wire: Callable[[str], Wire],
        handler: FrameHandler,
        on_change: Callable[[], None],
        on_lost: Callable[[str, str], None],
    ) -> None:
        self._open_wire = open_wire
        self._handler = handler
        self._on_change = on_change
        self._on_lost = on_lost
        self._lock = threading.RLock()
        self._open: dict[str, Port] = {}
        self._problems: dict[str, EngineError] = {}
        self._closed = False

    def get(self, interface: str) -> Port | None:
        """The open port of this name, if there is one."""
        return self._open.get(interface)

    def all(self) -> Mapping[str, Port]:
        """Every open port by its name."""
        return dict(self._open)

    def problem(self, interface: str) -> str:
        """Why a wanted port is not open: one sentence; empty if it is."""
        problem = self._problems.get(interface)
        return "" if problem is None else str(problem)

    def require(self, interface: str) -> Port:
        """The open port of this name. Raises the EngineError that keeps it from being open."""
        port = self._open.get(interface)
        if port is None:
            raise self._problems.get(interface) or EngineError(f"{interface} is not open", field="interfaces")
        return port

    def reconcile(self, wanted: AbstractSet[str], links: Mapping[str, LinkFacts]) -> None:
        """Open, reopen and close until the ports are those of the names wanted, as far as the links allow."""
        retired: list[Port] = []
        with self._lock:
            if self._closed:
                return
            for name, port in list(self._open.items()):
                if name not in wanted or port_refusal(name, links) or links[interface_of(name)].index != port.index:
                    self._retire(port, retired)
            self._problems = {name: problem for name, problem in self._problems.items() if name in wanted}
            changed = bool(retired)
            for name in sorted(wanted):
                changed |= self._bring_up(name, links, retired)
        # Joined outside the lock: a port's thread may be waiting for it in _lost.
        for port in retired:
            port.close()
        if changed:
            self._on_change()

    def _retire(self, port: Port, retired: list[Port]) -> None:
        port.hush()
        del self._open[port.interface]
        retired.append(port)

    def _bring_up(self, name: str, links: Mapping[str, LinkFacts], retired: list[Port]) -> bool:
        refusal = port_refusal(name, links)
        if refusal:
            self._problems[name] = EngineError(refusal, field="interfaces")
            return False
        port = self._open.get(name)
        try:
            if port is not None:
                changed = port.refresh()
                if not port.needs_reopen:
                    return changed
                self._retire(port, retired)
            wire = self._open_wire(name)
        except OSError as error:
            self._problems[name] = _lost_error(name, error.strerror or str(error))
            return False
        except EngineError as error:
            self._problems[name] = error
            return port is not None
        opened = Port(name, links[interface_of(name)], wire, self._handler, on_lost=self._lost, on_change=self._on_change)
        if port is not None:
            opened.presence = port.presence
        self._open[name] = opened
        opened.start()
        self._problems.pop(name, None)
        return True

    def _lost(self, port: Port, reason: str) -> None:
        with self._lock:
            if self._open.get(port.interface) is not port:
                return
            del self._open[port.interface]
            self._problems[port.interface] = _lost_error(port.interface, reason)
        port.close()
        self._on_lost(port.interface, reason)
        self._on_change()

    def close(self) -> None:
        """Close every port, for good."""
        with self._lock:
            self._closed = True
            ports, self._open = list(self._open.values()), {}
        for port in ports:
            port.close()


def _lost_error(name: str, reason: str) -> EngineError:
    return EngineError(f"{name} was lost ({reason}): it is opened again as soon as it is back", field="interfaces")
