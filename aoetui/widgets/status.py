"""The header: what is true now in one line, and under it the sections and the filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text

from aoetui.engine.snapshot import EngineSnapshot, ExportState, Severity
from aoetui.widgets import figures
from aoetui.widgets.plain import plain, printable
from aoetui.widgets.task_lines import running_words
from aoetui.widgets.words import Words

if TYPE_CHECKING:
    from textual.events import Resize

SECTIONS = (
    ("san", "1", "SAN"),
    ("exports", "2", "Exports"),
    ("interfaces", "3", "Interfaces"),
    ("trace", "4", "Trace"),
    ("events", "5", "Events"),
    ("doctor", "6", "Doctor"),
)
"""Mode, key, name."""

_BAR = Text(" | ")

ENDS_HERE = "serving ends with this terminal"


@dataclass(frozen=True, slots=True)
class Status:
    """What the header says."""

    snapshot: EngineSnapshot
    mode: str
    embedded: bool = True
    """Whether the engine lives in this process."""
    read_only: bool = False
    paused: bool = False
    stale: float | None = None
    """Seconds since the snapshot was taken, where that is too long ago."""
    problem: str = ""
    """Why there is no newer snapshot."""
    filter_text: str = ""
    counted: tuple[int, int] | None = None
    """Rows shown, rows in all."""

    @property
    def served(self) -> int:
        """Exports that are answered somewhere."""
        return sum(export.state in {ExportState.SERVING, ExportState.DEGRADED} for export in self.snapshot.exports)


class StatusBar(Words):
    """Two lines; three when both the filter and the warning about this terminal need the room."""

    def __init__(self) -> None:
        super().__init__()
        self._status: Status | None = None

    def show(self, status: Status) -> None:
        """Show this, if it is not shown yet."""
        if status != self._status:
            self._status = status
            self._draw(self.size.width or self.app.size.width)

    def on_resize(self, event: Resize) -> None:
        """The right-hand parts stand at the right edge."""
        self._draw(event.size.width)

    def _draw(self, width: int) -> None:
        if self._status is None:
            return
        self.set_class(self._status.stale is not None, "-stale")
        lines = [facts_line(self._status, width), *section_lines(self._status, width)]
        self.styles.height = len(lines)
        self.update(Text("\n").join(lines))


def facts_line(status: Status, width: int) -> Text:
    """`aoetui nas1 | 3 served | 412 MB/s 38.1k/s p99 0.41ms | 1 warning        10:42:07`."""
    snapshot = status.snapshot
    clock = Text(f"{snapshot.taken.astimezone():%H:%M:%S}")
    who = [Text.assemble(("aoetui ", "bold"), plain(snapshot.host, 20)), *_state_parts(status), Text(f"{status.served} served")]
    if copied := running_words(snapshot.tasks):
        who.append(Text(copied, "bold"))
    # What is wrong matters more than how fast it flows, and that more than how long it takes.
    for flow in (_flow(snapshot, latency=True), _flow(snapshot, latency=False), []):
        left = _BAR.join([*who, *flow, *_alarm_parts(snapshot)])
        if left.cell_len + clock.cell_len < width:
            break
    return _apart(left, clock, width)


def _flow(snapshot: EngineSnapshot, *, latency: bool) -> list[Text]:
    """Rates of all exports, and how long 99 of 100 requests waited at most within the last seconds, if there were any."""
    if not snapshot.exports:
        return []
    flow = f"{figures.rate(snapshot.rates.bytes)} {figures.count_rate(snapshot.rates.requests)}"
    p99 = snapshot.latency.p99_us
    return [Text(f"{flow} p99 {figures.duration(p99)}" if latency and p99 is not None else flow)]


def _state_parts(status: Status) -> list[Text]:
    parts = []
    if status.paused:
        parts.append(Text("PAUSED", "bold reverse"))
    if status.stale is not None:
        parts.append(Text(f"{figures.age(status.stale)} old", "bold reverse"))
    if status.problem:
        parts.append(plain(status.problem, 40, "bold"))
    if status.read_only:
        parts.append(Text("read-only"))
    return parts


def _alarm_parts(snapshot: EngineSnapshot) -> list[Text]:
    alarms = sum(alarm.severity is Severity.ALARM for alarm in snapshot.alarms)
    warnings = sum(alarm.severity is Severity.WARNING for alarm in snapshot.alarms)
    parts = []
    if alarms:
        parts.append(Text(figures.many(alarms, "alarm"), "bold red"))
    if warnings:
        parts.append(Text(figures.many(warnings, "warning"), "yellow"))
    return parts


def section_lines(status: Status, width: int) -> list[Text]:
    """The sections, the current one in brackets too (colour alone tells not everyone), and what stands to the right of them."""
    tabs = Text(" ").join(_tab(status.mode == mode, mode, key, name) for mode, key, name in SECTIONS)
    notes = []
    if status.filter_text:
        shown, total = status.counted or (0, 0)
        notes.append(Text.assemble(f"{shown} of {total} ", (f"/{printable(status.filter_text, 20)}", "bold")))
    if status.embedded and status.served:
        notes.append(Text(ENDS_HERE, "yellow"))
    right = Text("   ").join(notes)
    if tabs.cell_len + right.cell_len + 2 <= width or not notes:
        return [_apart(tabs, right, width)]
    first = notes[0] if tabs.cell_len + notes[0].cell_len + 2 <= width else Text("")
    rest = notes[1:] if first else notes
    return [_apart(tabs, first, width), *(_apart(Text(""), note, width) for note in rest)]


def _tab(current: bool, mode: str, key: str, name: str) -> Text:
    style = Style(bold=current, reverse=current, meta={"@click": f"app.show_{mode}"})
    return Text(f"[{key} {name}]" if current else f" {key} {name} ", style)


def _apart(left: Text, right: Text, width: int) -> Text:
    """Left part, blanks, right part; the left one is cut where both do not fit."""
    room = max(width - right.cell_len - (1 if right.cell_len else 0), 0)
    left = left.copy()
    left.truncate(room, overflow="ellipsis", pad=False)
    gap = max(width - left.cell_len - right.cell_len, 0)
    return Text.assemble(left, " " * gap, right)
