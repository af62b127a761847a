"""Exports: the list, the detail, and what can be done to one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Static

from aoetui.app import ConsoleApp
from aoetui.engine.api import DeleteExport, StartExport, StopExport
from aoetui.engine.protocol.address import Address
from aoetui.engine.snapshot import Rates
from aoetui.screens.confirm import Confirm
from aoetui.screens.exports import ExportsScreen
from aoetui.widgets.export_details import shortened
from aoetui.widgets.table import LiveTable
from aoetui.widgets.throughput import ASCII, throughput_chart
from tests.tui.fake_engine import BUSY, MONOTONIC, NOTHING_ANSWERS, FakeEngine, export

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot

    from aoetui.engine.snapshot import EngineSnapshot

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
HOSTILE = replace(BUSY, exports=(export("e9.9", "/srv/[/red]\x1b[31m\u202edisk\n" + "x" * 200, problem="[/boom] \x1b[2J"),))


def console(made: FakeEngine, *, read_only: bool = False) -> ConsoleApp:
    """The app on this engine, with a still clock."""
    return ConsoleApp(made, clock=lambda: MONOTONIC, read_only=read_only)


async def done(pilot: Pilot[None], *keys: str) -> None:
    """Press keys, and wait until nothing is under way."""
    await pilot.press(*keys)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def test_stop_asks_first_and_cancel_stops_nothing() -> None:
    made = FakeEngine()
    async with console(made).run_test(size=(80, 24)) as pilot:
        await done(pilot, "2", "x")
        assert isinstance(pilot.app.screen, Confirm)
        await done(pilot, "enter")
        assert isinstance(pilot.app.screen, ExportsScreen)
        assert made.asked(StopExport) == []
        await done(pilot, "x", "right", "enter")
        assert made.asked(StopExport) == [StopExport(Address(20, 0))]


@pytest.mark.parametrize("key", ["D", "delete"])
async def test_delete_asks_first(key: str) -> None:
    made = FakeEngine()
    async with console(made).run_test(size=(80, 24)) as pilot:
        await done(pilot, "2", "down", key)
        assert isinstance(pilot.app.screen, Confirm)
        assert made.asked(DeleteExport) == []
        await done(pilot, "right", "enter")
        assert made.asked(DeleteExport) == [DeleteExport(Address(20, 1))]


async def test_a_stopped_one_is_started_without_a_question_and_cannot_be_stopped() -> None:
    made = FakeEngine()
    async with console(made).run_test(size=(80, 24)) as pilot:
        await done(pilot, "2", "down", "down", "x")
        assert isinstance(pilot.app.screen, ExportsScreen)
        await done(pilot, "a")
        assert made.asked(StartExport) == [StartExport(Address(20, 2))]


async def test_read_only_mode_changes_nothing() -> None:
    made = FakeEngine()
    async with console(made, read_only=True).run_test(size=(80, 24)) as pilot:
        await done(pilot, "2", "x", "D", "n")
        assert isinstance(pilot.app.screen, ExportsScreen)
        await done(pilot, "down", "down", "a")
        assert [type(each).__name__ for each in made.commands if type(each).__name__ != "Watch"] == []


async def test_the_detail_follows_the_cursor() -> None:
    async with console(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await done(pilot, "2")
        assert "52:54:00:a0:e0:01" in str(pilot.app.screen.query_one("#export-users", Static).content)
        await done(pilot, "down")
        assert "eth2 is down: bring it up" in str(pilot.app.screen.query_one("#export-facts", Static).content)


async def test_enter_opens_and_escape_closes() -> None:
    async with console(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await done(pilot, "2", "enter")
        assert not pilot.app.screen.query_one(LiveTable).display
        await done(pilot, "escape")
        assert pilot.app.screen.query_one(LiveTable).has_focus


def test_the_chart_stands_on_zero_and_keeps_every_burst() -> None:
    history = tuple(Rates(read_bytes=each) for each in (0.0, 50.0, 100.0, 0.0))
    chart = throughput_chart(export("e9.1", "/srv/a.img", history=history), seconds=8, width=4, height=2).plain.split("\n")
    assert chart == ["   \N{FULL BLOCK}", "  \N{FULL BLOCK}\N{FULL BLOCK}"]


def test_the_chart_can_be_drawn_without_blocks() -> None:
    history = tuple(Rates(read_bytes=each) for each in (0.0, 50.0, 100.0, 25.0))
    chart = throughput_chart(export("e9.1", "/srv/a.img", history=history), seconds=4, width=4, height=1, steps=ASCII)
    assert chart.plain == " :#."


def test_a_path_keeps_its_start_and_its_end() -> None:
    assert shortened("/srv/storage/aoe/disks/web01.img", 19).plain == "/srv/s..s/web01.img"
    assert shortened("/srv/a.img", 19).plain == "/srv/a.img"


@SIZES
@pytest.mark.parametrize(
    ("state", "keys"),
    [(BUSY, ["2"]), (BUSY, ["2", "enter"]), (NOTHING_ANSWERS, ["2"]), (HOSTILE, ["2"])],
    ids=["busy", "opened", "empty", "hostile"],
)
def test_picture(snap_compare: Callable[..., bool], size: tuple[int, int], state: EngineSnapshot, keys: list[str]) -> None:
    """Who uses which disk, at a glance; nothing from a path acts on the terminal."""
    assert snap_compare(console(FakeEngine(state)), terminal_size=size, press=keys)
