"""A task as lines of text: what it does, how far it is, what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from aoetui.engine.commands.copying import TaskKind, TaskSnapshot, TaskState
from aoetui.widgets import figures
from aoetui.widgets.plain import plain, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

MARKS = {
    TaskState.RUNNING: ("> running", "bold"),
    TaskState.DONE: ("* done", "green"),
    TaskState.FAILED: ("x failed", "bold red"),
    TaskState.CANCELLED: ("- cancelled", "yellow"),
}
_BAR = 16


def task_text(task: TaskSnapshot, width: int) -> Text:
    """Two lines, and a few more where there is something to say."""
    mark, style = MARKS[task.state]
    lines = [
        Text.assemble(
            (f"{mark:<12}", style), f"{task.number:>3}  {task.kind:<8} ", plain(task.title, max(width - 27, 20), "bold")
        ),
        Text(f"    {progress_line(task)}", no_wrap=True),
    ]
    if task.text:
        lines += [
            Text(f"    {line}", "" if task.state is TaskState.DONE else "yellow") for line in _wrapped(task.text, width - 6)
        ]
    if task.running:
        lines += [Text(f"    {line}", "dim") for line in path_lines(task)]
    return Text("\n").join(lines)


def progress_line(task: TaskSnapshot) -> str:
    """`[#####-----------]  34%  91.3 MB of 268 MB  82.1 MB/s  2s left`."""
    parts = []
    if task.total:
        parts += [bar(task.share), f"{task.share:>4.0%}", f"{figures.size(task.done)} of {figures.size(task.total)}"]
    else:
        parts.append(figures.size(task.done))
    parts.append(figures.rate(task.rate))
    if task.running:
        parts.append("" if task.eta is None else f"{left(task.eta)} left")
    else:
        parts.append(f"in {left(task.seconds)}")
    return "  ".join(part for part in parts if part)


def bar(share: float) -> str:
    """`[#####-----------]`: full only when all is done."""
    filled = int(share * _BAR)
    return f"[{'#' * filled}{'-' * (_BAR - filled)}]"


def left(seconds: float) -> str:
    """`4s`, `3m 20s`, `2h 5m`."""
    whole = max(1, round(seconds))
    hours, minutes = whole // 3600, whole // 60
    if hours:
        return f"{hours}h {minutes % 60}m"
    return f"{minutes}m {whole % 60}s" if minutes else f"{whole}s"


def path_lines(task: TaskSnapshot) -> list[str]:
    """A line for each path: what went over it, and what was lost there."""
    return [
        printable(
            f"{each.mac} on {each.interface}  {figures.size(each.bytes)}"
            f"  rtt {figures.duration(each.rtt_us)}  window {each.window}"
            f"  {figures.count(each.lost)} repeated{'' if each.answers else '  silent'}",
            100,
        )
        for each in task.paths
    ]


def running_words(tasks: Iterable[TaskSnapshot]) -> str:
    """`2 tasks 34%`: how many run, and how far the least of them is; empty if none runs."""
    running = [task for task in tasks if task.running]
    if not running:
        return ""
    shares = [task.share for task in running if task.kind is not TaskKind.BENCH]
    return figures.many(len(running), "task") + (f" {min(shares):.0%}" if shares else "")


def _wrapped(text: str, width: int) -> list[str]:
    """At most four lines."""
    lines: list[str] = []
    for word in printable(text, 4 * width).split(" "):
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines[:4]
