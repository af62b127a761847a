"""Where AoE may be spoken: asked once, and whenever someone wants other interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, SelectionList, Static

from aoetui.screens.dialog import Dialog
from aoetui.widgets.fields import LinkList
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from aoetui.engine.snapshot import LinkSnapshot

MEANING = (
    "On the interfaces you choose, aoetui asks every AoE device to answer, every few seconds. On all others it stays silent."
)
KEYS = "space choose   enter use these   esc cancel"


class Choices(LinkList):
    """Enter takes the choice; space makes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,ctrl+s", "screen.accept", "use these", show=False)]


class ChooseInterfacesDialog(Dialog[tuple[str, ...] | None]):
    """Gives the chosen names, in the order of the list; None if it was left. It changes nothing itself.

    What is scanned now is preselected, and nothing when nobody has chosen yet (`chosen` None).
    """

    CSS_PATH = "choose_interfaces.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel"),
        Binding("ctrl+s", "accept", "use these"),
    ]
    AUTO_FOCUS = "#links"

    def __init__(self, links: Sequence[LinkSnapshot], chosen: Sequence[str] | None) -> None:
        super().__init__()
        self._links = {link.name: link for link in links}
        self._chosen = tuple(chosen or ())

    def compose(self) -> ComposeResult:
        """What choosing means, the list, what is known of the link under the cursor, what will be."""
        with Vertical(id="choose"):
            yield Static("Choose interfaces for AoE", id="choose-title", markup=False)
            yield Static(MEANING, markup=False)
            yield Choices(self._links.values(), self._chosen, id="links")
            yield Static(id="link-notes", markup=False)
            yield Static(id="choose-outcome", markup=False)
            with Horizontal(id="choose-buttons"):
                yield Button("Use these", id="accept", variant="primary", compact=True)
                yield Button("Cancel", id="cancel", compact=True)
            yield Static(KEYS, classes="keys", markup=False)

    def on_mount(self) -> None:
        """Say what would be, from the start; keys act on the list."""
        self.set_focus(self.query_one(LinkList))
        self._say_outcome()

    def on_selection_list_selected_changed(self, _event: SelectionList.SelectedChanged[str]) -> None:
        """The choice changed."""
        if self.stands:
            self._say_outcome()

    def on_selection_list_selection_highlighted(self, event: SelectionList.SelectionHighlighted[str]) -> None:
        """The cursor moved: tell about that link."""
        if self.stands:
            self.query_one("#link-notes", Static).update(link_notes(self._links[event.selection.value]))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the choice, or leave."""
        if event.button.id == "accept":
            self.action_accept()
        else:
            self.action_cancel()

    def action_accept(self) -> None:
        """Give the choice to whoever asked, once the list has marked what was pressed before."""
        self.query_one(LinkList).call_later(self._take)

    def _take(self) -> None:
        if self.stands:
            self.dismiss(self._selected())

    def action_cancel(self) -> None:
        """Leave; nothing changes."""
        self.dismiss(None)

    def _selected(self) -> tuple[str, ...]:
        chosen = set(self.query_one(LinkList).selected)
        return tuple(name for name in self._links if name in chosen)

    def _say_outcome(self) -> None:
        names = ", ".join(self._selected())
        text = f"AoE will be spoken on {names}." if names else "Nothing is chosen: no disk will be found."
        self.query_one("#choose-outcome", Static).update(plain(text, 200, "bold"))


def link_notes(link: LinkSnapshot) -> Text:
    """MAC, addresses and remarks of one link."""
    facts = [str(link.mac or "no MAC"), link.kind, *link.addresses]
    lines = [plain(f"{link.name}: {'  '.join(facts)}", 200, "dim")]
    lines += [plain(f"! {note.text}", 200, "yellow") for note in link.notes]
    for line in lines:
        line.no_wrap = False
    return Text("\n").join(lines)
