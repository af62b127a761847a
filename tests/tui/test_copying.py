"""The copy form, the tasks and the sectors: by keys alone, and true to what the engine says."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import Input, Static

from aoetui.app import ConsoleApp
from aoetui.engine.api import EngineError
from aoetui.engine.commands.copying import (
    CancelTask,
    Contents,
    ForgetTask,
    Partition,
    ReadSectors,
    Sectors,
    SectorsReport,
    StartCopy,
    TaskKind,
    TaskPath,
    TaskSnapshot,
    TaskState,
)
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.wire import SECTOR
from aoetui.screens.confirm import Confirm
from aoetui.screens.copy_form import CopyForm
from aoetui.screens.sectors import SectorsScreen
from aoetui.screens.tasks import TasksScreen
from aoetui.widgets.fields import Message
from aoetui.widgets.keys_line import KeysLine
from tests.tui.fake_engine import BUSY, MONOTONIC, NOTHING_ANSWERS, NOW, FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.pilot import Pilot

E91 = Address(9, 1)
DEVICE = next(device for device in BUSY.devices if device.address == E91)
FILESYSTEMS = 'vfat "EFI" 1234-5678, ext4 "root" 0f6a3bc1-27d4-4e6a-9a8a-d0f8bcc5f1e2'
SILENT = "no answer from 52:54:00:00:09:02 on eth2: the other paths go on"
ROOT = Partition(1, Sectors(2048, 1050624), "EFI system", "", 'vfat "EFI" 1234-5678')
DATA = Partition(2, Sectors(1050624, 20971486), "Linux", "root", 'ext4 "root" 0f6a3bc1-27d4-4e6a-9a8a-d0f8bcc5f1e2')
CONTENTS = Contents("GPT", (ROOT, DATA))


def report(command: ReadSectors) -> SectorsReport:
    """Sectors whose bytes tell their number; the fifth cannot be read."""
    last = min(command.lba + command.count, 20971520)
    data = b"".join((lba.to_bytes(8, "big") + b" sector ") * (SECTOR // 16) for lba in range(command.lba, last))
    contents = CONTENTS if command.recognise else Contents()
    return SectorsReport(E91, 20971520 * SECTOR, "aoetui", "7f3a11c0", command.lba, data, contents, (Sectors(5, 6),))


def task(number: int, **changes: Any) -> TaskSnapshot:  # noqa: ANN401  # any field of the value
    """An image that is under way, but for `changes`."""
    image = TaskSnapshot(
        number=number,
        kind=TaskKind.IMAGE,
        address=E91,
        path=Path("/srv/web01.img"),
        title="e9.1 to /srv/web01.img",
        state=TaskState.RUNNING,
        started=NOW,
        seconds=91.0,
        total=10_737_418_240,
        done=3_650_722_201,
        rate=41.2e6,
        eta=172.0,
        text="",
        paths=(
            TaskPath("eth1", Mac.parse("52:54:00:00:09:01"), True, 64, 2_000_000, 12, 2_000_000_000, 410.0),
            TaskPath("eth2", Mac.parse("52:54:00:00:09:02"), True, 48, 1_600_000, 903, 1_650_000_000, 620.0),
        ),
    )
    return replace(image, **changes)


AGAIN = StartCopy(TaskKind.IMAGE, E91, Path("/srv/web01.img"), resume=True, serial="7f3a11c0")
FAILED = task(
    2,
    state=TaskState.FAILED,
    eta=None,
    text="there is no room left for /srv/web01.img: make room; 7130317 of 20971520 sectors are in /srv/web01.img",
    again=AGAIN,
)
RESTORE = task(
    3,
    kind=TaskKind.RESTORE,
    title="/srv/web01.img to e9.1",
    text=SILENT,
)
DONE = task(4, kind=TaskKind.COMPARE, state=TaskState.DONE, title="e9.1 with /srv/web01.img", done=10_737_418_240, eta=None)


def made(*tasks: TaskSnapshot) -> FakeEngine:
    """An engine with these tasks, whose device holds CONTENTS."""
    engine = FakeEngine(replace(BUSY, tasks=tasks))
    engine.answers[ReadSectors] = report
    engine.answers[StartCopy] = lambda command: task(7, kind=command.kind)
    return engine


@asynccontextmanager
async def at_e91(engine: FakeEngine, *keys: str, read_only: bool = False) -> AsyncIterator[tuple[ConsoleApp, Pilot[None]]]:
    """The console with e9.1 selected, after these keys."""
    app = ConsoleApp(engine, clock=lambda: MONOTONIC, read_only=read_only)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await press(pilot, *keys)
        yield app, pilot


async def press(pilot: Pilot[None], *keys: str) -> None:
    """These keys, and what comes of them."""
    for key in keys:
        await pilot.press(key)
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def said(app: ConsoleApp, name: str) -> str:
    """A message of the form."""
    return app.screen.query_one(f"#message-{name}", Message).text


async def test_an_image_is_begun_by_keys_alone() -> None:
    engine = made()
    async with at_e91(engine, "o") as (app, pilot):
        assert isinstance(app.screen, CopyForm)
        assert said(app, "contents") == f"holds GPT with 2 partitions ({FILESYSTEMS})"
        await press(pilot, "tab", *"/srv/web01.img", "ctrl+s")
        assert not isinstance(app.screen, CopyForm)
    assert engine.asked(StartCopy) == [StartCopy(TaskKind.IMAGE, E91, Path("/srv/web01.img"), serial="7f3a11c0")]


async def test_marks_of_the_form() -> None:
    engine = made()
    async with at_e91(engine, "o", "tab", *"/srv/x", "tab", "space", "tab", "space", "ctrl+s"):
        pass
    (begun,) = engine.asked(StartCopy)
    assert isinstance(begun, StartCopy)
    assert (begun.resume, begun.overwrite) == (False, True)


async def test_a_restore_wants_the_address_typed() -> None:
    engine = made()
    async with at_e91(engine, "o", "down", "space", "tab", *"/srv/web01.img", "ctrl+s") as (app, pilot):
        assert said(app, "typed") == "type e9.1: what it holds is lost"
        assert not engine.asked(StartCopy)
        app.screen.query_one("#typed", Input).value = "9.1"
        await press(pilot, "ctrl+s")
    (begun,) = engine.asked(StartCopy)
    assert isinstance(begun, StartCopy)
    assert (begun.kind, begun.serial) == (TaskKind.RESTORE, "7f3a11c0")


async def test_the_device_that_is_shown_is_the_one_that_would_be_written_to() -> None:
    """The list may be a minute old: another disk answers at its address now."""
    engine = made()
    engine.answers[ReadSectors] = lambda command: replace(report(command), model="aoetui", serial="0ther", size=4096)
    async with at_e91(engine, "o") as (app, _):
        shown = app.screen.query_one("#copy-device", Static).render()
        assert str(shown) == "e9.1  4.1 kB  aoetui  serial 0ther"
        assert said(app, "contents").startswith("another disk than the list still shows (serial 7f3a11c0); holds GPT")


async def test_a_device_that_does_not_answer_is_not_written_to() -> None:
    engine = made()
    engine.answers[ReadSectors] = EngineError("e9.1 does not answer on eth1")
    async with at_e91(engine, "o", "down", "space", "tab", *"/srv/web01.img") as (app, pilot):
        assert said(app, "contents") == "e9.1 does not answer on eth1"
        app.screen.query_one("#typed", Input).value = "e9.1"
        await press(pilot, "ctrl+s")
        assert "has not said yet who it is" in said(app, "typed")
    assert not engine.asked(StartCopy)


async def test_refusals_stand_beside_their_field() -> None:
    engine = made()
    engine.answers[StartCopy] = EngineError("/srv/web01.img is in use", field="path")
    async with at_e91(engine, "o", "tab", *"srv", "ctrl+s") as (app, pilot):
        assert said(app, "path") == "write the whole path, from / on"
        app.screen.query_one("#path", Input).value = "/srv/web01.img"
        await press(pilot, "ctrl+s")
        assert said(app, "path") == "/srv/web01.img is in use"
        engine.answers[StartCopy] = EngineError("e9.1 is reserved", field="address")
        await press(pilot, "ctrl+s")
        assert said(app, "copy") == "e9.1 is reserved"
        await press(pilot, "escape")
        assert not isinstance(app.screen, CopyForm)


async def test_our_own_exports_are_not_copied_over_the_wire() -> None:
    async with at_e91(made(), "G", "o") as (app, _):
        assert not isinstance(app.screen, CopyForm)


async def test_in_read_only_mode_nothing_is_copied_or_cancelled() -> None:
    engine = made(task(1), FAILED)
    async with at_e91(engine, "o", read_only=True) as (app, pilot):
        assert not isinstance(app.screen, CopyForm)
        assert "copy" not in app.screen.query_one(KeysLine).render_line(0).text
        await press(pilot, "T", "c", "r", "delete")
        assert isinstance(app.screen, TasksScreen)
    assert not [each for each in engine.commands if isinstance(each, StartCopy | CancelTask | ForgetTask)]


async def test_a_task_is_cancelled_after_a_question() -> None:
    engine = made(task(1))
    async with at_e91(engine, "T", "c") as (app, pilot):
        assert isinstance(app.screen, Confirm)
        await press(pilot, "enter")
        assert not engine.asked(CancelTask)
        await press(pilot, "c", "right", "enter")
    assert engine.asked(CancelTask) == [CancelTask(1)]


async def test_a_failed_task_is_gone_on_with_and_dropped() -> None:
    engine = made(FAILED)
    async with at_e91(engine, "T", "r", "delete"):
        pass
    assert engine.asked(StartCopy) == [AGAIN]
    assert engine.asked(ForgetTask) == [ForgetTask(2)]


async def test_a_restore_is_gone_on_with_after_a_question() -> None:
    again = replace(AGAIN, kind=TaskKind.RESTORE)
    engine = made(replace(FAILED, kind=TaskKind.RESTORE, again=again))
    async with at_e91(engine, "T", "r") as (app, pilot):
        assert isinstance(app.screen, Confirm)
        await press(pilot, "right", "enter")
    assert engine.asked(StartCopy) == [again]


async def test_the_selected_task_stays_selected_when_another_comes() -> None:
    engine = made(task(1), FAILED)
    async with at_e91(engine, "T", "down") as (app, pilot):
        screen = app.screen
        assert isinstance(screen, TasksScreen)
        engine.current = replace(engine.current, tasks=(task(1), FAILED, RESTORE))
        app.pull()
        screen._refresh()
        await press(pilot, "c", "right", "enter")
    assert engine.asked(CancelTask) == [CancelTask(1)]


async def test_leaving_asks_while_something_is_copied() -> None:
    engine = FakeEngine(replace(BUSY, exports=(), tasks=(task(1),)))
    async with at_e91(engine, "q") as (app, _):
        assert isinstance(app.screen, Confirm)
        assert app.screen._title == "Leave, and cancel 1 task?"


async def test_sectors_are_read_as_they_come_into_view() -> None:
    engine = made()
    async with at_e91(engine, "x") as (app, pilot):
        screen = app.screen
        assert isinstance(screen, SectorsScreen)
        await press(pilot, "g", *"20000", "enter")
        shown = str(screen.query_one("#sector-bytes").render()).splitlines()
        assert shown[0].startswith("0009c4000  00 00 00 00 00 00 4e 20  20 73 65 63 74 6f 72 20")
        await press(pilot, "end")
        assert str(screen.query_one("#sector-bytes").render()).splitlines()[-1].startswith("27ffffff0")
        await press(pilot, "g", *"20971520", "enter")
        assert "there are sectors 0 to 20971519" in str(screen.query_one("#sector-contents").render())
        await press(pilot, "escape", "escape")
        assert not isinstance(app.screen, SectorsScreen)
    asked = engine.asked(ReadSectors)
    assert [each.recognise for each in asked if isinstance(each, ReadSectors)] == [True, False, False]


async def test_the_list_has_the_keys_once_something_answers() -> None:
    engine = FakeEngine(NOTHING_ANSWERS)
    engine.answers[ReadSectors] = report
    async with at_e91(engine) as (app, pilot):
        engine.current = BUSY
        app.pull()
        await press(pilot, "j", "o")
        assert isinstance(app.screen, CopyForm)
        assert app.screen._device.address != DEVICE.address


SMALL, LARGE = (80, 24), (120, 40)
PICTURES = [
    ("form", SMALL, made(), ("o",)),
    ("restore", LARGE, made(), ("o", "down", "space")),
    ("tasks", SMALL, made(task(1), FAILED, RESTORE), ("T",)),
    ("tasks", LARGE, made(task(1), FAILED, RESTORE, DONE), ("T",)),
    ("no tasks", SMALL, made(), ("T",)),
    ("cancel", SMALL, made(task(1)), ("T", "c")),
    ("sectors", SMALL, made(), ("x",)),
    ("sectors", LARGE, made(), ("x",)),
]


@pytest.mark.parametrize(("name", "size", "engine", "keys"), PICTURES, ids=[f"{each[0]} {each[1][0]}" for each in PICTURES])
def test_pictures(
    snap_compare: Callable[..., bool],
    name: str,  # noqa: ARG001  # the picture's
    size: tuple[int, int],
    engine: FakeEngine,
    keys: tuple[str, ...],
) -> None:
    async def pressed(pilot: Pilot[None]) -> None:
        await press(pilot, *keys)

    assert snap_compare(ConsoleApp(engine, clock=lambda: MONOTONIC), terminal_size=size, run_before=pressed)
