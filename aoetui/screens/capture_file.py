"""Where a capture is saved, or which one is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Checkbox, Input, Static

from aoetui.engine.api import EngineError
from aoetui.engine.commands.trace import OpenTrace, SaveTrace
from aoetui.screens.dialog import Dialog, all_read
from aoetui.widgets import figures
from aoetui.widgets.fields import Field, Line, Mark, Tone
from aoetui.widgets.path_picker import PathSuggester

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from aoetui.app import ConsoleApp
    from aoetui.engine.commands.trace import OpenedTrace, SavedTrace

_PATIENCE = 300.0
"""Seconds that a disk may take for 64 MiB."""


class CaptureFile(Dialog[bool]):
    """Asks for a path, has the engine do its work there, and says why it could not. True once it is done."""

    CSS_PATH = "capture_file.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]
    AUTO_FOCUS = "#path"
    TITLE_TEXT = ""
    MEANING = ""
    DO = ""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._first = path
        self._busy = False

    @property
    def console(self) -> ConsoleApp:
        """The app, as what it is."""
        return cast("ConsoleApp", self.app)

    def compose(self) -> ComposeResult:
        """The path, and what is done with it."""
        with Vertical(id="capture"):
            yield Static(self.TITLE_TEXT, id="capture-title", markup=False)
            yield Static(self.MEANING, id="capture-meaning", markup=False)
            line = Line(str(self._first), id="path", compact=True, select_on_focus=False, suggester=PathSuggester())
            line.cursor_blink = False
            yield Field("File", line, name="path")
            yield from self.more()
            with Horizontal(id="capture-buttons"):
                yield Button(self.DO, id="accept", variant="primary", compact=True)
                yield Button("Cancel", id="cancel", compact=True)
                yield Static("right completes   enter goes on   esc cancels", classes="keys", markup=False)

    def more(self) -> ComposeResult:
        """Further controls."""
        yield from ()

    def on_mount(self) -> None:
        """Keys act on the line from the start."""
        self.set_focus(self.query_one("#path"))

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Enter goes on."""
        self._go_on()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Go on, or leave."""
        if event.button.id == "accept":
            self._go_on()
        else:
            self.action_cancel()

    def action_cancel(self) -> None:
        """Leave; what the engine has begun goes on."""
        self.dismiss(False)

    async def carry_out(self, path: Path) -> str:
        """Do it, and return what to say. Raises EngineError."""
        raise NotImplementedError

    @work(group="capture")
    async def _go_on(self) -> None:
        await all_read([*self.query(Input), *self.query(Checkbox)])
        if self._busy or not self.stands:
            return
        field, text = self.query_one("#field-path", Field), self.query_one("#path", Input).value.strip()
        if not text:
            field.say("Name a file.", Tone.ERROR)
            return
        self._busy = True
        field.say("working...")
        try:
            said = await self.carry_out(Path(text))
        except EngineError as error:
            if self.stands:
                field.say(str(error), Tone.ERROR)
        else:
            self.console.say(said)
            if self.stands and self.app.screen is self:
                self.dismiss(True)
        finally:
            self._busy = False


class SaveCapture(CaptureFile):
    """Saves what passes the filter."""

    TITLE_TEXT = "Save the trace"
    MEANING = "As pcapng, with interface and direction of each frame, or as pcap if the name does not end in .pcapng."
    DO = "Save"

    def __init__(self, path: Path, words: str) -> None:
        super().__init__(path)
        self._words = words

    def more(self) -> ComposeResult:
        """Whether a file that is there may go."""
        yield Mark("replace a file of this name", id="overwrite", compact=True)

    async def carry_out(self, path: Path) -> str:
        """Have it written."""
        command = SaveTrace(path, self._words, self.query_one("#overwrite", Checkbox).value)
        saved: SavedTrace = await self.console.ask(command, _PATIENCE)
        cut = f"; of {saved.cut} the end was not kept" if saved.cut else ""
        return f"{figures.many(saved.frames, 'frame')} saved to {saved.path}{cut}."


class OpenCapture(CaptureFile):
    """Shows a file."""

    TITLE_TEXT = "Open a capture"
    MEANING = "A pcap or pcapng file, as of tcpdump or Wireshark. It takes the place of what is kept; a trace that runs ends."
    DO = "Open"

    async def carry_out(self, path: Path) -> str:
        """Have it read."""
        opened: OpenedTrace = await self.console.ask(OpenTrace(path), _PATIENCE)
        said = [figures.many(opened.frames, "AoE frame")]
        said += [f"{figures.many(opened.others, 'other')} passed over"] if opened.others else []
        said += ["the rest does not fit into 64 MiB"] if not opened.complete else []
        said += [opened.problem] if opened.problem else []
        return "; ".join(said) + "."
