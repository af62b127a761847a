"""Doctor: why nothing is seen, or what will hurt. Looks when it is told to, and says how old what it saw is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import Container, VerticalScroll

from aoetui.actions import Scope, bindings
from aoetui.engine.api import EngineError
from aoetui.engine.commands.doctor import MARKS, SECONDS, Examine, Finding, MakeBundle, Verdict
from aoetui.engine.snapshot import Severity
from aoetui.screens.base import ConsoleScreen
from aoetui.widgets import figures
from aoetui.widgets.plain import plain
from aoetui.widgets.table import Column, LiveTable, Row
from aoetui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from aoetui.engine.commands.doctor import Report
    from aoetui.engine.snapshot import EngineSnapshot

COLUMNS = (
    Column("verdict", "verdict", 9),
    Column("check", "check", 11),
    Column("subject", "of", 10),
    Column("seen", "what was seen", 200),
)
STYLES = {
    Verdict.FAULT: "bold red",
    Verdict.WARNING: "yellow",
    Verdict.UNKNOWN: "magenta",
    Verdict.NOTE: "cyan",
    Verdict.OK: "green",
}
OLD = 60.0
"""Seconds after which what was found is shown as old."""
PATIENCE = SECONDS + 30.0
"""Seconds that the engine may take for an examination; a bundle may hold one."""
NOTHING_YET = (
    "Nothing has been examined yet. e looks at permission, links, VLANs, other programs and what answers, for about"
    f" {SECONDS:g} seconds. It asks and reads, and writes to no device: in read-only mode it may be done too."
)


class DoctorScreen(ConsoleScreen):
    """The answer, the findings, and the one under the cursor with its remedy."""

    SCOPE = Scope.DOCTOR
    CSS_PATH = "doctor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.DOCTOR)

    def __init__(self) -> None:
        super().__init__()
        self._report: Report | None = None
        self._findings: dict[str, Finding] = {}
        self._since: float | None = None
        """When the examination under way began, by the snapshot's clock; None: there is none."""
        self._problem = ""
        """Why the last one gave nothing."""
        self._bundling = False
        self._bundle = ""
        """Where the last bundle is."""

    def body(self) -> ComposeResult:
        """Answer, list and detail."""
        yield Words(id="doctor-state")
        with Container(id="doctor"):
            yield Words(id="doctor-answer")
            yield LiveTable(COLUMNS, id="doctor-list")
            with VerticalScroll(id="doctor-detail"):
                yield Words(id="finding")
        yield Words(NOTHING_YET, classes="empty")

    def show(self, snapshot: EngineSnapshot) -> None:
        """Show what was found, and how long ago."""
        report = self._report
        self.set_class(report is None, "-empty")
        self.query_one("#doctor-state", Words).update(self._state(snapshot))
        if report is None:
            self.counted = None
            return
        self.set_class(self._age(report, snapshot) > OLD, "-old")
        self.query_one("#doctor-answer", Words).update(Text.assemble(plain(report.answer, 600, _answer_style(report))))
        self._findings = {str(place): each for place, each in enumerate(report.findings) if self._passes(each)}
        self.counted = (len(self._findings), len(report.findings))
        self.query_one("#doctor-list", LiveTable).show([finding_row(key, each) for key, each in self._findings.items()])
        self._show_detail()
        if self.focused is None:  # until now there was nothing to move in
            self.call_after_refresh(self.set_focus, self.query_one("#doctor-list"))

    def on_live_table_row_highlighted(self, _event: LiveTable.RowHighlighted) -> None:
        """The cursor moved: show the finding under it."""
        self._show_detail()

    def action_examine(self) -> None:
        """Look at everything now; asked again meanwhile, it goes on."""
        if self._since is None:
            self._since = self.console.snapshot.monotonic
            self.run_worker(self._examine(), exit_on_error=True)
            self.console.refresh_screen()

    def action_make_bundle(self) -> None:
        """Gather everything that helps to help."""
        if not self._bundling:
            self._bundling = True
            self.run_worker(self._make_bundle(), exit_on_error=True)
            self.console.refresh_screen()

    def row_text(self) -> str:
        """The finding under the cursor, with its remedy."""
        found = self._under_cursor()
        return "" if found is None else finding_detail(found).plain

    async def _examine(self) -> None:
        try:
            self._report, self._problem = await self.console.ask(Examine(), PATIENCE), ""
        except EngineError as error:
            self._problem = str(error)
        self._since = None
        self.console.pull()

    async def _make_bundle(self) -> None:
        """With the report that is shown, unless it is old."""
        report = self._report
        if report is not None and self._age(report, self.console.snapshot) > OLD:
            report = None
        try:
            made = await self.console.ask(MakeBundle(report=report), PATIENCE)
        except EngineError as error:
            self.console.say(str(error), Severity.ALARM)
        else:
            self._bundle = str(made.path)
            self.console.say(f"{made.path} holds {figures.many(len(made.files), 'file')}; its MANIFEST says what and why.")
        self._bundling = False
        self.console.refresh_screen()

    @staticmethod
    def _age(report: Report, snapshot: EngineSnapshot) -> float:
        return max(0.0, (snapshot.taken - report.taken).total_seconds())

    def _state(self, snapshot: EngineSnapshot) -> Text:
        """One line: what goes on, else when it was looked at last."""
        lines = [self._when(snapshot)]
        if self._bundling:
            lines.append(Text("making a bundle", "bold"))
        elif self._bundle:
            lines.append(plain(f"bundle: {self._bundle}", 200))
        return Text("\n").join(lines)

    def _when(self, snapshot: EngineSnapshot) -> Text:
        if self._since is not None:
            passed = min(max(0.0, snapshot.monotonic - self._since), SECONDS)
            where = ", ".join(snapshot.interfaces or ()) or "every interface, by listening alone"
            return plain(f"examining {where}: {passed:.0f} of {SECONDS:.0f} s", 200, "bold")
        if self._problem:
            return plain(self._problem, 300, "bold red")
        if self._report is None:
            return Text("not examined yet", "dim")
        age = self._age(self._report, snapshot)
        where = ", ".join(self._report.asked) or "no interface; listened only"
        when = f"examined {figures.age(age)} ago, asked on {where}"
        return plain(f"{when}: that may have changed, e looks again", 200, "yellow") if age > OLD else plain(when, 200, "dim")

    def _passes(self, found: Finding) -> bool:
        return self.matches(found.verdict, found.check, found.subject, found.seen, found.remedy)

    def _under_cursor(self) -> Finding | None:
        return self._findings.get(self.query_one("#doctor-list", LiveTable).current_key or "")

    def _show_detail(self) -> None:
        if not self.stands:
            return
        found = self._under_cursor()
        self.query_one("#doctor-detail").display = found is not None
        if found is not None:
            self.query_one("#finding", Words).update(finding_detail(found))


def _answer_style(report: Report) -> str:
    return STYLES[report.findings[0].verdict] if report.findings and not report.healthy else STYLES[Verdict.OK]


def finding_row(key: str, found: Finding) -> Row:
    """Glyph, word and colour: each alone tells it."""
    mark = Text(f"{MARKS[found.verdict]} {found.verdict}", STYLES[found.verdict])
    return Row(key, (mark, Text(found.check), plain(found.subject, 10), plain(found.seen, 200)))


def finding_detail(found: Finding) -> Text:
    """What was seen, and what to do."""
    return Text("\n").join(_detail_lines(found))


def _detail_lines(found: Finding) -> Iterator[Text]:
    lines = [
        Text.assemble(
            (f"{MARKS[found.verdict]} {found.verdict}", STYLES[found.verdict]), "  ", plain(f"{found.check}, {found.subject}", 60)
        ),
        plain(found.seen, 600),
    ]
    if found.remedy:
        lines.append(Text.assemble(("to do  ", "dim"), plain(found.remedy, 600, "bold")))
    for line in lines:
        line.no_wrap = False
        yield line
