"""The config string of an export of ours, or of a device of somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from textual.widgets import Input

from aoetui.screens.edit_state import EditState
from aoetui.widgets import figures
from aoetui.widgets.escapes import escaped, unescaped
from aoetui.widgets.fields import Field, Line, Tone

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from aoetui.engine.api import Command
    from aoetui.screens.confirm import Confirm
    from aoetui.screens.edit_subject import Subject

MEANING = (
    "A label that this target keeps and tells to whoever asks; hosts find their disk by it. Any initiator that is answered"
    r" can change it too. Bytes that cannot be typed are written \xNN, a backslash is \\."
)
KEYS = "enter saves  esc cancels"


class EditConfig(EditState):
    """One line of text."""

    AUTO_FOCUS = "#config-string"

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject, title="Config string", meaning=MEANING, keys=KEYS, field="config_string")
        self._first = escaped(cast("bytes", subject.value("config_string")))
        self._limit = subject.limits.config_string

    def body(self) -> ComposeResult:
        """The line, and how long it is."""
        line = Line(self._first, id="config-string", compact=True, select_on_focus=False)
        yield Field("Config string", line, name="config_string")

    def on_mount(self) -> None:
        """Keys act on the line from the start."""
        self.set_focus(self.query_one("#config-string"))
        self._judge()

    def on_input_changed(self, _event: Input.Changed) -> None:
        """Judge it while it is typed."""
        self._judge()

    def _judge(self) -> None:
        """Say how long it is now, or what is wrong with it."""
        try:
            length = len(self._typed())
        except ValueError as error:
            self.field.say(str(error), Tone.ERROR)
            return
        counted = f"{length} of {figures.many(self._limit, 'byte')}"
        if length > self._limit:
            self.field.say(f"{counted}: too long for a reply on every interface that it answers on", Tone.ERROR)
        else:
            self.field.say(counted)

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Enter saves."""
        self.action_save()

    def command(self) -> Command[Any]:
        """What is typed."""
        return self.subject.command("config_string", self._typed())

    def question(self) -> Confirm | None:
        """It shuts nobody out."""
        return None

    def said(self) -> str:
        """What it is now."""
        return f"{self.address} has its config string." if self._typed() else f"{self.address} has no config string now."

    def _typed(self) -> bytes:
        return unescaped(self.query_one("#config-string", Input).value)
