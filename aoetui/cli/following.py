"""A task followed from the command line: its progress on stderr or as JSON, and Ctrl-C, which ends it in order."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import click

from aoetui.cli.output import print_json, print_lines
from aoetui.engine.api import EngineError, NoAnswerError
from aoetui.engine.commands.copying import CancelTask, TaskSnapshot, TaskState
from aoetui.widgets import figures
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from aoetui.engine.api import Engine
    from aoetui.engine.commands.copying import StartBench, StartCopy

START_SECONDS = 60.0
"""How long finding the device may take before we say so."""
_LOOK_FIRST, _LOOK = 0.03, 0.2
"""Seconds between two looks, in the first second and after it."""
_JSON_EVERY = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruptions:
    """While entered, the first signal is noted in `number`; the second ends the process at once.

    Only the main thread can hear signals: anywhere else nothing is changed, and `number` stays 0.
    """

    def __init__(self) -> None:
        self.number = 0
        self._previous: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        hearing = threading.current_thread() is threading.main_thread()
        for each in _SIGNALS if hearing else ():
            if signal.getsignal(each) is not signal.SIG_IGN:
                self._previous[each] = signal.signal(each, self._on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        for each, handler in self._previous.items():
            signal.signal(each, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.number:
            os._exit(128 + number)
        self.number = number


def follow(
    engine: Engine,
    command: StartCopy | StartBench,
    *,
    as_json: bool,
    resume: Callable[[TaskSnapshot], str],
    lines: Callable[[TaskSnapshot], list[str]] | None = None,
) -> int:
    """Begin a task and wait for its end. Prints what came of it; returns the exit code, or raises EngineError if it is not done.

    `resume` makes the command that goes on with a task; `lines` what is printed of one that is done, where that is not its text.
    """
    with Interruptions() as interruptions:  # from before it begins: whoever interrupts is told how far it came
        task = engine.submit(command).result(START_SECONDS)
        last = _until_ended(engine, task, interruptions, _JsonLines() if as_json else _Line())
    if as_json:
        print_json("task", last)
    sentence = _sentence(last, resume)
    if last.state is TaskState.DONE:
        if not as_json:
            print_lines(lines(last) if lines is not None else [printable(sentence, 2000)])
        return 0
    if last.state is TaskState.CANCELLED:
        click.echo(f"aoetui: {printable(sentence, 4000)}", err=True)
        return 128 + (interruptions.number or signal.SIGTERM)
    raise (NoAnswerError if last.no_answer else EngineError)(sentence)


def _until_ended(engine: Engine, task: TaskSnapshot, interruptions: Interruptions, show: _Line | _JsonLines) -> TaskSnapshot:
    cancelled = False
    begun = time.monotonic()
    while task.running:
        if interruptions.number and not cancelled:
            cancelled = True
            engine.submit(CancelTask(task.number))
        time.sleep(_LOOK_FIRST if time.monotonic() - begun < 1 or cancelled else _LOOK)
        task = next(each for each in engine.snapshot().tasks if each.number == task.number)
        if task.running:
            show.progress(task)
    show.end()
    return task


def _sentence(task: TaskSnapshot, resume: Callable[[TaskSnapshot], str]) -> str:
    took = ""
    if task.state is TaskState.DONE and task.total:
        took = f" ({figures.size(task.total)} in {task.seconds:.1f} s, {figures.rate(task.rate)})"
    further = f"; to go on: {resume(task)}" if task.again is not None else ""
    return f"{task.text}{took}{further}"


class _JsonLines:
    """A line each second."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _JSON_EVERY

    def progress(self, task: TaskSnapshot) -> None:
        """Print one, if it is time."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _JSON_EVERY
            print_json("task", task)
            sys.stdout.flush()

    def end(self) -> None:
        """Nothing is left on the terminal."""


class _Line:
    """One line on stderr that is written again and again, if that is a terminal."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown = False

    def progress(self, task: TaskSnapshot) -> None:
        """Show it."""
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r{progress_words(task)[:width]:<{width}}")
            sys.stderr.flush()
            self._shown = True

    def end(self) -> None:
        """Clear the line."""
        if self._shown:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r{'':<{width}}\r")
            sys.stderr.flush()


def progress_words(task: TaskSnapshot) -> str:
    """` 45%  118 MB of 268 MB  82 MB/s  2s left`."""
    parts = [f"{task.address}"]
    if task.total:
        parts += [f"{task.share:4.0%}", f"{figures.size(task.done)} of {figures.size(task.total)}"]
    else:
        parts.append(figures.size(task.done))
    parts.append(figures.rate(task.rate))
    if task.eta is not None:
        parts.append(f"{figures.age(max(task.eta, 2))} left")
    if task.text:
        parts.append(printable(task.text, 60))
    return "  ".join(parts)
