"""What a device of somebody else keeps and says: read by keys on SAN, edited in the dialogs that edit our own exports."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.widgets import Button, Input, Static

from aoetui.app import ConsoleApp
from aoetui.engine.api import EngineError, NoAnswerError, SetMask
from aoetui.engine.commands.identify import ReadIdentify
from aoetui.engine.commands.remote import EditRemoteMask, ReadRemote, SetRemoteConfig, SetRemoteReservation
from aoetui.screens.asking import Asking
from aoetui.screens.confirm import Confirm
from aoetui.screens.edit_state import EditState
from aoetui.screens.identify_page import IdentifyPage
from aoetui.screens.page import Page
from aoetui.screens.san import SanScreen
from aoetui.widgets.fields import Message
from tests.tui.fake_engine import MONOTONIC, FakeEngine
from tests.tui.remote_states import CONFLICT, E91, HERE, REPORT, STATE, STRANGER, TARGET, WEB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.pilot import Pilot


def engine() -> FakeEngine:
    """One whose e9.1 keeps what STATE says."""
    made = FakeEngine()
    made.answers[ReadRemote] = STATE
    made.answers[ReadIdentify] = (REPORT,)
    return made


async def settle(pilot: Pilot[None]) -> None:
    """Until nothing is under way."""
    await pilot.pause()
    if not getattr(pilot.app, "engine").held:  # noqa: B009 - Pilot knows only that it is an App
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()


@asynccontextmanager
async def console(made: FakeEngine, *keys: str, read_only: bool = False) -> AsyncIterator[tuple[ConsoleApp, Pilot[None]]]:
    """The app after these keys on SAN, where e9.1 is selected."""
    app = ConsoleApp(made, clock=lambda: MONOTONIC, read_only=read_only)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*keys)
        await settle(pilot)
        yield app, pilot


def page(app: ConsoleApp) -> str:
    """What the open page says."""
    assert isinstance(app.screen, Page)
    return str(app.screen.query_one("#page-lines", Static).render())


def outcome(app: ConsoleApp) -> str:
    """What will be."""
    return str(app.screen.query_one("#outcome", Static).content)


async def paste(pilot: Pilot[None], text: str) -> None:
    """Into what has the focus, in place of what stands there."""
    await pilot.press("home", "shift+end", "delete")
    assert pilot.app.focused is not None
    pilot.app.focused.post_message(events.Paste(text))
    await settle(pilot)


async def test_a_config_string_is_read_then_set_by_force() -> None:
    made = engine()
    async with console(made, "C") as (app, pilot):
        assert isinstance(app.screen, EditState)
        assert app.screen.query_one("#config-string", Input).value == "web01"
        await paste(pilot, "web02")
        await pilot.press("enter")
        await settle(pilot)
        assert made.asked(SetRemoteConfig) == [SetRemoteConfig(E91, b"web02", force=True)]
        assert isinstance(app.screen, SanScreen)
        assert [toast.message for toast in app._notifications] == ["e9.1 has its config string."]


async def test_who_is_known_stands_in_the_lists() -> None:
    async with console(engine(), "m") as (app, _):
        shown = "\n".join(str(option.prompt) for option in app.screen.query_one("#macs")._options)  # type: ignore[attr-defined]
        assert shown == "52:54:00:aa:00:01  this host, eth1\n52:54:00:a0:e0:01  uses our e20.0 on eth1"
    async with console(engine(), "r") as (app, _):
        shown = "\n".join(str(option.prompt) for option in app.screen.query_one("#macs")._options)  # type: ignore[attr-defined]
        assert shown == "52:54:00:a0:e0:01  uses our e20.0 on eth1\n52:54:00:aa:00:01  this host, eth1"


async def test_shutting_this_host_out_is_said_and_asked_and_cancel_is_the_default() -> None:
    made = engine()
    async with console(made, "m", "space") as (app, pilot):
        assert outcome(app) == "Only 1 MAC will be answered. ! This host gets no answer then."
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, Confirm)
        assert app.screen.query_one("#cancel", Button).has_focus
        await pilot.press("right", "enter")
        await settle(pilot)
        assert made.asked(EditRemoteMask) == [EditRemoteMask(E91, (WEB,), replace=True, force=True)]


async def test_one_interface_of_this_host_that_is_left_out_is_named() -> None:
    made = engine()
    made.answers[ReadRemote] = replace(STATE, here=(HERE, STRANGER))
    async with console(made, "m") as (app, _):
        assert outcome(app) == "Only 2 MACs will be answered. ! This host gets no answer over 52:54:00:a0:e0:07 then."


async def test_taking_a_reservation_from_its_holder_is_said_and_asked() -> None:
    made = engine()
    async with console(made, "r", "space", "down", "space") as (app, pilot):
        assert outcome(app) == "Only 1 MAC may read and write. ! It is taken from 52:54:00:a0:e0:01."
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, Confirm)
        await pilot.press("right", "enter")
        await settle(pilot)
        assert made.asked(SetRemoteReservation) == [SetRemoteReservation(E91, (HERE,), force=True)]


async def test_what_another_changed_meanwhile_is_replaced_only_on_a_second_save() -> None:
    made = engine()
    async with console(made, "C") as (app, pilot):
        made.answers[ReadRemote] = replace(STATE, targets=(replace(TARGET, config_string=b"theirs"),))
        await pilot.press("enter")
        await settle(pilot)
        assert "changed by someone else meanwhile" in app.screen.query_one("#message-config_string", Message).text
        assert made.asked(SetRemoteConfig) == []
        await pilot.press("enter")
        await settle(pilot)
        assert len(made.asked(SetRemoteConfig)) == 1


@pytest.mark.parametrize(("key", "kind", "field"), [("C", SetRemoteConfig, "config_string"), ("m", EditRemoteMask, "mask")])
async def test_a_refusal_stands_beside_the_field(key: str, kind: type, field: str) -> None:
    made = engine()
    made.answers[kind] = EngineError("[/no] it is full", field=field)
    async with console(made, key, "ctrl+s") as (app, pilot):
        await settle(pilot)
        assert app.screen.query_one(f"#message-{field}", Message).text == "[/no] it is full"


async def test_a_device_that_falls_silent_before_it_is_saved_is_told() -> None:
    made = engine()
    async with console(made, "C") as (app, pilot):
        made.answers[ReadRemote] = NoAnswerError("e9.1 does not answer on eth1")
        await pilot.press("enter")
        await settle(pilot)
        assert app.screen.query_one("#message-config_string", Message).text == "e9.1 does not answer on eth1"
        assert not app.screen.query_one("#save", Button).disabled
        assert made.asked(SetRemoteConfig) == []


@pytest.mark.parametrize("key", ["C", "m", "r", "w"])
async def test_no_answer_is_told_and_left_by_escape(key: str) -> None:
    made = engine()
    made.answers[ReadRemote] = made.answers[ReadIdentify] = NoAnswerError("[/x] does not answer")
    async with console(made, key) as (app, pilot):
        assert isinstance(app.screen, Asking)
        assert "x [/x] does not answer" in str(app.screen.query_one("#asking-said", Static).render())
        await pilot.press("escape")
        assert isinstance(app.screen, SanScreen)


async def test_keys_that_come_while_the_wire_is_asked_do_nothing_elsewhere() -> None:
    made = engine()
    made.held = {ReadRemote}
    async with console(made, "C") as (app, pilot):
        for key in ("x", "n", "d", "2"):
            app.post_message(events.Key(key, key))
        await pilot.pause()
        assert isinstance(app.screen, Asking)
        await pilot.press("escape")
        made.waiting[0].set_result(STATE)
        await pilot.pause()
        assert isinstance(app.screen, SanScreen)
        assert made.asked(ReadRemote) == [ReadRemote(E91)]


async def test_two_disks_at_one_address_are_shown_and_not_edited() -> None:
    made = engine()
    made.answers[ReadRemote] = CONFLICT
    async with console(made, "C") as (app, pilot):
        text = page(app)
        assert "! different disks answer at one address" in text
        assert "Nothing can be changed here until that is settled." in text
        assert r"[/x]\x1b" in text
        assert "not known to its program" in text
        await pilot.press("escape")
        assert isinstance(app.screen, SanScreen)


async def test_a_program_without_the_list_is_shown() -> None:
    made = engine()
    made.answers[ReadRemote] = replace(STATE, targets=(replace(TARGET, mask=None),))
    async with console(made, "m") as (app, _):
        assert "not known to its program" in page(app)


async def test_a_console_that_only_looks_reads_and_edits_nothing() -> None:
    for key in ("C", "m", "r"):
        async with console(engine(), key, read_only=True) as (app, _):
            text = page(app)
            assert "config string web01" in text
            assert "52:54:00:a0:e0:01  uses our e20.0 on eth1" in text
    async with console(engine(), "w", read_only=True) as (app, _):
        assert isinstance(app.screen, IdentifyPage)


async def test_ours_is_edited_as_on_exports_and_shown_where_nothing_is_edited() -> None:
    made = engine()
    async with console(made, "G", "up", "m", "ctrl+s") as (app, pilot):
        await settle(pilot)
        assert made.asked(ReadRemote) == []
        assert [type(command) for command in made.asked(SetMask)] == [SetMask]
    async with console(engine(), "G", "up", "m", read_only=True) as (app, _):
        assert "reservation   1 MAC\n  52:54:00:a0:e0:01  on eth1, reads or writes now" in page(app)


async def test_identify_turns_between_fields_and_words() -> None:
    async with console(engine(), "w") as (app, pilot):
        assert "[/x]7f3a11c0" in page(app)
        await pilot.press("w")
        assert page(app).splitlines()[1].startswith("  0: 0040 ")
        await pilot.press("w", "j", "k", "G", "g", "q")
        assert isinstance(app.screen, SanScreen)


async def test_identify_tells_of_macs_that_answer_differently() -> None:
    made = engine()
    made.answers[ReadIdentify] = (REPORT, replace(REPORT, mac=STRANGER, words=(0,) * 256, fields=()))
    async with console(made, "w") as (app, _):
        assert page(app).startswith("! 2 MACs answer differently")


async def test_a_shelf_has_no_such_keys() -> None:
    made = engine()
    async with console(made, "g", "C", "m", "r", "w") as (app, _):
        assert isinstance(app.screen, SanScreen)
        assert made.asked(ReadRemote) == []


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("key", ["m", "w"], ids=["mask", "identify"])
def test_picture(snap_compare: Callable[..., bool], size: tuple[int, int], key: str) -> None:
    """Whom it answers; all that it says."""

    async def run(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await settle(pilot)
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False

    assert snap_compare(ConsoleApp(engine(), clock=lambda: MONOTONIC), terminal_size=size, run_before=run)


def test_picture_of_what_two_disks_keep(snap_compare: Callable[..., bool]) -> None:
    """Read only."""
    made = engine()
    made.answers[ReadRemote] = CONFLICT

    async def run(pilot: Pilot[None]) -> None:
        await pilot.press("r")
        await settle(pilot)

    assert snap_compare(ConsoleApp(made, clock=lambda: MONOTONIC), terminal_size=(80, 24), run_before=run)
