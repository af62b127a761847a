"""Runs in the Debian guest: the console on a screen that nobody sees, and `aoetui` command lines in the same process.

An import of the package takes many seconds under emulation, so this is one process for a whole test. It obeys the lines of a
FIFO, each a JSON list, and answers each with a line of JSON on stdout: `["cli", "kernel", "flush"]` with exit code, stdout and
stderr; `["detail", "e1.1"]` with what SAN tells of a device; `["rows"]` with the keys of SAN's list; `["press", "v"]`.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aoetui import cli
from aoetui.app import ConsoleApp
from aoetui.cli import running
from aoetui.widgets.table import LiveTable

if TYPE_CHECKING:
    from textual.pilot import Pilot


def command_line(words: list[str]) -> dict[str, Any]:
    """What a shell would see."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(words)
    return {"rc": code, "out": out.getvalue(), "err": err.getvalue()}


async def detail(pilot: Pilot[None], key: str) -> dict[str, Any]:
    """SAN's right-hand side for a device, in one line."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    app.pull()
    await pilot.pause()
    app.screen.query_one(LiveTable).select(key)
    await pilot.pause()
    return {"detail": " ".join(str(app.screen.query_one("#san-device").render()).split())}


async def obey(pilot: Pilot[None], what: str, words: list[str]) -> dict[str, Any]:
    """Carry out one line."""
    match what:
        case "cli":
            return await asyncio.to_thread(command_line, words)
        case "detail":
            return await detail(pilot, words[0])
        case "rows":
            pilot.app.pull()  # type: ignore[attr-defined]  # the console
            await pilot.pause()
            return {"rows": [row for row in pilot.app.screen.query_one(LiveTable).keys if row]}
        case "press":
            await pilot.press(*words)
            await pilot.app.workers.wait_for_complete()
            return {}
    raise ValueError(what)


async def serve(fifo: Path) -> None:
    """Until the FIFO's writer says so."""
    engine = running.console_engine(None)
    engine.start()
    try:
        async with ConsoleApp(engine).run_test(size=(120, 50)) as pilot:
            os.write(1, b"ready\n")
            lines = await asyncio.to_thread(fifo.open, encoding="utf-8")
            while line := await asyncio.to_thread(lines.readline):
                what, *words = json.loads(line)
                os.write(1, json.dumps(await obey(pilot, what, words)).encode() + b"\n")
    finally:
        engine.stop()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
