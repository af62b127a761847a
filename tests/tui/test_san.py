"""SAN: rows, order, folding, detail, and pictures of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from aoetui.app import ConsoleApp
from aoetui.engine.snapshot import Alarm, DeviceSnapshot, Severity
from aoetui.screens import san
from aoetui.screens.choose_interfaces import ChooseInterfacesDialog
from aoetui.widgets.table import LiveTable, Row
from tests.tui.fake_engine import BUSY, DEVICES, FIRST_RUN, MONOTONIC, NOTHING_ANSWERS, FakeEngine, ago, device, path

if TYPE_CHECKING:
    from datetime import datetime

SnapCompare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])

HOSTILE = replace(
    BUSY,
    host="nas[/x]\x1b[2J",
    devices=(
        device(
            "e1.0",
            path("52:54:00:00:01:00", "eth1[/x]"),
            config_string=b"[/x]\x1b[31m\x00web",
            model="[bold]m[/]",
            serial="\u202e\x9b2J",
        ),
        device(
            "e1.1",
            path("52:54:00:00:01:01", "eth1"),
            config_string="磁盘阵列柜".encode() * 20,
            model="ディスク",
            serial="x" * 300,
        ),
        device("e65534.254", path("52:54:00:00:01:02", "eth1"), config_string=b"\n\r\t" * 99, size=10**21),
    ),
    alarms=(Alarm(Severity.ALARM, "e1.0", "[/x] \x1b]0;title\x07" + "long " * 80),),
)


def console(engine: FakeEngine) -> ConsoleApp:
    """The app, at MONOTONIC for ever."""
    return ConsoleApp(engine, clock=lambda: MONOTONIC)


def keys(app: ConsoleApp) -> list[str]:
    """The rows, from top to bottom."""
    return list(app.screen.query_one(LiveTable).keys)


def detail(app: ConsoleApp) -> str:
    """The right-hand side."""
    return str(app.screen.query_one("#san-device").render())


async def test_devices_stand_by_shelf_and_the_first_is_selected() -> None:
    """Ours among them."""
    app = console(FakeEngine())
    async with app.run_test():
        assert keys(app) == ["shelf 9", "e9.1", "e9.2", "e9.7", "e9.8", "shelf 20", "e20.0", "e20.1"]
        assert app.screen.query_one(LiveTable).current_key == "e9.1"


async def test_the_cursor_stays_on_its_device() -> None:
    """Over sorting, and when devices come and go."""
    engine = FakeEngine()
    app = console(engine)
    async with app.run_test() as pilot:
        table = app.screen.query_one(LiveTable)
        await pilot.press("down", "down")
        assert table.current_key == "e9.7"
        await pilot.press("s", "S")
        assert keys(app)[1:5] == ["e9.7", "e9.2", "e9.1", "e9.8"]
        assert table.current_key == "e9.7"
        engine.current = replace(BUSY, devices=(device("e1.1"), *DEVICES[1:]))
        app.pull()
        await pilot.pause()
        assert table.current_key == "e9.7"
        assert "e9.7" in detail(app)


async def test_a_vanished_device_leaves_the_cursor_near() -> None:
    """On a row that exists."""
    engine = FakeEngine()
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.press("end")
        engine.current = replace(BUSY, devices=DEVICES[:2])
        app.pull()
        await pilot.pause()
        assert app.screen.query_one(LiveTable).current_key == "e9.2"


async def test_shelves_fold() -> None:
    """Enter on the shelf, or space on any of its rows."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        await pilot.press("up", "enter")
        assert keys(app) == ["shelf 9", "shelf 20", "e20.0", "e20.1"]
        assert "enter folds" in detail(app)
        await pilot.press("space", "down", "space")
        assert app.screen.query_one(LiveTable).current_key == "shelf 9"


async def test_filter_finds_by_mac_and_config_and_looks_into_folded_shelves() -> None:
    """Esc brings all back."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        await pilot.press("space", "slash", *"WEB01")
        assert keys(app) == ["shelf 9", "e9.1", "shelf 20", "e20.0"]
        await pilot.press("escape", "slash", *"99", "enter")
        assert keys(app) == ["shelf 9", "e9.2"]
        await pilot.press("escape")
        assert keys(app) == ["shelf 9", "shelf 20", "e20.0", "e20.1"]


async def test_a_kept_filter_leaves_the_keys_where_they_are() -> None:
    """Clearing it too."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        await pilot.press("slash", *"e9", "enter")
        assert app.screen.query_one(LiveTable).has_focus
        await pilot.press("escape")
        assert app.screen.query_one(LiveTable).has_focus


async def test_detail_tells_alarm_paths_and_sameness() -> None:
    """In words."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        await pilot.press("down")
        text = detail(app)
        for words in ("! conflict", "Two disks answer at e9.2", "TWO DISKS", "eth2", "0.34", "not told"):
            assert words in text
        await pilot.press("down")
        assert "41s ago" in detail(app)


async def test_one_that_comes_and_goes_says_so_and_what_it_did_last() -> None:
    """In the list, in the shelf's heading, and in words from the wire that stay words."""
    odd = device("e1.0", path("52:54:00:00:01:00", "eth1"), flapping=True, changed=ago(90), why="model [/x]\x1b -> b")
    app = console(FakeEngine(replace(BUSY, devices=(odd,))))
    async with app.run_test():
        table = app.screen.query_one(LiveTable)
        assert table.current_row is not None
        assert table.current_row.cells[2].plain == "~ flapping"
        assert table.row_of("shelf 1").cells[3].plain == "1 odd"
        assert "changed  1m ago: model [/x]\N{MIDDLE DOT} -> b" in detail(app)


async def test_enter_opens_and_escape_closes() -> None:
    """The detail has the whole width, and the list comes back."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        await pilot.press("enter")
        assert not app.screen.query_one("#san-list").display
        await pilot.press("escape")
        assert app.screen.query_one("#san-list").has_focus


async def test_the_empty_list_says_what_to_press() -> None:
    """And that key works."""
    app = console(FakeEngine(replace(FIRST_RUN, interfaces=()), ()))
    async with app.run_test() as pilot:
        assert "Press i" in str(app.screen.query_one(".empty").render())
        await pilot.press("i")
        await pilot.pause()
        assert isinstance(app.screen, ChooseInterfacesDialog)


async def test_keys_reach_the_list_once_there_is_one() -> None:
    """It was empty at first, as on every start: what is not shown has no focus."""
    engine = FakeEngine(NOTHING_ANSWERS)
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.pause()
        engine.current = BUSY
        app.pull()
        await pilot.pause()
        app.pull()
        await pilot.press("down")
        assert app.screen.query_one(LiveTable).current_key == "e9.2"


async def test_copy_takes_the_row() -> None:
    """As it stands there."""
    app = console(FakeEngine())
    async with app.run_test() as pilot:
        await pilot.press("y")
        assert app.clipboard.split() == ["e9.1", "10.7", "GB", "*", "up", "2", "paths", "8.7k", "web01"]


@SIZES
def test_san(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    """Each state by glyph, word and colour; the conflict selected."""
    assert snap_compare(console(FakeEngine()), press=["down"], terminal_size=size)


def test_narrow(snap_compare: SnapCompare) -> None:
    """Usable at 60x20: the detail goes below."""
    assert snap_compare(console(FakeEngine()), terminal_size=(60, 20))


@SIZES
def test_hostile(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    """Markup, escape sequences, wide characters and long strings stay inside their columns."""
    assert snap_compare(console(FakeEngine(HOSTILE)), terminal_size=size)


@pytest.mark.parametrize("key", ["enter", "slash"])
def test_san_opened_and_filtered(snap_compare: SnapCompare, key: str) -> None:
    """The detail alone; the filter line."""
    assert snap_compare(console(FakeEngine()), press=[key], terminal_size=(80, 24))


def test_nothing_answers(snap_compare: SnapCompare) -> None:
    """What to do, and why it may be empty."""
    assert snap_compare(console(FakeEngine(NOTHING_ANSWERS, ())), terminal_size=(80, 24))


async def test_rows_are_made_only_for_what_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever shares the Ethernet can make up thousands of devices, each with a shelf of its own."""
    made: list[str] = []
    make = san.device_row

    def noted(device: DeviceSnapshot, ours: san.Served | None, now: datetime) -> Row:
        made.append(str(device.address))
        return make(device, ours, now)

    monkeypatch.setattr(san, "device_row", noted)
    many = tuple(device(f"e{shelf}.0") for shelf in range(500))
    app = console(FakeEngine(replace(BUSY, devices=many)))
    async with app.run_test(size=(80, 24)) as pilot:
        assert len(keys(app)) == 1000
        await pilot.pause()
        made.clear()
        app.refresh_screen()
        assert made == [], "the same picture again"
        app.snapshot = replace(app.snapshot)
        app.refresh_screen()
        assert made == [f"e{shelf}.0" for shelf in range(len(made))]
        assert 5 < len(made) < 12
        made.clear()
        await pilot.press("end")
        await pilot.pause()
        assert "e499.0" in made
        assert len(set(made)) < 12
