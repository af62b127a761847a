"""Sectors: what a device holds, as partition table and file systems above, and as bytes below."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from aoetui.engine.api import EngineError
from aoetui.engine.commands.copying import Contents, ReadSectors
from aoetui.engine.protocol.wire import SECTOR
from aoetui.screens.dialog import Dialog
from aoetui.widgets import figures
from aoetui.widgets.contents import contents_lines, left_out_words
from aoetui.widgets.fields import Line
from aoetui.widgets.hexdump import A_LINE, hex_line
from aoetui.widgets.plain import plain, printable

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from aoetui.app import ConsoleApp
    from aoetui.engine.commands.copying import SectorsReport
    from aoetui.engine.snapshot import DeviceSnapshot

KEYS = "up/down pgup/pgdn move  home/end first, last  g go to a sector  esc close"
CHUNK = 64
"""Sectors that are read at once."""
MOST_CONTENTS = 6
"""Lines of what was recognised, at 24 lines."""
_LINES_A_SECTOR = SECTOR // A_LINE
_SECONDS = 60.0


class SectorsScreen(Dialog[None]):
    """A window of lines on a device; what is not there yet is read when it comes into view."""

    CSS_PATH = "sectors.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,x", "close", "close"),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("pagedown,space,ctrl+f", "page(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("home", "to_start", show=False),
        Binding("end,G", "to_end", show=False),
        Binding("g", "go", "go to"),
    ]

    def __init__(self, device: DeviceSnapshot) -> None:
        super().__init__()
        self._device = device
        self._report: SectorsReport | None = None
        self._contents: Contents | None = None
        self._others = ""
        """Who else answers there, and may be another disk: the first answer tells, the later are of MACs by name."""
        self._line = 0
        """The first that is shown: its number on the whole device."""
        self._problem = ""

    @property
    def console(self) -> ConsoleApp:
        """The app, as what it is."""
        return cast("ConsoleApp", self.app)

    @property
    def _lines(self) -> int:
        """Of the whole device; 0 while its size is unknown."""
        return 0 if self._report is None else self._report.size // A_LINE

    @property
    def _height(self) -> int:
        """Lines in view."""
        return max(self.query_one("#sector-bytes").size.height, 1)

    def compose(self) -> ComposeResult:
        """Who it is, what it holds, its bytes, a line to type a sector into."""
        with Vertical(id="sectors"):
            yield Static(id="sector-device", markup=False)
            yield Static(id="sector-contents", markup=False)
            yield Static(id="sector-bytes", markup=False)
            go = Line(
                placeholder="sector number; enter goes there, esc leaves",
                id="sector-go",
                compact=True,
                max_length=20,
                restrict=r"[0-9a-fA-FxX]*",
            )
            go.cursor_blink = False
            yield go
            yield Static(KEYS, classes="keys", markup=False)

    def on_mount(self) -> None:
        """Read the first sectors."""
        self.query_one("#sectors").border_title = f"Sectors of {self._device.address}"
        self.query_one("#sector-go").display = False
        self.query_one("#sector-device", Static).update("reading...")
        self._read(0)

    def on_resize(self) -> None:
        """Another number of lines fits."""
        self.call_after_refresh(self._show)

    # -- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """While a number is typed, keys are its own."""
        return action == "close" or not isinstance(self.focused, Input)

    def action_close(self) -> None:
        """Leave the line first, then the screen."""
        line = self.query_one("#sector-go", Input)
        if line.display:
            line.display = False
            self.set_focus(None)
        else:
            self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        """By a line."""
        self._to(self._line + lines)

    def action_page(self, way: int) -> None:
        """By what is in view."""
        self._to(self._line + way * self._height)

    def action_to_start(self) -> None:
        """To the first sector."""
        self._to(0)

    def action_to_end(self) -> None:
        """To the last."""
        self._to(self._lines)

    def action_go(self) -> None:
        """Ask for a sector's number."""
        line = self.query_one("#sector-go", Input)
        line.value = ""
        line.display = True
        self.set_focus(line)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go there."""
        text = event.value.strip().lower()
        try:
            lba = int(text, 16 if text.startswith("0x") else 10)
        except ValueError:
            self._say(f"{printable(text, 20)!r} is no number: write a sector's, as 2048 or 0x800")
            return
        self.action_close()
        if self._report is not None and not 0 <= lba < self._report.size // SECTOR:
            self._say(f"there are sectors 0 to {self._report.size // SECTOR - 1}: choose one of them")
            return
        self._problem = ""
        self._to(lba * _LINES_A_SECTOR)

    # -- what is shown

    def _to(self, line: int) -> None:
        self._line = max(0, min(line, self._lines - self._height))
        self._show()

    def _say(self, text: str) -> None:
        self._problem = text
        self._show()

    def _bytes_at(self, line: int) -> bytes:
        """Of a line; empty if they are not here."""
        report = self._report
        if report is None:
            return b""
        at = line * A_LINE - report.lba * SECTOR
        return report.data[at : at + A_LINE] if at >= 0 else b""

    def _show(self) -> None:
        if not self.stands or self._report is None:
            return
        report, height = self._report, self._height
        last = min(self._line + height, self._lines) - 1
        sector = self._line // _LINES_A_SECTOR
        about = f"{figures.size(report.size)}  {report.model}  serial {report.serial}  sector {sector} of {report.size // SECTOR}"
        self.query_one("#sector-device", Static).update(plain(about, 200))
        self._show_contents()
        if not self._bytes_at(self._line) or not self._bytes_at(last):
            self._read(sector)
            return
        lines = [self._line_text(number) for number in range(self._line, last + 1)]
        self.query_one("#sector-bytes", Static).update(Text("\n").join(lines))

    def _line_text(self, number: int) -> Text:
        digits = max(8, len(f"{self._lines * A_LINE:x}"))
        lba = number // _LINES_A_SECTOR
        if self._report is not None and any(each.start <= lba < each.end for each in self._report.bad):
            return Text(f"{number * A_LINE:0{digits}x}  this sector cannot be read", "yellow")
        text = Text(hex_line(self._bytes_at(number), number * A_LINE, digits), no_wrap=True)
        if number % _LINES_A_SECTOR == 0:
            text.stylize("bold", 0, digits)
        return text

    def _show_contents(self) -> None:
        width = self.app.size.width - 4
        lines = ["looking at what it holds..."] if self._contents is None else contents_lines(self._contents, width)
        if len(lines) > MOST_CONTENTS and self.app.size.height < 34:
            lines = [
                *lines[: MOST_CONTENTS - 1],
                f"and {len(lines) - MOST_CONTENTS + 1} more: they are shown on a taller terminal",
            ]
        if self._others:
            lines.append(f"! {self._others}")
        if self._problem:
            lines.append(f"x {printable(self._problem, 300)}")
        self.query_one("#sector-contents", Static).update(Text("\n".join(lines)))

    @work(exclusive=True, group="read")
    async def _read(self, sector: int) -> None:
        first = max(0, sector - CHUNK // 4)
        try:
            recognise = self._contents is None
            same = () if self._report is None else self._report.macs  # where another MAC may be another disk
            command = ReadSectors(self._device.address, first, CHUNK, recognise, same)
            report = await self.console.ask(command, _SECONDS)
        except EngineError as error:
            if self.stands:
                self._problem = str(error)
                self._show_failed()
            return
        if self.stands:
            self._report = report
            self._others = left_out_words(report) or self._others
            self._contents = report.contents if recognise else self._contents
            self._problem = ""
            self._to(self._line)

    def _show_failed(self) -> None:
        if self._report is None:
            self.query_one("#sector-device", Static).update(plain(f"x {self._problem}", 300))
        else:
            self._show_contents()
