"""The footer."""

from __future__ import annotations

from aoetui.actions import shown_key
from aoetui.app import ConsoleApp
from aoetui.widgets.keys_line import KeysLine, ShownKey, fitting
from tests.tui.fake_engine import MONOTONIC, FakeEngine


def console() -> ConsoleApp:
    """The app, at MONOTONIC for ever."""
    return ConsoleApp(FakeEngine(), clock=lambda: MONOTONIC)


def titles(app: ConsoleApp) -> list[str]:
    """The words of the footer."""
    return [each.title for each in app.screen.query_one(KeysLine).keys]


async def test_it_names_what_the_keys_do_now() -> None:
    """What cannot be opened or closed is not offered."""
    app = console()
    async with app.run_test(size=(120, 24)) as pilot:
        assert "open" in titles(app)
        assert "back" not in titles(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "open" not in titles(app)
        assert "back" in titles(app)


async def test_a_click_presses_the_key_under_it() -> None:
    """On its letter and on its word; the blank between two keys is none."""
    app = console()
    async with app.run_test(size=(120, 24)) as pilot:
        line = app.screen.query_one(KeysLine)
        await pilot.click(KeysLine, offset=(line.render_line(0).text.index("help") + 3, 0))
        await pilot.pause()
        assert type(app.screen).__name__ == "HelpScreen"
        await pilot.press("escape")
        await pilot.click(KeysLine, offset=(line.render_line(0).text.index("help") + 4, 0))
        await pilot.pause()
        assert type(app.screen).__name__ == "SanScreen"


async def test_the_mouse_is_told_the_sentence() -> None:
    """Of the key that it points at."""
    app = console()
    async with app.run_test(size=(120, 24)) as pilot:
        line = app.screen.query_one(KeysLine)
        await pilot.hover(KeysLine, offset=(line.render_line(0).text.index("? help"), 0))
        assert line.tooltip == "Show the keys of this view and what its words mean."
        await pilot.hover(KeysLine, offset=(119, 0))
        assert line.tooltip is None


def test_where_there_is_little_room_the_sections_own_last_keys_make_room() -> None:
    """The way out, and the way to the list of all keys, stay."""
    keys = tuple(ShownKey(key, "word", "", everywhere=key in "?q") for key in "ab?q")
    assert fitting(keys, 27) == keys
    assert [shown_key(each.key) for each in fitting(keys, 26)] == ["a", "?", "q"]
    assert [shown_key(each.key) for each in fitting(keys, 15)] == ["?", "q"]
    assert fitting(keys, 0) == ()
