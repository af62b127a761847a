"""One export on the screen: an overview, and once it is opened three parts more."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll

from aoetui.widgets.export_details import facts, traffic_line, users_and_ports
from aoetui.widgets.export_latency import latency_part
from aoetui.widgets.export_settings import settings_part
from aoetui.widgets.export_users import users_part
from aoetui.widgets.throughput import Throughput
from aoetui.widgets.words import Words

if TYPE_CHECKING:
    from datetime import datetime

    from rich.table import Table
    from textual.app import ComposeResult
    from textual.geometry import Size

    from aoetui.engine.snapshot import ExportSnapshot


class Part(StrEnum):
    """What of an export is shown; the value is its name on the screen."""

    OVERVIEW = "Overview"
    USERS = "Users"
    LATENCY = "Latency"
    SETTINGS = "Settings"


class ExportDetail(VerticalScroll):
    """Shows one part of one export. Left and right go to the others, which the screen does."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "screen.previous_part", "previous part", show=False),
        Binding("right,l", "screen.next_part", "next part", show=False),
        Binding("j", "scroll_down", "down", show=False),
        Binding("k", "scroll_up", "up", show=False),
        Binding("g", "scroll_home", "top", show=False),
        Binding("G", "scroll_end", "bottom", show=False),
    ]

    def __init__(self, *, ascii_only: bool, read_only: bool) -> None:
        super().__init__(id="exports-detail")
        self._ascii_only = ascii_only
        self._read_only = read_only
        self._part = Part.OVERVIEW
        self._shown: tuple[ExportSnapshot | None, datetime | None, tuple[Part, bool, Size] | None] = (None, None, None)
        """The latest, and how: the cursor comes here again and again with the same."""

    def compose(self) -> ComposeResult:
        """The names of the parts, the overview, and where another part stands instead of it."""
        yield Words(id="export-parts")
        with Vertical(id="export-overview"):
            yield Words(id="export-facts")
            yield Words(id="export-traffic")
            yield Throughput(ascii_only=self._ascii_only, id="export-chart")
            yield Words(id="export-users")
        yield Words(id="export-part")

    def turn(self, step: int) -> None:
        """To the next part, or the one before; beyond the last comes the first."""
        parts = list(Part)
        self.go(parts[(parts.index(self._part) + step) % len(parts)])

    def go(self, part: Part) -> None:
        """To this part, from its top."""
        self._part = part
        self.scroll_home(animate=False)

    def show(self, export: ExportSnapshot, now: datetime, *, opened: bool) -> None:
        """Show this export; unless it is opened, its overview."""
        part = self._part if opened else Part.OVERVIEW
        how = (part, opened, self.content_size)
        if export is self._shown[0] and now is self._shown[1] and how == self._shown[2]:
            return
        self._shown = (export, now, how)
        names = self.query_one("#export-parts", Words)
        names.display = opened
        names.update(_names(part))
        self.query_one("#export-overview").display = part is Part.OVERVIEW
        other = self.query_one("#export-part", Words)
        other.display = part is not Part.OVERVIEW
        if part is Part.OVERVIEW:
            self._overview(export, now)
        else:
            other.update(self._told(part, export, now))

    def _overview(self, export: ExportSnapshot, now: datetime) -> None:
        chart = self.query_one(Throughput)
        chart.show(export)
        self.query_one("#export-facts", Words).update(facts(export, now))
        self.query_one("#export-traffic", Words).update(traffic_line(export, chart.seconds))
        self.query_one("#export-users", Words).update(users_and_ports(export, now))

    def _told(self, part: Part, export: ExportSnapshot, now: datetime) -> Text | Table:
        match part:
            case Part.USERS:
                return users_part(export, now)
            case Part.LATENCY:
                return latency_part(export, self.scrollable_content_region.width, ascii_only=self._ascii_only)
            case _:
                return settings_part(export, now, read_only=self._read_only)


def _names(current: Part) -> Text:
    """The current one in brackets, for colour alone tells not everyone; a click goes to any."""
    line = Text()
    for part in Part:
        chosen = part is current
        style = Style(bold=chosen, reverse=chosen, meta={"@click": f"screen.show_part('{part.name}')"})
        line.append(f"[{part}]" if chosen else f" {part} ", style)
    return line.append("   left, right", "dim")
