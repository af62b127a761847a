"""A table that lives: keyed rows, fixed column widths, and only what changed is painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widgets.data_table import RowKey


GAP = 1
"""Blank columns between two cells."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of fixed width in cells: a width that follows its content costs a measure of every row at each change."""

    key: str
    title: str
    width: int
    right: bool = False
    """Figures stand right."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `key` stays the same as long as the thing it shows does."""

    key: str
    cells: tuple[Text, ...]


class LiveTable(DataTable[Text], inherit_bindings=False):
    """Shows rows again and again; the cursor stays on the same key, wherever that moves.

    Enter is left to the screen, so that the footer names what it does there. A click on the selected row posts RowSelected.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor_up", "up", show=False),
        Binding("down,j", "cursor_down", "down", show=False),
        Binding("left,h", "scroll_left", "left", show=False),
        Binding("right,l", "scroll_right", "right", show=False),
        Binding("pageup,ctrl+b", "page_up", "page up", show=False),
        Binding("pagedown,ctrl+f", "page_down", "page down", show=False),
        Binding("home,g", "scroll_top", "top", show=False),
        Binding("end,G", "scroll_bottom", "bottom", show=False),
    ]

    def __init__(self, columns: Sequence[Column], *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(cursor_type="row", zebra_stripes=False, cell_padding=0, id=id)
        self._layout_of = tuple(columns)
        self._shown: dict[str, tuple[Text, ...]] = {}
        self._given: dict[str, Row] = {}

    def on_mount(self) -> None:
        """Make the columns."""
        for column in self._layout_of:
            self.add_column(self._fitted(column, Text(column.title)), width=column.width + GAP, key=column.key)

    @property
    def current_key(self) -> str | None:
        """The key of the row under the cursor; None in an empty table."""
        if not 0 <= self.cursor_row < len(self._shown):
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows, in this order. Keys must differ. A Row that is the same object as before costs nothing."""
        cells = {row.key: self._kept(row) or self._fit(row.cells) for row in rows}
        if list(cells) == list(self._shown):
            self._update(cells)
        else:
            self._rebuild(cells)
        self._shown = cells
        self._given = {row.key: row for row in rows}

    def select(self, key: str) -> bool:
        """Put the cursor on this row; False if there is none of that key."""
        if key not in self._shown:
            return False
        self.move_cursor(row=self.get_row_index(key), animate=False)
        return True

    def _kept(self, row: Row) -> tuple[Text, ...] | None:
        """The cells as they were fitted before, unless they say something else: to compare costs less than to fit."""
        given = self._given.get(row.key)
        if given is None or (given is not row and not all(map(alike, given.cells, row.cells))):
            return None
        return self._shown[row.key]

    def _update_dimensions(self, _new_rows: Iterable[RowKey]) -> None:
        """Textual would measure each cell of the new rows, for columns as wide as their content: these have fixed widths."""
        super()._update_dimensions(())

    def _fit(self, cells: tuple[Text, ...]) -> tuple[Text, ...]:
        return tuple(self._fitted(column, cell) for column, cell in zip(self._layout_of, cells, strict=True))

    def _fitted(self, column: Column, cell: Text) -> Text:
        """Cut to the width, figures to the right. The table's own padding would take two columns for each gap."""
        cell = cell.copy()
        cell.truncate(column.width, overflow="ellipsis")
        if column.right:
            cell.pad_left(column.width - cell.cell_len)
        cell.no_wrap = True
        return cell

    def _update(self, cells: dict[str, tuple[Text, ...]]) -> None:
        for key, new in cells.items():
            if new is self._shown[key]:
                continue
            for column, before, after in zip(self._layout_of, self._shown[key], new, strict=True):
                if not alike(before, after):
                    self.update_cell(key, column.key, after)

    def _rebuild(self, cells: dict[str, tuple[Text, ...]]) -> None:
        """Adding and removing single rows costs as much as all of them, so a change of order makes the table anew."""
        kept, row, offset = self.current_key, self.cursor_row, self.scroll_y
        with self.app.batch_update():
            self.clear()
            for key, new in cells.items():
                self.add_row(*new, key=key)
            index = self.get_row_index(kept) if kept in cells else min(row, len(cells) - 1)
            self.move_cursor(row=max(index, 0), animate=False, scroll=False)
            self.scroll_to(y=offset, animate=False, immediate=True)


def alike(one: Text, other: Text) -> bool:
    """Whether two cells look the same: Text compares what is written and its spans alone."""
    return one is other or (one.plain == other.plain and one.style == other.style and one.spans == other.spans)
