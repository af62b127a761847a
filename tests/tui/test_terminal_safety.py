"""Nothing from the wire, a disk or the config acts on the terminal, the markup or the layout, on any screen or dialog."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from aoetui.app import ConsoleApp
from aoetui.engine.api import AddExport, CheckAddress, DeleteExport, Discover, EngineError, SetConfigString, SetMask
from aoetui.engine.snapshot import Severity
from aoetui.screens import export_form
from tests.tui import hostile
from tests.tui.fake_engine import MONOTONIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot
    from textual.strip import Strip

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Mc", "Me"}

WAYS: dict[str, tuple[str, ...]] = {
    "san": ("1",),
    "san, ours": ("1", "end"),
    "san, opened": ("1", "enter"),
    "san, filtered": ("1", "slash", *"long"),
    "exports": ("2",),
    "exports, overview": ("2", "enter"),
    "exports, users": ("2", "enter", "right"),
    "exports, refused": ("2", "enter", "right", "end"),
    "exports, latency": ("2", "enter", "right", "right"),
    "exports, settings": ("2", "enter", "left"),
    "exports, end of settings": ("2", "enter", "left", "end"),
    "config string": ("2", "c"),
    "config string, end": ("2", "c", "end"),
    "config string, escapes": ("2", "down", "down", "c"),
    "config string, refused": ("2", "c", "enter"),
    "mask list": ("2", "m"),
    "mask list, refused": ("2", "m", "tab", *"02:00:00:00:00:aa", "enter", "ctrl+s", "right", "enter"),
    "shut out": ("2", "m", "space", "ctrl+s"),
    "reservation": ("2", "r", "end", "space"),
    "stop": ("2", "x"),
    "delete": ("2", "D"),
    "quit": ("q",),
    "interfaces": ("3",),
    "interfaces, opened": ("3", "enter"),
    "interfaces, end": ("3", "enter", "end"),
    "choose interfaces": ("3", "c", "down"),
    "trace": ("4",),
    "trace, filtered": ("4", "slash", *"boom"),
    "trace, opened": ("4", "enter"),
    "trace, end of opened": ("4", "enter", "end"),
    "trace, save": ("4", "w", "enter"),
    "trace, load": ("4", "o", "end", *"a.pcap", "enter"),
    "trace, what": ("4", "t"),
    "events": ("5",),
    "help": ("2", "question_mark"),
    "palette": ("2", "colon"),
    "form": ("n",),
    "form, a disk": ("n", "down", "enter"),
    "form, served": ("n", *"/srv", "ctrl+s"),
}
"""Keys to every screen and dialog that shows something foreign."""

ASKED_BY_A_WORKER = {"choose interfaces", "trace, what"}
"""The worker that asked waits for the answer."""

PICTURES = (
    "san",
    "exports",
    "exports, users",
    "exports, settings",
    "config string",
    "mask list",
    "trace",
    "interfaces, opened",
    "events",
)


def console() -> ConsoleApp:
    """The app over what is hostile; the engine refuses in the same words."""
    made = hostile.engine()
    for kind, field in (
        (SetConfigString, "config_string"),
        (SetMask, "mask"),
        (AddExport, ""),
        (DeleteExport, ""),
        (Discover, ""),
    ):
        made.answers[kind] = EngineError(hostile.ALL, field=field)
    made.answers[CheckAddress] = hostile.HARM
    return ConsoleApp(made, clock=lambda: MONOTONIC)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed is looked at at once."""
    monkeypatch.setattr(export_form, "PAUSE", 0.0)


def strips(app: ConsoleApp) -> list[Strip]:
    """What is sent to the terminal, line by line, with toasts and whatever stands before the screen."""
    return app.screen._compositor.render_strips()


def check(app: ConsoleApp, size: tuple[int, int]) -> None:
    """Every line has its width, and no character that a terminal acts on, hides or stacks."""
    lines = strips(app)
    assert len(lines) == size[1]
    for line in lines:
        assert line.cell_length == cell_len(line.text) == size[0], repr(line.text)
        odd = [each for each in line.text if unicodedata.category(each) in HIDDEN or cell_len(each) == 0]
        assert odd == [], repr(line.text)


async def settled(pilot: Pilot[None]) -> None:
    """Until nothing is under way."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


@pytest.mark.parametrize(("way", "size"), [*((way, (80, 24)) for way in WAYS), *((way, (120, 40)) for way in PICTURES)], ids=str)
async def test_nothing_acts_on_the_terminal(way: str, size: tuple[int, int]) -> None:
    """Nor ends the console: markup that is none would."""
    app = console()
    async with app.run_test(size=size, notifications=True) as pilot:
        await settled(pilot)
        for key in WAYS[way]:
            await pilot.press(key)
        await pilot.pause()
        if way not in ASKED_BY_A_WORKER:
            await settled(pilot)
        check(app, size)


async def test_every_row_of_every_list_is_safe() -> None:
    """And the detail of each."""
    app = console()
    async with app.run_test(size=(80, 24)) as pilot:
        for key in "123":
            await pilot.press(key, "home")
            for _ in range(len(hostile.HARM) + 4):
                await pilot.press("down")
                check(app, (80, 24))


async def test_toasts_are_safe() -> None:
    """Of events, and of what the engine refuses."""
    app = console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("d")
        await settled(pilot)
        check(app, (80, 24))
        engine = app.engine
        assert hasattr(engine, "happen")
        engine.happen(Severity.ALARM, hostile.ALL, hostile.ALL)
        app.pull()
        await settled(pilot)
        check(app, (80, 24))


def test_the_check_finds_what_it_looks_for() -> None:
    """What it looks for is there: without the door every one of these would reach the terminal."""
    assert all(any(unicodedata.category(each) in HIDDEN for each in text) for text in hostile.HARM[:7])


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("way", PICTURES)
def test_picture(snap_compare: Callable[..., bool], way: str, size: tuple[int, int]) -> None:
    """The layout holds, and what was replaced or cut says so."""

    async def go(pilot: Pilot[None]) -> None:
        await settled(pilot)
        for key in WAYS[way]:
            await pilot.press(key)
            await pilot.pause()
        if way not in ASKED_BY_A_WORKER:
            await settled(pilot)

    assert snap_compare(console(), terminal_size=size, run_before=go)
