"""The pictures in screenshots/ are of the console as it is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "screenshots" / "make.py"


def test_the_pictures_are_of_this_console() -> None:
    """Make them again with `python screenshots/make.py`."""
    found = importlib.util.spec_from_file_location("make_screenshots", SCRIPT)
    assert found is not None
    assert found.loader is not None
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    assert script.STAMP.read_text().strip() == script.drawn_from(), "stale: run python screenshots/make.py"
    assert {path.stem for path in SCRIPT.parent.glob("*.svg")} == {
        "san",
        "exports",
        "interfaces",
        "events",
        "doctor",
        "help",
        "export-form",
    }
