"""The path check: what is asked, how far it is, what was found; and pictures of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from aoetui.app import ConsoleApp
from aoetui.engine.api import EngineError
from aoetui.engine.commands.paths import (
    CheckPaths,
    DeviceReport,
    Finding,
    Loss,
    PathReport,
    PathsReport,
    Reach,
    RoundTrips,
    Untested,
)
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.snapshot import Sameness, Severity
from aoetui.screens.path_check import PathCheckScreen, merged, path_row
from aoetui.screens.san import SanScreen
from aoetui.widgets.table import LiveTable
from tests.tui.fake_engine import BUSY, MONOTONIC, NOW, FakeEngine
from tests.tui.hostile import ALL

SnapCompare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])

PATH = PathReport(
    interface="eth1",
    mac=Mac.parse("52:54:00:00:09:01"),
    local_mtu=9000,
    sector_count=17,
    buffer_count=64,
    to_target=Reach(9014, 9014),
    from_target=Reach(8740, 8740),
    round_trips=RoundTrips(70.0, 110.0, 180.0, 410.0),
    short_frames=Loss(300, 0),
    long_frames=Loss(300, 0),
    duplicates=0,
)
NARROW = replace(PATH, interface="eth2", mac=Mac.parse("52:54:00:00:09:05"), to_target=Reach(1514, 9014))
LOSSY = replace(PATH, short_frames=Loss(3000, 2), long_frames=Loss(3000, 80), round_trips=RoundTrips(9e2, 2e3, 4e4, 9e5))
RESERVED = replace(NARROW, interface="eth1", to_target=Reach(9014, 9014), from_target=Reach(548, 548, Untested.RESERVED))
FINDINGS = (
    Finding(
        Severity.WARNING,
        "e9.1",
        "the path eth2 -> 52:54:00:00:09:05 is only capable of 1024 byte payloads, of 8704: frames of more than 1514 bytes"
        " (MTU 1500) are lost on the way to the target, from eth2 (MTU 9000) to 52:54:00:00:09:05",
        "set an MTU of 9000 (8740 at least) on every switch port between the two and on the target's interface, then run"
        " aoe-discover; or `ip link set eth2 mtu 1500`",
    ),
    Finding(Severity.INFO, "eth1", "flow control is off on eth1 (sending)", "`ethtool -A eth1 rx on tx on`"),
)


def report(address: Address, *paths: PathReport, findings: tuple[Finding, ...] = ()) -> PathsReport:
    """Of one device, or none."""
    device = [DeviceReport(address, 1 << 30, "aoetui", "1", Sameness.SAME, "", paths)] if paths else []
    return PathsReport((), tuple(device), findings, 602 * len(paths))


def answer(command: CheckPaths) -> PathsReport:
    """Of each device something else; e9.8 does not answer, e9.7 is refused."""
    assert command.address is not None
    match str(command.address):
        case "e9.1":
            return report(command.address, PATH, NARROW, findings=FINDINGS)
        case "e9.2":
            lossy = Finding(Severity.ALARM, "e9.2", "eth1 -> 52:54:00:00:09:01: 82 of 6000 frames were not answered", "look")
            return report(command.address, LOSSY, RESERVED, findings=(FINDINGS[1], lossy))
        case "e9.7":
            raise EngineError("eth1 is down: bring it up")
        case _:
            return report(command.address)


def engine() -> FakeEngine:
    """That answers so."""
    made = FakeEngine()
    made.answers = {CheckPaths: answer}
    return made


def console(made: FakeEngine, **options: bool) -> ConsoleApp:
    """The app, at MONOTONIC for ever."""
    return ConsoleApp(made, clock=lambda: MONOTONIC, **options)


def said(app: ConsoleApp, name: str) -> str:
    """What a text of the screen says."""
    return str(app.screen.query_one(name).render())


async def test_a_device_is_checked_and_again_on_a_key_and_escape_leaves() -> None:
    made = engine()
    app = console(made)
    async with app.run_test() as pilot:
        await pilot.press("c")
        await pilot.pause()
        assert isinstance(app.screen, PathCheckScreen)
        assert made.asked(CheckPaths) == [CheckPaths(Address(9, 1))]
        assert app.screen.query_one(LiveTable).keys == ("e9.1 eth1 52:54:00:00:09:01", "e9.1 eth2 52:54:00:00:09:05")
        assert said(app, "#check-state") == "e9.1  2 paths, 1204 frames sent, checked now"
        made.current = replace(BUSY, taken=NOW + timedelta(seconds=41))
        app.pull()
        assert said(app, "#check-state").endswith("checked 41s ago")
        await pilot.press("r")
        await pilot.pause()
        assert len(made.asked(CheckPaths)) == 2
        assert said(app, "#check-state").endswith("checked now")
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, SanScreen)


async def test_of_a_shelf_each_device_is_checked_in_turn() -> None:
    made = engine()
    app = console(made)
    async with app.run_test() as pilot:
        await pilot.press("up", "c")
        await pilot.pause()
        assert made.asked(CheckPaths) == [CheckPaths(Address(9, slot)) for slot in (1, 2, 7, 8)]
        assert said(app, "#check-state").startswith("4 devices  4 paths")
        found = said(app, "#check-found")
        assert found.startswith("!! e9.7: eth1 is down: bring it up\n!! e9.8 does not answer now")
        assert found.index("!! e9.2: eth1 ->") < found.index("! e9.1: the path") < found.index("i flow control is off")
        assert found.count("flow control is off") == 1, "an interface is judged with each device, and told once"


async def test_it_says_how_far_it_is_and_can_be_left_meanwhile() -> None:
    made = engine()
    made.held = {CheckPaths}
    app = console(made)
    async with app.run_test() as pilot:
        await pilot.press("up", "c")
        await pilot.pause()
        assert said(app, "#check-state") == "Checking e9.1, 1 of 4  some seconds for each path"
        assert said(app, "#check-found") == ""
        made.waiting[0].set_result(answer(CheckPaths(Address(9, 1))))
        await pilot.pause()
        app.pull()
        assert said(app, "#check-state").startswith("Checking e9.2, 2 of 4")
        assert "only capable of 1024" in said(app, "#check-found")
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, SanScreen)
        assert len(made.asked(CheckPaths)) == 2, "the rest is not asked for"


async def test_keys_in_a_bunch_check_the_row_that_they_went_to() -> None:
    made = engine()
    app = console(made)
    async with app.run_test() as pilot:
        await pilot.pause()
        for key in ("down", "c"):
            app.simulate_key(key)
        await pilot.pause()
        await pilot.pause()
        assert made.asked(CheckPaths) == [CheckPaths(Address(9, 2))]


async def test_one_of_ours_is_not_asked_for() -> None:
    made = engine()
    app = console(made)
    async with app.run_test() as pilot:
        await pilot.press("end", "c")
        await pilot.pause()
        assert isinstance(app.screen, SanScreen)
        assert made.asked(CheckPaths) == []


async def test_where_nothing_is_wrong_it_says_so() -> None:
    made = engine()
    made.answers = {CheckPaths: report(Address(9, 1), PATH)}
    app = console(made)
    async with app.run_test() as pilot:
        await pilot.press("c")
        await pilot.pause()
        assert said(app, "#check-found") == "* Nothing is wrong."


async def test_the_filter_narrows_paths_and_findings() -> None:
    app = console(engine())
    async with app.run_test() as pilot:
        await pilot.press("c")
        await pilot.pause()
        await pilot.press("slash", *"eth2", "enter")
        assert app.screen.query_one(LiveTable).keys == ("e9.1 eth2 52:54:00:00:09:05",)
        assert "flow control" not in said(app, "#check-found")
        await pilot.press("escape")
        assert isinstance(app.screen, PathCheckScreen)
        assert len(app.screen.query_one(LiveTable).keys) == 2


async def test_read_only_asks_nobody() -> None:
    made = engine()
    app = console(made, read_only=True)
    async with app.run_test() as pilot:
        await pilot.press("c")
        await pilot.pause()
        assert made.asked(CheckPaths) == []


def test_what_is_too_little_stands_out_without_its_colour() -> None:
    device = report(Address(9, 1), PATH, NARROW, RESERVED).devices[0]
    cells = [[cell.plain for cell in path_row(device, path).cells[3:6]] for path in (PATH, NARROW, RESERVED)]
    assert cells == [["8704", "8704", "0/600"], ["!1024", "8704", "0/600"], ["8704", "512+", "0/600"]]


def test_findings_of_all_are_merged() -> None:
    assert merged([report(Address(9, 1), findings=FINDINGS), report(Address(9, 2), findings=FINDINGS[1:])]) == list(FINDINGS)


HOSTILE = report(
    Address(9, 1),
    replace(PATH, interface=ALL),
    findings=(Finding(Severity.ALARM, ALL, ALL, ALL), Finding(Severity.INFO, "e9.1", "[/x] \x1b[2J" * 90, "[bold]y[/]")),
)


@SIZES
@pytest.mark.parametrize("name", ["shelf", "hostile"])
def test_picture(snap_compare: SnapCompare, size: tuple[int, int], name: str) -> None:
    made = engine()
    if name == "hostile":
        made.answers = {CheckPaths: HOSTILE}
    assert snap_compare(console(made), press=["up", "c"] if name == "shelf" else ["c"], terminal_size=size)
