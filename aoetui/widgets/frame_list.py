"""A list of frames, of which there may be hundreds of thousands: only the lines on the screen are asked for and painted.

Lines have ranks that stay when older ones go. The list says which it wants, and is shown pages of them; it stays at the newest,
or still where someone has scrolled to.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from aoetui.engine.commands.trace import Direction, Mark
from aoetui.widgets import figures
from aoetui.widgets.plain import plain, printable
from aoetui.widgets.table_rows import Column, dressed, line

if TYPE_CHECKING:
    from textual import events

    from aoetui.engine.commands.trace import TraceLine, TracePage
    from aoetui.engine.protocol.address import Mac

WIDE = 110
"""Columns from which on both MACs stand in a line whole."""
_HEADER = 1
_WAYS = {Direction.IN: "in", Direction.OUT: "out", Direction.OTHER: "oth", Direction.UNKNOWN: "-"}
_STYLES = {Mark.ERROR: "red", Mark.MALFORMED: "red", Mark.UNANSWERED: "yellow", Mark.LATE: "yellow"}
_OTHER_MARKS = "cyan"


class FrameList(ScrollView, can_focus=True, inherit_bindings=False):
    """Frames, the newest last. The cursor is on a rank."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"frame-list--header", "frame-list--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "page down", show=False),
        Binding("home,g", "first", "top", show=False),
        Binding("end,G", "follow", "bottom", show=False),
    ]

    class Moved(Message):
        """Other lines are wanted, or the cursor is on another one."""

    class Chosen(Message):
        """The line under the cursor was clicked."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self.oldest, self.newest = 1, 0
        self.cursor = 0
        self.following = True
        """Whether it stays at the newest."""
        self._lines: dict[int, TraceLine] = {}
        self._strips: dict[int, Strip] = {}
        self._taking = False
        """While a page is shown: the list moves, and nobody has scrolled."""

    # -- what is shown ----------------------------------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """Lines that are seen at once."""
        return max(self.size.height - _HEADER, 1)

    @property
    def top(self) -> int:
        """Rank of the first line that is seen."""
        return self.oldest + self.scroll_offset.y

    @property
    def unseen(self) -> int:
        """Lines below the last one that is seen."""
        return max(0, self.newest - (self.top + self.rows - 1))

    @property
    def current(self) -> TraceLine | None:
        """The line under the cursor, if it is known."""
        return self._lines.get(self.cursor)

    def wanted(self) -> tuple[int | None, int]:
        """The first rank that is seen, None while it follows; and how many."""
        return (None if self.following else self.top), self.rows

    @property
    def incomplete(self) -> bool:
        """Whether a line that is seen is not known yet."""
        return any(rank not in self._lines for rank in range(self.top, min(self.top + self.rows, self.newest + 1)))

    def forget(self) -> None:
        """Other frames, or another filter: begin anew, at the newest."""
        self.oldest, self.newest, self.cursor, self.following = 1, 0, 0, True
        self._lines, self._strips = {}, {}
        self.virtual_size = Size(0, _HEADER)
        self.refresh()

    def show(self, page: TracePage) -> None:
        """Show what was wanted, and how far the whole goes now."""
        before = (self.top, self.cursor, self._on_screen())
        fresh = {each.rank: each for each in page.lines}
        self._taking = True
        self._reach(page.oldest, page.newest)
        self._taking = False
        seen = range(self.top, self.top + self.rows)
        self._lines = {rank: found for rank in seen if (found := fresh.get(rank) or self._lines.get(rank)) is not None}
        self._strips = {rank: strip for rank, strip in self._strips.items() if self._lines.get(rank) == fresh.get(rank)}
        if before != (self.top, self.cursor, self._on_screen()):
            self.refresh()

    def _reach(self, oldest: int, newest: int) -> None:
        """Go on at the newest, or stand still on the same lines as long as there are."""
        top, cursor = self.top, self.cursor
        self.oldest, self.newest = oldest, newest
        self.virtual_size = Size(0, newest - oldest + 1 + _HEADER)
        self.cursor = newest if self.following else max(min(cursor, newest), oldest)
        wanted = self.max_scroll_y if self.following else max(top - oldest, 0)
        if wanted != self.scroll_offset.y:
            self.scroll_to(y=wanted, animate=False, force=True, immediate=True)

    def _on_screen(self) -> list[TraceLine | None]:
        return [self._lines.get(rank) for rank in range(self.top, self.top + self.rows)]

    # -- moving -----------------------------------------------------------------------------------------------------

    def action_move(self, lines: int) -> None:
        """Down so many lines; up if negative."""
        self._go(self.cursor + lines)

    def action_page(self, pages: int) -> None:
        """Down so many pages; up if negative."""
        self._go(self.cursor + pages * self.rows)

    def action_first(self) -> None:
        """To the oldest."""
        self._go(self.oldest)

    def action_follow(self) -> None:
        """To the newest, and on with it."""
        self._go(self.newest)

    def point_at(self, rank: int) -> None:
        """Put the cursor there, and follow no more."""
        self._go(rank)
        self.following = False

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there; a click where it is chooses the line."""
        place = event.get_content_offset(self)
        rank = self.top + place.y - _HEADER if place is not None and place.y >= _HEADER else 0
        if not self.oldest <= rank <= self.newest:
            return
        event.stop()
        if rank == self.cursor:
            self.post_message(self.Chosen())
        self._go(rank)

    def _go(self, rank: int, *, moved: bool = True) -> None:
        self.cursor = max(min(rank, self.newest), self.oldest, 0)
        if moved:
            self.following = self.cursor >= self.newest
        top = min(max(self.top, self.cursor - self.rows + 1), self.cursor)
        if top != self.top:
            self._taking = True
            self.scroll_to(y=top - self.oldest, animate=False, force=True, immediate=True)
            self._taking = False
        self.refresh()
        self.post_message(self.Moved())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Textual's: scrolled, by the wheel perhaps; then the cursor comes along."""
        super().watch_scroll_y(old_value, new_value)
        if not self._taking and self.newest:
            self.cursor = max(self.top, min(self.cursor, self.top + self.rows - 1, self.newest))
            self.following = not self.unseen and self.cursor >= self.newest
            self.refresh()
            self.post_message(self.Moved())

    def on_resize(self) -> None:
        """Other lines are seen, in other widths."""
        self._strips = {}
        if self.following:
            self.post_message(self.Moved())
        else:
            self.call_after_refresh(self._go, self.cursor, moved=False)

    # -- painting ---------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Textual's: one line, the header first."""
        width = self.size.width
        if y < _HEADER:
            titles = line(columns := columns_for(width), [Text(each.title) for each in columns], self.app.console)
            return dressed(titles, self.get_component_rich_style("frame-list--header"), width).crop(0, width)
        rank = self.top + y - _HEADER
        strip = self._strip(rank, width)
        if rank == self.cursor and self.oldest <= rank <= self.newest:
            cursor = self.get_component_rich_style("frame-list--cursor")
            return dressed(strip, self.rich_style + cursor, width, over=Style.from_color(cursor.color)).crop(0, width)
        return dressed(strip, self.rich_style, width).crop(0, width)

    def _strip(self, rank: int, width: int) -> Strip:
        if (found := self._lines.get(rank)) is None:
            return Strip([])
        if (strip := self._strips.get(rank)) is None:
            columns = columns_for(width)
            strip = self._strips[rank] = line(columns, cells_of(found, columns), self.app.console)
        return strip


def columns_for(width: int) -> tuple[Column, ...]:
    """What stands in a line; what the frame says has all that the rest leaves."""
    ends = [("from", 17), ("to", 17)] if width >= WIDE else [("peer", 10)]
    named = [("time", 15 if width >= WIDE else 12), ("on", 6), ("way", 3), *ends, ("address", 7)]
    before = [Column(name, name, size) for name, size in named]
    after = [Column("length", "bytes", 5, right=True)] if width >= WIDE else []
    after.append(Column("waited", "wait", 6, right=True))
    room = width - sum(column.width + 1 for column in (*before, *after)) - 1
    return (*before, Column("what", "what", max(room, 10)), *after)


def cells_of(found: TraceLine, columns: tuple[Column, ...]) -> list[Text]:
    """A frame in these columns."""
    return [_cell(found, column.key, column.width) for column in columns]


def _cell(found: TraceLine, name: str, width: int) -> Text:
    match name:
        case "time":
            return Text(time_text(found.time_ns)[:width], "dim")
        case "on":
            return plain(found.interface or "-", width)
        case "way":
            return Text(_WAYS[found.direction], "dim" if found.direction is Direction.OTHER else "")
        case "peer":
            return Text(_short(found.destination if found.direction is Direction.OUT else found.source))
        case "from" | "to":
            return Text(str((found.source if name == "from" else found.destination) or "-"))
        case "address":
            return plain(found.address, width, "bold")
        case "what":
            return what_text(found, 300)
        case "length":
            return Text(str(found.length))
        case _:
            return Text(figures.duration(found.waited_us) if found.response and found.waited_us is not None else "")


def what_text(found: TraceLine, limit: int) -> Text:
    """What it says, its VLAN before it, and what is odd about it in capitals."""
    style = next((_STYLES.get(mark, _OTHER_MARKS) for mark in found.marks), "")
    marks = "".join(f"{mark.upper()} " for mark in found.marks if mark is not Mark.ERROR)
    vlan = "" if found.vlan is None else f"vlan {found.vlan} "
    return Text(f"{marks}{vlan}{printable(found.what, limit)}", style)


def time_text(time_ns: int) -> str:
    """`10:42:07.123456`, this host's time."""
    time = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).astimezone()
    return f"{time:%H:%M:%S}.{time_ns // 1000 % 1_000_000:06d}"


def _short(mac: Mac | None) -> str:
    """The half that tells machines of one maker apart."""
    return "-" if mac is None else f"..{str(mac)[9:]}"
