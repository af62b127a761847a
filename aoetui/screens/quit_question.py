"""What leaving would end: asked before the console goes while it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from aoetui.engine.snapshot import EngineSnapshot, ExportSnapshot, ExportState
from aoetui.screens.confirm import Confirm, user_line
from aoetui.widgets.durability import mode_word
from aoetui.widgets.figures import many
from aoetui.widgets.plain import plain
from aoetui.widgets.task_lines import progress_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from aoetui.engine.commands.copying import TaskSnapshot


def quit_question(snapshot: EngineSnapshot) -> Confirm | None:
    """The question, naming who reads or writes now, and what is copied; None if nothing is served or copied."""
    served = [export for export in snapshot.exports if export.state in {ExportState.SERVING, ExportState.DEGRADED}]
    copied = [task for task in snapshot.tasks if task.running]
    if copied and not served:
        return Confirm(f"Leave, and cancel {many(len(copied), 'task')}?", list(_task_lines(copied)), "Cancel and leave")
    if not served:
        return None
    lines = [Text("Serving ends with this terminal."), Text()]
    for export in served:
        lines += _export_lines(export, snapshot.taken)
    if any(export.active_initiators for export in served):
        lines += [Text(), Text("Linux retries their reads and writes for 180 s, then fails the disk.", "yellow")]
    if copied:
        lines += [Text(), *_task_lines(copied)]
    return Confirm(f"Leave, and stop serving {many(len(served), 'export')}?", lines, "Stop serving and leave")


def _task_lines(tasks: Iterable[TaskSnapshot]) -> Iterator[Text]:
    """What is cancelled, and how far it is."""
    yield Text("What is copied ends with this terminal; it can be gone on with:")
    for task in tasks:
        yield Text.assemble("  ", plain(task.title, 44, "bold"), f"  {progress_line(task).partition(']')[2].strip()}")


def _export_lines(export: ExportSnapshot, now: datetime) -> Iterator[Text]:
    active = export.active_initiators
    use = f"in use by {many(len(active), 'initiator')}:" if active else "nobody read or wrote it within the last minute"
    title = ((str(export.spec.address), "bold"), "  ", plain(str(export.spec.path), 40), f"  {mode_word(export.spec)}  ")
    yield Text.assemble(*title, (use, "bold yellow" if active else ""))
    yield from (user_line(each, now) for each in active)
