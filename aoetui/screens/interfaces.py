"""Interfaces: the links of this host, which of them speak AoE, and what is odd about each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import Container, VerticalScroll

from aoetui.actions import Scope, bindings
from aoetui.engine.protocol.wire import sectors_per_frame
from aoetui.engine.snapshot import Severity
from aoetui.screens.base import ConsoleScreen
from aoetui.widgets import figures
from aoetui.widgets.plain import plain, printable
from aoetui.widgets.rates import both_rates
from aoetui.widgets.silences import MEANINGS
from aoetui.widgets.table import Column, LiveTable, Row
from aoetui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from aoetui.engine.snapshot import EngineSnapshot, LinkSnapshot

COLUMNS = (
    Column("name", "name", 10),
    Column("aoe", "AoE", 5),
    Column("state", "state", 12),
    Column("mtu", "MTU", 5, right=True),
    Column("rates", "rx / tx", 13, right=True),
    Column("drops", "drops", 5, right=True),
    Column("vlan", "VLAN", 13),
    Column("kind", "kind", 9),
    Column("mac", "MAC", 17),
    Column("bridge", "bridge", 10),
)
MARKS = {Severity.INFO: ("i", "cyan"), Severity.WARNING: ("!", "yellow"), Severity.ALARM: ("!!", "bold red")}


class InterfacesScreen(ConsoleScreen):
    """The list of links, and the detail of one."""

    SCOPE = Scope.INTERFACES
    CSS_PATH = "interfaces.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.INTERFACES)

    def __init__(self) -> None:
        super().__init__()
        self._links: dict[str, LinkSnapshot] = {}

    def body(self) -> ComposeResult:
        """List and detail."""
        with Container(id="interfaces"):
            yield LiveTable(COLUMNS, id="interfaces-list")
            with VerticalScroll(id="interfaces-detail"):
                yield Words(id="link")
        yield Words("This host shows no network interface.", classes="empty")

    def show(self, snapshot: EngineSnapshot) -> None:
        """Show the links that pass the filter."""
        self._links = {link.name: link for link in snapshot.links}
        passing = [link for link in snapshot.links if self._passes(link)]
        self.counted = (len(passing), len(snapshot.links))
        self.set_class(not snapshot.links, "-empty")
        self.query_one("#interfaces-list", LiveTable).show([link_row(link) for link in passing])
        self._show_detail()

    def back(self) -> bool:
        """Close the opened link first."""
        if self.has_class("-opened"):
            self._open(opened=False)
            return True
        return super().back()

    def on_live_table_row_highlighted(self, _event: LiveTable.RowHighlighted) -> None:
        """The cursor moved: show the link under it."""
        self._show_detail()

    def on_live_table_row_selected(self, _event: LiveTable.RowSelected) -> None:
        """A click on the selected row opens it, as enter does."""
        self.action_open_link()

    def action_open_link(self) -> None:
        """Give the link the whole body."""
        self._open(opened=True)

    def action_choose_interfaces(self) -> None:
        """Choose what is scanned."""
        self.console.choose_interfaces()

    def _open(self, *, opened: bool) -> None:
        self.set_class(opened, "-opened")
        self.set_focus(self.query_one("#interfaces-detail" if opened else "#interfaces-list"))
        self.refresh_bindings()

    def _passes(self, link: LinkSnapshot) -> bool:
        return self.matches(link.name, link.kind, str(link.mac or ""), link_state(link).plain, link.parent or "", *link.addresses)

    def _show_detail(self) -> None:
        if not self.stands:
            return
        link = self._links.get(self.query_one("#interfaces-list", LiveTable).current_key or "")
        self.query_one("#interfaces-detail").display = link is not None
        if link is not None:
            self.query_one("#link", Words).update(link_detail(link))


def link_state(link: LinkSnapshot) -> Text:
    """Glyph, word and colour: each alone tells it."""
    if not link.admin_up:
        return Text("- down", "dim")
    if not link.carrier:
        return Text("x no carrier", "yellow")
    return Text("* up", "green")


def link_row(link: LinkSnapshot) -> Row:
    """One link."""
    drops = link.rx_dropped + link.tx_dropped + link.ring_dropped
    cells = (
        plain(link.name, 10),
        _aoe_cell(link),
        link_state(link),
        Text(str(link.mtu)),
        Text(both_rates(link.rates.rx_bytes, link.rates.tx_bytes)),
        Text(figures.count(drops), "yellow" if drops else "dim"),
        plain("" if link.vlan_id is None else f"{link.vlan_id}@{link.parent or '?'}", 13),
        plain(link.kind, 9),
        Text("" if link.mac is None else str(link.mac)),
        plain(link.bridge or "", 10),
    )
    return Row(link.name, cells)


def _aoe_cell(link: LinkSnapshot) -> Text:
    if not link.chosen:
        return Text("")
    return Text("x not", "bold red") if link.problem or not link.usable else Text("* yes", "green")


def link_detail(link: LinkSnapshot) -> Text:
    """Everything about a link: what is wrong first."""
    lines = [
        Text.assemble(plain(link.name, 15, "bold"), "  ", link_state(link), "  ", _aoe_words(link)),
        *_remarks(link),
        *_facts(link),
    ]
    for line in lines:
        line.no_wrap = False
    return Text("\n").join(lines)


def _aoe_words(link: LinkSnapshot) -> Text:
    if not link.chosen:
        return Text("AoE is not spoken here", "dim")
    if link.problem or not link.usable:
        return Text("AoE is to be spoken here, and cannot be now", "bold red")
    return Text("AoE is spoken here", "green")


def _remarks(link: LinkSnapshot) -> Iterator[Text]:
    if link.problem:
        yield plain(f"!! {link.problem}", 300, "bold red")
    for note in link.notes:
        mark, style = MARKS[note.severity]
        yield plain(f"{mark} {note.text}", 300, style)


def _facts(link: LinkSnapshot) -> Iterator[Text]:
    yield _fact("MTU", Text(f"{link.mtu}, {figures.many(sectors_per_frame(link.mtu), 'sector')} a frame"))
    yield _fact("MAC", Text(str(link.mac or "none")))
    parent = f" on {printable(link.parent, 15)}" if link.parent else ""
    vlan = "" if link.vlan_id is None else f", VLAN {link.vlan_id}"
    yield _fact("kind", plain(f"{link.kind}{vlan}{parent}", 80))
    if link.bridge is not None:
        yield _fact("port of", plain(link.bridge, 15))
    yield _fact("addresses", plain(", ".join(link.addresses) or "none", 200))
    rates = link.rates
    yield _fact("receives", Text(f"{figures.rate(rates.rx_bytes)}  {figures.count(rates.rx_packets)} frames/s"))
    yield _fact("sends", Text(f"{figures.rate(rates.tx_bytes)}  {figures.count(rates.tx_packets)} frames/s"))
    yield _fact(
        "dropped", Text(f"{link.rx_dropped} received, {link.tx_dropped} sent, {link.ring_dropped} by our full receive ring")
    )
    if link.send_failed:
        yield _fact("not sent", Text(f"{figures.many(link.send_failed, 'frame')} of ours that the kernel did not take", "yellow"))
    if link.truncated:
        yield _fact("too long", Text(f"{figures.many(link.truncated, 'frame')} for the ring of the MTU before", "yellow"))
    yield _fact("errors", Text(f"{link.rx_errors} received, {link.tx_errors} sent"))
    yield _fact("refused", Text(f"{figures.many(link.foreign_vlan, 'frame')} of VLANs, by the port for untagged frames"))
    if link.chosen:
        yield from _silences(link)
    if link.data_path:
        without = ", without the interpreter" if link.data_path == "compiled" else ""
        yield _fact("data path", plain(f"{link.data_path}{without}", 200))
        yield _fact("memory", Text(f"up to {figures.memory(link.memory)}"))


def _silences(link: LinkSnapshot) -> Iterator[Text]:
    """Why AoE frames were not answered, the most first. One line for each reason."""
    if not link.silences:
        yield _fact("silent", Text("on no frame: every one was answered"))
    for place, (why, count) in enumerate(sorted(link.silences, key=lambda each: -each[1])):
        frames = "1 frame" if count == 1 else f"{figures.count(count)} frames"
        yield _fact("" if place else "silent on", Text(f"{frames} {MEANINGS[why]}"))


def _fact(name: str, value: Text) -> Text:
    return Text.assemble((f"{name:<10}", "dim"), value)
