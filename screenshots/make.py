"""Makes the pictures in this folder from the demo: `python screenshots/make.py`, with aoetui installed. Takes half a minute.

They show live figures, so no two runs are alike. What tells that they are stale is SOURCES: the hash of everything that draws
them, as it was when they were made. tests/unit/test_screenshots.py compares.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from aoetui import demo

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "aoetui"
STAMP = HERE / "SOURCES"
NARROW, WIDE = (80, 24), (120, 40)
_WARM_UP = 25.0
"""Seconds until charts have something to show."""


def drawn_from() -> str:
    """The hash of the console's own source: what decides how a screen looks."""
    files = [PACKAGE / "actions.py", *PACKAGE.glob("app.*"), *PACKAGE.glob("theme.py")]
    files += [
        path for folder in ("screens", "widgets") for path in (PACKAGE / folder).rglob("*") if path.suffix in (".py", ".tcss")
    ]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


async def _pictures(running: demo.Demo) -> None:
    from aoetui.app import ConsoleApp  # noqa: PLC0415 - textual reads the environment when it is imported

    app = ConsoleApp(running.engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause(_WARM_UP)
        for name, keys, size in (
            ("san", ("1", "down", "down", "down", "down", "down"), NARROW),
            ("exports", ("2",), WIDE),
            ("interfaces", ("3", "down"), NARROW),
            ("events", ("5",), NARROW),
            ("doctor", ("6", "e"), NARROW),
            ("help", ("1", "question_mark"), NARROW),
            ("export-form", ("escape", "n"), NARROW),
        ):
            await pilot.resize_terminal(*size)
            await pilot.press(*keys)
            await pilot.pause(7.0 if name == "doctor" else 2.0)
            app.save_screenshot(f"{name}.svg", str(HERE))


def main() -> None:
    """Start the demo, take the pictures, stamp them."""
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    demo.enter()
    running = demo.start()
    try:
        asyncio.run(_pictures(running))
    finally:
        running.engine.stop()
        running.stop()
    STAMP.write_text(drawn_from() + "\n")


if __name__ == "__main__":
    main()
