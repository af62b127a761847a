"""The mask list and the reservation of an export of ours, or of a device: MACs picked from those that are known, or typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from rich.text import Text
from textual.content import Content
from textual.widgets import Input, SelectionList, Static
from textual.widgets.selection_list import Selection

from aoetui.engine.protocol.address import Mac
from aoetui.screens.edit_state import EditState
from aoetui.widgets import figures
from aoetui.widgets.fields import Field, Line, MarkedList, Tone
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from aoetui.engine.api import Command
    from aoetui.screens.confirm import Confirm
    from aoetui.screens.edit_subject import Subject

KEYS = "space marks  enter adds  ctrl+s saves"


@dataclass(frozen=True, slots=True)
class MacListKind:
    """Which of the two lists, and its words."""

    field: str
    """Of a subject, StateLimits and the engine's refusals."""
    title: str
    meaning: str
    everybody: str
    """What an empty list means."""
    only: str
    """What a list means to those on it, after `Only 2 MACs`."""


MASK = MacListKind(
    "mask",
    "Mask list",
    "Where it holds a MAC, only the MACs on it are answered, and nobody else sees a disk here. It keeps accidents out, not"
    " intruders: a MAC can be forged. Initiators can change it too.",
    "Empty: every initiator is answered.",
    "will be answered",
)
RESERVATION = MacListKind(
    "reservation",
    "Reservation",
    "Where it holds a MAC, only the MACs on it may read and write; others still see the disk, and their requests are refused."
    " Initiators set and release it too.",
    "Empty: nobody holds it, and all may read and write.",
    "may read and write",
)


class EditMacs(EditState):
    """The MACs that are known, those on the list marked; and a line for others."""

    def __init__(self, subject: Subject, kind: MacListKind) -> None:
        self._kind = kind
        super().__init__(subject, title=kind.title, meaning=kind.meaning, keys=KEYS, field=kind.field)
        self._listed = cast("tuple[Mac, ...]", subject.value(kind.field))
        self._known = subject.known(kind.field)
        self._limit = cast("int", getattr(subject.limits, kind.field))

    def body(self) -> ComposeResult:
        """The list, a line to add to it, and what will be."""
        yield MarkedList(*(_option(mac, words, marked=mac in self._listed) for mac, words in self._known.items()), id="macs")
        line = Line(id="mac", compact=True, max_length=40, placeholder="52:54:00:a0:e0:01")
        yield Field("Add a MAC", line, name=self._kind.field)
        yield Static(id="outcome", markup=False)

    def on_mount(self) -> None:
        """Keys act on the list, where there is one."""
        self.set_focus(self.query_one("#macs" if self._known else "#mac"))
        self._show_list()
        self._say_outcome()

    def on_selection_list_selected_changed(self, _event: SelectionList.SelectedChanged[str]) -> None:
        """A mark was set or taken away."""
        if self.stands:
            self._say_outcome()

    def on_input_changed(self, _event: Input.Changed) -> None:
        """What was said of it is said no more."""
        self._say_count()

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Enter adds."""
        try:
            self._take_typed()
        except ValueError as error:
            self.field.say(str(error), Tone.ERROR)

    def command(self) -> Command[Any]:
        """What is marked, and what stands in the line."""
        self._take_typed()
        return self.subject.command(self._kind.field, self._chosen())

    def question(self) -> Confirm | None:
        """Whom it shuts out."""
        return self.subject.question(self._kind.field, self._chosen())

    def said(self) -> str:
        """What it is now."""
        count = len(self._chosen())
        return f"{self._kind.title} of {self.address}: {figures.many(count, 'MAC') if count else 'empty'}."

    def _take_typed(self) -> None:
        """Add what stands in the line, marked. Raises ValueError for what is no MAC of an initiator."""
        line, listing = self.query_one("#mac", Input), self.query_one("#macs", MarkedList)
        if not line.value.strip():
            return
        mac = Mac.parse(line.value)
        if mac.is_multicast or not any(mac.raw):
            raise ValueError(f"{mac} is no address that a frame can come from: name the initiator's own")
        if mac not in self._known:
            self._known[mac] = "just added"
            listing.add_option(_option(mac, "just added", marked=False))
        listing.select(str(mac))
        line.value = ""
        self._show_list()
        self._say_outcome()

    def _show_list(self) -> None:
        self.query_one("#macs").display = bool(self._known)

    def _chosen(self) -> tuple[Mac, ...]:
        marked = set(self.query_one("#macs", MarkedList).selected)
        return tuple(mac for mac in self._known if str(mac) in marked)

    def _say_outcome(self) -> None:
        hurt = self.subject.hurt(self._kind.field, self._chosen())
        outcome = self.query_one("#outcome", Static)
        outcome.set_class(bool(hurt), "-hurts")
        outcome.update(Text(f"{self._meaning_now()}{f' ! {hurt}' if hurt else ''}"))
        self._say_count()

    def _meaning_now(self) -> str:
        chosen = self._chosen()
        return f"Only {figures.many(len(chosen), 'MAC')} {self._kind.only}." if chosen else self._kind.everybody

    def _say_count(self) -> None:
        count = len(self._chosen())
        counted = f"{count} of at most {figures.many(self._limit, 'MAC')}"
        if count > self._limit:
            self.field.say(f"{counted}: more than a reply holds on every interface that it answers on", Tone.ERROR)
        else:
            self.field.say(counted)


def _option(mac: Mac, words: str, *, marked: bool) -> Selection[str]:
    return Selection(Content.from_rich_text(Text.assemble(f"{mac}  ", plain(words, 50))), str(mac), marked)
