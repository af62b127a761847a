"""Events: what happened, newest last."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.message import Message
from textual.widgets import RichLog

from aoetui.actions import Scope, bindings
from aoetui.engine.snapshot import Event, Severity
from aoetui.screens.base import ConsoleScreen
from aoetui.widgets.plain import plain, printable
from aoetui.widgets.words import Words

if TYPE_CHECKING:
    from datetime import date

    from rich.console import Console
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import Resize

    from aoetui.engine.snapshot import EngineSnapshot

MARKS = {
    Severity.INFO: ("- info", "dim"),
    Severity.WARNING: ("! warning", "yellow"),
    Severity.ALARM: ("x ALARM", "bold red"),
}

LEVELS: tuple[tuple[str, frozenset[Severity]], ...] = (
    ("every event", frozenset(Severity)),
    ("warnings and alarms", frozenset({Severity.WARNING, Severity.ALARM})),
    ("alarms only", frozenset({Severity.ALARM})),
)


_INDENT = 33
MOST_LINES = 5000
"""Of the log; the oldest make room."""


def event_line(event: Event, width: int, console: Console) -> Text:
    """Time, severity, subject, sentence; what does not fit `width` columns goes on below the sentence."""
    mark, style = MARKS[event.severity]
    lines = plain(event.text, 300).wrap(console, max(width - _INDENT, 20), no_wrap=False)
    return Text.assemble(
        (f"{event.time.astimezone():%H:%M:%S}  ", "dim"),
        (f"{mark:<10}", style),
        (f"{printable(event.subject, 12):<13}", "bold"),
        ("\n" + " " * _INDENT).join(line.plain.rstrip() for line in lines),
    )


def day_line(event: Event) -> Text:
    """Stands before the first event of a day."""
    return Text(f"{event.time.astimezone():%A, %d %B %Y}", "dim")


class EventLog(RichLog):
    """Tells the screen of its room: what is at the end of a log is not any more when that becomes lower."""

    class Resized(Message):
        """The log has another size, its first one perhaps."""

    def on_resize(self, _event: Resize) -> None:
        """Beside what RichLog does then."""
        self.post_message(self.Resized())


class EventsScreen(ConsoleScreen):
    """The engine's events, from when the console started or as far back as the engine keeps them."""

    SCOPE = Scope.EVENTS
    CSS_PATH = "events.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.EVENTS)

    def __init__(self) -> None:
        super().__init__()
        self._newest = 0
        self._level = 0
        self._written: tuple[str, int] | None = None
        """Filter and level that the log was written with."""
        self._day: date | None = None
        """Of the last line written."""
        self._following = True
        """Whether the log stays at its newest line; while it is on its way there, its position does not tell."""
        self._on_its_way = False

    def body(self) -> ComposeResult:
        """The log, and a line that says what it holds."""
        yield EventLog(id="events", max_lines=MOST_LINES, wrap=True, min_width=20)
        yield Words(id="events-state")

    def show(self, snapshot: EngineSnapshot) -> None:  # noqa: ARG002 - what every screen is given; events are read beside it
        """Add what is new; write all again when the filter changed."""
        fresh = [event for event in self.console.events if event.number > self._newest]
        if fresh:
            self._newest = fresh[-1].number
        log = self.query_one("#events", RichLog)
        if self._written != (self.filter_text, self._level):
            self._written = (self.filter_text, self._level)
            log.clear()
            self._day = None
            fresh = list(self.console.events)
        self._write(log, [event for event in fresh if self._passes(event)])
        self.counted = (sum(self._passes(event) for event in self.console.events), len(self.console.events))
        self._say_state(log)

    def action_follow(self) -> None:
        """To the newest, and on with it."""
        log = self.query_one("#events", RichLog)
        log.scroll_end(animate=False)
        self._say_state(log)

    def action_severity(self) -> None:
        """Show the next set of severities."""
        self._level = (self._level + 1) % len(LEVELS)
        self.console.refresh_screen()

    def row_text(self) -> str:
        """The newest event that is shown: there is no cursor here."""
        shown = [event for event in self.console.events if self._passes(event)]
        return event_line(shown[-1], 1000, self.app.console).plain if shown else ""

    def _passes(self, event: Event) -> bool:
        return event.severity in LEVELS[self._level][1] and self.matches(event.subject, event.text)

    def _write(self, log: RichLog, events: list[Event]) -> None:
        if events and not self._on_its_way:
            self._following = log.is_vertical_scroll_end
        if events and self._following:
            self._go_to_end()
        width = log.scrollable_content_region.width or self.app.size.width
        for event in events:
            if event.time.astimezone().date() != self._day:
                self._day = event.time.astimezone().date()
                log.write(day_line(event), scroll_end=self._following)
            log.write(event_line(event, width, self.app.console), scroll_end=self._following)

    def on_event_log_resized(self) -> None:
        """Stay at the end."""
        if self._following:
            self._go_to_end()

    def _go_to_end(self) -> None:
        self._on_its_way = True
        self.call_after_refresh(self._arrive)

    def _arrive(self) -> None:
        log = self.query_one("#events", RichLog)
        log.scroll_end(animate=False, immediate=True)
        self._on_its_way = False
        self._say_state(log)

    def _say_state(self, log: RichLog) -> None:
        shown = self.counted[0] if self.counted else 0
        following = self._on_its_way or log.is_vertical_scroll_end
        where = "following" if following else "not following: f goes to the newest"
        text = (
            "Nothing has happened yet."
            if not self.console.events
            else f"{LEVELS[self._level][0]}, {shown} of {len(self.console.events)}; {where}"
        )
        self.query_one("#events-state", Words).update(Text(text))
