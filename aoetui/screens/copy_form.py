"""The form that copies a device of somebody else: to a file, from a file, or compared with one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Checkbox, Input, RadioSet, Static

from aoetui.engine.api import EngineError
from aoetui.engine.commands.copying import ReadSectors, StartCopy, TaskKind, TaskSnapshot
from aoetui.engine.protocol.address import Address
from aoetui.screens.dialog import Dialog, all_read
from aoetui.widgets import figures
from aoetui.widgets.contents import contents_words, left_out_words
from aoetui.widgets.fields import Choice, Choices, Field, Line, Mark, Message, Tone
from aoetui.widgets.path_picker import PathInput, PathPicker
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from rich.text import Text
    from textual.app import ComposeResult

    from aoetui.app import ConsoleApp
    from aoetui.engine.commands.copying import SectorsReport
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.snapshot import DeviceSnapshot

KEYS = "ctrl+s starts  esc cancels  tab next  space marks"
KINDS = {
    TaskKind.IMAGE: "image: the device to a file",
    TaskKind.RESTORE: "restore: a file to the device, whose data is lost",
    TaskKind.COMPARE: "compare: the device with a file",
}
_SECONDS = 60.0


def _line(device: DeviceSnapshot | SectorsReport) -> Text:
    """Who it is."""
    size = "size unknown" if device.size is None else figures.size(device.size)
    return plain(f"{device.address}  {size}  {device.model}  serial {device.serial}", 76)


class CopyForm(Dialog[TaskSnapshot | None]):
    """Gives the task once it has begun; None if the form was left, which changes nothing."""

    CSS_PATH = "copy_form.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "start", priority=True),
        Binding("enter", "move_on", "next", show=False, priority=True),
        Binding("escape", "cancel", "cancel"),
    ]

    def __init__(self, device: DeviceSnapshot) -> None:
        super().__init__()
        self._device = device
        self._serial: str | None = None
        """Of the device that was looked at: another one is not written to."""
        self._macs: tuple[Mac, ...] = ()
        """Its own, where others of that serial may be another disk."""
        self._busy = False

    @property
    def console(self) -> ConsoleApp:
        """The app, as what it is."""
        return cast("ConsoleApp", self.app)

    @property
    def kind(self) -> TaskKind:
        """What is chosen."""
        pressed = self.query_one("#kind", RadioSet).pressed_index
        return list(KINDS)[max(pressed, 0)]

    def compose(self) -> ComposeResult:
        """What the device is, the fields, the buttons."""
        device = self._device
        with Vertical(id="copy"):
            with VerticalScroll(id="copy-fields", can_focus=False):
                yield Static(_line(device), id="copy-device")
                yield Message(id="message-contents")
                choices = [Choice(text, value=kind is TaskKind.IMAGE) for kind, text in KINDS.items()]
                yield Field("What", Choices(*choices, id="kind", compact=True), name="kind")
                yield Field("File", PathPicker(), name="path")
                overwrite = Mark("replace the file, if it exists", id="overwrite", compact=True)
                resume = Mark("go on with an earlier image", id="resume", compact=True)
                yield Field("", Vertical(resume, overwrite, id="existing"), name="existing")
                typed = Line(id="typed", compact=True, max_length=16, placeholder=f"type {device.address}")
                yield Field("Address", typed, name="typed", beside=True)
            yield Message(id="message-copy")
            with Horizontal(id="copy-buttons"):
                yield Button("Start", id="start", variant="primary", compact=True)
                yield Button("Cancel", id="cancel", compact=True)
                yield Static(KEYS, classes="keys", markup=False)

    def on_mount(self) -> None:
        """Ask the device what it holds."""
        self.query_one("#copy").border_title = f"Copy {self._device.address}"
        self._show_fields()
        self.set_focus(self.query_one("#kind"))
        self.query_one("#message-contents", Message).say("looking at what it holds...")
        self._look()

    @work(group="look")
    async def _look(self) -> None:
        message = self.query_one("#message-contents", Message)
        try:
            report = await self.console.ask(ReadSectors(self._device.address), _SECONDS)
        except EngineError as error:
            if self.stands:
                message.say(str(error), Tone.ERROR)
        else:
            if self.stands:
                self._serial, self._macs = report.serial, report.surely
                self.query_one("#copy-device", Static).update(_line(report))
                other = self._device.serial not in ("", report.serial)
                changed = f"another disk than the list still shows (serial {self._device.serial}); " if other else ""
                others = left_out_words(report)
                words = f"{changed}holds {contents_words(report.contents)}{f'; {others}' if others else ''}"
                message.say(words, Tone.WARNING if other or others else Tone.PLAIN)

    def on_radio_set_changed(self, _event: RadioSet.Changed) -> None:
        """Each kind has fields of its own."""
        self._show_fields()

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        """Going on and replacing exclude each other."""
        other = {"overwrite": "#resume", "resume": "#overwrite"}.get(event.checkbox.id or "")
        if other is not None and event.value:
            self.query_one(other, Checkbox).value = False

    def _show_fields(self) -> None:
        kind = self.kind
        self.query_one("#field-existing").display = kind is TaskKind.IMAGE
        self.query_one("#field-typed").display = kind is TaskKind.RESTORE
        text = f"everything on {self._device.address} that the file covers is lost" if kind is TaskKind.RESTORE else ""
        self.query_one("#field-kind", Field).say(text, Tone.WARNING)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """Enter moves on from a line of text; elsewhere it is the control's own."""
        return action != "move_on" or isinstance(self.focused, Input)

    def action_next(self) -> None:
        """Take the path's completion, or go on."""
        if not (isinstance(self.focused, PathInput) and self.focused.complete()):
            self.focus_next()

    def action_move_on(self) -> None:
        """To the next control; enter starts nothing."""
        self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Start, or leave."""
        if event.button.id == "start":
            self.action_start()
        else:
            self.action_cancel()

    def action_cancel(self) -> None:
        """Leave; what the engine has begun cannot be left here."""
        if not self._busy:
            self.dismiss(None)

    def action_start(self) -> None:
        """Start, unless that is under way."""
        if not self._busy:
            self._start()

    def _command(self) -> StartCopy:
        """What is asked for. Raises EngineError for what cannot be meant."""
        kind, path = self.kind, self.query_one("#path", Input).value.strip()
        if not path.startswith("/"):
            raise EngineError("write the whole path, from / on", field="path")
        if kind is TaskKind.RESTORE:
            self._agree()
        image = kind is TaskKind.IMAGE
        return StartCopy(
            kind,
            self._device.address,
            Path(path),
            overwrite=image and self.query_one("#overwrite", Checkbox).value,
            resume=image and self.query_one("#resume", Checkbox).value,
            serial=self._serial,
            macs=self._macs if kind is TaskKind.RESTORE else (),
        )

    def _agree(self) -> None:
        """Raise EngineError unless the address was typed, of a device that was looked at."""
        try:
            agreed = Address.parse(self.query_one("#typed", Input).value) == self._device.address
        except ValueError:
            agreed = False
        if not agreed:
            raise EngineError(f"type {self._device.address}: what it holds is lost", field="typed")
        if self._serial is None:
            raise EngineError("the device has not said yet who it is: wait until it has", field="typed")

    @work(group="start")
    async def _start(self) -> None:
        await all_read([*self.query(Input), *self.query(Checkbox), *self.query(RadioSet)])
        if not self.stands:
            return
        self._say_nothing()
        self._set_busy(busy=True)
        try:
            task = await self.console.ask(self._command(), _SECONDS)
        except EngineError as error:
            if self.stands:
                self._set_busy(busy=False)
                self._refuse(error)
        else:
            self.console.pull()
            self.console.say(f"Task {task.number} has begun: T shows it, and how far it is.")
            if self.stands:
                self.dismiss(task)

    def _say_nothing(self) -> None:
        self.query_one("#message-copy", Message).say("")
        for name in ("path", "typed"):
            self.query_one(f"#field-{name}", Field).say("")

    def _refuse(self, error: EngineError) -> None:
        """Say it beside its field."""
        text = str(error).replace("add --overwrite to replace it, or --resume to go on with it", "mark one of the boxes below")
        if error.field in ("path", "typed"):
            self.query_one(f"#field-{error.field}", Field).say(text, Tone.ERROR)
        else:
            self.query_one("#message-copy", Message).say(text, Tone.ERROR)

    def _set_busy(self, *, busy: bool) -> None:
        self._busy = busy
        self.query_one("#start", Button).label = "Starting..." if busy else "Start"
        for each in self.query(Button):
            each.disabled = busy
