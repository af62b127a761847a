"""Help: the keys of the view it was called from, then those of everywhere, then the words that the views use."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.table import Table
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from aoetui.actions import Action, Scope, actions_in, shown_key
from aoetui.engine.commands.kernel_words import STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

MOVING = (
    ("arrows, j k", "Move by a row."),
    ("g G, home end", "To the first row, to the last."),
    ("tab", "To the next pane."),
)

WORDS = (
    ("* up", "Answered the last broadcast."),
    ("x silent", "Missed two broadcasts; its age says since when."),
    ("~ flapping", "Fell silent and answered again three times within five minutes: cables, switch port, a busy target."),
    ("- gone", "No answer for ten minutes."),
    ("= ours", "An export of this host. It does not hear itself, so the engine tells of it."),
    ("! conflict", "Two disks at one address. Linux takes them for two paths of one disk and corrupts both."),
    ("? linux", "Only this host's Linux driver knows it: nobody answers for it where aoetui asks."),
    *STATES,
    ("path", "One MAC that answers for a device, seen from one interface of ours."),
    ("payload", "Bytes of data in one frame. 8.7k needs MTU 9000 all the way; 1.0k is MTU 1500."),
    ("to it, from", "Payload that really gets through, each way; ! is less than both ends offer, + that no more could be tried."),
    ("rtt", "Round-trip time of the last question, in milliseconds."),
    ("buffers", "Buffer count: how many requests the target takes at once."),
    ("config", "Config string: a label that the target keeps; hosts find their disk by it."),
    ("cached", "A write is answered once this host's memory has it: a power cut here can lose answered writes."),
    ("durable", "A write is answered once stable storage has it; direct+dur goes past the page cache as well."),
    ("direct", "Past this host's page cache; a power cut can lose what the disk's own cache holds."),
    ("mask list", "Where it holds a MAC, the only ones that are answered."),
    ("reservation", "Where it holds a MAC, the only ones that may read and write."),
    ("RETRANSMIT", "The initiator asks again, with another tag, for what was not answered yet."),
    ("REPEAT", "The same tag once more: a copy made by the network, or a second answer."),
    ("LATE", "An answer that came after its initiator had asked again, or had waited for a second."),
    ("UNANSWERED", "A request without an answer for a second."),
    ("2 !", "Two use the export, and more than one writes: unless they share a cluster file system, it is being corrupted."),
    ("p99", "99 of 100 requests waited at most so long within the last ten seconds."),
)


class HelpScreen(ModalScreen[None]):
    """Closes on the keys that people try."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,f1", "close", "close", key_display="esc"),
        Binding("j", "scroll('down')", show=False),
        Binding("k", "scroll('up')", show=False),
    ]

    def __init__(self, scope: Scope, *, read_only: bool = False) -> None:
        super().__init__()
        self._scope = scope
        self._read_only = read_only

    def compose(self) -> ComposeResult:
        """One page that scrolls."""
        with VerticalScroll(id="help") as page:
            page.border_title = "help"
            page.border_subtitle = "up and down to read, esc to close"
            yield Static(self._page(), markup=False)

    def _page(self) -> Table:
        here = () if self._scope is Scope.GLOBAL else actions_in(self._scope, read_only=self._read_only)
        everywhere = actions_in(Scope.GLOBAL, read_only=self._read_only)
        page = Table.grid(padding=(0, 1))
        page.add_column(width=15)
        page.add_column()
        _section(page, f"In {self._scope}", [*map(_action_line, here), *MOVING])
        _section(page, "Everywhere", [*map(_action_line, everywhere)])
        _section(page, "What the words mean", WORDS)
        return page

    def action_close(self) -> None:
        """Back to the view."""
        self.dismiss(None)

    def action_scroll(self, way: str) -> None:
        """A line down or up."""
        page = self.query_one("#help", VerticalScroll)
        page.scroll_relative(y=1 if way == "down" else -1, animate=False)


def _action_line(action: Action) -> tuple[str, str]:
    return ", ".join(shown_key(key) for key in action.keys) or "palette only", action.help


def _section(page: Table, title: str, lines: Sequence[tuple[str, str]]) -> None:
    page.add_row(Text(title, "bold"))
    for keys, meaning in lines:
        page.add_row(Text(f" {keys}", "yellow"), Text(meaning))
    page.add_row("")
