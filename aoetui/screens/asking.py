"""A question to a device: what is asked of whom, and, if no answer comes, why."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from aoetui.engine.api import EngineError
from aoetui.screens.dialog import Dialog
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from aoetui.app import ConsoleApp
    from aoetui.engine.api import Command

Result = TypeVar("Result")


class Asking(Dialog[Result | None], Generic[Result]):
    """Has the engine carry out a command, and closes with its result; with None if it is left before.

    It stands there from the start, so that keys that come while the wire is asked do nothing elsewhere.
    """

    CSS_PATH = "asking.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "cancel", "close", key_display="esc")]

    def __init__(self, command: Command[Result], title: str) -> None:
        super().__init__()
        self._command = command
        self._title = title

    def compose(self) -> ComposeResult:
        """One sentence, and the way out."""
        with Vertical(id="asking"):
            yield Static(Text(self._title), id="asking-title")
            yield Static(Text("It is asked over the wire."), id="asking-said")
            yield Static("esc closes", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Ask."""
        self._ask()

    def action_cancel(self) -> None:
        """Wait no longer."""
        self.dismiss(None)

    @work(group="asking")
    async def _ask(self) -> None:
        try:
            found = await cast("ConsoleApp", self.app).ask(self._command)
        except EngineError as error:
            if self.stands:
                said = self.query_one("#asking-said", Static)
                said.add_class("-failed")
                said.update(Text(f"x {printable(str(error), 400)}"))
        else:
            if self.stands and self.app.screen is self:
                self.dismiss(found)
