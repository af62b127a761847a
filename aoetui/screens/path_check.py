"""The path check: what the paths to some devices really carry, and what is wrong with them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.containers import VerticalScroll

from aoetui.actions import Scope, bindings
from aoetui.engine.api import EngineError
from aoetui.engine.commands.paths import CheckPaths, DeviceReport, Finding, PathReport, PathsReport
from aoetui.engine.snapshot import Severity
from aoetui.screens.base import ConsoleScreen
from aoetui.widgets import figures
from aoetui.widgets.plain import plain, printable
from aoetui.widgets.table import Column, LiveTable, Row
from aoetui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from aoetui.engine.protocol.address import Address
    from aoetui.engine.snapshot import EngineSnapshot

COLUMNS = (
    Column("device", "device", 10),
    Column("via", "via", 9),
    Column("mac", "target", 17),
    Column("to", "to it", 6, right=True),
    Column("from", "from", 6, right=True),
    Column("lost", "lost", 9, right=True),
    Column("rtt", "rtt", 6, right=True),
    Column("p95", "p95", 6, right=True),
)
"""Fits 80 columns."""
MARKS = {Severity.INFO: ("i", "cyan"), Severity.WARNING: ("!", "yellow"), Severity.ALARM: ("!!", "bold red")}
_GRAVITY = (Severity.ALARM, Severity.WARNING, Severity.INFO)
_PATIENCE = 360.0
"""Seconds: more than a check takes at most."""
_RUINOUS = 1 / 100


class PathCheckScreen(ConsoleScreen):
    """Checks the devices one after the other when it opens, and again on its key. What it shows is of the last check."""

    SCOPE = Scope.PATHS
    CSS_PATH = "path_check.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.PATHS)

    def __init__(self, addresses: Sequence[Address]) -> None:
        super().__init__()
        self._addresses = tuple(addresses)
        self._reports: list[PathsReport] = []
        self._problems: list[str] = []
        """Why a device could not be checked."""
        self._now: Address | None = None
        """The one that is being checked."""
        self._ended: datetime | None = None

    def body(self) -> ComposeResult:
        """How far it is, the paths, what was found."""
        yield Words(id="check-state")
        yield LiveTable(COLUMNS, id="check-paths")
        with VerticalScroll(id="check-findings"):
            yield Words(id="check-found")

    def on_mount(self) -> None:
        """Begin at once."""
        super().on_mount()
        self._check()

    @property
    def something_open(self) -> bool:
        """It can always be left."""
        return self.stands

    def back(self) -> bool:
        """The filter first, then the screen itself."""
        if not super().back():
            self.dismiss(None)
        return True

    def action_check_again(self) -> None:
        """From the start; a check that is under way is left to its end, and not shown."""
        self._check()

    def show(self, snapshot: EngineSnapshot) -> None:
        """Show what is known so far."""
        devices = [device for report in self._reports for device in report.devices]
        paths = [(device, path) for device in devices for path in device.paths]
        passing = [(device, path) for device, path in paths if self._passes(device, path)]
        self.counted = (len(passing), len(paths))
        table = self.query_one("#check-paths", LiveTable)
        table.show([path_row(device, path) for device, path in passing])
        table.styles.height = len(passing) + 1
        self.query_one("#check-state", Words).update(self._state(snapshot, len(paths)))
        self.query_one("#check-found", Words).update(self._found())

    @work(group="check", exclusive=True)
    async def _check(self) -> None:
        self._reports, self._problems, self._ended = [], [], None
        for address in self._addresses:
            self._now = address
            self.console.refresh_screen()
            await self._check_one(address)
        self._now, self._ended = None, self.console.snapshot.taken
        self.console.refresh_screen()

    async def _check_one(self, address: Address) -> None:
        try:
            report = await self.console.ask(CheckPaths(address), _PATIENCE)
        except EngineError as error:
            self._problems.append(f"{address}: {error}")
            return
        self._reports.append(report)
        if not report.devices:
            self._problems.append(f"{address} does not answer now: look at the cable, the VLAN and the target's mask list")

    def _passes(self, device: DeviceReport, path: PathReport) -> bool:
        return self.matches(str(device.address), str(path.mac), path.interface)

    def _state(self, snapshot: EngineSnapshot, paths: int) -> Text:
        if self._now is not None:
            place = self._addresses.index(self._now) + 1
            which = f", {place} of {len(self._addresses)}" if len(self._addresses) > 1 else ""
            return Text.assemble(("Checking ", "bold"), (str(self._now), "bold"), which, ("  some seconds for each path", "dim"))
        devices = str(self._addresses[0]) if len(self._addresses) == 1 else figures.many(len(self._addresses), "device")
        age = "" if self._ended is None else figures.ago(max(0.0, (snapshot.taken - self._ended).total_seconds()))
        sent = sum(report.frames for report in self._reports)
        return Text.assemble(
            (devices, "bold"), f"  {figures.many(paths, 'path')}, {figures.many(sent, 'frame')} sent, checked {age}"
        )

    def _found(self) -> Text:
        findings = [each for each in merged(self._reports) if self.matches(each.subject, each.text, each.remedy)]
        lines = [plain(f"!! {problem}", 500, "bold red") for problem in self._problems]
        lines += chain.from_iterable(map(finding_lines, findings))
        if not lines and self._now is None:
            lines = [
                Text("No finding holds the filter's text: esc clears it." if self.filter_text else "* Nothing is wrong.", "green")
            ]
        for line in lines:
            line.no_wrap = False
        return Text("\n").join(lines)


def merged(reports: Iterable[PathsReport]) -> list[Finding]:
    """What all of them found, each once, the gravest first: an interface is judged with each device."""
    once = {(each.subject, each.text): each for report in reports for each in report.findings}
    return sorted(once.values(), key=lambda each: _GRAVITY.index(each.severity))


def finding_lines(finding: Finding) -> tuple[Text, Text]:
    """What is wrong, and the remedy."""
    mark, style = MARKS[finding.severity]
    subject = "" if finding.subject in finding.text else f"{printable(finding.subject, 30)}: "
    return plain(f"{mark} {subject}{finding.text}", 600, style), plain(f"  {finding.remedy}", 600)


def path_row(device: DeviceReport, path: PathReport) -> Row:
    """One path. What is less than both ends agreed on, and what is lost, stands out."""
    loss, trips = path.loss, path.round_trips
    lost = Text(f"{figures.count(loss.lost)}/{figures.count(loss.sent)}", _loss_style(loss.rate))
    cells = (
        Text(str(device.address)),
        plain(path.interface, 9),
        Text(str(path.mac)),
        _reach(path.to_target.payload, path.agreed),
        _reach(path.from_target.payload, path.agreed, "+" if path.from_target.untested else ""),
        lost,
        Text(figures.duration(None if trips is None else trips.median_us)),
        Text(figures.duration(None if trips is None else trips.p95_us)),
    )
    return Row(f"{device.address} {path.interface} {path.mac}", cells)


def _reach(payload: int, agreed: int, more: str = "") -> Text:
    """Bytes of payload; a mark as well as a colour where they are too few."""
    if payload >= agreed or more:
        return Text(f"{payload}{more}")
    return Text(f"!{payload}", "bold yellow")


def _loss_style(rate: float) -> str:
    return "bold red" if rate >= _RUINOUS else "yellow" if rate else ""
