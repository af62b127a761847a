"""Tasks: what is copied now, how far it is, and what came of what was copied before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from aoetui.engine.api import EngineError
from aoetui.engine.commands.copying import CancelTask, ForgetTask, TaskKind, TaskSnapshot
from aoetui.screens.confirm import Confirm
from aoetui.screens.dialog import Dialog
from aoetui.widgets.keys import InOrder
from aoetui.widgets.plain import plain
from aoetui.widgets.task_lines import progress_line, task_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from aoetui.app import ConsoleApp
    from aoetui.engine.api import Command

LOOK_EVERY = 0.5
"""Seconds; the snapshot is the console's own."""
KEYS = "up/down select  c cancel  r resume  del drop  esc close"
READ_ONLY_KEYS = "up/down select  esc close"
NOTHING = "Nothing is copied, and nothing was. On SAN, o copies a device to a file, from a file, or compares it with one."
_SECONDS = 60.0


class TaskList(InOrder, OptionList):
    """The tasks, the newest first."""


class TasksScreen(Dialog[None]):
    """A list that lives. Cancelling asks; what an ended task left can be gone on with."""

    CSS_PATH = "tasks.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,T", "close", "close"),
        Binding("c", "cancel_task", "cancel"),
        Binding("r", "resume_task", "resume"),
        Binding("delete,D", "forget_task", "drop"),
        Binding("j", "move('down')", show=False),
        Binding("k", "move('up')", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._shown: dict[int, Text] = {}

    @property
    def console(self) -> ConsoleApp:
        """The app, as what it is."""
        return cast("ConsoleApp", self.app)

    def compose(self) -> ComposeResult:
        """The list, or why there is none."""
        with Vertical(id="tasks"):
            yield TaskList(id="task-list", compact=True)
            yield Static(NOTHING, id="no-tasks", markup=False)
            yield Static(READ_ONLY_KEYS if self.console.read_only else KEYS, classes="keys", markup=False)

    def on_mount(self) -> None:
        """Show them, and go on showing."""
        self.query_one("#tasks").border_title = "Tasks"
        self.set_focus(self.query_one(TaskList))
        self._refresh()
        self.set_interval(LOOK_EVERY, self._refresh)

    def on_resize(self) -> None:
        """Lines are as wide as the terminal."""
        self._shown = {}
        self.call_after_refresh(self._refresh)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """In read-only mode, what changes something does not exist."""
        return not (self.console.read_only and action.endswith("_task"))

    def action_close(self) -> None:
        """Back to the section."""
        self.dismiss(None)

    def action_move(self, way: str) -> None:
        """By a task."""
        listing = self.query_one(TaskList)
        if way == "down":
            listing.action_cursor_down()
        else:
            listing.action_cursor_up()

    def action_cancel_task(self) -> None:
        """Ask, then stop the task in order."""
        task = self._selected()
        if task is None or not task.running:
            self.console.say("Select a task that is running: only that can be cancelled.")
            return
        self.app.push_screen(cancel_question(task), self._if_agreed(CancelTask(task.number)))

    def action_resume_task(self) -> None:
        """Go on where a task stopped. To write to a device again is asked for again."""
        task = self._selected()
        if task is None or task.again is None:
            self.console.say("There is nothing to go on with: select a task that was cancelled or has failed.")
        elif task.kind is TaskKind.RESTORE:
            self.app.push_screen(resume_question(task), self._if_agreed(task.again))
        else:
            self._do(task.again)

    def action_forget_task(self) -> None:
        """Drop it from the list; files stay as they are."""
        task = self._selected()
        if task is not None and task.running:
            self.console.say("It is running: cancel it first, with c.")
        elif task is not None:
            self._do(ForgetTask(task.number))

    def _if_agreed(self, command: Command[Any]) -> Callable[[bool | None], None]:
        """What a question's answer leads to."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._do(command)

        return answered

    @work(group="do")
    async def _do(self, command: Command[Any]) -> None:
        try:
            await self.console.ask(command, _SECONDS)
        except EngineError as error:
            self.console.say(str(error))
        self.console.pull()
        if self.stands:
            self._refresh()

    def _selected(self) -> TaskSnapshot | None:
        listing = self.query_one(TaskList)
        if listing.highlighted is None:
            return None
        chosen = listing.get_option_at_index(listing.highlighted).id
        return next((task for task in self.console.snapshot.tasks if str(task.number) == chosen), None)

    def _refresh(self) -> None:
        if not self.stands:
            return
        listing = self.query_one(TaskList)
        width = max(self.app.size.width - 6, 40)
        made = {task.number: task_text(task, width) for task in reversed(self.console.snapshot.tasks)}
        if list(made) != list(self._shown):
            selected = self._selected()
            listing.clear_options()
            listing.add_options([Option(Content.from_rich_text(text), id=str(number)) for number, text in made.items()])
            if made:
                listing.highlighted = list(made).index(selected.number) if selected and selected.number in made else 0
        else:
            for number, text in made.items():
                if text != self._shown[number]:
                    listing.replace_option_prompt(str(number), Content.from_rich_text(text))
        self._shown = made
        listing.display = bool(made)
        self.query_one("#no-tasks").display = not made


def cancel_question(task: TaskSnapshot) -> Confirm:
    """Before a task is stopped."""
    kept = {
        TaskKind.IMAGE: "The file keeps what it has: r goes on with it later.",
        TaskKind.RESTORE: "The device then holds a part of the file, and behind it what it held before: r goes on with it later.",
    }.get(task.kind, "Nothing is changed by that.")
    lines = [plain(task.title, 70), plain(progress_line(task), 70), Text(), Text(kept)]
    return Confirm(f"Cancel task {task.number}?", lines, "Cancel the task")


def resume_question(task: TaskSnapshot) -> Confirm:
    """Before a device is written to again."""
    lines = [plain(task.title, 70), Text(), Text(f"This writes to {task.address} again, where it had stopped.", "yellow")]
    return Confirm(f"Go on with task {task.number}?", lines, "Write")
