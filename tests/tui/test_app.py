"""The shell: keys, toasts, the header's truth, the question before leaving."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input

from aoetui.actions import shown_key
from aoetui.app import ConsoleApp
from aoetui.engine.api import ChooseInterfaces, Discover, EngineError, ListBlockDevices, Watch
from aoetui.engine.snapshot import Latency, Severity
from aoetui.screens.base import ConsoleScreen
from aoetui.screens.choose_interfaces import ChooseInterfacesDialog
from aoetui.screens.confirm import Confirm
from aoetui.screens.export_form import ExportForm
from aoetui.theme import CALM, SLOW_LINK, draws_blocks
from aoetui.widgets.keys_line import KeysLine
from aoetui.widgets.status import StatusBar
from tests.tui.fake_engine import BUSY, FIRST_RUN, MONOTONIC, FakeEngine

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from aoetui.engine.snapshot import EngineSnapshot

SnapCompare = Callable[..., bool]


def console(engine: FakeEngine, **how: bool) -> ConsoleApp:
    """The app, at MONOTONIC for ever."""
    return ConsoleApp(engine, clock=lambda: MONOTONIC, **how)


def header(app: ConsoleApp) -> str:
    """What the header says."""
    return str(app.screen.query_one(StatusBar).content)


async def test_numbers_change_the_section() -> None:
    """1 to 5, whichever comes before."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        for key, mode in (("2", "exports"), ("3", "interfaces"), ("5", "events"), ("4", "trace"), ("1", "san")):
            await pilot.press(key)
            assert app.current_mode == mode


async def test_a_click_on_a_section_goes_there() -> None:
    """The mouse works too."""
    app = console(FakeEngine())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click(StatusBar, offset=(50, 1))
        await pilot.pause()
        assert app.current_mode == "events"


async def test_leaving_asks_while_something_is_served() -> None:
    """Enter on the focused button stays; the other one leaves."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        await pilot.press("q")
        assert isinstance(app.screen, Confirm)
        await pilot.press("enter")
        assert isinstance(app.screen, ConsoleScreen)
        await pilot.press("q", "right", "enter")
        await pilot.pause()
        assert not app.is_running


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q"])
async def test_no_key_leaves_silently_while_something_is_served(key: str) -> None:
    """Pressed twice it is still one question."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        await pilot.press(key, key)
        assert [type(screen) for screen in app.screen_stack].count(Confirm) == 1
        assert app.is_running


@pytest.mark.parametrize(("snapshot", "embedded"), [(replace(FIRST_RUN, interfaces=()), True), (BUSY, False)])
async def test_leaving_does_not_ask_when_it_ends_nothing(snapshot: object, embedded: bool) -> None:
    """Nothing is served, or the engine lives elsewhere."""
    engine = FakeEngine(snapshot)  # type: ignore[arg-type] # parametrised
    app = console(engine, embedded=embedded)
    async with app.run_test() as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running
    assert engine.asked(Watch)[-1] == Watch(looking=False)


async def test_the_scanner_knows_who_looks() -> None:
    """From the start, and no more while paused."""
    engine = FakeEngine()
    async with console(engine).run_test() as pilot:
        assert engine.asked(Watch) == [Watch(looking=True)]
        await pilot.press("p")
        assert engine.asked(Watch)[-1] == Watch(looking=False)
        await pilot.press("p")
        assert engine.asked(Watch)[-1] == Watch(looking=True)


async def test_pause_holds_the_picture() -> None:
    """And says so."""
    engine = FakeEngine()
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.press("p")
        engine.current = replace(BUSY, host="other")
        app.pull()
        assert "PAUSED" in header(app)
        assert "nas1" in header(app)
        await pilot.press("p")
        assert "other" in header(app)
        assert "PAUSED" not in header(app)


async def test_an_old_snapshot_shows_its_age() -> None:
    """A frozen number must not look alive."""
    now = [MONOTONIC]
    app = ConsoleApp(FakeEngine(), clock=lambda: now[0])
    async with app.run_test():
        app.pull()
        assert "old" not in header(app)
        now[0] += 12
        app.pull()
        assert "12s old" in header(app)
        assert app.screen.query_one(StatusBar).has_class("-stale")


async def test_an_engine_that_fails_does_not_end_the_console() -> None:
    """The header says what failed, until it works again."""
    engine = FakeEngine()
    app = console(engine)
    async with app.run_test():
        engine.failure = OSError("the socket is gone [/x]")
        app.pull()
        assert "the socket is gone" in header(app)
        engine.failure = None
        app.pull()
        assert "the socket is gone" not in header(app)


@pytest.mark.parametrize(
    ("host", "alarms", "shown"),
    [
        ("nas1", 1, "aoetui nas1 | 2 served | 412 MB/s 38.1k/s p99 0.22ms | 1 alarm  "),
        ("nas1", 2, "aoetui nas1 | 2 served | 412 MB/s 38.1k/s | 1 alarm | 1 warning  "),
        ("nas1-basement-left", 2, "aoetui nas1-basement-left | 2 served | 1 alarm | 1 warning  "),
    ],
)
async def test_the_header_tells_rates_and_latency_where_there_is_room(host: str, alarms: int, shown: str) -> None:
    """At 80 columns; what is wrong is told first."""
    app = console(FakeEngine(replace(BUSY, host=host, alarms=BUSY.alarms[:alarms])))
    async with app.run_test(size=(80, 24)):
        assert shown in header(app)


async def test_latency_is_told_only_while_there_is_some() -> None:
    """Without I/O in the last seconds there is none."""
    app = console(FakeEngine(replace(BUSY, latency=Latency())))
    async with app.run_test(size=(80, 24)):
        assert "38.1k/s | 1 alarm" in header(app)


async def test_discover_asks_and_says_so() -> None:
    """On the chosen interfaces."""
    engine = FakeEngine()
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.press("d")
        await app.workers.wait_for_complete()
        assert engine.asked(Discover) == [Discover()]
        assert [toast.message for toast in app._notifications] == ["Asked every device on eth1, eth2."]


async def test_a_refusal_is_one_plain_toast() -> None:
    """Its text may hold anything."""
    engine = FakeEngine()
    engine.answers[Discover] = EngineError("eth1[/x] is down:\x1b[31m bring it up.")
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.press("d")
        await app.workers.wait_for_complete()
        (toast,) = app._notifications
        assert toast.message == "eth1[/x] is down:·[31m bring it up."
        assert toast.severity == "error"
        assert not toast.markup


async def test_an_engine_that_does_not_answer_is_an_error() -> None:
    """The caller gets one sentence; the command stays the engine's."""
    engine = FakeEngine()
    engine.held.add(Discover)
    app = console(engine)
    async with app.run_test():
        with pytest.raises(EngineError, match="has not answered"):
            await app.ask(Discover(), timeout=0)
        assert not engine.waiting[0].cancelled()


async def test_new_warnings_are_toasts_and_never_a_flood() -> None:
    """Old events are not; three at most, then a number."""
    engine = FakeEngine()
    app = console(engine)
    async with app.run_test() as pilot:
        app.pull()
        await pilot.pause()
        assert not list(app._notifications)
        engine.happen(Severity.INFO, "e9.3", "Found.")
        for number in range(5):
            engine.happen(Severity.WARNING, f"e9.{number}", "Silent.")
        app.pull()
        await pilot.pause()
        assert [toast.message for toast in app._notifications] == [
            "e9.0: Silent.",
            "e9.1: Silent.",
            "e9.2: Silent.",
            "and 2 more: 5 Events",
        ]


async def test_the_first_run_asks_for_interfaces_once() -> None:
    """And tells the engine what was chosen."""
    engine = FakeEngine(FIRST_RUN, ())
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.pause()
        assert isinstance(app.screen, ChooseInterfacesDialog)
        app.screen.dismiss(("eth1",))
        await app.workers.wait_for_complete()
        assert engine.asked(ChooseInterfaces) == [ChooseInterfaces(("eth1",))]
        app.pull()
        assert isinstance(app.screen, ConsoleScreen)


async def test_read_only_changes_nothing() -> None:
    """No question on the first run; the keys that change something do not exist."""
    engine = FakeEngine(FIRST_RUN, ())
    app = console(engine, read_only=True)
    async with app.run_test() as pilot:
        await pilot.press("d", "n", "i")
        await pilot.pause()
        assert isinstance(app.screen, ConsoleScreen)
        assert all(isinstance(command, Watch) for command in engine.commands)
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert "Serve a disk or a file" not in titles
        assert "Leave; asks first while something is served" in titles
        assert "read-only" in header(app)


async def test_new_export_opens_the_form_from_anywhere() -> None:
    """The first key that a new user presses."""
    engine = FakeEngine()
    engine.answers[ListBlockDevices] = ()
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.press("5", "n")
        await pilot.pause()
        assert isinstance(app.screen, ExportForm)


async def test_refresh_rate_has_two_ends() -> None:
    """0.5 to 4 a second."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        await pilot.press("plus", "plus", "plus")
        assert [toast.message for toast in app._notifications][-1] == "Refreshing 4 times a second."
        await pilot.press("minus", "minus", "minus", "minus")
        assert [toast.message for toast in app._notifications][-1] == "Refreshing 0.5 times a second."


async def test_slow_link_uses_the_terminals_colours() -> None:
    """There and back, from the palette."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        (command,) = [each for each in app.get_system_commands(app.screen) if "half the bytes" in each.title]
        command.callback()
        await pilot.pause()
        assert app.theme == SLOW_LINK
        command.callback()
        await pilot.pause()
        assert app.theme == CALM.name


async def test_the_filter_takes_keys_only_while_it_is_open() -> None:
    """A `q` typed into it is a letter."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        await pilot.press("slash", "q", "2")
        assert app.screen.query_one("#filter", Input).value == "q2"
        assert "0 of 6 /q2" in header(app)
        await pilot.press("escape")
        assert "/q2" not in header(app)
        await pilot.press("2")
        assert app.current_mode == "exports"


def test_tiny_terminal(snap_compare: SnapCompare) -> None:
    """One plain line says the size needed."""
    assert snap_compare(console(FakeEngine()), terminal_size=(50, 12))


def test_leaving(snap_compare: SnapCompare) -> None:
    """It names what is served and who uses it; Cancel has the focus."""
    assert snap_compare(console(FakeEngine()), press=["q"], terminal_size=(80, 24))


def test_slow_link_colours(snap_compare: SnapCompare) -> None:
    """Readable in sixteen colours."""

    async def choose(pilot: Pilot[None]) -> None:
        await pilot.app.run_action("slow_link")

    chosen: Callable[[Pilot[None]], Awaitable[None]] = choose
    assert snap_compare(console(FakeEngine()), run_before=chosen, terminal_size=(80, 24))


@pytest.mark.parametrize("section", ["exports", "interfaces", "events"])
async def test_a_picture_is_shown_only_where_all_widgets_stand(section: str) -> None:
    """Not on a section that is coming, nor on one that is going."""
    app = console(FakeEngine())
    async with app.run_test():
        coming = app.switch_mode(section)
        app.pull()
        await coming
        app.pull()
        screen = app.screen
        assert isinstance(screen, ConsoleScreen)
        assert screen.counted is not None
    app.pull()
    assert not screen.stands


async def test_events_that_cannot_be_had_are_a_problem_in_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the console's end."""
    engine = FakeEngine()
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.press("5")

        def broken(_since: int) -> None:
            raise RuntimeError("no events")

        monkeypatch.setattr(engine, "events", broken)
        engine.current = replace(BUSY, last_event=99)
        app.pull()
        assert "engine: no events" in header(app)


@pytest.mark.parametrize("key", ["1", "2", "3", "5"])
async def test_the_footer_is_whole_at_60_columns(key: str) -> None:
    """A word that is cut is no help."""
    app = console(FakeEngine())
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press(key)
        await pilot.pause()
        line = app.screen.query_one(KeysLine)
        assert {shown_key(each.key) for each in line.keys} >= {"n", "/", "?", "q"}
        assert line.render_line(0).text.rstrip().endswith("q quit")


@pytest.mark.parametrize(
    ("environment", "blocks"),
    [
        ({"TERM": "xterm", "LANG": "en_GB.UTF-8"}, True),
        ({"TERM": "xterm", "LANG": "de_DE.utf8"}, True),
        ({"TERM": "linux", "LANG": "en_GB.UTF-8"}, False),
        ({"TERM": "xterm", "LANG": "C"}, False),
        ({"TERM": "xterm", "LC_CTYPE": "C.UTF-8", "LANG": "C"}, False),
        ({"TERM": "xterm", "LC_ALL": "C.UTF-8"}, True),
        ({"TERM": "xterm", "LC_ALL": "C", "LANG": "en_GB.UTF-8"}, False),
        ({}, False),
    ],
)
def test_blocks_are_drawn_where_the_terminal_has_them(environment: dict[str, str], blocks: bool) -> None:
    """Python's own C.UTF-8 tells nothing of the terminal."""
    assert draws_blocks(environment) is blocks


async def test_no_key_waits_for_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """With thousands of devices and exports it takes its time; and one that is overtaken is not shown."""
    engine, asked, ready = FakeEngine(), threading.Event(), threading.Event()
    app = console(engine)

    def slow() -> EngineSnapshot:
        asked.set()
        assert ready.wait(60.0)
        return replace(BUSY, monotonic=BUSY.monotonic - 1)

    async with app.run_test() as pilot:
        monkeypatch.setattr(engine, "snapshot", slow)
        beat = asyncio.create_task(app._beat())
        assert await asyncio.to_thread(asked.wait, 60.0)
        await pilot.press("2")
        assert type(app.screen).__name__ == "ExportsScreen"
        assert not beat.done()
        before = app.snapshot
        ready.set()
        await beat
        assert app.snapshot is before
