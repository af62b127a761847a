"""The engine in this process: commands in, one at a time in its own thread; frozen snapshots and numbered events out."""

from __future__ import annotations

import logging
import queue
import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from aoetui.engine.alarms import AlarmWatch, alarms_of, is_ailing
from aoetui.engine.api import (
    AddExport,
    CheckAddress,
    ChooseInterfaces,
    Command,
    DeleteExport,
    Discover,
    EngineError,
    Errand,
    SetConfigString,
    SetMask,
    SetReservation,
    StartExport,
    StopExport,
    Watch,
)
from aoetui.engine.clock import Clock
from aoetui.engine.commands.trace import ClearTrace, PauseTrace, StartTrace, StopTrace
from aoetui.engine.conflicts import EndingError
from aoetui.engine.core import Core
from aoetui.engine.desk import Desk
from aoetui.engine.errands import Errands, carry_out
from aoetui.engine.fast_path import fast_path
from aoetui.engine.kernel.differences import Patience, remarks_of
from aoetui.engine.latency import add_counts, latency_of
from aoetui.engine.links import LinkWatcher
from aoetui.engine.packet import PacketSocket
from aoetui.engine.san_view import SanView
from aoetui.engine.snapshot import Alarm, DeviceSnapshot, EngineSnapshot, ExportSnapshot, LinkSnapshot, Severity
from aoetui.engine.state import StateStore
from aoetui.engine.stats import LinkMeter, add_rates
from aoetui.engine.views import Standing, export_view, link_view, own_device_view, standing_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from aoetui.engine.commands.kernel import KernelSnapshot
    from aoetui.engine.config import ConfigFile
    from aoetui.engine.kernel.host import Host
    from aoetui.engine.links import LinkSource
    from aoetui.engine.packet import Wire
    from aoetui.engine.protocol.address import Address
    from aoetui.engine.san_view import Heard
    from aoetui.engine.serving import Held
    from aoetui.engine.snapshot import Event
    from aoetui.engine.spec import ExportSpec

Result = TypeVar("Result")
_TICK = 1.0
_ABSENT_SECONDS = 5.0
"""So long a device has to be missing on the wire, or in the Linux driver, before it is said: whoever was asked answers sooner."""
_RETRY_TICKS = 10
"""Every so many ticks an enabled export whose backing could not be opened is tried again."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    """What the engine's thread is to do, and who waits for it."""

    act: Callable[[], None]
    future: Future[Any] | None = None


class LocalEngine:
    """See `api.Engine`. `start` once, `stop` once; both may be called from any thread.

    `compiled` says whether the compiled data path is loaded: one that serves nothing has no use for it. `host` is where the Linux
    driver is looked for: this host, unless told otherwise.
    """

    def __init__(
        self,
        *,
        config: ConfigFile | None = None,
        state: StateStore | None = None,
        open_wire: Callable[[str, int], Wire] = PacketSocket,
        links: LinkSource | None = None,
        clock: Clock | None = None,
        compiled: bool = True,
        host: Host | None = None,
    ) -> None:
        self._core = Core(
            state=state or StateStore(None),
            open_wire=open_wire,
            links=links or LinkWatcher(),
            clock=clock or Clock(),
            on_change=self._changed,
            host=host,
        )
        self._core.config_path = None if config is None else config.path
        self._desk = Desk(self._core, config)
        self._alarms = AlarmWatch(self._core.events)
        self._work: queue.SimpleQueue[_Work] = queue.SimpleQueue()
        self._errands = Errands(self._core, self.snapshot)
        self._patience = Patience(_ABSENT_SECONDS)
        self._san = SanView(self._core.clock)
        self._compiled = compiled
        self._unsettled = threading.Event()
        self._stopping = threading.Event()
        self._stop_lock = threading.Lock()
        self._ended: bool | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._ticks = 0

    def start(self) -> None:
        """Take up the config file and begin. Raises EngineError if the file is not good; then nothing has begun."""
        self._desk.load()
        if self._compiled:
            fast_path.load()
        self._core.start()
        self._thread.start()
        self._changed()

    def stop(self, timeout: float = 2.0) -> bool:
        """Take no more requests, answer the accepted ones, flush, close. True if every disk took all of it in time.

        Commands that have not begun are refused.
        """
        with self._stop_lock:
            if self._ended is None:
                self._stopping.set()
                self._errands.stop()
                self._core.tasks.stop(timeout / 4)
                self._core.conversations.stop()
                self._core.serving.questions.stop()
                self._work.put(_Work(lambda: None))
                if self._thread.is_alive():
                    self._thread.join(timeout / 2)
                self._alarms.see(self._alarms_now())
                saved = self._core.stop(timeout / 2)
                # A command that still waits for its disk may hold an export that nobody else knows of any more.
                self._ended = saved and not self._thread.is_alive()
                self._refuse_the_rest()
            return self._ended

    def serve(self, spec: ExportSpec, *, force: bool = False) -> ExportSnapshot:
        """Serve an export, or raise EngineError. Blocks until it is served (0.6 s and more)."""
        return self.submit(AddExport(spec, force=force)).result()

    def note(self, text: str) -> None:
        """Record a warning about the engine as a whole."""
        self._core.events.add(Severity.WARNING, "engine", text)

    # ---- api.Engine

    def snapshot(self) -> EngineSnapshot:
        """The state of now."""
        core = self._core
        taken, monotonic = core.clock.wall(), core.clock.monotonic()  # of before: what changes meanwhile is newer
        links = self._links()
        held = core.serving.held()
        exports = tuple(export_view(each, core.ports, core.links.current(), core.clock) for each in held)
        heard = self._san.heard(core.devices())
        devices = self._san.whole(heard, self._ours(zip(held, exports, strict=True), heard))
        kernel = self._kernel(devices)
        return EngineSnapshot(
            taken=taken,
            monotonic=monotonic,
            host=socket.gethostname(),
            interfaces=core.interfaces,
            exports=exports,
            devices=devices,
            links=links,
            rates=add_rates([export.rates for export in exports]),
            latency=latency_of(add_counts(each.latency.recent for each in held)),
            alarms=alarms_of(exports, devices, links, self._missing(links), kernel),
            last_event=core.events.last,
            trace=core.tracer.snapshot(),
            kernel=kernel,
            tasks=core.tasks.snapshots(),
        )

    def events(self, since: int) -> list[Event]:
        """The kept events newer than `since`."""
        return self._core.events.since(since)

    def submit(self, command: Command[Result]) -> Future[Result]:
        """Carry a command out; errands have threads of their own."""
        future: Future[Result] = Future()
        if isinstance(command, Errand):
            self._errands.carry_out(command, future)
            return future
        if isinstance(command, SetConfigString | SetMask | SetReservation):
            self._work.put(_Work(lambda: self._set_state(command, future), future))
        else:
            self._work.put(_Work(lambda: carry_out(lambda: self._do(command), future), future))
        if self._stopping.is_set():
            self._refuse_the_rest()
        return future

    def _refuse_the_rest(self) -> None:
        """Answer the commands whose turn never came."""
        with suppress(queue.Empty):
            while True:
                future = self._work.get_nowait().future
                if future is not None and future.set_running_or_notify_cancel():
                    future.set_exception(EndingError())

    # ---- the engine's thread

    def _changed(self) -> None:
        """Something about links or ports changed: settle soon, once for however many changes."""
        if not self._unsettled.is_set():
            self._unsettled.set()
            self._work.put(_Work(self._settle))

    def _run(self) -> None:
        due = self._core.clock.monotonic() + _TICK
        while not self._stopping.is_set():
            # Late or not: links that change all the time must not keep the figures from being taken.
            late = self._core.clock.monotonic() - due
            if late >= 0:
                due += _TICK * (1 + late // _TICK)
                self._step(self._tick)
            else:
                with suppress(queue.Empty):
                    self._step(self._work.get(timeout=-late).act)

    def _step(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception:  # noqa: BLE001 - the thread's edge: the engine goes on
            _log.exception("the engine skipped a step")
            self._core.events.add(Severity.ALARM, "engine", "an internal error: see the log file")

    def _settle(self) -> None:
        self._unsettled.clear()
        self._core.settle()

    def _tick(self) -> None:
        self._ticks += 1
        if self._ticks % _RETRY_TICKS == 0:
            for held in self._core.serving.held():
                if held.spec.enabled and held.export is None:
                    self._desk.reopen(held)
            self._core.serving.look_for_rivals()
        self._core.settle()
        self._core.sample()
        alarms = self._alarms_now()
        self._core.look_at_links()  # what the alarms are of is told by now
        self._alarms.see(alarms, self._core.history.take_told())

    def _set_state(self, command: SetConfigString | SetMask | SetReservation, future: Future[Any]) -> None:
        """The export's thread sets the future: its disk may be slow, and the engine does not wait for it."""
        if not future.set_running_or_notify_cancel():
            return
        try:
            self._desk.set_state(command, future)
        except EngineError as error:
            future.set_exception(error)

    def _do(self, command: Command[Any]) -> object:
        match command:
            case AddExport():
                self._desk.add(command)
                return self._view(command.spec.address)
            case StartExport():
                self._desk.start(command)
                return self._view(command.address)
            case StopExport(address):
                self._desk.stop(address)
            case DeleteExport(address):
                self._desk.delete(address)
            case ChooseInterfaces(interfaces):
                self._desk.choose(interfaces)
            case Discover():
                self._desk.discover()
            case Watch(looking):
                self._core.scanner.watch(looking=looking)
            case CheckAddress():
                return self._desk.check(command)
            case StartTrace() | StopTrace() | PauseTrace() | ClearTrace():
                self._core.trace(command)
            case _:
                raise EngineError(f"{type(command).__name__} is no command of this engine")
        return None

    # ---- views

    def _view(self, address: Address) -> ExportSnapshot:
        held = self._core.serving.get(address)
        if held is None:
            raise EngineError(f"{address} is none of our exports", field="address")
        return export_view(held, self._core.ports, self._core.links.current(), self._core.clock)

    def _links(self) -> tuple[LinkSnapshot, ...]:
        core = self._core
        wanted = core.wanted()
        return tuple(
            link_view(link, core.meters.get(name) or LinkMeter(), core.ports, wanted)
            for name, link in sorted(core.links.current().items())
        )

    def _kernel(self, devices: tuple[DeviceSnapshot, ...]) -> KernelSnapshot | None:
        """The Linux driver, and where it differs from what the wire has shown long enough."""
        kernel = self._core.kernel.current()
        if kernel is None:
            return None
        remarks = remarks_of(kernel, devices, self._core.asked())
        return replace(kernel, remarks=self._patience.stood(remarks, self._core.clock.monotonic()))

    def _alarms_now(self) -> tuple[Alarm, ...]:
        """Those of a snapshot, without making one."""
        core, links = self._core, self._links()
        held = core.serving.held()
        exports = [standing_of(each, core.ports, core.links.current()) for each in held]
        heard, known = self._san.heard(core.devices()), core.kernel.current()
        # Of all others of ours there is nothing to tell.
        told = heard.at.keys() | {device.address for device in known.devices} if known else heard.at
        shown = [(each, export) for each, export in zip(held, exports, strict=True) if each.spec.address in told]
        ours = {own.address: own for own in self._ours(shown, heard)}
        others = heard.devices if known else filter(is_ailing, heard.devices)
        devices = (*(each for each in others if each.address not in ours), *ours.values())
        return alarms_of(exports, devices, links, self._missing(links), self._kernel(devices))

    def _missing(self, links: Iterable[LinkSnapshot]) -> list[tuple[str, str]]:
        """Chosen interfaces that are no links, with why."""
        names = {link.name for link in links}
        missing = ((name, self._core.ports.problem(name)) for name in self._core.interfaces or () if name not in names)
        return [(name, why) for name, why in missing if why]

    def _ours(self, exports: Iterable[tuple[Held, Standing | ExportSnapshot]], heard: Heard) -> Iterator[DeviceSnapshot]:
        """Our own exports as devices, as far as they are served."""
        for held, shown in exports:
            own = own_device_view(held, shown, heard.at.get(held.spec.address), self._core.clock)
            if own is not None:
                yield own
