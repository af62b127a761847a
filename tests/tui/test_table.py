"""The table alone: what it makes, what it paints, and where the cursor stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import App
from textual.geometry import Region

from aoetui.widgets.table import Column, LiveTable, Row

if TYPE_CHECKING:
    import pytest
    from textual.app import ComposeResult

SIZE = (30, 11)
"""Ten rows below the header."""


class TableApp(App[None]):
    """One table, and what it told."""

    CSS = "LiveTable > .live-table--cursor { background: red; } LiveTable { scrollbar-size-horizontal: 0; }"

    def __init__(self) -> None:
        super().__init__()
        self.table = LiveTable([Column("name", "name", 8), Column("count", "count", 5, right=True)])
        self.told: list[str] = []

    def compose(self) -> ComposeResult:
        """It alone."""
        yield self.table

    def on_live_table_row_highlighted(self, event: LiveTable.RowHighlighted) -> None:
        """The cursor moved."""
        assert event.control is self.table
        self.told.append(f"at {event.key}")

    def on_live_table_row_selected(self, event: LiveTable.RowSelected) -> None:
        """A click on the selected row."""
        self.told.append(f"opens {event.key}")

    def lines(self) -> list[str]:
        """As they stand on the screen, without the blanks at their ends."""
        size = self.table.size
        return [strip.text.rstrip() for strip in self.table.render_lines(Region(0, 0, size.width, size.height))]


def rows(*names: object) -> list[Row]:
    """Each counts its letters."""
    return [Row(str(name), (Text(str(name)), Text(str(len(str(name)))))) for name in names]


async def test_columns_are_of_fixed_width_and_figures_stand_right() -> None:
    """Too long a word is cut, and a wide letter takes its two columns."""
    app = TableApp()
    async with app.run_test(size=SIZE):
        app.table.show(rows("one", "muchtoolong", "磁盘阵列柜"))
        assert app.lines()[:4] == [
            "name     count",
            "one          3",
            "muchtoo\N{HORIZONTAL ELLIPSIS}    11",
            "磁盘阵 \N{HORIZONTAL ELLIPSIS}     5",
        ]


async def test_the_cursor_stays_on_its_key_and_in_view() -> None:
    """However many rows come above it or go; it is shown as far from the top as scrolling little leaves it."""
    app = TableApp()
    async with app.run_test(size=SIZE) as pilot:
        app.table.show(rows(*range(100, 150)))
        await pilot.press("down", "down")
        assert app.table.current_key == "102"
        app.table.show(rows(*range(150)))
        await pilot.pause()
        assert app.table.current_key == "102"
        assert app.lines()[-1].split() == ["102", "3"]
        app.table.show(rows(5, 102))
        await pilot.pause()
        assert app.lines()[1:3] == ["5            1", "102          3"]
        app.table.show([])
        assert app.table.current_key is None
        assert app.table.current_row is None


async def test_a_cursor_that_was_scrolled_away_is_not_fetched() -> None:
    """Who reads further down with the wheel goes on reading when a row comes."""
    app = TableApp()
    async with app.run_test(size=SIZE) as pilot:
        app.table.show(rows(*range(100)))
        await pilot.pause()
        app.table.scroll_to(y=40, animate=False)
        app.table.show(rows(*range(101)))
        await pilot.pause()
        assert app.lines()[1].split() == ["40", "2"]
        await pilot.press("down")
        assert app.lines()[1].split() == ["1", "1"]


async def test_keys_move_by_rows_pages_and_to_the_ends() -> None:
    """Each tells where the cursor went, and one that cannot move tells nothing."""
    app = TableApp()
    async with app.run_test(size=SIZE) as pilot:
        app.table.show(rows(*range(35)))
        await pilot.pause()
        await pilot.press("up", "j", "k", "pagedown", "pagedown", "G", "down", "pageup", "g")
        assert app.told == ["at 1", "at 0", "at 10", "at 20", "at 34", "at 24", "at 0"]
        assert app.lines()[1].split() == ["0", "1"]


async def test_a_click_goes_there_and_a_second_one_selects() -> None:
    """The header and the room below the rows are no rows."""
    app = TableApp()
    async with app.run_test(size=SIZE) as pilot:
        app.table.show(rows("a", "b", "c"))
        await pilot.pause()
        for y in (0, 2, 2, 8):
            await pilot.click(LiveTable, offset=(3, y))
        assert app.told == ["at b", "opens b"]


async def test_only_what_is_seen_is_made() -> None:
    """Of ten thousand rows, ten."""
    app = TableApp()
    made: list[str] = []

    def row_of(key: str) -> Row:
        made.append(key)
        return rows(key)[0]

    async with app.run_test(size=SIZE) as pilot:
        app.table.show_keys([str(number) for number in range(10_000)], row_of)
        await pilot.pause()
        assert set(made) == {str(number) for number in range(10)}
        made.clear()
        await pilot.press("end")
        await pilot.pause()
        assert set(made) == {str(number) for number in range(9990, 10_000)}
        assert app.table.select("5000")
        assert not app.table.select("none of that")
        assert app.table.current_row == rows(5000)[0]


async def test_only_lines_that_look_different_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows again cost nothing, be they the same objects or not."""
    app = TableApp()
    painted: list[int] = []
    monkeypatch.setattr(LiveTable, "refresh_line", lambda _table, y: painted.append(y))
    async with app.run_test(size=SIZE) as pilot:
        app.table.show(rows("one", "two"))
        await pilot.pause()
        painted.clear()
        app.table.show(rows("one", "two"))
        assert painted == []
        app.table.show([Row("one", (Text("one", "red"), Text("3"))), *rows("two", "three")])
        assert painted == [1, 3]
        painted.clear()
        app.table.show(rows("three", "one"))
        assert painted == [1, 2, 3], "the cursor went with its row, and the last line is empty"


async def test_the_cursor_is_seen_over_the_colours_of_cells() -> None:
    """Its background goes over the whole line, its own attributes stay."""
    app = TableApp()
    async with app.run_test(size=SIZE) as pilot:
        app.table.show([Row("one", (Text("one", "bold green"), Text("1"))), *rows("two")])
        await pilot.pause()
        _, first, second, *_ = app.table.render_lines(Region(0, 0, *SIZE))
        assert {segment.style.bgcolor.name for segment in first if segment.style and segment.style.bgcolor} == {"#ff0000"}
        assert any(segment.style and segment.style.bold for segment in first)
        assert "#ff0000" not in {segment.style.bgcolor.name for segment in second if segment.style and segment.style.bgcolor}
