"""IDENTIFY in full: what a disk says of itself, or its 256 words."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from aoetui.engine.commands.identify import identify_rows
from aoetui.screens.page import Page
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aoetui.engine.commands.identify import IdentifyField, IdentifyReport

KEYS = "w words or fields   up and down to read, esc to close"


class IdentifyPage(Page):
    """One page for each MAC whose answer differs; `w` changes between fields and words."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("w", "turn", "words")]

    def __init__(self, reports: Sequence[IdentifyReport]) -> None:
        self._reports = list({report.words: report for report in reversed(reports)}.values())[::-1]
        self._as_words = False
        super().__init__(f"IDENTIFY of {reports[0].address}", list(self._made()), KEYS)

    def action_turn(self) -> None:
        """Words instead of fields, and back."""
        self._as_words = not self._as_words
        self.show_lines(list(self._made()))

    def _made(self) -> Iterator[Text]:
        if len(self._reports) > 1:
            yield Text(f"! {len(self._reports)} MACs answer differently: different disks, or one changed meanwhile", "bold red")
        for report in self._reports:
            yield Text.assemble((str(report.mac), "bold"), "  ", plain(report.interface, 25))
            if self._as_words:
                yield from (Text(row) for row in identify_rows(report.words))
            else:
                yield from field_lines(report.fields)
            yield Text()


def field_lines(fields: Sequence[IdentifyField]) -> Iterator[Text]:
    """Group by group, the names in a column."""
    width = max((len(field.name) for field in fields), default=0)
    for group, members in groupby(fields, key=lambda field: field.group):
        yield Text(group, "bold yellow")
        for field in members:
            yield Text.assemble((f"  {field.name:<{width}}  ", "dim"), plain(field.value, 200))
