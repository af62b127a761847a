"""What the dialogs for config string, mask list and reservation have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, SelectionList, Static

from aoetui.engine.api import EngineError
from aoetui.screens.dialog import Dialog, all_read
from aoetui.widgets.fields import Field, Tone
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from aoetui.app import ConsoleApp
    from aoetui.engine.api import Command
    from aoetui.screens.confirm import Confirm
    from aoetui.screens.edit_subject import Subject

CHANGED = "it was changed by someone else meanwhile: look at it again (esc, then open it), or save once more to replace it"


class EditState(Dialog[None]):
    """Edits one part of what a target keeps. A subclass says what, and gives the command."""

    CSS_PATH = "edit_state.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "save", priority=True),
        Binding("escape", "cancel", "cancel"),
    ]

    def __init__(self, subject: Subject, *, title: str, meaning: str, keys: str, field: str) -> None:
        super().__init__()
        self.subject = subject
        self.address = subject.address
        self._texts = (f"{title} of {self.address}", f"{meaning} {subject.note}".rstrip(), keys)
        self._field_name = field
        self._was = subject.value(field)
        self._busy = False
        self._done = False
        """Saved while a question stood before the dialog."""

    @property
    def console(self) -> ConsoleApp:
        """The app, as what it is."""
        return cast("ConsoleApp", self.app)

    @property
    def field(self) -> Field:
        """The field that is typed into, with its message."""
        return self.query_one(f"#field-{self._field_name}", Field)

    # -- what a subclass says -----------------------------------------------------------------------------------------

    def body(self) -> ComposeResult:
        """The controls, one of them a Field of the name that the engine's refusals have."""
        raise NotImplementedError

    def command(self) -> Command[Any]:
        """What to ask the engine for. Raises ValueError with a sentence for what cannot be read."""
        raise NotImplementedError

    def question(self) -> Confirm | None:
        """What to ask before it is done; None if it hurts nobody."""
        raise NotImplementedError

    def said(self) -> str:
        """What to say once it is done."""
        raise NotImplementedError

    # -- the dialog ---------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Title and meaning above, what is edited, buttons below."""
        title, meaning, keys = self._texts
        with Vertical(id="edit"):
            yield Static(plain(title), id="edit-title")
            yield Static(meaning, id="edit-meaning", markup=False)
            yield from self.body()
            with Horizontal(id="edit-buttons"):
                yield Button("Save", id="save", variant="primary", compact=True)
                yield Button("Cancel", id="cancel", compact=True)
                yield Static(keys, classes="keys", markup=False)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Save, or leave."""
        if event.button.id == "save":
            self.action_save()
        else:
            self.action_cancel()

    def action_cancel(self) -> None:
        """Leave; what the engine has begun cannot be left."""
        if not self._busy:
            self.dismiss(None)

    def action_save(self) -> None:
        """Save, unless that is under way; ask first where it hurts someone."""
        if not self._busy:
            self._begin()

    @work(group="save")
    async def _begin(self) -> None:
        marked = list(self.query(SelectionList))
        await all_read([*self.query(Input), *marked, *marked])
        if not self.stands:
            return
        try:
            command = self.command()
            self._set_busy(busy=True)
            await self.subject.look(self.console)
        except (ValueError, EngineError) as error:
            self.field.say(str(error), Tone.ERROR)
            return
        finally:
            if self.stands:
                self._set_busy(busy=False)
        if not self.stands:
            return
        if self._changed():
            self.field.say(CHANGED, Tone.WARNING)
        elif (question := self.question()) is None:
            self._save(command)
        else:
            self.app.push_screen(question, lambda yes: self._save(command) if yes else None)

    def _changed(self) -> bool:
        """Whether someone else has changed it since it was shown or this was last said."""
        before, self._was = self._was, self.subject.value(self._field_name)
        return self._was != before

    def _save(self, command: Command[Any]) -> None:
        if not self._busy:
            self._set_busy(busy=True)
            self._send(command)

    @work(group="save")
    async def _send(self, command: Command[Any]) -> None:
        try:
            await self.console.ask(command)
        except EngineError as error:
            if self.stands:
                self._set_busy(busy=False)
                self.field.say(str(error), Tone.ERROR)
        else:
            self.console.say(self.said())
            self.console.pull()
            self._done = True
            self._close()

    def _close(self) -> None:
        """Only the foremost screen can: a question may stand before it."""
        if self.stands and self.app.screen is self:
            self.dismiss(None)

    def on_screen_resume(self) -> None:
        """A question was answered; it may have been saved meanwhile."""
        if self._done:
            self._close()

    def _set_busy(self, *, busy: bool) -> None:
        self._busy = busy
        button = self.query_one("#save", Button)
        button.label = "Saving..." if busy else "Save"
        for each in self.query(Button):
            each.disabled = busy
