"""The question before anything that can hurt: it names the object and who uses it, and Cancel is where the focus is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Static

from aoetui.screens.dialog import Dialog
from aoetui.widgets import figures
from aoetui.widgets.durability import mode_word
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from textual.app import ComposeResult

    from aoetui.engine.snapshot import ExportSnapshot, InitiatorSnapshot

KEYS = "left/right choose   enter does it   esc cancels"


class Confirm(Dialog[bool]):
    """Asks; True only after someone moved to the verb and pressed enter there, or clicked it."""

    CSS_PATH = "confirm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel"),
        Binding("left,up", "previous", "choose", show=False, priority=True),
        Binding("right,down", "next", "choose", show=False, priority=True),
    ]
    AUTO_FOCUS = "#cancel"

    def __init__(self, title: str, lines: Sequence[Text], verb: str) -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._verb = verb

    def compose(self) -> ComposeResult:
        """The lines, then Cancel and the verb."""
        with Vertical(id="question"):
            yield Static(plain(self._title, 70, "bold"), id="question-title")
            with VerticalScroll(id="question-lines", can_focus=False):
                yield Static(Text("\n").join(self._lines))
            with Horizontal(id="question-buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(Text(self._verb).plain, id="accept", variant="error", compact=True)
            yield Static(KEYS, classes="keys", markup=False)

    def on_mount(self) -> None:
        """Keys act on Cancel from the start."""
        self.set_focus(self.query_one("#cancel"))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        self.dismiss(event.button.id == "accept")

    def action_cancel(self) -> None:
        """The answer is no."""
        self.dismiss(False)


def stop_question(export: ExportSnapshot, now: datetime) -> Confirm:
    """Before an export is stopped."""
    lines = [*_object_lines(export), *user_lines(export, now), Text(), Text("It stays in the config: press a to serve it again.")]
    return Confirm(f"Stop serving {export.spec.address}?", lines, "Stop serving")


def delete_question(export: ExportSnapshot, now: datetime) -> Confirm:
    """Before an export is removed."""
    kept = "The disk and its data stay as they are." if export.block_device else "The backing file and its data stay as they are."
    lines = [*_object_lines(export), *user_lines(export, now), Text(), Text("It is removed from the config."), Text(kept)]
    return Confirm(f"Delete export {export.spec.address}?", lines, "Delete export")


def _object_lines(export: ExportSnapshot) -> list[Text]:
    size = f", {figures.size(export.size)}" if export.size else ""
    mode = f", {mode_word(export.spec)}"
    return [Text.assemble(f"{export.spec.address} is ", plain(str(export.spec.path), 300), size, mode), Text()]


def user_lines(export: ExportSnapshot, now: datetime) -> Iterator[Text]:
    """Who reads or writes an export, and what stopping it does to them."""
    if not export.active_initiators:
        yield Text("Nobody read or wrote it within the last minute.")
        return
    users = figures.many(len(export.active_initiators), "initiator")
    yield Text(f"In use by {users}:", "bold yellow")
    yield from (user_line(each, now) for each in export.active_initiators)
    yield Text("Linux retries their reads and writes for 180 s, then fails the disk.", "yellow")


def user_line(initiator: InitiatorSnapshot, now: datetime) -> Text:
    """`  52:54:00:a0:e0:01 on eth1, last read or write 3s ago (120 reads, 33 writes)`."""
    age = "never" if initiator.last_io is None else figures.ago((now - initiator.last_io).total_seconds())
    counts = f"{figures.count(initiator.counters.reads)} reads, {figures.count(initiator.counters.writes)} writes"
    return Text.assemble(f"  {initiator.mac} on ", plain(initiator.interface, 25), f", last I/O {age} ({counts})")
