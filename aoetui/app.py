"""The console's App: sections, theme, keys, and the one handle on the engine.

It reads nothing but snapshots and events, and changes nothing but through commands. No part of the engine runs on this loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual import work
from textual.app import App
from textual.events import InputEvent
from textual.widgets import Input

from aoetui.actions import LEADING, Scope, bindings, is_change
from aoetui.collector import Collector
from aoetui.engine.api import ChooseInterfaces, Discover, EngineError, Watch
from aoetui.engine.commands.kernel import KernelDiscover
from aoetui.engine.snapshot import Severity
from aoetui.keyboard import ConsoleDriver
from aoetui.palette import palette_commands
from aoetui.screens.base import ConsoleScreen
from aoetui.screens.choose_interfaces import ChooseInterfacesDialog
from aoetui.screens.confirm import Confirm
from aoetui.screens.doctor import DoctorScreen
from aoetui.screens.driver import load_driver
from aoetui.screens.events import EventsScreen
from aoetui.screens.export_form import ExportForm
from aoetui.screens.exports import ExportsScreen
from aoetui.screens.help import HelpScreen
from aoetui.screens.interfaces import InterfacesScreen
from aoetui.screens.quit_question import quit_question
from aoetui.screens.san import SanScreen
from aoetui.screens.tasks import TasksScreen
from aoetui.screens.trace import TraceScreen
from aoetui.theme import CALM, SIXTEEN, SLOW_LINK, draws_blocks
from aoetui.widgets.plain import printable
from aoetui.widgets.status import Status, StatusBar
from aoetui.widgets.toasts import LOUDNESS, toasts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from textual.app import SystemCommand
    from textual.binding import BindingType
    from textual.events import Event as TextualEvent
    from textual.screen import Screen
    from textual.timer import Timer

    from aoetui.engine.api import Command, Engine
    from aoetui.engine.snapshot import EngineSnapshot, Event

Result = TypeVar("Result")

PERIODS = (0.25, 0.5, 1.0, 2.0)
"""Seconds between two pictures, shortest first."""

MOST_EVENTS = 2000
"""Events that are held for Events; the oldest make room."""

GROWING = 0.3
"""Seconds until the next picture while devices appear, or tell who they are: who asked for them waits for them."""

STALE_AFTER = 3.0
"""Seconds after which a snapshot is shown as old."""

_log = logging.getLogger(__name__)


class ConsoleApp(App[None], inherit_bindings=False):
    """The console on any Engine. `embedded` says that the engine ends with this process."""

    TITLE = "aoetui"
    CSS_PATH = "app.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.GLOBAL)
    MODES: ClassVar[dict[str, str | Callable[[], Screen[None]]]] = {
        "san": SanScreen,
        "exports": ExportsScreen,
        "interfaces": InterfacesScreen,
        "trace": TraceScreen,
        "events": EventsScreen,
        "doctor": DoctorScreen,
    }
    DEFAULT_MODE = "san"
    # Instance attributes, as Textual declares them.
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (80, "-normal"), (120, "-wide")]  # noqa: RUF012 - see above
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-high"), (34, "-tall")]  # noqa: RUF012 - see above

    def __init__(
        self,
        engine: Engine,
        *,
        read_only: bool = False,
        embedded: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(driver_class=ConsoleDriver)
        self.engine = engine
        self.read_only = read_only
        self.embedded = embedded
        self.ascii_only = not draws_blocks(os.environ)
        """Whether frames and charts are drawn with ASCII."""
        self.set_class(self.ascii_only, "-ascii")
        self.snapshot: EngineSnapshot = engine.snapshot()
        """The latest. It is replaced, never changed."""
        self.paused = False
        self._clock = clock
        self._collector = Collector(clock)
        self._problem = ""
        self._period = PERIODS.index(1.0)
        self._ticker: Timer | None = None
        self._sooner: Timer | None = None
        self._beating = False
        """Whether a snapshot is under way."""
        self.events: deque[Event] = deque(engine.events(0), maxlen=MOST_EVENTS)
        """As far back as the engine keeps them, newest last."""
        self._toasted = self.events[-1].number if self.events else 0

    def on_mount(self) -> None:
        """Start the one timer; on the first run ask where AoE may be spoken."""
        self.animation_level = "none"
        self.register_theme(CALM)
        self.theme = CALM.name
        self.ansi_theme_dark = SIXTEEN
        self._tick_every(PERIODS[self._period])
        if self.snapshot.interfaces is None and not self.read_only:
            self.choose_interfaces()

    def clear_selection(self) -> None:
        """Before the first screen is on the stack nothing is selected: from Python 3.12 on its fields are mounted before that."""
        if self.screen_stack:
            super().clear_selection()

    def leave(self) -> None:
        """End the console, in order and without a question."""
        self.watch_san(looking=False)
        self.exit()

    def _handle_exception(self, error: Exception) -> None:
        """What happens in a screen that was half made when the console was told to leave is logged, and shown to nobody."""
        if self._exit:
            _log.warning("while the console left: %r", error)
        else:
            super()._handle_exception(error)

    # -- what screens use -------------------------------------------------------------------------------------------

    async def ask(self, command: Command[Result], timeout: float = 30.0) -> Result:  # noqa: ASYNC109 - one bound for every caller
        """Have the engine carry a command out, without holding up the loop. Raises EngineError, also after `timeout` seconds."""
        waiting = asyncio.wrap_future(self.engine.submit(command))
        try:
            # Shielded: the engine goes on with what it accepted, and its future must stay its own to fill.
            return await asyncio.wait_for(asyncio.shield(waiting), timeout)
        except TimeoutError:
            text = f"The engine has not answered for {timeout:.0f} s: it may still do it; 5 Events tells."
            raise EngineError(text) from None

    def send(self, command: Command[Result], said: str = "") -> None:
        """Ask, say `said` once it is done, or why it was refused."""
        self.run_worker(self._send(command, said), exit_on_error=True)

    def say(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Show a toast of plain text."""
        self.notify(printable(text, 300), severity=LOUDNESS[severity], markup=False)

    def refresh_screen(self) -> None:
        """Show the latest snapshot on the visible section, and what is true in its header."""
        screen = self._section()
        if screen is None or not screen.stands:
            return
        screen.show(self.snapshot)
        screen.keep_focus()
        screen.query_one(StatusBar).show(self._status(screen))

    def watch_san(self, *, looking: bool) -> None:
        """Tell the scanner whether someone looks: it asks more often then."""
        self.engine.submit(Watch(looking))

    # -- the picture ------------------------------------------------------------------------------------------------

    def pull(self) -> None:
        """Take a snapshot and show it now. Nothing that fails here ends the console: the header says what failed."""
        if not self.paused:
            with self._failure_is_shown():
                self._take(self.engine.snapshot(), self.engine.events(self._toasted))
        self.refresh_screen()

    async def _beat(self) -> None:
        """The same, once in a while. With thousands of devices and exports a snapshot takes its time, and no key waits for it."""
        if self._beating:
            return
        before = known_devices(self.snapshot)
        if not self.paused:
            with self._failure_is_shown():
                self._beating = True
                try:
                    snapshot = await asyncio.to_thread(self.engine.snapshot)
                finally:
                    self._beating = False
                if snapshot.monotonic >= self.snapshot.monotonic and not self.paused:
                    self._take(snapshot, self.engine.events(self._toasted))
        self.refresh_screen()
        self._collector.rest()
        if known_devices(self.snapshot) != before:
            if self._sooner is not None:
                self._sooner.stop()
            self._sooner = self.set_timer(GROWING, self._beat)

    async def on_event(self, event: TextualEvent) -> None:
        """Textual's; notes that something was typed or clicked."""
        if isinstance(event, InputEvent):
            self._collector.typed()
        await super().on_event(event)

    def _take(self, snapshot: EngineSnapshot, events: list[Event]) -> None:
        self.snapshot = snapshot
        self._tell(events)

    @contextmanager
    def _failure_is_shown(self) -> Iterator[None]:
        try:
            yield
            self._problem = ""
        except Exception as error:  # noqa: BLE001 - the timer's edge: logged once, and shown
            if not self._problem:
                _log.exception("no snapshot from the engine")
            self._problem = f"engine: {error}"

    def _tick_every(self, seconds: float) -> None:
        if self._ticker is not None:
            self._ticker.stop()
        self._ticker = self.set_interval(seconds, self._beat)

    def _section(self) -> ConsoleScreen | None:
        """The section that is visible, under a dialog perhaps."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, ConsoleScreen)), None)

    def _status(self, screen: ConsoleScreen) -> Status:
        age = self._clock() - self.snapshot.monotonic
        return Status(
            snapshot=self.snapshot,
            mode=self.current_mode,
            embedded=self.embedded,
            read_only=self.read_only,
            paused=self.paused,
            stale=float(int(age)) if age > STALE_AFTER else None,
            problem=self._problem,
            filter_text=screen.filter_text,
            counted=screen.counted,
        )

    def _tell(self, events: list[Event]) -> None:
        self._toasted = events[-1].number if events else self._toasted
        self.events.extend(events)
        for text, severity in toasts(events):
            self.say(text, severity)

    async def _send(self, command: Command[Result], said: str) -> None:
        try:
            await self.ask(command)
        except EngineError as error:
            self.say(str(error), Severity.ALARM)
        else:
            if said:
                self.say(said)
        self.pull()

    # -- actions (actions.py says when) -------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """In read-only mode, what changes something does not exist. While something is typed or asked, no key leads away."""
        if action in LEADING and (not isinstance(self.screen, ConsoleScreen) or isinstance(self.focused, Input)):
            return False
        if action == "back":
            return isinstance(self.screen, ConsoleScreen) and self.screen.something_open
        return not (self.read_only and is_change(action))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette's commands."""
        return palette_commands(self, screen)

    async def _show_section(self, mode: str) -> None:
        """Go there; it is filled before the next key arrives, and painted once, when the screen has all its styles."""
        with ExitStack() as hold:
            hold.enter_context(self.batch_update())
            await self.switch_mode(mode)
            self.refresh_screen()
            self.screen.call_later(hold.pop_all().close)

    def delay_update(self, delay: float = 0.05) -> None:
        """Textual would paint nothing for so long after a change of section, to hide what is not finished: nothing is then."""

    async def action_show_san(self) -> None:
        """Go to SAN."""
        await self._show_section("san")

    async def action_show_exports(self) -> None:
        """Go to Exports."""
        await self._show_section("exports")

    async def action_show_interfaces(self) -> None:
        """Go to Interfaces."""
        await self._show_section("interfaces")

    async def action_show_trace(self) -> None:
        """Go to Trace."""
        await self._show_section("trace")

    async def action_show_events(self) -> None:
        """Go to Events."""
        await self._show_section("events")

    async def action_show_doctor(self) -> None:
        """Go to Doctor."""
        await self._show_section("doctor")

    def offers(self, name: str) -> bool:
        """Whether the palette has an action of everywhere now: no driver is loaded that is there."""
        kernel = self.snapshot.kernel
        if name == "load_driver":
            return kernel is None
        return name != "load_driver_always" or kernel is None or not kernel.starts

    def action_discover(self) -> None:
        """Broadcast now; the Linux driver too, if it is loaded and listens to us."""
        names, kernel = self.snapshot.interfaces, self.snapshot.kernel
        if kernel is not None and kernel.here and not kernel.controls:
            self.send(KernelDiscover(), "" if names else "The Linux driver asks every device on its interfaces.")
            if not names:
                return
        if not names:
            self.say("No interface is chosen: press i on SAN or Interfaces to choose where AoE is spoken.", Severity.WARNING)
            return
        self.send(Discover(), f"Asked every device on {', '.join(names)}.")

    async def action_new_export(self) -> None:
        """Open the form; what is typed from now on goes there."""
        await self.push_screen(ExportForm())

    async def action_show_tasks(self) -> None:
        """Show what is copied."""
        await self.push_screen(TasksScreen())

    @work(group="question", exclusive=True)
    async def action_load_driver(self) -> None:
        """Load the Linux driver."""
        await load_driver(self, persist=False)

    @work(group="question", exclusive=True)
    async def action_load_driver_always(self) -> None:
        """Load the Linux driver now and at each start."""
        await load_driver(self, persist=True)

    @work(group="question", exclusive=True)
    async def choose_interfaces(self) -> None:
        """Ask which interfaces are scanned, and have them scanned."""
        chosen = await self.push_screen_wait(ChooseInterfacesDialog(self.snapshot.links, self.snapshot.interfaces))
        if chosen is not None:
            await self._send(ChooseInterfaces(chosen), f"Scanning {', '.join(chosen) or 'no interface'} from now on.")

    def action_filter(self) -> None:
        """Open the filter line."""
        if (screen := self._section()) is not None:
            screen.start_filter()

    async def action_back(self) -> None:
        """Close one thing."""
        if (screen := self._section()) is not None:
            screen.back()

    def action_help(self) -> None:
        """Show the keys and the words."""
        screen = self._section()
        self.push_screen(HelpScreen(screen.SCOPE if screen else Scope.GLOBAL, read_only=self.read_only))

    def action_copy_row(self) -> None:
        """Copy through the terminal (OSC 52), which works over SSH too."""
        if (screen := self._section()) is not None and (text := screen.row_text()):
            self.copy_to_clipboard(text)
            self.say(f"Copied, where the terminal allows it: {text}")

    def action_pause(self) -> None:
        """Hold the picture, or let it go on."""
        self.paused = not self.paused
        self.watch_san(looking=not self.paused)
        self.pull()

    def action_faster(self) -> None:
        """More pictures."""
        self._change_period(-1)

    def action_slower(self) -> None:
        """Fewer pictures."""
        self._change_period(1)

    def _change_period(self, step: int) -> None:
        self._period = min(max(self._period + step, 0), len(PERIODS) - 1)
        self._tick_every(PERIODS[self._period])
        self.say(f"Refreshing {1 / PERIODS[self._period]:g} times a second.")

    def action_slow_link(self) -> None:
        """Change the colours."""
        self.theme = CALM.name if self.theme == SLOW_LINK else SLOW_LINK

    async def action_quit(self) -> None:
        """Leave; ask first while something is served here. Asked twice, the question stays one."""
        question = quit_question(self.snapshot) if self.embedded else None
        if question is None:
            self.leave()
        elif not isinstance(self.screen, Confirm):
            self.push_screen(question, self._answered)

    def _answered(self, yes: bool | None) -> None:
        if yes:
            self.leave()


def known_devices(snapshot: EngineSnapshot) -> tuple[int, int]:
    """How many devices there are, and how many of them have told who they are."""
    return len(snapshot.devices), sum(device.size is not None for device in snapshot.devices)
