"""Where AoE may be spoken."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.widgets import Static

from aoetui.app import ConsoleApp
from aoetui.engine.api import ChooseInterfaces
from aoetui.screens.choose_interfaces import ChooseInterfacesDialog
from aoetui.widgets.fields import LinkList
from tests.tui.fake_engine import BUSY, LINKS, MONOTONIC, FakeEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


async def outcome(chosen: Sequence[str] | None, *keys: str) -> tuple[str, ...] | None:
    """What the dialog gives after these keys."""
    app = ConsoleApp(FakeEngine(), clock=lambda: MONOTONIC)
    answers: list[tuple[str, ...] | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(ChooseInterfacesDialog(LINKS, chosen), answers.append)
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
    (answer,) = answers
    return answer


@pytest.mark.parametrize("key", ["enter", "ctrl+s"])
async def test_space_marks_and_enter_takes(key: str) -> None:
    assert await outcome(("eth1", "eth2"), "space", "down", "down", "space", key) == ("eth2", "br0")


async def test_a_mark_and_enter_in_one_bunch_take_the_mark() -> None:
    app = ConsoleApp(FakeEngine(), clock=lambda: MONOTONIC)
    answers: list[tuple[str, ...] | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(ChooseInterfacesDialog(LINKS, ()), answers.append)
        for key in ("down", "space", "enter"):
            app.post_message(events.Key(key, " " if key == "space" else None))
        await pilot.pause()
        await pilot.pause()
    assert answers == [("eth1",)]


async def test_nothing_is_preselected_before_anyone_chose() -> None:
    assert await outcome(None, "enter") == ()


async def test_escape_leaves() -> None:
    assert await outcome(("eth1",), "space", "escape") is None


async def test_what_cannot_carry_aoe_cannot_be_marked_and_the_default_route_comes_after_the_usable() -> None:
    app = ConsoleApp(FakeEngine(replace(BUSY, interfaces=("eth1", "eth3"))), clock=lambda: MONOTONIC)
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(ChooseInterfacesDialog(LINKS, ("eth1", "eth3")))
        await pilot.pause()
        links = app.screen.query_one(LinkList)
        names = [links.get_option_at_index(index).value for index in range(links.option_count)]
        assert names == ["eth1", "br0", "eth1.100", "eth2", "wlan0", "eth0", "eth3", "lo"]
        assert links.selected == ["eth1"]
        assert [name for index, name in enumerate(names) if links.get_option_at_index(index).disabled] == ["eth3", "lo"]
        assert str(app.screen.query_one("#choose-outcome", Static).content) == "AoE will be spoken on eth1."


async def test_the_choice_is_submitted_by_its_key() -> None:
    made = FakeEngine()
    app = ConsoleApp(made, clock=lambda: MONOTONIC)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "c")
        await pilot.pause()
        await pilot.press("space", "enter")
        await pilot.app.workers.wait_for_complete()
        assert made.asked(ChooseInterfaces) == [ChooseInterfaces(("eth2",))]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_picture(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    """Links with what speaks against each; the outcome in words."""
    app = ConsoleApp(FakeEngine(BUSY), clock=lambda: MONOTONIC)
    assert snap_compare(app, terminal_size=size, press=["3", "c", "down"])
