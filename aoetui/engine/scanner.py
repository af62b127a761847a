"""Runs the scanner machine on the ports: its timers, its questions out, the answers in."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from aoetui.engine.protocol.frames import MalformedFrame
from aoetui.engine.protocol.initiator import LocalLink, ScannerMachine
from aoetui.engine.protocol.wire import CONFIG_HEADER, MAX_CONFIG_STRING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from aoetui.engine.clock import Clock
    from aoetui.engine.ports import Port, Ports
    from aoetui.engine.protocol.initiator import Change, Device

LOOKING_INTERVAL = 5.0
IDLE_INTERVAL = 60.0
"""Seconds between broadcasts while someone looks, and otherwise."""
_INBOX_LIMIT = 16384
"""Answers that wait; beyond it the oldest are dropped, and asked for again."""
_LONGEST = CONFIG_HEADER + MAX_CONFIG_STRING
"""Bytes of the longest answer to anything the scanner asks; what is behind is data for somebody else."""
_STEP = 256
"""Answers taken at once: in a flood, timers and whoever looks have their turns too."""
_TOLD_EVERY = 1.0
"""Seconds between two calls of `on_changes`: what comes thick and fast is told together."""
_log = logging.getLogger(__name__)


class Scanner:
    """The scanner's thread. `on_changes` is called in it with what the machine found, at once or a second after the last time."""

    def __init__(self, ports: Ports, clock: Clock, on_changes: Callable[[list[Change]], None]) -> None:
        self._ports = ports
        self._clock = clock
        self._on_changes = on_changes
        self._machine = ScannerMachine()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._inbox: deque[tuple[str, bytes]] = deque(maxlen=_INBOX_LIMIT)
        self._interfaces: frozenset[str] = frozenset()
        self._untold_until = float("-inf")
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="scanner", daemon=True)

    def start(self) -> None:
        """Begin. Nothing is sent before interfaces are chosen and their ports are open."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def scan_on(self, interfaces: Collection[str]) -> None:
        """Scan on these interfaces, as far as their ports are open. Call it again whenever ports changed."""
        self._interfaces = frozenset(interfaces)
        links = {
            name: LocalLink(mac=port.facts.mac, sector_count=port.facts.sector_count)
            for name, port in self._ports.all().items()
            if name in self._interfaces
        }
        with self._lock:
            self._machine.set_links(links, self._clock.monotonic())
        self._wake.set()

    def watch(self, *, looking: bool) -> None:
        """Broadcast every 5 s while someone looks, every 60 s otherwise; less often where thousands answer."""
        with self._lock:
            self._machine.set_interval(LOOKING_INTERVAL if looking else IDLE_INTERVAL, self._clock.monotonic())
        self._wake.set()

    def discover(self) -> None:
        """Broadcast now."""
        with self._lock:
            self._machine.discover(self._clock.monotonic())
        self._wake.set()

    def heard(self, port: Port, frames: list[bytes]) -> None:
        """Take responses from a port's thread."""
        if port.interface in self._interfaces:
            self._inbox.extend((port.interface, frame[:_LONGEST]) for frame in frames)
            self._wake.set()

    def devices(self) -> tuple[Device, ...]:
        """Everything that was seen, by address."""
        with self._lock:
            return self._machine.devices()

    def _run(self) -> None:
        while not self._stopping:
            try:
                wait = self._step()
            except Exception:  # noqa: BLE001 - the thread's edge: the scanner goes on after an unexpected frame or state
                _log.exception("the scanner skipped a step")
                wait = 1.0
            self._wake.wait(wait)
            self._wake.clear()

    def _step(self) -> float | None:
        """Take what came in, do what is due, send what is to be sent. Returns the seconds until something is due again."""
        with self._lock:
            now = self._clock.monotonic()
            for _ in range(min(_STEP, len(self._inbox))):
                interface, frame = self._inbox.popleft()
                try:
                    self._machine.receive(interface, frame, now)
                except MalformedFrame:
                    _log.debug("a malformed response on %s was ignored", interface)
            due = self._machine.timer()
            if due is not None and due <= now:
                self._machine.handle_timer(now)
            outgoing, due = self._machine.outgoing(), self._machine.timer()
        self._send(outgoing)
        due = min((time for time in (due, self._tell(now)) if time is not None), default=None)
        if self._inbox:
            return 0.0
        return None if due is None else max(0.0, due - self._clock.monotonic())

    def _tell(self, now: float) -> float | None:
        """Hand over what changed, unless that was done within the last second. Returns when to come again."""
        if now < self._untold_until:
            return self._untold_until
        with self._lock:
            changes = self._machine.changes()
        if not changes:
            return None
        self._untold_until = now + _TOLD_EVERY
        self._on_changes(changes)
        return self._untold_until

    def _send(self, outgoing: list[tuple[str, bytes]]) -> None:
        by_interface: dict[str, list[bytes]] = {}
        for interface, frame in outgoing:
            by_interface.setdefault(interface, []).append(frame)
        for interface, frames in by_interface.items():
            port = self._ports.get(interface)
            if port is not None:
                port.send(frames)
