"""`aoetui` without a verb: the console, over an engine in this process."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from aoetui import collector
from aoetui.app import ConsoleApp
from aoetui.cli import running
from aoetui.engine.api import ExitCode, UsageError
from aoetui.shutdown import OrderlyStop
from aoetui.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aoetui.engine.api import Engine

_SWITCH = 0.001
"""Seconds that another thread may go on after the console's wants its turn: each key and each paint waits for several turns."""


def run(config: Path | None, *, read_only: bool) -> int:
    """Start the engine on the config file and show the console until it is left. Needs a terminal, and no privilege."""
    terminal = _terminal()
    engine = running.console_engine(config)
    engine.start()
    return _show(engine, engine.stop, terminal, read_only=read_only)


def run_demo(*, read_only: bool) -> int:
    """Show the console over the demo's own network. `demo.enter` has been called when the process started."""
    from aoetui import demo  # noqa: PLC0415  only the demo needs it

    terminal = _terminal()
    running_demo = demo.start()

    def stop(timeout: float) -> bool:
        ended = running_demo.engine.stop(timeout)
        running_demo.stop()
        return ended

    return _show(running_demo.engine, stop, terminal, read_only=read_only)


def _terminal() -> Terminal:
    """The terminal that Textual reads from (stdin); it draws on stderr."""
    terminal = Terminal.of(0)
    if terminal is None or not os.isatty(2):
        raise UsageError("the console needs a terminal on stdin and stderr; for a script use aoetui stat --json")
    return terminal


def _show(engine: Engine, stop_engine: Callable[[float], bool], terminal: Terminal, *, read_only: bool) -> int:
    sys.setswitchinterval(_SWITCH)
    collector.hold_back()
    app = ConsoleApp(engine, read_only=read_only)
    loop = asyncio.new_event_loop()

    def leave() -> None:
        with suppress(RuntimeError):  # the loop is closed: the console has left already
            loop.call_soon_threadsafe(app.exit)

    with OrderlyStop(stop_engine, leave=leave, terminal=terminal) as stop:
        try:
            app.run(loop=loop)
        finally:
            stop_engine(2.0)
            loop.close()
    if terminal.gone():
        terminal.let_go()
    return ExitCode.DONE if stop.in_time and not app.return_code else ExitCode.NO
