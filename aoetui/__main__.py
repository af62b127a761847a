"""The program's start: what must happen before anything else is imported, then the command line."""

from __future__ import annotations

import os
import sys

# Textual reads these when it is imported. Someone over a slow link sees values, not animations.
# Its paints are at least a frame apart, and what a key does can take two: frames of 60 a second would keep the second waiting.
# It waits so many milliseconds whether an escape begins another key: those bytes come together, over SSH too.
TEXTUAL_DEFAULTS = {"TEXTUAL_ANIMATIONS": "none", "TEXTUAL_SMOOTH_SCROLL": "0", "TEXTUAL_FPS": "120", "ESCDELAY": "15"}


def main() -> None:
    """Run the command line and exit with its code."""
    for name, value in TEXTUAL_DEFAULTS.items():
        os.environ.setdefault(name, value)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows `?`; it must not end the command.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # both are TextIOWrapper when a process starts
    if "--demo" in sys.argv[1:]:
        _enter_demo()
    from aoetui.cli import run  # noqa: PLC0415  the demo's namespace can only be entered before threads start

    sys.exit(run())


def _enter_demo() -> None:
    from aoetui import demo  # noqa: PLC0415  only the demo needs it
    from aoetui.engine.api import EngineError  # noqa: PLC0415  as above

    try:
        demo.enter()
    except EngineError as error:
        sys.stderr.write(f"aoetui: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
