"""The question: Cancel is the default, and no single key says yes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.text import Text
from textual.widgets import Button

from aoetui.app import ConsoleApp
from aoetui.screens.confirm import Confirm, delete_question, stop_question, user_lines
from tests.tui.fake_engine import BUSY, EXPORTS, MONOTONIC, NOW, FakeEngine, initiator

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["enter"], False),
        (["escape"], False),
        (["y", "enter"], False),
        (["space", "enter"], False),
        (["right", "left", "enter"], False),
        (["right", "enter"], True),
        (["tab", "enter"], True),
        (["left", "enter"], True),
        (["right", "escape"], False),
    ],
)
async def test_yes_needs_a_move_and_enter(keys: list[str], answer: bool) -> None:
    app = ConsoleApp(FakeEngine(), clock=lambda: MONOTONIC)
    answers: list[bool | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(Confirm("Format [/it]?", [Text("It is [/gone] then.")], "Do it"), answers.append)
        await pilot.pause()
        assert app.screen.query_one("#cancel", Button).has_focus
        await pilot.press(*keys)
        await pilot.pause()
    assert answers == [answer]


def test_it_names_each_active_initiator_and_what_it_will_see() -> None:
    users = (
        initiator("52:54:00:a0:e0:01", "eth1", last_io=3, reads=120, writes=33),
        initiator("52:54:00:a0:e0:02", "eth2", last_io=240, reads=20, writes=4),
    )
    lines = [line.plain for line in user_lines(replace(EXPORTS[0], initiators=users), NOW)]
    assert lines == [
        "In use by 1 initiator:",
        "  52:54:00:a0:e0:01 on eth1, last I/O 3s ago (120 reads, 33 writes)",
        "Linux retries their reads and writes for 180 s, then fails the disk.",
    ]


def test_it_says_so_when_nobody_uses_it() -> None:
    assert [line.plain for line in user_lines(EXPORTS[1], NOW)] == ["Nobody read or wrote it within the last minute."]


def pushed(question: Callable[[], Confirm]) -> Callable[[Pilot[None]], object]:
    """Show a question on Exports."""

    async def run(pilot: Pilot[None]) -> None:
        await pilot.press("2")
        pilot.app.push_screen(question())
        await pilot.pause()

    return run


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("ask", [stop_question, delete_question])
def test_picture(snap_compare: Callable[..., bool], size: tuple[int, int], ask: Callable[..., Confirm]) -> None:
    """Object, user, consequence; Cancel has the focus."""
    app = ConsoleApp(FakeEngine(), clock=lambda: MONOTONIC)
    assert snap_compare(app, terminal_size=size, run_before=pushed(lambda: ask(BUSY.exports[0], NOW)))
