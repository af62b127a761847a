"""What every screen of the console has: the header, a body, the filter line, the footer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Input, Static

from aoetui.actions import LEADING, Scope, is_change
from aoetui.widgets.fields import Line
from aoetui.widgets.keys_line import KeysLine
from aoetui.widgets.status import StatusBar
from aoetui.widgets.table import LiveTable

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from aoetui.app import ConsoleApp
    from aoetui.engine.snapshot import EngineSnapshot

TOO_SMALL = "aoetui needs 60 columns and 20 lines: enlarge the terminal, or press q to leave."


class ConsoleScreen(Screen[None]):
    """One section. A subclass sets SCOPE and BINDINGS = bindings(SCOPE), and writes `body` and `show`."""

    SCOPE: ClassVar[Scope]

    def __init__(self) -> None:
        super().__init__()
        self.filter_text = ""
        """Lower case; empty shows everything."""
        self.counted: tuple[int, int] | None = None
        """Rows shown and rows in all, for the header while a filter is on; `show` sets it."""

    @property
    def console(self) -> ConsoleApp:
        """The app, as what it is."""
        return cast("ConsoleApp", self.app)

    @property
    def stands(self) -> bool:
        """Whether all its widgets are there: not before it is mounted, and not while it or the app is going."""
        return self.is_mounted and self.display and self.app.is_running

    @property
    def something_open(self) -> bool:
        """Whether `back` has something to close."""
        return self.stands and (bool(self.filter_text) or self.has_class("-opened") or self.query_one("#filter").display)

    def compose(self) -> ComposeResult:
        """Header, body, filter line, footer; and the line that stands alone in a terminal that is too small."""
        yield StatusBar()
        with Container(id="body"):
            yield from self.body()
        line = Line(placeholder="filter: type, enter keeps it, esc clears it", id="filter", compact=True, max_length=60)
        # An idle console sends nothing.
        line.cursor_blink = False
        yield line
        yield KeysLine()
        yield Static(TOO_SMALL, id="too-small", markup=False)

    def body(self) -> ComposeResult:
        """The section's own widgets."""
        raise NotImplementedError

    def show(self, snapshot: EngineSnapshot) -> None:
        """Show this snapshot. Called about once a second while the screen is visible, and at once when it becomes so."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """The keys go to the body from the start; the console shows the rest once the screen is seen."""
        self.keep_focus()

    def keep_focus(self) -> None:
        """Give the keys to the body if nothing has them: what had them is not shown any more, or there was nothing to show."""
        if self.focused is None:
            self.set_focus(next((each for each in self.query("#body *") if each.focusable), None))

    def on_screen_resume(self) -> None:
        """Nothing was shown while the screen was hidden: show what is true now."""
        self.call_after_refresh(self.console.refresh_screen)

    def on_resize(self) -> None:
        """Some texts depend on the room they have, which is known once the new layout stands."""
        self.call_after_refresh(self.console.refresh_screen)

    def matches(self, *texts: str | bytes) -> bool:
        """Whether the filter's text stands in any of these; true without a filter."""
        if not self.filter_text:
            return True
        return any(
            self.filter_text in (each.decode("utf-8", "replace") if isinstance(each, bytes) else each).lower() for each in texts
        )

    def start_filter(self) -> None:
        """Open the filter line, where the footer was: nothing else moves, or has to be painted."""
        line = self.query_one("#filter", Input)
        line.display, self.query_one(KeysLine).display = True, False
        self.set_focus(line)
        self.refresh_bindings()

    def back(self) -> bool:
        """Close one thing: the filter line, then the filter. False if nothing was open. Subclasses close their own first."""
        line = self.query_one("#filter", Input)
        if not line.display and not self.filter_text:
            return False
        line.value = ""
        self._leave_filter()
        self._filter_by("")
        return True

    def row_text(self) -> str:
        """What `y` copies: the row under the cursor of the screen's first table; empty if there is none."""
        tables = self.query(LiveTable)
        row = tables.first().current_row if tables else None
        return "  ".join(cell.plain.strip() for cell in row.cells) if row else ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """In read-only mode, what changes something does not exist; what is open cannot be opened; what is typed stays typed."""
        if action.startswith("open_") and self.has_class("-opened"):
            return False
        if action in LEADING and isinstance(self.focused, Input):
            return False
        return not (self.console.read_only and is_change(action))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while the person types."""
        if event.input.id == "filter":
            self._filter_by(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter, and give the keys back to the body."""
        if event.input.id == "filter":
            self._leave_filter()

    def _leave_filter(self) -> None:
        line = self.query_one("#filter", Input)
        typed_into = line.has_focus
        line.display, self.query_one(KeysLine).display = False, True
        if typed_into:
            self.focus_next("#body *")
        self.refresh_bindings()

    def _filter_by(self, text: str) -> None:
        if text.lower() != self.filter_text:
            self.filter_text = text.lower()
            self.refresh_bindings()
            self.console.refresh_screen()
