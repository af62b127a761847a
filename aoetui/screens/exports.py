"""Exports: what this host serves, and who uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import Container

from aoetui.actions import Scope, bindings
from aoetui.engine.api import DeleteExport, StartExport, StopExport
from aoetui.engine.snapshot import ExportState, Severity
from aoetui.screens.base import ConsoleScreen
from aoetui.screens.confirm import Confirm, delete_question, stop_question
from aoetui.screens.edit_config import EditConfig
from aoetui.screens.edit_macs import MASK, RESERVATION, EditMacs
from aoetui.screens.edit_subject import OwnExport
from aoetui.widgets import figures
from aoetui.widgets.durability import mode_word
from aoetui.widgets.export_detail import ExportDetail, Part
from aoetui.widgets.export_details import export_state, shortened, writers_lines
from aoetui.widgets.plain import plain, printable
from aoetui.widgets.rates import both_rates
from aoetui.widgets.table import Column, LiveTable, Row
from aoetui.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from aoetui.app import ConsoleApp
    from aoetui.engine.snapshot import EngineSnapshot, ExportSnapshot

BACKING_WIDTH = 19

COLUMNS = (
    Column("address", "address", 9),
    Column("state", "state", 10),
    Column("size", "size", 7, right=True),
    Column("backing", "backing", BACKING_WIDTH),
    Column("rates", "read / write", 13, right=True),
    Column("users", "users", 5, right=True),
    Column("mode", "mode", 10),
    Column("requests", "req/s", 5, right=True),
    Column("interfaces", "interfaces", 30),
)
"""The first seven fit 80 columns."""

EMPTY = """Nothing is served. Press n to serve a disk.

What is served here answers on the interfaces you choose for it, and nowhere else.
Press ? for the keys of this view."""


class ExportsScreen(ConsoleScreen):
    """The list of exports, and the detail of one."""

    SCOPE = Scope.EXPORTS
    CSS_PATH = "exports.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.EXPORTS)

    def __init__(self) -> None:
        super().__init__()
        self._exports: dict[str, ExportSnapshot] = {}
        self._wanted = ""

    def body(self) -> ComposeResult:
        """List, detail, and what stands there when nothing is served."""
        with Container(id="exports"):
            yield LiveTable(COLUMNS, id="exports-list")
            yield ExportDetail(ascii_only=self.console.ascii_only, read_only=self.console.read_only)
        yield Words(EMPTY, classes="empty")

    def show(self, snapshot: EngineSnapshot) -> None:
        """Show the exports that pass the filter."""
        self._exports = {str(export.spec.address): export for export in snapshot.exports}
        passing = [export for export in snapshot.exports if self._passes(export)]
        self.counted = (len(passing), len(snapshot.exports))
        self.set_class(not snapshot.exports, "-empty")
        table = self.query_one("#exports-list", LiveTable)
        keys = [str(export.spec.address) for export in passing]
        table.show_keys(keys, lambda key: export_row(self._exports[key]), of=(snapshot,))
        if self._wanted and table.select(self._wanted):
            self._wanted = ""
        self._show_detail()
        self.refresh_bindings()

    def select(self, address: str) -> None:
        """Put the cursor on this export, as soon as it is shown."""
        self._wanted = address

    def back(self) -> bool:
        """Close the opened export first."""
        if self.has_class("-opened"):
            self._open(opened=False)
            return True
        return super().back()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What cannot be done to the selected export is not offered."""
        if not super().check_action(action, parameters):
            return False
        export = self._selected()
        match action:
            case "next_part" | "previous_part":
                return self.has_class("-opened")
            case "edit_config" | "edit_mask" | "edit_reservation":
                return export is not None and export.size > 0
            case "stop_export":
                return export is not None and export.state is not ExportState.STOPPED
            case "start_export":
                return export is not None and export.state is ExportState.STOPPED
            case "delete_export" | "open_export":
                return export is not None
        return True

    def on_live_table_row_highlighted(self, _event: LiveTable.RowHighlighted) -> None:
        """The cursor moved: show the export under it."""
        if self.stands:
            self._show_detail()
            self.refresh_bindings()

    def on_live_table_row_selected(self, _event: LiveTable.RowSelected) -> None:
        """A click on the selected row opens it, as enter does."""
        self.action_open_export()

    def action_open_export(self) -> None:
        """Give the export the whole body."""
        self._open(opened=True)

    def action_next_part(self) -> None:
        """Go on to the next part of what is open."""
        self._turn(1)

    def action_previous_part(self) -> None:
        """Go back to the part before."""
        self._turn(-1)

    def action_show_part(self, name: str) -> None:
        """Go to the part that was clicked."""
        self.query_one(ExportDetail).go(Part[name])
        self._show_detail()

    async def action_edit_config(self) -> None:
        """Edit the config string."""
        if (export := self._selected()) is not None:
            await self.app.push_screen(EditConfig(OwnExport(export, self.console)))

    async def action_edit_mask(self) -> None:
        """Edit the mask list."""
        if (export := self._selected()) is not None:
            await self.app.push_screen(EditMacs(OwnExport(export, self.console), MASK))

    async def action_edit_reservation(self) -> None:
        """Edit who holds the reservation."""
        if (export := self._selected()) is not None:
            await self.app.push_screen(EditMacs(OwnExport(export, self.console), RESERVATION))

    def action_start_export(self) -> None:
        """Serve a stopped export again."""
        if (export := self._selected()) is not None:
            self.console.send(StartExport(export.spec.address), f"{export.spec.address} is enabled again.")

    def action_stop_export(self) -> None:
        """Stop it, once someone has read who uses it."""
        if (export := self._selected()) is not None:
            address = export.spec.address
            self._ask(stop_question(export, self.console.snapshot.taken), StopExport(address), f"{address} is no longer served.")

    def action_delete_export(self) -> None:
        """Remove it, once someone has read who uses it."""
        if (export := self._selected()) is not None:
            address, path = export.spec.address, printable(str(export.spec.path))
            said = f"{address} is removed; {path} is left as it is."
            self._ask(delete_question(export, self.console.snapshot.taken), DeleteExport(address), said)

    def _ask(self, question: Confirm, command: StopExport | DeleteExport, said: str) -> None:
        self.app.push_screen(question, lambda yes: self.console.send(command, said) if yes else None)

    def _open(self, *, opened: bool) -> None:
        self.set_class(opened, "-opened")
        self.set_focus(self.query_one("#exports-detail" if opened else "#exports-list"))
        self.query_one(ExportDetail).go(Part.OVERVIEW)
        self._show_detail()
        self.refresh_bindings()

    def _turn(self, step: int) -> None:
        self.query_one(ExportDetail).turn(step)
        self._show_detail()

    def _selected(self) -> ExportSnapshot | None:
        if not self.stands:
            return None
        return self._exports.get(self.query_one("#exports-list", LiveTable).current_key or "")

    def _passes(self, export: ExportSnapshot) -> bool:
        spec = export.spec
        users = [str(each.mac) for each in export.initiators]
        return self.matches(str(spec.address), str(spec.path), spec.label, export.state, *spec.interfaces, *users)

    def _show_detail(self) -> None:
        export, detail = self._selected(), self.query_one(ExportDetail)
        detail.display = export is not None
        if export is not None:
            detail.show(export, self.console.snapshot.taken, opened=self.has_class("-opened"))


def export_row(export: ExportSnapshot) -> Row:
    """One export."""
    spec = export.spec
    cells = (
        Text(str(spec.address)),
        export_state(export),
        Text(figures.size(export.size) if export.size else "-"),
        shortened(str(spec.path), BACKING_WIDTH),
        Text(both_rates(export.rates.read_bytes, export.rates.write_bytes)),
        users_cell(export),
        Text(mode_word(spec)),
        Text(figures.count(export.rates.requests)),
        plain(",".join(spec.interfaces), 30),
    )
    return Row(str(spec.address), cells)


def users_cell(export: ExportSnapshot) -> Text:
    """How many use it; marked where the detail has something to say of those who write."""
    users = len(export.active_initiators)
    if any(line.plain.startswith("!") for line in writers_lines(export)):
        return Text(f"{users} !", "bold yellow")
    return Text(str(users), "bold" if users else "dim")


async def tell_served(console: ConsoleApp, export: ExportSnapshot) -> None:
    """Say what became of a new export, and go to it."""
    address = export.spec.address
    on = ", ".join(port.interface for port in export.ports if port.serving)
    if export.state is ExportState.SERVING:
        console.say(f"{address} is served on {on}.")
    elif on:
        console.say(f"{address} is served on {on} only: {export.problem}", Severity.WARNING)
    else:
        console.say(f"{address} is saved, and waits: {export.problem}", Severity.WARNING)
    await console.switch_mode("exports")
    if isinstance(console.screen, ExportsScreen):
        console.screen.select(str(address))
    console.pull()
