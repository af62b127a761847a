"""Help: this view first, and it closes on the keys that people try."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aoetui.app import ConsoleApp
from aoetui.screens.base import ConsoleScreen
from aoetui.screens.help import HelpScreen
from tests.tui.fake_engine import MONOTONIC, FakeEngine

SnapCompare = Callable[..., bool]


@pytest.mark.parametrize("key", ["escape", "question_mark", "q"])
async def test_it_closes(key: str) -> None:
    """And q does not leave the console from here."""
    app = ConsoleApp(FakeEngine(), clock=lambda: MONOTONIC)
    async with app.run_test() as pilot:
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press(key)
        assert isinstance(app.screen, ConsoleScreen)
        assert app.is_running


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_help(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    """Keys of SAN, then of everywhere, then the words."""
    assert snap_compare(ConsoleApp(FakeEngine(), clock=lambda: MONOTONIC), press=["question_mark"], terminal_size=size)


def test_end_of_help(snap_compare: SnapCompare) -> None:
    """The words."""
    press = ["question_mark", "end"]
    assert snap_compare(ConsoleApp(FakeEngine(), clock=lambda: MONOTONIC), press=press, terminal_size=(80, 24))
