"""Exports: what this host serves, and who uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from aoetui.actions import Scope, bindings
from aoetui.engine.api import DeleteExport, StartExport, StopExport
from aoetui.engine.snapshot import ExportState, Severity
from aoetui.screens.base import ConsoleScreen
from aoetui.screens.confirm import Confirm, delete_question, stop_question
from aoetui.widgets import figures
from aoetui.widgets.export_details import export_state, facts, shortened, traffic_line, users_and_ports
from aoetui.widgets.plain import plain, printable
from aoetui.widgets.rates import both_rates
from aoetui.widgets.table import Column, LiveTable, Row
from aoetui.widgets.throughput import Throughput

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widgets import DataTable

    from aoetui.app import ConsoleApp
    from aoetui.engine.snapshot import EngineSnapshot, ExportSnapshot

BACKING_WIDTH = 19

COLUMNS = (
    Column("address", "address", 9),
    Column("state", "state", 10),
    Column("size", "size", 7, right=True),
    Column("backing", "backing", BACKING_WIDTH),
    Column("rates", "read / write", 13, right=True),
    Column("requests", "req/s", 5, right=True),
    Column("users", "users", 5, right=True),
    Column("mode", "mode", 4),
    Column("durability", "writes", 7),
    Column("interfaces", "interfaces", 30),
)
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
            with VerticalScroll(id="exports-detail"):
                yield Static(id="export-facts", markup=False)
                yield Static(id="export-traffic", markup=False)
                yield Throughput(ascii_only=self.console.ascii_only, id="export-chart")
                yield Static(id="export-users", markup=False)
        yield Static(EMPTY, classes="empty", markup=False)

    def show(self, snapshot: EngineSnapshot) -> None:
        """Show the exports that pass the filter."""
        self._exports = {str(export.spec.address): export for export in snapshot.exports}
        passing = [export for export in snapshot.exports if self._passes(export)]
        self.counted = (len(passing), len(snapshot.exports))
        self.set_class(not snapshot.exports, "-empty")
        table = self.query_one("#exports-list", LiveTable)
        table.show([export_row(export) for export in passing])
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
            case "stop_export":
                return export is not None and export.state is not ExportState.STOPPED
            case "start_export":
                return export is not None and export.state is ExportState.STOPPED
            case "delete_export" | "open_export":
                return export is not None
        return True

    def on_data_table_row_highlighted(self, _event: DataTable.RowHighlighted) -> None:
        """The cursor moved: show the export under it."""
        if self.stands:
            self._show_detail()
            self.refresh_bindings()

    def on_data_table_row_selected(self, _event: DataTable.RowSelected) -> None:
        """A click on the selected row opens it, as enter does."""
        self.action_open_export()

    def action_open_export(self) -> None:
        """Give the export the whole body."""
        self._open(opened=True)

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
        self.refresh_bindings()

    def _selected(self) -> ExportSnapshot | None:
        if not self.stands:
            return None
        return self._exports.get(self.query_one("#exports-list", LiveTable).current_key or "")

    def _passes(self, export: ExportSnapshot) -> bool:
        spec = export.spec
        users = [str(each.mac) for each in export.initiators]
        return self.matches(str(spec.address), str(spec.path), spec.label, export.state, *spec.interfaces, *users)

    def _show_detail(self) -> None:
        export = self._selected()
        self.query_one("#exports-detail").display = export is not None
        if export is None:
            return
        chart = self.query_one(Throughput)
        chart.show(export)
        self.query_one("#export-facts", Static).update(facts(export))
        self.query_one("#export-traffic", Static).update(traffic_line(export, chart.seconds))
        self.query_one("#export-users", Static).update(users_and_ports(export, self.console.snapshot.taken))


def export_row(export: ExportSnapshot) -> Row:
    """One export."""
    spec = export.spec
    users = len(export.active_initiators)
    cells = (
        Text(str(spec.address)),
        export_state(export),
        Text(figures.size(export.size) if export.size else "-"),
        shortened(str(spec.path), BACKING_WIDTH),
        Text(both_rates(export.rates.read_bytes, export.rates.write_bytes)),
        Text(figures.count(export.rates.requests)),
        Text(str(users), "bold" if users else "dim"),
        Text("ro" if spec.read_only else "rw"),
        Text(str(spec.durability)),
        plain(",".join(spec.interfaces), 30),
    )
    return Row(str(spec.address), cells)


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
