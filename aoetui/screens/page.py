"""A page of lines to read, over the section it was called from."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from aoetui.screens.dialog import Dialog
from aoetui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult


class Page(Dialog[None]):
    """Closes on the keys that people try; moves by arrows, j and k, pages by space and page keys."""

    CSS_PATH = "page.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "close", key_display="esc"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
        Binding("g", "end(-1)", show=False),
        Binding("G", "end(1)", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[Text], keys: str = "up and down to read, esc to close") -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._keys = keys

    def compose(self) -> ComposeResult:
        """One page that scrolls."""
        with VerticalScroll(id="page") as page:
            page.border_title = Text(self._title).markup
            page.border_subtitle = self._keys
            yield Words(id="page-lines")

    def on_mount(self) -> None:
        """Show the lines; keys scroll them from the start."""
        self.show_lines(self._lines)
        self.set_focus(self.query_one("#page"))

    def show_lines(self, lines: Sequence[Text]) -> None:
        """Show these, from their beginning."""
        self.query_one("#page-lines", Words).update(Text("\n").join(lines))
        self.query_one("#page", VerticalScroll).scroll_home(animate=False)

    def action_close(self) -> None:
        """Back to the section."""
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """Lines down or up."""
        self.query_one("#page", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_end(self, way: int) -> None:
        """To the last line, or the first."""
        page = self.query_one("#page", VerticalScroll)
        if way > 0:
            page.scroll_end(animate=False)
        else:
            page.scroll_home(animate=False)
