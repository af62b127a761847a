"""A table that lives: keyed rows, columns of fixed width, and only what is seen is made and painted.

A list of thousands costs no more than the lines on the screen. So a row is made when it is seen, by a function that the
screen gives; a line is fitted once for each row that looks different; and a line is painted when it is not the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import is_
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from aoetui.widgets.table_rows import Column, Row, dressed, line, same_row, width_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events
    from textual.geometry import Region

__all__ = ["Column", "LiveTable", "Row"]

_HEADER = 1
"""Lines above the first row."""


@dataclass(slots=True, eq=False)
class _Line:
    """A row that is seen."""

    row: Row
    fitted: Strip
    """In the styles of its cells alone."""
    painted: Strip | None = None
    """In the table's colours; None until it is painted without the cursor."""


class LiveTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows rows again and again; the cursor stays on the same key, wherever that moves.

    Enter is left to the screen, so that the footer names what it does there. A click on the selected row posts RowSelected.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"live-table--header", "live-table--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("left,h", "scroll_left", "left", show=False),
        Binding("right,l", "scroll_right", "right", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "page down", show=False),
        Binding("home,g", "first", "top", show=False),
        Binding("end,G", "last", "bottom", show=False),
    ]

    class RowMessage(Message):
        """Something about a row. `key` is the row's."""

        def __init__(self, table: LiveTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> LiveTable:
            """The table that it came from."""
            return self.table

    class RowHighlighted(RowMessage):
        """The cursor went to this row."""

    class RowSelected(RowMessage):
        """The row under the cursor was clicked."""

    def __init__(self, columns: Sequence[Column], *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._titles = tuple(Text(column.title) for column in columns)
        self._keys: list[str] = []
        self._make_row: Callable[[str], Row] = dict[str, Row]().__getitem__
        self._of: tuple[object, ...] = ()
        self._rows: dict[str, Row] = {}
        """Those that were made, while they are true."""
        self._cursor = 0
        self._lines: dict[str, _Line] = {}
        """The rows that are on the screen."""
        self._dress: tuple[Style, int] = (Style.null(), 0)
        """What they were painted with: the table's own style, and its width in cells."""

    # -- what is shown ----------------------------------------------------------------------------------------------

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows, in this order. Keys must differ."""
        self.show_keys([row.key for row in rows], {row.key: row for row in rows}.__getitem__)

    def show_keys(self, keys: Sequence[str], row_of: Callable[[str], Row], of: tuple[object, ...] = ()) -> None:
        """Show the rows of these keys, in this order; `row_of` makes one, now or when it is scrolled into view.

        `of`: what rows are made of. While all of it is the same, no row is made twice.
        """
        before, selected, seen = self._on_screen(), self.current_key, self._cursor_is_seen()
        if not of or len(of) != len(self._of) or not all(map(is_, of, self._of)):
            self._of, self._rows = of, {}
        self._make_row = row_of
        if keys != self._keys:
            self._keys = list(keys)
            self._keep_cursor(selected, seen=seen)
        self._repaint(before)

    @property
    def keys(self) -> tuple[str, ...]:
        """Of all rows, from top to bottom."""
        return tuple(self._keys)

    @property
    def cursor_row(self) -> int:
        """The number of the row under the cursor, from 0."""
        return self._cursor

    @property
    def current_key(self) -> str | None:
        """The key of the row under the cursor; None in an empty table."""
        return self._keys[self._cursor] if self._keys else None

    @property
    def current_row(self) -> Row | None:
        """The row under the cursor; None in an empty table."""
        key = self.current_key
        return None if key is None else self.row_of(key)

    def row_of(self, key: str) -> Row:
        """The row of a key that is shown, as it is now."""
        if (row := self._rows.get(key)) is None:
            row = self._rows[key] = self._make_row(key)
        return row

    def select(self, key: str) -> bool:
        """Put the cursor on this row; False if there is none of that key."""
        if key not in self._keys:
            return False
        self._go(self._keys.index(key))
        return True

    # -- moving -----------------------------------------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        """Down so many rows; up if negative."""
        self._go(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Down so many pages; up if negative."""
        self.scroll_to(y=self.scroll_offset.y + pages * self._page, animate=False)
        self._go(self._cursor + pages * self._page)

    def action_first(self) -> None:
        """To the first row."""
        self._go(0)

    def action_last(self) -> None:
        """To the last row."""
        self._go(len(self._keys) - 1)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there; a click where it is selects the row."""
        place = event.get_content_offset(self)
        row = place.y - _HEADER + self.scroll_offset.y if place is not None and place.y >= _HEADER else -1
        if not 0 <= row < len(self._keys):
            return
        event.stop()
        if row == self._cursor:
            self.post_message(self.RowSelected(self, self._keys[row]))
        self._go(row)

    @property
    def _page(self) -> int:
        """Rows that are seen at once; 1 before the table has a size."""
        return max(self.size.height - _HEADER, 1)

    def _go(self, row: int) -> None:
        row = max(min(row, len(self._keys) - 1), 0)
        if row == self._cursor:
            return
        for changed in (self._cursor, row):
            self.refresh_line(changed + _HEADER)
        self._cursor = row
        self._reveal()
        self.post_message(self.RowHighlighted(self, self._keys[row]))

    def _cursor_is_seen(self) -> bool:
        return 0 <= self._cursor - self.scroll_offset.y < self._page

    def _reveal(self) -> None:
        """Scroll as little as shows the cursor."""
        top = self.scroll_offset.y
        wanted = min(max(top, self._cursor - self._page + 1), self._cursor)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True)

    def _keep_cursor(self, key: str | None, *, seen: bool) -> None:
        """The keys are new: the cursor stays on its key, or near where that was, and in view if it was."""
        try:
            self._cursor = self._keys.index(key or "")
        except ValueError:
            self._cursor = max(min(self._cursor, len(self._keys) - 1), 0)
        self.virtual_size = Size(width_of(self._columns), len(self._keys) + _HEADER)
        if self.scroll_offset.y > self.max_scroll_y:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
        if seen:
            self._reveal()

    # -- painting ---------------------------------------------------------------------------------------------------

    def render_lines(self, crop: Region) -> list[Strip]:
        """Textual's: the lines of a part of the table."""
        dress = (self.rich_style, self.size.width)
        if dress != self._dress:
            self._dress = dress
            for each in self._lines.values():
                each.painted = None
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Textual's: one line, the header first."""
        left, width = self.scroll_offset.x, self._dress[1]
        row = y - _HEADER + self.scroll_offset.y
        strip = self._header() if y < _HEADER else self._painted(row) if row < len(self._keys) else self._blank()
        return strip.crop(left, left + width)

    def _header(self) -> Strip:
        titles = line(self._columns, self._titles, self.app.console)
        return dressed(titles, self.get_component_rich_style("live-table--header"), self._dress[1])

    def _blank(self) -> Strip:
        style, width = self._dress
        return Strip.blank(self.scroll_offset.x + width, style)

    def _painted(self, row: int) -> Strip:
        style, width = self._dress
        key = self._keys[row]
        if (known := self._lines.get(key)) is None:
            known = self._lines[key] = self._made(self.row_of(key))
        if row == self._cursor:
            cursor = self.get_component_rich_style("live-table--cursor")
            return dressed(known.fitted, style + cursor, width, over=Style.from_color(cursor.color))
        if known.painted is None:
            known.painted = dressed(known.fitted, style, width)
        return known.painted

    def _made(self, row: Row) -> _Line:
        return _Line(row, line(self._columns, row.cells, self.app.console))

    def _on_screen(self) -> list[tuple[_Line | None, bool]]:
        """What stands on each line below the header, and whether the cursor does."""
        top = self.scroll_offset.y
        return [(self._lines.get(key), row == self._cursor) for row, key in enumerate(self._keys[top : top + self._page], top)]

    def _repaint(self, before: list[tuple[_Line | None, bool]]) -> None:
        """Look at the rows that are seen, and paint those lines that are not as before."""
        top = self.scroll_offset.y
        self._lines = {key: self._looked_at(key) for key in self._keys[top : top + self._page]}
        after = self._on_screen()
        for number in range(max(len(before), len(after))):
            if before[number : number + 1] != after[number : number + 1]:
                self.refresh_line(top + number + _HEADER)

    def _looked_at(self, key: str) -> _Line:
        """The line of a row, made anew only if the row looks different."""
        row, known = self.row_of(key), self._lines.get(key)
        return known if known is not None and same_row(known.row, row) else self._made(row)
