"""SAN with the Linux driver: its view of a device, the devices that it alone knows, and what it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from aoetui.app import ConsoleApp
from aoetui.engine.alarms import alarms_of
from aoetui.engine.api import Discover, EngineError
from aoetui.engine.commands.kernel import (
    FlushDevice,
    KernelDevice,
    KernelDiscover,
    KernelFigures,
    KernelPath,
    KernelSnapshot,
    KernelUsers,
    LoadModule,
    Revalidate,
)
from aoetui.engine.kernel.differences import remarks_of
from aoetui.engine.protocol.address import Address, Mac
from aoetui.palette import palette_commands
from aoetui.screens.confirm import Confirm
from aoetui.widgets.table import LiveTable
from tests.tui.fake_engine import ALARMS, BUSY, GB, NOTHING_ANSWERS, FakeEngine
from tests.tui.test_san import SIZES, console, detail, keys

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from aoetui.engine.snapshot import EngineSnapshot

SnapCompare = Callable[..., bool]
MAC = Mac.parse("52:54:00:00:09:01")


def driver_device(address: str, **changes: object) -> KernelDevice:
    """One that is up on eth1, but for `changes`."""
    path = KernelPath(MAC, ("eth1",), 3, 64, 64, 32, None, 0, 1200, 340)
    well = KernelDevice(
        address=Address.parse(address),
        state="up",
        size=10_737_418_240,
        macs=(MAC,),
        interfaces=("eth1",),
        payload=8704,
        firmware_version=1,
        number="152:16",
        wrong_node=False,
        partitions=(),
        mounted_on=(),
        holders=(),
        figures=KernelFigures(110.0, 31.0, 0, 0, (path,)),
    )
    return replace(well, **changes)  # type: ignore[arg-type]  # any field of the value


def with_driver(*devices: KernelDevice, on: EngineSnapshot = BUSY, **changes: object) -> EngineSnapshot:
    """A snapshot of a host whose driver has these devices, as the engine makes it."""
    kernel = KernelSnapshot(
        "85", ("eth1", "eth2"), 180, 64, dynamic_numbers=True, starts="", here=True, controls="", devices=devices
    )
    kernel = replace(kernel, **changes)  # type: ignore[arg-type]  # any field of the value
    kernel = replace(kernel, remarks=remarks_of(kernel, on.devices, ("eth1", "eth2")))
    told = alarms_of((), (), (), (), kernel)
    return replace(on, kernel=kernel, alarms=(*(ALARMS if on is BUSY else ()), *told))


MIXED = with_driver(
    driver_device("e9.1", mounted_on=("/srv/web01",), payload=1024),
    driver_device("e9.3", state="down,closewait", size=0, mounted_on=("/srv/old",)),
    driver_device("e9.7", size=1000 * GB),
)
"""e9.1 answers and is in use; nobody hears e9.3; e9.7 is silent."""


async def test_the_driver_stands_beside_the_wire() -> None:
    app = console(FakeEngine(MIXED))
    async with app.run_test(size=(120, 40)):
        assert app.screen.query_one(LiveTable).current_key == "e9.1"
        shown = " ".join(detail(app).split())
        assert "linux up, mounted on /srv/web01 1024 bytes a frame, eth1" in shown
        assert "- the Linux driver sends 1024 bytes a frame, the path carries 8704: press d to discover" in shown
        assert "rtt 0.11ms +- 0.03ms" in shown
        assert "window 64 of 64, 3 under way" in shown


async def test_a_device_that_the_driver_alone_knows_is_listed() -> None:
    """And says what closewait is, and what to do."""
    app = console(FakeEngine(MIXED))
    async with app.run_test(size=(120, 40)) as pilot:
        assert keys(app)[:4] == ["shelf 9", "e9.1", "e9.2", "e9.3"]
        app.screen.query_one(LiveTable).select("e9.3")
        await pilot.pause()
        shown = " ".join(detail(app).split())
        assert "e9.3 ? linux" in shown
        assert "wire not heard on eth1, eth2" in shown
        assert "closewait: the Linux driver gave it up while it was open (mounted on /srv/old)" in shown
        assert "unmount or close it, then press v to revalidate it once the target answers, or F to flush it" in shown


async def test_the_driver_s_devices_are_listed_where_nothing_answers() -> None:
    app = console(FakeEngine(with_driver(driver_device("e9.3"), on=NOTHING_ANSWERS)))
    async with app.run_test():
        assert keys(app) == ["shelf 9", "e9.3"]
        assert not app.screen.has_class("-empty")


async def test_the_driver_of_another_network_is_none() -> None:
    engine = FakeEngine(with_driver(driver_device("e9.3"), here=False))
    app = console(engine)
    async with app.run_test() as pilot:
        assert "e9.3" not in keys(app)
        assert "linux" not in detail(app)
        await pilot.press("v", "F")
        assert not engine.asked(Revalidate)


async def test_a_device_that_the_driver_has_not() -> None:
    engine = FakeEngine(with_driver())
    app = console(engine)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        assert "not in the driver" in detail(app)
        assert "the Linux driver has not got it yet: press d to discover" in " ".join(detail(app).split())
        await pilot.press("v", "F")
        await app.workers.wait_for_complete()
        assert not engine.asked(Revalidate)
        assert not engine.asked(KernelUsers)
        assert "The Linux driver has no e9.1" in next(notice.message for notice in app._notifications)


async def test_v_revalidates() -> None:
    engine = FakeEngine(MIXED)
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.press("v")
        await app.workers.wait_for_complete()
        assert engine.asked(Revalidate) == [Revalidate(Address(9, 1))]


async def test_flush_is_asked_and_cancel_is_where_the_focus_is() -> None:
    engine = FakeEngine(MIXED)
    engine.answers[KernelUsers] = ()
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.press("F")
        await pilot.pause()
        assert isinstance(app.screen, Confirm)
        await pilot.press("enter")
        await pilot.pause()
        assert not engine.asked(FlushDevice)
        await pilot.press("F")
        await pilot.pause()
        await pilot.press("right", "enter")
        await app.workers.wait_for_complete()
        assert engine.asked(FlushDevice) == [FlushDevice(Address(9, 1))]


async def test_flush_names_who_uses_the_device() -> None:
    engine = FakeEngine(MIXED)
    engine.answers[KernelUsers] = ("mounted on /srv/[/x]", "open in dd (pid 77)")
    app = console(engine)
    async with app.run_test(notifications=True) as pilot:
        await pilot.press("F")
        await app.workers.wait_for_complete()
        assert not isinstance(app.screen, Confirm)
        assert "e9.1 is in use: mounted on /srv/[/x], open in dd (pid 77)" in next(
            notice.message for notice in app._notifications
        )
        assert not engine.asked(FlushDevice)


async def test_flush_that_cannot_be_judged_is_not_asked() -> None:
    engine = FakeEngine(MIXED)
    engine.answers[KernelUsers] = EngineError("the aoe module is not loaded")
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.press("F")
        await app.workers.wait_for_complete()
        assert not isinstance(app.screen, Confirm)


@pytest.mark.parametrize(
    ("snapshot", "asked"),
    [
        (MIXED, [KernelDiscover, Discover]),
        (BUSY, [Discover]),
        (with_driver(controls="run `sudo aoetui`"), [Discover]),
        (with_driver(here=False), [Discover]),
        (replace(MIXED, interfaces=()), [KernelDiscover]),
    ],
)
async def test_d_has_the_driver_ask_too(snapshot: EngineSnapshot, asked: list[type]) -> None:
    engine = FakeEngine(snapshot)
    app = console(engine)
    async with app.run_test() as pilot:
        await pilot.press("d")
        await app.workers.wait_for_complete()
        assert [type(each) for each in engine.commands if isinstance(each, KernelDiscover | Discover)] == asked


async def test_read_only_tells_the_driver_nothing() -> None:
    engine = FakeEngine(MIXED)
    app = ConsoleApp(engine, read_only=True)
    async with app.run_test() as pilot:
        await pilot.press("v", "F", "d")
        await app.workers.wait_for_complete()
        told = {Revalidate, KernelUsers, FlushDevice, KernelDiscover}
        assert not [each for each in engine.commands if type(each) in told]
        assert not [title for title in titles(app) if "driver" in title]


def titles(app: ConsoleApp) -> list[str]:
    """What the palette offers."""
    return [command.title for command in palette_commands(app, app.screen)]


async def test_the_palette_offers_to_load_what_is_not_loaded() -> None:
    engine = FakeEngine()
    app = console(engine)
    async with app.run_test():
        assert len([title for title in titles(app) if title.startswith("Load the Linux aoe driver")]) == 2
        app.snapshot = with_driver()
        assert [title for title in titles(app) if title.startswith("Load")] == [
            "Load the Linux aoe driver (module aoe) now and whenever this host starts; asks first"
        ]
        app.snapshot = with_driver(starts="/etc/modules")
        assert not [title for title in titles(app) if title.startswith("Load")]


@pytest.mark.parametrize(("action", "persist"), [("load_driver", False), ("load_driver_always", True)])
async def test_the_module_is_loaded_for_the_chosen_interfaces(action: str, persist: bool) -> None:
    engine = FakeEngine()
    engine.answers[LoadModule] = ("the aoe module is loaded",)
    app = console(engine)
    async with app.run_test() as pilot:
        await app.run_action(action)
        await pilot.pause()
        assert isinstance(app.screen, Confirm)
        await pilot.press("right", "enter")
        await app.workers.wait_for_complete()
        assert engine.asked(LoadModule) == [LoadModule(("eth1", "eth2"), persist=persist)]


async def test_the_module_is_not_loaded_for_nobody_knows_where() -> None:
    engine = FakeEngine(replace(BUSY, interfaces=()))
    app = console(engine)
    async with app.run_test() as pilot:
        await app.run_action("load_driver")
        await pilot.pause()
        assert not isinstance(app.screen, Confirm)
        assert not engine.asked(LoadModule)


async def test_what_the_kernel_says_is_shown_as_it_is() -> None:
    """A mount point may hold anything."""
    app = console(FakeEngine(with_driver(driver_device("e9.1", mounted_on=("/srv/[/x]\x1b[2J",), interfaces=("[bold]",)))))
    async with app.run_test(size=(120, 40)):
        assert "/srv/[/x]·[2J" in detail(app)
        assert "[bold]" in detail(app)


@SIZES
def test_picture_of_closewait(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def go(pilot: Pilot[None]) -> None:
        pilot.app.screen.query_one(LiveTable).select("e9.3")
        await pilot.pause()

    assert snap_compare(console(FakeEngine(MIXED)), terminal_size=size, run_before=go)


@SIZES
def test_picture_of_a_device_in_use(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert snap_compare(console(FakeEngine(MIXED)), terminal_size=size)
