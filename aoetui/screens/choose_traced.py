"""What is to be traced: asked whenever a trace begins, with what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Checkbox, Static

from aoetui.screens.choose_interfaces import Choices, ChooseInterfacesDialog
from aoetui.widgets.fields import Mark
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from textual.app import ComposeResult

MEANING = (
    "Every AoE frame that passes is copied, in and out, and nothing is sent. What aoetui serves there is slower meanwhile, and"
    " 64 MiB of memory are taken at most."
)
WHOLE = "keep frames whole (of read and written data else 64 bytes a frame)"
KEYS = "space choose   enter trace   esc cancel"


class ChooseTraced(ChooseInterfacesDialog):
    """Gives the names, and has `whole` then."""

    whole = False

    def compose(self) -> ComposeResult:
        """What it means, the list, what is known of the link under the cursor, how much is kept, what will be."""
        with Vertical(id="choose"):
            yield Static("Trace interfaces", id="choose-title", markup=False)
            yield Static(MEANING, markup=False)
            yield Choices(self._links.values(), self._chosen, id="links")
            yield Static(id="link-notes", markup=False)
            yield Mark(WHOLE, id="whole", compact=True)
            yield Static(id="choose-outcome", markup=False)
            with Horizontal(id="choose-buttons"):
                yield Button("Trace", id="accept", variant="primary", compact=True)
                yield Button("Cancel", id="cancel", compact=True)
            yield Static(KEYS, classes="keys", markup=False)

    def _take(self) -> None:
        if self.stands:
            self.whole = self.query_one("#whole", Checkbox).value
            super()._take()

    def _say_outcome(self) -> None:
        names = ", ".join(self._selected())
        text = f"{names} will be traced." if names else "Nothing is chosen: there is nothing to trace."
        self.query_one("#choose-outcome", Static).update(plain(text, 200, "bold"))
