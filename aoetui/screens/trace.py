"""Trace: AoE frames as they pass, decoded, the newest last; one of them in full; captures saved and opened."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.containers import Container, VerticalScroll

from aoetui.actions import Scope, bindings
from aoetui.engine.api import EngineError
from aoetui.engine.commands.trace import (
    ClearTrace,
    FrameDetail,
    PauseTrace,
    ReadTrace,
    ShowFrame,
    StartTrace,
    StopTrace,
)
from aoetui.screens.base import ConsoleScreen
from aoetui.screens.capture_file import OpenCapture, SaveCapture
from aoetui.screens.choose_traced import ChooseTraced
from aoetui.widgets import figures
from aoetui.widgets.frame_list import FrameList, time_text, what_text
from aoetui.widgets.hexdump import hex_lines
from aoetui.widgets.plain import plain, printable
from aoetui.widgets.words import Words

if TYPE_CHECKING:
    from datetime import datetime

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from aoetui.engine.commands.trace import TraceLine, TracePage
    from aoetui.engine.snapshot import EngineSnapshot, TraceSnapshot

NOTHING_YET = (
    "Nothing is traced. t begins: every AoE frame that passes on the interfaces you choose is then copied and shown here,"
    " in and out. It sends nothing, but takes what aoetui serves there some speed, so it is off until you want it.\n\n"
    "o opens a capture file (pcap, pcapng) instead."
)
READ_ONLY = "Nothing is traced, and this console is read-only: `aoetui trace` shows frames on the command line."
_SECTION = 10
_NAME = 11
_PATIENCE = 20.0


class TraceScreen(ConsoleScreen):
    """The list, and the frame that is opened."""

    SCOPE = Scope.TRACE
    CSS_PATH = "trace.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.TRACE)

    def __init__(self) -> None:
        super().__init__()
        self._of: tuple[datetime, str, str] | None = None
        """What the list is of: since when, which file, which filter."""
        self._page: TracePage | None = None
        self._reading = self._again = False
        self._problem = ""
        """Why there is no newer page."""
        self._opened: int | None = None
        """Rank of the frame that is opened."""

    def body(self) -> ComposeResult:
        """List, detail, and the line that says what is traced."""
        with Container(id="trace"):
            yield FrameList(id="frames")
            with VerticalScroll(id="frame-detail"):
                yield Words(id="frame")
        yield Words(id="trace-state")
        yield Words(READ_ONLY if self.console.read_only else NOTHING_YET, classes="empty")

    def show(self, snapshot: EngineSnapshot) -> None:
        """Show what is traced, and ask for the lines that are seen."""
        trace = snapshot.trace
        self.set_class(trace is None, "-empty")
        if trace is None:
            self.counted = None
            self.query_one("#trace-state", Words).update(Text(""))
            return
        of = (trace.since, trace.file, self.filter_text)
        if of != self._of:
            self._of, self._page, self._problem = of, None, ""
            self.query_one(FrameList).forget()
        self._say_state(trace)
        if not self.console.paused:
            self.look()

    def look(self) -> None:
        """Ask for the lines that are seen now, one question at a time."""
        self._again = True
        if not self._reading and self._of is not None:
            self._reading = True
            self.run_worker(self._read(), exit_on_error=True)

    async def _read(self) -> None:
        frames = self.query_one(FrameList)
        try:
            while self._again and self.stands:
                self._again = False
                of, (first, count) = self._of, frames.wanted()
                page = await self.console.ask(ReadTrace(self.filter_text, first, count), _PATIENCE)
                if of == self._of and page is not None:
                    self._take(page, frames)
        except EngineError as error:
            self._problem = str(error)
        finally:
            self._reading = False
        if self.stands and (trace := self.console.snapshot.trace) is not None:
            self._say_state(trace)

    def _take(self, page: TracePage, frames: FrameList) -> None:
        self._page, self._problem = page, ""
        frames.show(page)
        trace = self.console.snapshot.trace
        self.counted = (page.newest - page.oldest + 1, trace.kept if trace else 0)
        self._again |= page.searching or frames.incomplete

    # -- moving, and one frame ----------------------------------------------------------------------------------------

    def on_frame_list_moved(self, _event: FrameList.Moved) -> None:
        """Other lines are seen."""
        self.look()

    def on_frame_list_chosen(self, _event: FrameList.Chosen) -> None:
        """A click on the selected line opens it, as enter does."""
        self.action_open_frame()

    def action_open_frame(self) -> None:
        """Show every field of the frame under the cursor."""
        line = self.query_one(FrameList).current
        if line is not None:
            self.query_one(FrameList).point_at(line.rank)
            self._open(line)

    def action_next_frame(self) -> None:
        """Open the next one."""
        self._step(1)

    def action_previous_frame(self) -> None:
        """Open the one before."""
        self._step(-1)

    def _step(self, lines: int) -> None:
        if self._opened is not None:
            self._look_up(self._opened + lines)

    @work(group="frame", exclusive=True)
    async def _look_up(self, rank: int) -> None:
        """Open the frame of this rank, if there is one."""
        try:
            page = await self.console.ask(ReadTrace(self.filter_text, rank, 1), _PATIENCE)
        except EngineError as error:
            self._problem = str(error)
            return
        if page.lines and self.stands and self._opened is not None:
            self.query_one(FrameList).point_at(page.lines[0].rank)
            self._open(page.lines[0])

    def _open(self, line: TraceLine) -> None:
        self._opened = line.rank
        if not self.has_class("-opened"):
            self.add_class("-opened")
            self.set_focus(self.query_one("#frame-detail"))
            self.refresh_bindings()
        self._fetch(line)

    @work(group="detail", exclusive=True)
    async def _fetch(self, line: TraceLine) -> None:
        try:
            detail = await self.console.ask(ShowFrame(line.number), _PATIENCE)
        except EngineError as error:
            self.query_one("#frame", Words).update(plain(str(error), 300, "yellow"))
            return
        if self.stands and self._opened == line.rank:
            self.query_one("#frame", Words).update(detail_text(detail))
            self.query_one("#frame-detail").scroll_home(animate=False)

    def back(self) -> bool:
        """Close the opened frame first."""
        if self.has_class("-opened"):
            self._opened = None
            self.remove_class("-opened")
            frames = self.query_one(FrameList)
            self.set_focus(frames)
            self.call_after_refresh(frames.action_move, 0)  # it stands again, and shows its cursor
            self.refresh_bindings()
            return True
        return super().back()

    def row_text(self) -> str:
        """The line under the cursor."""
        line = self.query_one(FrameList).current
        return "" if line is None else line_words(line)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What there is nothing for cannot be done."""
        trace = self.console.snapshot.trace
        if action in ("next_frame", "previous_frame") and not self.has_class("-opened"):
            return False
        if action in ("open_frame", "save_trace", "clear_trace", "follow") and trace is None:
            return False
        if action == "hold" and (trace is None or not trace.interfaces):
            return False
        return super().check_action(action, parameters)

    # -- the trace ------------------------------------------------------------------------------------------------------

    def action_follow(self) -> None:
        """To the newest, and on with it."""
        self.query_one(FrameList).action_follow()

    def action_trace(self) -> None:
        """Begin, or end."""
        trace = self.console.snapshot.trace
        if trace is not None and trace.interfaces:
            self.console.send(StopTrace(), f"Not tracing any more; {figures.many(trace.kept, 'frame')} kept.")
        else:
            self._start()

    @work(group="question", exclusive=True)
    async def _start(self) -> None:
        snapshot = self.console.snapshot
        dialog = ChooseTraced(snapshot.links, snapshot.interfaces)
        names = await self.app.push_screen_wait(dialog)
        if names:
            self.console.send(StartTrace(names, dialog.whole), f"Tracing {', '.join(names)}.")

    def action_hold(self) -> None:
        """Keep what there is, or go on."""
        trace = self.console.snapshot.trace
        if trace is not None:
            self.console.send(PauseTrace(not trace.paused))

    def action_clear_trace(self) -> None:
        """Forget what is kept."""
        self.console.send(ClearTrace())

    def action_save_trace(self) -> None:
        """Ask where to, and save it."""
        taken = self.console.snapshot.taken.astimezone(UTC)
        host = printable(self.console.snapshot.host, 30).replace("/", "-") or "aoetui"
        path = Path.home() / f"{host}-{taken:%Y%m%d-%H%M%S}.pcapng"
        self.app.push_screen(SaveCapture(path, self.filter_text))

    def action_open_trace(self) -> None:
        """Ask which, and show it."""
        self.app.push_screen(OpenCapture(Path(f"{Path.home()}/")), self._shown)

    def _shown(self, _done: bool | None) -> None:
        self.console.pull()

    def _say_state(self, trace: TraceSnapshot) -> None:
        frames = self.query_one(FrameList)
        self.query_one("#trace-state", Words).update(state_text(trace, self._page, frames, self._problem))
        self.refresh_bindings()


def state_text(trace: TraceSnapshot, page: TracePage | None, frames: FrameList, problem: str) -> Text:
    """What is traced, how much is kept and lost, where the list stands."""
    parts = [_source(trace), Text(f"{figures.count(trace.kept)} of {figures.count(trace.seen or trace.kept)} kept")]
    if trace.paused:
        parts.append(Text(f"HELD, {figures.count(trace.passed_over)} passed by", "bold reverse"))
    if trace.dropped:
        parts.append(Text(f"{figures.count(trace.dropped)} lost", "red"))
    if page is not None and page.missed:
        parts.append(Text(f"{figures.count(page.missed)} went before the filter saw them", "yellow"))
    if page is not None and page.searching:
        parts.append(Text("searching", "cyan"))
    elif frames.newest and not frames.following:
        parts.append(Text(f"+{figures.count(frames.unseen)} below, f follows"))
    elif frames.newest and trace.interfaces and not trace.paused:
        parts.append(Text("following"))
    lines = [Text(" | ").join(parts)]
    lines += [plain(each, 300, "yellow") for each in trace.problems]
    if problem:
        lines.append(plain(problem, 600, "red"))
    for each in lines:
        each.no_wrap = False
    return Text("\n").join(lines)


def _source(trace: TraceSnapshot) -> Text:
    if trace.file:
        return plain(trace.file, 200, "bold")
    if not trace.interfaces:
        return Text("not tracing, t begins", "bold")
    whole = ", whole frames" if trace.whole else ""
    return Text.assemble("tracing ", plain(", ".join(trace.interfaces), 60, "bold"), whole)


def line_words(line: TraceLine) -> str:
    """One frame, to be copied."""
    ends = f"{line.source} > {line.destination}"
    return f"{time_text(line.time_ns)} {printable(line.interface, 20)} {ends} {line.address} {what_text(line, 300).plain}"


def detail_text(detail: FrameDetail) -> Text:
    """Every field, then the bytes."""
    line = detail.line
    peer = "" if line.peer is None else f", answers frame {line.peer}" if line.response else f", answered by frame {line.peer}"
    waited = "" if line.waited_us is None else f" after {figures.duration(line.waited_us)}"
    parts = [
        Text.assemble((f"Frame {line.number}", "bold"), f"  {time_text(line.time_ns)}  ", plain(line.interface or "-", 20)),
        Text.assemble(f"{line.direction}{peer}{waited}  ", what_text(line, 300)),
        Text(""),
    ]
    section = ""
    for each in detail.fields:
        shown, section = ("" if each.section == section else each.section), each.section
        parts.append(Text.assemble((f"{shown:<{_SECTION}}", "bold"), (f"{each.name:<{_NAME}}", "dim"), plain(each.value, 4000)))
    parts += [Text(""), *(Text(each, "dim") for each in hex_lines(detail.frame))]
    for part in parts:
        part.no_wrap = False
    return Text("\n").join(parts)
