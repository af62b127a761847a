"""Trace: the newest frames unless scrolled, one in full, and what asks the engine for what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Checkbox, Input

from aoetui.app import ConsoleApp
from aoetui.engine.api import EngineError
from aoetui.engine.commands.trace import (
    ClearTrace,
    OpenedTrace,
    OpenTrace,
    PauseTrace,
    ReadTrace,
    SavedTrace,
    SaveTrace,
    StartTrace,
    StopTrace,
)
from aoetui.screens.trace import TraceScreen
from aoetui.widgets.frame_list import FrameList
from aoetui.widgets.words import Words
from tests.tui.fake_engine import BUSY, MONOTONIC, NOW, FakeEngine
from tests.tui.fake_trace import ODD, FakeTrace, frame, many

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

SnapCompare = Callable[..., bool]


def console(engine: FakeEngine, *, read_only: bool = False) -> ConsoleApp:
    """The app, at MONOTONIC for ever."""
    return ConsoleApp(engine, clock=lambda: MONOTONIC, read_only=read_only)


async def settled(pilot: Pilot[None]) -> None:
    """Until nothing is under way."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press, and let the engine answer."""
    await pilot.press(*keys)
    await settled(pilot)


async def pull(pilot: Pilot[None]) -> None:
    """The next picture."""
    assert isinstance(pilot.app, ConsoleApp)
    pilot.app.pull()
    await settled(pilot)


def frames(pilot: Pilot[None]) -> FrameList:
    """The list."""
    return pilot.app.screen.query_one(FrameList)


def seen(pilot: Pilot[None]) -> list[str]:
    """The lines of the list, the header first."""
    shown = frames(pilot)
    return [shown.render_line(y).text.rstrip() for y in range(shown.size.height)]


def state(pilot: Pilot[None]) -> str:
    """The line below the list."""
    return str(pilot.app.screen.query_one("#trace-state").render())


def first_and_last(pilot: Pilot[None]) -> tuple[int, int]:
    """Ranks that are seen."""
    shown = frames(pilot)
    return shown.top, min(shown.top + shown.rows - 1, shown.newest)


async def test_nothing_is_asked_for_until_something_is_traced() -> None:
    """And it says what to press, and what that costs."""
    engine = FakeEngine()
    async with console(engine).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4")
        assert engine.asked(ReadTrace) == []
        told = str(pilot.app.screen.query_one(".empty", Words).render())
        assert "t begins" in told
        assert "some speed" in told


async def test_it_follows_the_newest() -> None:
    """And asks for no more than is seen."""
    engine = FakeEngine()
    trace = FakeTrace(engine, *many(1000))
    async with console(engine).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4")
        assert first_and_last(pilot)[1] == 1000
        assert "READ 2 at 0x1f4: ok" in seen(pilot)[-1]
        trace.pass_by(5000)
        await pull(pilot)
        assert first_and_last(pilot)[1] == 6000
        assert "READ 2 at 0xbb8: ok" in seen(pilot)[-1]
        assert "following" in state(pilot)
        asked = engine.asked(ReadTrace)
        assert all(isinstance(each, ReadTrace) and each.count < 24 for each in asked)
        assert len(asked) < 10


async def test_scrolled_back_it_stands_still() -> None:
    """New ones are counted, and f goes to them."""
    engine = FakeEngine()
    trace = FakeTrace(engine, *many(1000))
    async with console(engine).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "pageup", "pageup")
        before, stood = seen(pilot), first_and_last(pilot)
        trace.pass_by(70)
        await pull(pilot)
        assert (seen(pilot), first_and_last(pilot)) == (before, stood)
        assert f"+{1070 - stood[1]} below, f follows" in state(pilot)
        await press(pilot, "f")
        assert first_and_last(pilot)[1] == 1070
        assert "following" in state(pilot)


async def test_scrolled_back_it_stands_still_though_older_ones_go() -> None:
    """Until those that are seen go themselves."""
    engine = FakeEngine()
    trace = FakeTrace(engine, *many(1000))
    async with console(engine).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "home")
        assert first_and_last(pilot)[0] == 1
        await press(pilot, *["pagedown"] * 3)
        before, stood = seen(pilot), first_and_last(pilot)
        trace.oldest = 30
        trace.pass_by(30)
        await pull(pilot)
        assert (seen(pilot), first_and_last(pilot)) == (before, stood)
        trace.oldest = 500
        trace.pass_by(1)
        await pull(pilot)
        assert first_and_last(pilot)[0] == 500
        assert frames(pilot).cursor == 500


async def test_the_wheel_scrolls_and_the_end_follows_again() -> None:
    """As the keys do."""
    engine = FakeEngine()
    trace = FakeTrace(engine, *many(200))
    async with console(engine).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4")
        shown = frames(pilot)
        shown.scroll_to(y=shown.max_scroll_y - 30, animate=False, immediate=True)
        await settled(pilot)
        assert not shown.following
        assert all("READ" in line for line in seen(pilot)[1:])
        await press(pilot, "end")
        assert shown.following
        trace.pass_by(2)
        await pull(pilot)
        assert first_and_last(pilot)[1] == 202


async def test_a_frame_in_full() -> None:
    """Fields and bytes; the next one, the one before, and back."""
    engine = FakeEngine()
    FakeTrace(engine, *many(100))
    async with console(engine).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "up", "up", "enter")

        def shown() -> str:
            return str(pilot.app.screen.query_one("#frame").render())

        assert shown().startswith("Frame 98 ")
        assert "answers frame 97 after 0.11ms" in shown()
        assert "AoE       address    e9.1" in shown()
        assert "0000  52 54 00 00 09 01 52 54" in shown()
        await press(pilot, "right_square_bracket")
        assert shown().startswith("Frame 99 ")
        await press(pilot, "left_square_bracket", "left_square_bracket")
        assert shown().startswith("Frame 97 ")
        await press(pilot, "escape")
        assert not pilot.app.screen.has_class("-opened")
        assert frames(pilot).has_focus
        assert frames(pilot).cursor == 97


async def test_a_frame_that_went_meanwhile_is_told() -> None:
    """It was given up between the look and the key."""
    engine = FakeEngine()
    trace = FakeTrace(engine, *many(100))
    async with console(engine).run_test() as pilot:
        await press(pilot, "4", "home")
        trace.oldest = 90
        await press(pilot, "enter")
        assert "frame 1 is kept no more" in str(pilot.app.screen.query_one("#frame").render())


async def test_a_filter_is_the_engines() -> None:
    """The header counts; a wrong word is told, and the next one is tried."""
    engine = FakeEngine()
    trace = FakeTrace(engine, *many(100))
    async with console(engine).run_test(size=(120, 40)) as pilot:
        trace.searching = 3
        await press(pilot, "4", "slash", *"even", "enter")
        assert (frames(pilot).newest, pilot.app.screen.counted) == (50, (50, 100))  # type: ignore[attr-defined]
        assert "searching" not in state(pilot), "it asked until all was searched"
        trace.missed = 7
        await pull(pilot)
        assert "7 went before the filter saw them" in state(pilot)
        await press(pilot, "slash", *" boom", "enter")
        assert "is no word of a filter" in state(pilot)
        await press(pilot, "escape")
        assert frames(pilot).newest == 100
        assert "is no word" not in state(pilot)


async def test_t_asks_what_to_trace_and_then_ends_it() -> None:
    """What is scanned is marked already."""
    engine = FakeEngine()
    async with console(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("4", "t")
        await pilot.pause()
        await pilot.press("tab", "space", "shift+tab", "enter")
        await settled(pilot)
        assert engine.asked(StartTrace) == [StartTrace(("eth1", "eth2"), whole=True)]
        FakeTrace(engine, *many(3))
        await pull(pilot)
        await press(pilot, "t")
        assert len(engine.asked(StopTrace)) == 1


async def test_what_cannot_be_traced_is_said() -> None:
    """In the engine's words."""
    engine = FakeEngine()
    engine.answers[StartTrace] = EngineError("no permission to send and receive frames on eth1: run `sudo aoetui`")
    async with console(engine).run_test(notifications=True) as pilot:
        await pilot.press("4", "t")
        await pilot.pause()
        await press(pilot, "enter")
        assert [each.message for each in pilot.app._notifications] == [
            "no permission to send and receive frames on eth1: run `sudo aoetui`"
        ]


async def test_space_holds_and_c_clears() -> None:
    """And the state says so."""
    engine = FakeEngine()
    trace = FakeTrace(engine, *many(100))
    async with console(engine).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4", "space")
        assert engine.asked(PauseTrace) == [PauseTrace(paused=True)]
        trace.tell(paused=True, passed_over=12)
        await pull(pilot)
        assert "HELD, 12 passed by" in state(pilot)
        assert "following" not in state(pilot)
        await press(pilot, "space", "c")
        assert engine.asked(PauseTrace)[-1] == PauseTrace(paused=False)
        assert len(engine.asked(ClearTrace)) == 1
        trace.lines = many(1)
        trace.tell(since=NOW.replace(year=2027))
        await pull(pilot)
        assert first_and_last(pilot) == (1, 1)


async def test_a_held_picture_asks_nothing() -> None:
    """p holds every section still."""
    engine = FakeEngine()
    trace = FakeTrace(engine, *many(100))
    async with console(engine).run_test() as pilot:
        await press(pilot, "4", "p")
        asked = len(engine.asked(ReadTrace))
        trace.pass_by(3)
        await pull(pilot)
        assert len(engine.asked(ReadTrace)) == asked
        await press(pilot, "home")
        assert first_and_last(pilot)[0] == 1
        assert all("READ" in line for line in seen(pilot)[1:])


async def test_it_is_saved(tmp_path: Path) -> None:
    """What passes the filter; what is wrong stays in the dialog."""
    engine = FakeEngine()
    FakeTrace(engine, *many(100))
    path = tmp_path / "a.pcapng"
    engine.answers[SaveTrace] = EngineError(f"{path} exists: choose another name, or have it overwritten", field="path")
    async with console(engine).run_test(notifications=True) as pilot:
        await press(pilot, "4", "slash", *"even", "enter")
        await pilot.press("w")
        await pilot.pause()
        line = pilot.app.screen.query_one("#path", Input)
        assert line.value.endswith("nas1-20261122-104207.pcapng")
        line.value = str(path)
        await press(pilot, "enter")
        assert "exists: choose another name" in str(pilot.app.screen.query_one("#message-path").render())
        pilot.app.screen.query_one("#overwrite", Checkbox).value = True
        engine.answers[SaveTrace] = SavedTrace(path, 50, 25)
        await press(pilot, "enter")
        assert engine.asked(SaveTrace)[-1] == SaveTrace(path, "even", overwrite=True)
        assert isinstance(pilot.app.screen, TraceScreen)
        told = [each.message for each in pilot.app._notifications]
        assert told == [f"50 frames saved to {path}; of 25 the end was not kept."]


async def test_a_file_is_opened(tmp_path: Path) -> None:
    """And shown from its end on, with what is wrong with it."""
    engine = FakeEngine()
    path = tmp_path / "a.pcap"
    engine.answers[OpenTrace] = OpenedTrace(path, 100, 3, complete=True, problem=f"{path} ends within frame 104")
    async with console(engine).run_test(notifications=True) as pilot:
        await pilot.press("4", "o")
        await pilot.pause()
        pilot.app.screen.query_one("#path", Input).value = str(path)
        trace = FakeTrace(engine, *many(100), interfaces=(), file=str(path))
        await press(pilot, "enter")
        assert engine.asked(OpenTrace) == [OpenTrace(path)]
        assert trace.lines
        assert first_and_last(pilot)[1] == 100
        assert state(pilot).startswith(str(path))
        told = [each.message for each in pilot.app._notifications]
        assert told == [f"100 AoE frames; 3 others passed over; {path} ends within frame 104."]


async def test_read_only_looks_and_changes_nothing() -> None:
    """Whoever traces is another."""
    engine = FakeEngine()
    async with console(engine, read_only=True).run_test() as pilot:
        await press(pilot, "4", "t", "o")
        assert "read-only" in str(pilot.app.screen.query_one(".empty", Words).render())
        FakeTrace(engine, *many(10))
        await pull(pilot)
        await press(pilot, "t", "space", "c", "w", "enter")
        assert pilot.app.screen.has_class("-opened")
        changed = (StartTrace, StopTrace, PauseTrace, ClearTrace, SaveTrace, OpenTrace)
        assert [each for each in engine.commands if isinstance(each, changed)] == []


async def test_a_copied_row_says_everything() -> None:
    """MACs whole, though the line had no room for them."""
    engine = FakeEngine()
    FakeTrace(engine, frame(1))
    async with console(engine).run_test(size=(80, 24)) as pilot:
        await press(pilot, "4")
        assert isinstance(pilot.app.screen, TraceScreen)
        assert pilot.app.screen.row_text() == ("10:42:07.123456 eth1 52:54:00:a0:e0:01 > 52:54:00:00:09:01 e9.1 READ 2 at 0x1")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("what", ["nothing", "list", "opened", "start", "save"])
def test_picture(snap_compare: SnapCompare, size: tuple[int, int], what: str) -> None:
    """Every kind of line, its marks told in words; where nothing is traced, what to press."""
    engine = FakeEngine(replace(BUSY, alarms=()))
    keys = {"nothing": "4", "list": "4", "opened": "4 up up up up enter", "start": "4 t", "save": "4 w"}[what]
    if what not in ("nothing", "start"):
        FakeTrace(engine, *ODD, dropped=3, problems=("eth2 is gone: it is traced again once it is back",))

    async def ready(pilot: Pilot[None]) -> None:
        await pilot.press(*keys.split())
        await pilot.pause()
        if what == "save":
            pilot.app.screen.query_one("#path", Input).value = "/data/nas1-20261122-104207.pcapng"
        if what != "start":
            await settled(pilot)

    assert snap_compare(console(engine), run_before=ready, terminal_size=size)
