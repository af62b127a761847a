"""SAN: every device that answers, and our own exports, by shelf; beside them what is known of the selected one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import Container, VerticalScroll

from aoetui.actions import Scope, bindings
from aoetui.engine.snapshot import DeviceSnapshot, DeviceState, Severity
from aoetui.screens.administer import administer, identify
from aoetui.screens.copy_form import CopyForm
from aoetui.screens.driver import DriverScreen
from aoetui.screens.path_check import PathCheckScreen
from aoetui.screens.san_listing import ORDERS, Listing, Shelf, listed
from aoetui.screens.sectors import SectorsScreen
from aoetui.widgets import figures
from aoetui.widgets.details import device_lines, state_and_style, state_word
from aoetui.widgets.driver import only_in_driver, shown_devices
from aoetui.widgets.durability import short_mode
from aoetui.widgets.plain import plain
from aoetui.widgets.table import Column, LiveTable, Row
from aoetui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from aoetui.engine.protocol.address import Address
    from aoetui.engine.snapshot import EngineSnapshot

COLUMNS = (
    Column("address", "address", 10),
    Column("size", "size", 7, right=True),
    Column("state", "state", 10),
    Column("paths", "paths", 7),
    Column("payload", "payload", 7, right=True),
    Column("config", "config", 17),
)
"""The first five fit beside the detail in 80 columns."""

NO_INTERFACE = """No interface is chosen, so nothing is asked and nothing is heard.

Press i to choose the interfaces that lead to your disks.
AoE is never spoken on an interface that nobody chose."""

NO_ANSWER = """Nothing has answered on {names} yet.

Press d to ask again now. If it stays empty:
  - 3 Interfaces tells whether the link is up, and what is odd about it;
  - the target must be in the same segment and VLAN: AoE is not routed;
  - a target with a mask list answers only the MACs on it;
  - press i to scan other interfaces, n to serve a disk of your own."""


class SanScreen(DriverScreen):
    """The list of devices and the detail of one."""

    SCOPE = Scope.SAN
    CSS_PATH = "san.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.SAN)

    def __init__(self) -> None:
        super().__init__()
        self._folded: set[int] = set()
        self._order = 0
        self._reverse = False
        self._snapshot: EngineSnapshot | None = None
        self._taken: tuple[DeviceSnapshot, ...] = ()
        self._listing = Listing(())
        self._devices: dict[str, DeviceSnapshot] = {}
        """Those, by the keys of their rows."""
        self._ours: dict[Address, Served] = {}
        self._words: dict[str, tuple[object, str]] = {}
        """What the filter looks through, and what that was made of."""

    def body(self) -> ComposeResult:
        """List, detail, and what stands there instead when there is nothing to list."""
        with Container(id="san"):
            yield LiveTable(COLUMNS, id="san-list")
            with VerticalScroll(id="san-detail"):
                yield Words(id="san-device")
        yield Words(classes="empty")

    def on_screen_resume(self) -> None:
        """Someone looks: the scanner asks more often."""
        self.console.watch_san(looking=not self.console.paused)
        super().on_screen_resume()

    def show(self, snapshot: EngineSnapshot) -> None:
        """Show the devices that pass the filter, shelf by shelf."""
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._take(shown_devices(snapshot))
        devices = self._taken
        self._ours = served(snapshot)
        listing = self._listed()
        self.counted = (listing.passing, len(devices))
        self.set_class(not devices, "-empty")
        self.query_one(".empty", Words).update(Text(empty_text(snapshot)))
        table = self.query_one("#san-list", LiveTable)
        first = table.current_key is None
        table.show_keys(listing.keys, self._row, of=(snapshot, listing))
        if first and listing.passing:
            table.select(next((key for key in listing.keys if key in self._devices), ""))
        if snapshot.devices and self.focused is None:  # it could not have the keys while there was nothing to list
            self.call_after_refresh(self.set_focus, table)
        self._show_detail(snapshot)

    def _take(self, devices: tuple[DeviceSnapshot, ...]) -> None:
        if devices is self._taken:
            return
        before, self._taken, self._listing = self._taken, devices, Listing(())
        if len(devices) == len(before) and all(new.address is old.address for new, old in zip(devices, before, strict=True)):
            self._devices = dict(zip(self._devices, devices, strict=True))
        else:
            self._devices = {str(device.address): device for device in devices}
            self._words = {key: known for key, known in self._words.items() if key in self._devices}

    def back(self) -> bool:
        """Close the opened device first."""
        if self.has_class("-opened"):
            self._open(opened=False)
            return True
        return super().back()

    def on_live_table_row_highlighted(self, _event: LiveTable.RowHighlighted) -> None:
        """The cursor moved: show the device under it."""
        if self.stands:
            self._show_detail(self.console.snapshot)

    def on_live_table_row_selected(self, _event: LiveTable.RowSelected) -> None:
        """A click on the selected row opens it, as enter does."""
        self.action_open_device()

    def action_open_device(self) -> None:
        """Give the device the whole width, or fold the shelf."""
        if self._selected() is None:
            self.action_fold()
        else:
            self._open(opened=True)

    def action_fold(self) -> None:
        """Fold or unfold the shelf of the selected row."""
        key = self.query_one("#san-list", LiveTable).current_key
        if key is None:
            return
        device = self._devices.get(key)
        shelf = device.address.shelf if device else int(key.removeprefix("shelf "))
        self._folded ^= {shelf}
        self.console.refresh_screen()
        self.query_one("#san-list", LiveTable).select(f"shelf {shelf}")

    async def action_copy_device(self) -> None:
        """Open the form; what is typed from now on goes there."""
        if (device := self._remote()) is not None:
            await self.app.push_screen(CopyForm(device))

    async def action_show_sectors(self) -> None:
        """Look at the bytes."""
        if (device := self._remote()) is not None:
            await self.app.push_screen(SectorsScreen(device))

    def _remote(self) -> DeviceSnapshot | None:
        """The selected device, if it is somebody else's; else say why not."""
        device = self._selected()
        if device is None or device.ours:
            why = "Select a device first" if device is None else f"{device.address} is served by this host: use its file"
            self.console.say(f"{why}; what is read and written over the wire is somebody else's.")
            return None
        return device

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._order = (self._order + 1) % len(ORDERS)
        self._say_order()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._reverse = not self._reverse
        self._say_order()

    async def action_device_config(self) -> None:
        """Its config string."""
        await administer(self.console, self._selected(), "config_string")

    async def action_device_mask(self) -> None:
        """Its mask list."""
        await administer(self.console, self._selected(), "mask")

    async def action_device_reservation(self) -> None:
        """Who holds it."""
        await administer(self.console, self._selected(), "reservation")

    async def action_device_identify(self) -> None:
        """All that it says of itself."""
        await identify(self.console, self._selected())

    def action_choose_interfaces(self) -> None:
        """Choose what is scanned."""
        self.console.choose_interfaces()

    async def action_check_paths(self) -> None:
        """Measure the paths to the selected device, or to all of the selected shelf."""
        selected = self._selected()
        key = self.query_one("#san-list", LiveTable).current_key
        members = [each for each in self._devices.values() if f"shelf {each.address.shelf}" == key]
        remote = [each.address for each in ([selected] if selected else members) if each.paths]
        if remote:
            await self.console.push_screen(PathCheckScreen(remote))
        elif key is not None:
            self.console.say(f"{key} is served by this host alone: check it from a host that uses it.", Severity.WARNING)

    def _say_order(self) -> None:
        self.console.refresh_screen()
        self.console.say(f"Each shelf by {ORDERS[self._order][0]}{', reversed' if self._reverse else ''}.")

    def _open(self, *, opened: bool) -> None:
        self.set_class(opened, "-opened")
        self.set_focus(self.query_one("#san-detail" if opened else "#san-list"))
        self.refresh_bindings()
        # The paths have more room now, or less: known once the new layout stands.
        self.call_after_refresh(self.console.refresh_screen)

    def _shelf_text(self) -> Text:
        key = self.query_one("#san-list", LiveTable).current_key
        if key is None:
            return Text("No device holds the filter's text: esc clears it." if self._devices else "")
        return Text.assemble((key, "bold"), "\nenter folds and unfolds it; select a device to see its paths.")

    def selected_address(self) -> Address | None:
        """Of the device under the cursor."""
        device = self._selected()
        return None if device is None else device.address

    def _selected(self) -> DeviceSnapshot | None:
        return self._devices.get(self.query_one("#san-list", LiveTable).current_key or "")

    def _passes(self, key: str, device: DeviceSnapshot) -> bool:
        told = (
            device.model,
            device.serial,
            device.config_string,
            device.state,
            device.sameness,
            device.flapping,
            device.ours,
            tuple((path.mac, path.interface) for path in device.paths),
        )
        known = self._words.get(key)
        if known is None or known[0] != told:
            known = self._words[key] = (told, "\n".join(words_of(device)).lower())
        return self.filter_text in known[1]

    def _listed(self) -> Listing:
        """What the list holds, made anew only if it is another than before: thousands may be listed each second."""
        what = (self.filter_text, self._order, self._reverse, frozenset(self._folded))
        if what != self._listing.of:
            shown = [item for item in self._devices.items() if not self.filter_text or self._passes(*item)]
            folded = frozenset() if self.filter_text else self._folded
            order = ORDERS[self._order][1] if self._order or self._reverse else None
            self._listing = listed(what, shown, order, reverse=self._reverse, folded=folded)
        return self._listing

    def _row(self, key: str) -> Row:
        if (shelf := self._listing.shelves.get(key)) is not None:
            return shelf_row(shelf)
        device = self._devices[key]
        return device_row(device, self._ours.get(device.address), self.console.snapshot.taken)

    def _show_detail(self, snapshot: EngineSnapshot) -> None:
        device = self._selected()
        if device is None:
            text = self._shelf_text()
        else:
            text = device_lines(device, snapshot, self.query_one("#san-detail").content_size.width)
        self.query_one("#san-device", Words).update(text)


def words_of(device: DeviceSnapshot) -> Iterator[str]:
    """What a person may look for it by."""
    yield str(device.address)
    yield from (device.model, device.serial, device.config_string.decode("utf-8", "replace"), state_and_style(device)[0])
    for path in device.paths:
        yield from (str(path.mac), path.interface)


def shelf_row(shelf: Shelf) -> Row:
    """The heading of a shelf: how many devices, how many of them need a look, and their bytes."""
    mark = ">" if shelf.folded else "v"
    cells = (
        Text(f"{mark} shelf {shelf.number}" if shelf.number < 100 else f"{mark} {shelf.number}", "bold"),
        Text(figures.size(shelf.size), "dim"),
        Text(figures.many(shelf.slots, "slot"), "dim"),
        Text(f"{shelf.odd} odd" if shelf.odd else "", "yellow"),
        Text(""),
        Text(""),
    )
    return Row(shelf.key, cells)


def device_row(device: DeviceSnapshot, ours: Served | None, now: datetime) -> Row:
    """One device; of one of ours, where and how it is served."""
    address = str(device.address)
    links = ours.links if ours else 0
    cells = (
        Text(f"  {address}" if len(address) < 9 else address),
        Text("-" if device.size is None else figures.size(device.size)),
        state_word(device),
        Text(figures.many(links, "link") if links else "nowhere")
        if device.ours
        else Text(figures.many(len(device.paths), "path")),
        Text(last_cell(device, ours, now)),
        plain(device.config_string, 17),
    )
    return Row(address, cells)


def last_cell(device: DeviceSnapshot, ours: Served | None, now: datetime) -> str:
    """The payload; of one that does not answer, since when; of one of ours, what an answered write is worth."""
    if device.ours:
        return ours.mode if ours else ""
    if only_in_driver(device):
        return ""
    up = device.state is DeviceState.UP
    return figures.payload(device.payload) if up else figures.age((now - device.last_seen).total_seconds())


@dataclass(frozen=True, slots=True)
class Served:
    """An export of ours, as its row tells of it."""

    links: int
    """Interfaces that it is answered on."""
    mode: str


def served(snapshot: EngineSnapshot) -> dict[Address, Served]:
    """Our exports."""
    return {
        export.spec.address: Served(sum(port.serving for port in export.ports), short_mode(export.spec))
        for export in snapshot.exports
    }


def empty_text(snapshot: EngineSnapshot) -> str:
    """Why there is nothing, and what to press."""
    if not snapshot.interfaces:
        return NO_INTERFACE
    wrong = "".join(f"! {plain(link.problem, 300).plain}\n\n" for link in snapshot.links if link.chosen and link.problem)
    return wrong + NO_ANSWER.format(names=", ".join(plain(name, 15).plain for name in snapshot.interfaces))
