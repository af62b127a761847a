"""Rows of a table, and how one becomes a line of fixed width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from aoetui.widgets.words import alike

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from rich.text import Text

GAP = 1
"""Blank columns after each cell."""


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


def line(columns: Sequence[Column], cells: Sequence[Text], console: Console) -> Strip:
    """The cells side by side, each as wide as its column, in their own styles alone."""
    gap = Segment(" " * GAP)
    segments = [part for column, cell in zip(columns, cells, strict=True) for part in (*_fitted(column, cell, console), gap)]
    return Strip(segments, width_of(columns))


def width_of(columns: Sequence[Column]) -> int:
    """Of a whole line, in cells."""
    return sum(column.width + GAP for column in columns)


def dressed(strip: Strip, style: Style, width: int, *, over: Style | None = None) -> Strip:
    """The line in the colours of the table, at least `width` cells wide; `over` also goes over the colours of its cells."""
    return Strip(Segment.apply_style(strip.extend_cell_length(width), style, over), max(strip.cell_length, width))


def same_row(one: Row, other: Row) -> bool:
    """Whether two rows look the same; to compare them costs less than to fit one."""
    return one is other or all(map(alike, one.cells, other.cells))


def _fitted(column: Column, cell: Text, console: Console) -> Iterator[Segment]:
    """Cut to the width; what is left of it stands before figures and after words."""
    room = column.width - cell.cell_len
    if room < 0:
        cell = cell.copy()
        cell.truncate(column.width, overflow="ellipsis")
        room = column.width - cell.cell_len
    blank = Segment(" " * room)
    if column.right:
        yield blank
    if cell.spans:
        yield from cell.render(console)
    else:
        yield Segment(cell.plain, cell.style if isinstance(cell.style, Style) else Style.parse(cell.style))
    if not column.right:
        yield blank
