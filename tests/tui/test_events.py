"""Events: newest last, following unless scrolled, filtered."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.widgets import RichLog

from aoetui.app import ConsoleApp
from aoetui.engine.snapshot import Severity
from tests.tui.fake_engine import MONOTONIC, FakeEngine

SnapCompare = Callable[..., bool]


def console(engine: FakeEngine) -> ConsoleApp:
    """The app, at MONOTONIC for ever."""
    return ConsoleApp(engine, clock=lambda: MONOTONIC)


def text(app: ConsoleApp) -> str:
    """What the log holds."""
    return "\n".join(line.text for line in app.screen.query_one("#events", RichLog).lines)


def state(app: ConsoleApp) -> str:
    """The line below the log."""
    return str(app.screen.query_one("#events-state").render())


async def test_new_events_come_last_once() -> None:
    """However often the screen is shown."""
    engine = FakeEngine()
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.press("5")
        await pilot.pause()
        engine.happen(Severity.INFO, "e9.9", "Found now.")
        app.pull()
        app.pull()
        await pilot.press("1", "5")
        await pilot.pause()
        assert text(app).count("Found now.") == 1
        assert text(app).splitlines()[-1].rstrip().endswith("Found now.")
        assert "7 of 7; following" in state(app)


async def test_it_follows_while_it_is_on_its_way_to_the_newest() -> None:
    """Shown again before the log has moved: it is not taken for scrolled, and goes on following."""
    engine = FakeEngine()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await pilot.pause()
        for number in range(3):
            for each in range(30):
                engine.happen(Severity.INFO, "e9.9", f"Event {number} {each}.")
            app.pull()
            assert "; following" in state(app)
        await pilot.pause()
        assert "; following" in state(app)
        assert app.screen.query_one("#events", RichLog).is_vertical_scroll_end


async def test_it_follows_unless_scrolled() -> None:
    """f goes to the newest."""
    engine = FakeEngine()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        for number in range(40):
            engine.happen(Severity.INFO, "engine", f"Event {number}.")
        app.pull()
        await pilot.pause()
        log = app.screen.query_one("#events", RichLog)
        while not log.is_vertical_scroll_end or not log.scroll_y:  # the log goes to its end once it is laid out
            await pilot.pause()
        log.scroll_home(animate=False)
        await pilot.pause()
        engine.happen(Severity.INFO, "engine", "One more.")
        app.pull()
        await pilot.pause()
        assert log.scroll_y == 0
        assert "not following" in state(app)
        await pilot.press("f")
        await pilot.pause()
        assert log.is_vertical_scroll_end


async def test_severity_and_filter() -> None:
    """Both at once; the header counts."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        await pilot.press("5", "v")
        await pilot.pause()
        assert "Found" not in text(app)
        assert "Lost its carrier" in text(app)
        await pilot.press("v")
        await pilot.pause()
        assert "alarms only, 1 of 6" in state(app)
        await pilot.press("v", "slash", *"eth2")
        await pilot.pause()
        assert "Lost its carrier" in text(app)
        assert "Silent" not in text(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_events(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    """Foreign text is plain; long sentences go on below themselves."""
    engine = FakeEngine()
    engine.happen(Severity.WARNING, "e1.0[/x]", "Its config string is now [/x]\x1b[31m " + "磁盘 " * 20 + "and so on " * 9)
    assert snap_compare(console(engine), press=["5"], terminal_size=size)
