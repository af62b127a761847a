"""The form that serves a disk: what is typed is looked at while it is typed, and done only when asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Checkbox, Input, RadioButton, RadioSet, SelectionList, Static

from aoetui.engine.api import CheckAddress, EngineError, InspectBacking, ListBlockDevices
from aoetui.engine.protocol.address import Address
from aoetui.engine.snapshot import ExportSnapshot
from aoetui.engine.spec import Durability
from aoetui.propose import propose_address
from aoetui.screens.confirm import Confirm
from aoetui.screens.dialog import Dialog, all_read
from aoetui.screens.export_draft import Draft, address_warning, new_file_words, own_export, parse_path
from aoetui.screens.export_fields import ADVANCED, DIRECT, MORE, advanced_fields
from aoetui.screens.exports import tell_served
from aoetui.widgets.durability import RISKS
from aoetui.widgets.fields import Choice, Choices, Field, Line, LinkList, Mark, Message, Tone
from aoetui.widgets.path_picker import PathInput, PathPicker
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from aoetui.app import ConsoleApp
    from aoetui.engine.api import BackingReport
    from aoetui.engine.snapshot import EngineSnapshot

PAUSE = 0.4
"""Seconds without a key before what was typed is looked at."""

KEYS = "ctrl+s serve  esc cancel  tab next  space marks"
SHARED = "Linux takes two targets of one address for two paths of one disk, and corrupts both."
CONTROLS = {"path": "#path", "size": "#size", "address": "#address", "interfaces": "#links", "direct": "#direct"}
CONTROLS |= {name: f"#{name}" for name in ADVANCED}
"""The fields that can be refused on their own; whatever else is refused is said at the bottom."""


class ExportForm(Dialog[ExportSnapshot | None]):
    """Gives the export once it is served; None if the form was left, which changes nothing."""

    CSS_PATH = "export_form.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "serve", "serve", priority=True),
        Binding("enter", "move_on", "next", show=False, priority=True),
        Binding("escape", "cancel", "cancel"),
    ]
    AUTO_FOCUS = "#path"

    def __init__(self) -> None:
        super().__init__()
        self._report: BackingReport | None = None
        self._looked_at: tuple[str, bool] | None = None
        """Path and read-only, as they were when the report was asked for."""
        self._busy = False
        self._served: ExportSnapshot | None = None
        """Served while a question stood before the form."""

    @property
    def console(self) -> ConsoleApp:
        """The app, as what it is."""
        return cast("ConsoleApp", self.app)

    def compose(self) -> ComposeResult:
        """Fields above, what will happen and the buttons below, always in view."""
        with Vertical(id="form"):
            with VerticalScroll(id="form-fields", can_focus=False):
                yield from self._fields(self.console.snapshot)
            with Vertical(id="form-foot"):
                yield Static(id="summary", markup=False)
                yield Message(id="message-form")
                with Horizontal(id="form-buttons"):
                    yield Button("Serve", id="serve", variant="primary", compact=True)
                    yield Button("Serve anyway...", id="serve-anyway", variant="error", compact=True)
                    yield Button("Cancel", id="cancel", compact=True)
                    yield Static(KEYS, classes="keys", markup=False)

    def _fields(self, snapshot: EngineSnapshot) -> ComposeResult:
        yield Field("Backing", PathPicker(), name="path")
        size = Line(id="size", compact=True, max_length=24, placeholder="10G")
        sparse = Mark("sparse", value=True, id="sparse", compact=True)
        yield Field("New file", Horizontal(size, sparse, id="new-file"), name="size")
        address = Line(_proposed(snapshot), id="address", compact=True, max_length=12, select_on_focus=False)
        yield Field("Address", address, name="address", beside=True)
        yield Field("Interfaces", LinkList(snapshot.links, _preselected(snapshot), id="links"), name="interfaces")
        yield Field("Writes", Mark("read-only: writes are refused", id="read-only", compact=True), name="read_only")
        buttons = [Choice(f"{mode}: {RISKS[mode, False]}", value=mode is Durability.CACHED, id=str(mode)) for mode in Durability]
        yield Field("Durability", Choices(*buttons, id="durability", compact=True), name="durability")
        yield Field("", Mark(DIRECT, id="direct", compact=True), name="direct")
        yield Field("More", Mark(MORE, id="more", compact=True), name="more")
        yield from advanced_fields()

    def on_mount(self) -> None:
        """Look at what is prefilled."""
        self.query_one("#form").border_title = "Serve a disk"
        self.query_one("#serve-anyway").display = False
        self._show_advanced(shown=False)
        self.set_focus(self.query_one("#path"))
        self._forget_report()
        self._list_devices()
        self._check_address()
        self._summarise()

    # -- what is typed -----------------------------------------------------------------------------------------------

    def draft(self) -> Draft:
        """The fields as they are now."""
        marked = set(self.query_one(LinkList).selected)
        durable = self.query_one(f"#{Durability.DURABLE}", RadioButton).value
        path, read_only = self.query_one("#path", Input).value, self.query_one("#read-only", Checkbox).value
        return Draft(
            path=path,
            report=self._report if self._looked_at == (path, read_only) else None,
            size=self.query_one("#size", Input).value,
            sparse=self.query_one("#sparse", Checkbox).value,
            address=self.query_one("#address", Input).value,
            interfaces=tuple(link.name for link in self.console.snapshot.links if link.name in marked),
            read_only=read_only,
            durability=Durability.DURABLE if durable else Durability.CACHED,
            direct=self.query_one("#direct", Checkbox).value,
            advanced={name: self.query_one(f"#{name}", Input).value for name in ADVANCED},
        )

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look again at what changed."""
        match event.input.id:
            case "path":
                self._forget_report()
                self._inspect()
            case "address":
                self._check_address()
            case "vlan":
                self._field("vlan").say("")
                self._check_address()
            case name if name in ADVANCED:
                self._field(str(name)).say("")
            case _:
                self._say_new_file()
        self._summarise()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """Enter moves on from a line of text; elsewhere it is the control's own."""
        return action != "move_on" or isinstance(self.focused, Input)

    def action_next(self) -> None:
        """Take the path's completion, or go on."""
        if not (isinstance(self.focused, PathInput) and self.focused.complete()):
            self.action_move_on()

    def action_move_on(self) -> None:
        """To the next control; enter serves nothing. The disks below the path are reached by down, so that a size can follow."""
        if isinstance(self.focused, PathInput):
            self.set_focus(self.query_one("#size" if self.query_one("#field-size").display else "#address"))
        else:
            self.focus_next()

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        """A mounted disk may be served read-only, so that is asked again."""
        match event.checkbox.id:
            case "read-only":
                self._inspect()
            case "more":
                self._show_advanced(shown=event.value)
            case "sparse":
                self._say_new_file()
        self._summarise()

    def on_radio_set_changed(self, _event: RadioSet.Changed) -> None:
        """The durability changed."""
        self._summarise()

    def on_selection_list_selected_changed(self, _event: SelectionList.SelectedChanged[str]) -> None:
        """The address is to be free on the interfaces that are marked now."""
        default = [
            link.name for link in self.console.snapshot.links if link.default_route and link.name in self.draft().interfaces
        ]
        text = f"{default[0]} has the default route: AoE has no protection, mark it only if you must" if default else ""
        self._field("interfaces").say(text, Tone.WARNING)
        self._check_address()
        self._summarise()

    def _forget_report(self) -> None:
        self._report = None
        self._field("path").say("")
        self._field("size").say("" if self.draft().path.strip() else "size of a file that is to be made; a disk needs none")
        self._show_size(shown=True)

    def _show_size(self, *, shown: bool) -> None:
        """The size's field is there until the path is known to exist, so that a quick tab does not pass it by."""
        if not shown and self.query_one("#field-size").has_focus_within:
            self.set_focus(self.query_one("#address"))
        self._field("size").display = shown

    def _show_advanced(self, *, shown: bool) -> None:
        """What most exports do without. What was typed there counts while it is hidden too, and the summary tells it."""
        for name in ADVANCED:
            self._field(name).display = shown

    def _summarise(self) -> None:
        self.query_one("#summary", Static).update(plain(self.draft().summary(self.console.snapshot.links), 400))

    def _say_new_file(self) -> None:
        draft = self.draft()
        text, right = new_file_words(draft.size, sparse=draft.sparse)
        self._field("size").say(text, Tone.PLAIN if right else Tone.ERROR)

    def _field(self, name: str) -> Field:
        return self.query_one(f"#field-{name}", Field)

    # -- what the engine says of it ----------------------------------------------------------------------------------

    @work(group="devices")
    async def _list_devices(self) -> None:
        try:
            devices = await self.console.ask(ListBlockDevices())
        except EngineError as error:
            if self.stands:
                self._field("path").say(f"disks cannot be listed: {error}", Tone.WARNING)
        else:
            if self.stands:
                self.query_one(PathPicker).show_devices(devices)

    @work(exclusive=True, group="path")
    async def _inspect(self) -> None:
        """Once the typing pauses, look at the path."""
        await asyncio.sleep(PAUSE)
        if not self.stands or not self.draft().path.strip():
            return
        try:
            await self._ask_report()
        except EngineError as error:
            if self.stands:
                self._field("path").say(str(error), Tone.ERROR)
        if self.stands:
            self._summarise()

    async def _ask_report(self) -> None:
        """Ask what the path is, and say it."""
        draft = self.draft()
        report = await self.console.ask(InspectBacking(parse_path(draft.path), draft.read_only))
        if self.stands:
            self._report, self._looked_at = report, (draft.path, draft.read_only)
            self._say_report(report)

    def _say_report(self, report: BackingReport) -> None:
        field = self._field("path")
        self._show_size(shown=not report.exists)
        if not report.exists:
            lost = str(report.path).startswith("/dev/")
            end = "a file made in /dev is lost when this host restarts" if lost else "a file will be made, of the size below"
            field.say(f"does not exist: {end}", Tone.WARNING if lost else Tone.PLAIN)
            self._say_new_file()
        elif report.refusal:
            field.say(report.refusal, Tone.ERROR)
        else:
            field.say(report.warning, Tone.WARNING)

    @work(exclusive=True, group="address")
    async def _check_address(self) -> None:
        """Once the typing pauses, ask on the wire who else has the address."""
        self.query_one("#serve-anyway").display = False
        self._field("address").say("checking...")
        await asyncio.sleep(PAUSE)
        if not self.stands:
            return
        words = await self._judge_address(self.draft())
        if self.stands:
            self._field("address").say(*words)

    async def _judge_address(self, draft: Draft) -> tuple[str, Tone]:
        try:
            address = Address.parse(draft.address)
        except ValueError as error:
            return str(error), Tone.ERROR
        if taken := own_export(address, self.console.snapshot.exports):
            return taken, Tone.ERROR
        if not draft.interfaces:
            return "checked once an interface is marked", Tone.PLAIN
        try:
            others = await self.console.ask(CheckAddress(address, draft.interfaces, draft.vlan))
        except EngineError as error:
            return f"not checked: {error}", Tone.WARNING
        if others:
            return "; ".join(others), Tone.ERROR
        warning = address_warning(address)
        free = f"free on {', '.join(draft.interfaces)}" + (f", VLAN {draft.vlan}" if draft.vlan else "")
        return (f"{free}; {warning}", Tone.WARNING) if warning else (free, Tone.GOOD)

    # -- doing it ----------------------------------------------------------------------------------------------------

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The three buttons."""
        match event.button.id:
            case "serve":
                self.action_serve()
            case "serve-anyway":
                self._ask_anyway()
            case _:
                self.action_cancel()

    def action_serve(self) -> None:
        """Serve, unless that is under way."""
        self._begin(force=False)

    def action_cancel(self) -> None:
        """Leave; what the engine has begun cannot be left."""
        if not self._busy:
            self.dismiss(None)

    def _ask_anyway(self) -> None:
        draft = self.draft()
        lines = [plain(self.query_one("#message-address", Message).text, 400), Text(), Text(SHARED, "bold yellow")]
        question = Confirm(f"Serve {draft.address} although it is answered by others?", lines, "Serve anyway")
        self.app.push_screen(question, lambda yes: self._begin(force=True) if yes else None)

    def _begin(self, *, force: bool) -> None:
        if not self._busy:
            self._busy = True
            self._serve(force=force)

    @work(group="serve")
    async def _serve(self, *, force: bool) -> None:
        links = self.query_one(LinkList)
        await all_read([*self.query(Input), *self.query(Checkbox), *self.query(RadioSet), links, links])
        self._set_busy(busy=True)
        self.query_one("#message-form", Message).say("")
        try:
            if self.draft().report is None:
                await self._ask_report()
            export = await self.console.ask(self.draft().command(force=force))
        except EngineError as error:
            if self.stands:
                self._set_busy(busy=False)
                self._refuse(error)
        else:
            self._close_with(export)

    def _close_with(self, export: ExportSnapshot) -> None:
        """Close, as soon as no question stands before the form: only the foremost screen can."""
        if self.app.screen is not self:
            self._served = export
        elif self.stands:
            self.dismiss(export)
            self.console.call_later(tell_served, self.console, export)

    def on_screen_resume(self) -> None:
        """A question was answered; the export may have been served meanwhile."""
        if self._served is not None:
            self._close_with(self._served)

    def _set_busy(self, *, busy: bool) -> None:
        self._busy = busy
        button = self.query_one("#serve", Button)
        button.label = "Serving..." if busy else "Serve"
        self.query_one("#form-fields").disabled = busy
        for each in self.query(Button):
            each.disabled = busy

    def _refuse(self, error: EngineError) -> None:
        """Say it beside its field; nothing else changes."""
        if error.field not in CONTROLS:
            self.query_one("#message-form", Message).say(str(error), Tone.ERROR)
            return
        self.workers.cancel_group(self, error.field)
        if error.field in ADVANCED:
            self.query_one("#more", Checkbox).value = True
            self._show_advanced(shown=True)
        self._field(error.field).display = True
        self._field(error.field).say(str(error), Tone.ERROR)
        self.set_focus(self.query_one(CONTROLS[error.field]))
        self.query_one("#serve-anyway").display = error.field == "address" and self._may_force()

    def _may_force(self) -> bool:
        """Others' answers can be overridden; our own export at that address, or a wrong address, cannot."""
        try:
            return not own_export(Address.parse(self.draft().address), self.console.snapshot.exports)
        except ValueError:
            return False


def _proposed(snapshot: EngineSnapshot) -> str:
    """The next free address beside what we served last."""
    taken = {export.spec.address for export in snapshot.exports} | {device.address for device in snapshot.devices}
    last_shelf = snapshot.exports[-1].spec.address.shelf if snapshot.exports else None
    address = propose_address(taken, last_shelf)
    return "" if address is None else str(address)


def _preselected(snapshot: EngineSnapshot) -> list[str]:
    """What is scanned, never the link with the default route."""
    return [link.name for link in snapshot.links if link.name in (snapshot.interfaces or ()) and not link.default_route]
