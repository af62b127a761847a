"""Config string, mask list and reservation: edited by keys, said before, refused beside the field."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.widgets import Button, Input, Static

from aoetui.app import ConsoleApp
from aoetui.engine.api import EngineError, SetConfigString, SetMask, SetReservation
from aoetui.engine.protocol.address import Address, Mac
from aoetui.screens.confirm import Confirm
from aoetui.screens.edit_config import EditConfig
from aoetui.screens.edit_macs import EditMacs
from aoetui.screens.edit_state import EditState
from aoetui.screens.exports import ExportsScreen
from aoetui.widgets.fields import MarkedList, Message
from aoetui.widgets.known_macs import known_macs, shut_out
from tests.tui.fake_engine import BUSY, EXPORTS, MONOTONIC, NOW, FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.pilot import Pilot

WEB = EXPORTS[0]
ADDRESS = Address(20, 0)
FIRST, SECOND, THIRD = (Mac.parse(f"52:54:00:a0:e0:0{number}") for number in (1, 2, 3))
"""The first reads and writes now; the others are known."""


async def settle(pilot: Pilot[None]) -> None:
    """Until nothing is under way."""
    await pilot.pause()
    if not getattr(pilot.app, "engine").held:  # noqa: B009 - Pilot knows only that it is an App
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()


@asynccontextmanager
async def opened(made: FakeEngine, key: str) -> AsyncIterator[tuple[ConsoleApp, Pilot[None], EditState]]:
    """The dialog of this key for e20.0."""
    app = ConsoleApp(made, clock=lambda: MONOTONIC)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", key)
        await settle(pilot)
        dialog = app.screen
        assert isinstance(dialog, EditState)
        yield app, pilot, dialog


def said(dialog: EditState, field: str) -> str:
    """The message beside the field."""
    return dialog.query_one(f"#message-{field}", Message).text


def outcome(dialog: EditState) -> str:
    """What will be."""
    return str(dialog.query_one("#outcome", Static).content)


async def paste(pilot: Pilot[None], text: str) -> None:
    """Into what has the focus, in place of what stands there."""
    await pilot.press("home", "shift+end", "delete")
    assert pilot.app.focused is not None
    pilot.app.focused.post_message(events.Paste(text))
    await settle(pilot)


async def test_a_config_string_is_typed_and_saved_by_enter() -> None:
    made = FakeEngine()
    async with opened(made, "c") as (app, pilot, dialog):
        assert isinstance(dialog, EditConfig)
        assert dialog.query_one(Input).value == "web01"
        assert said(dialog, "config_string") == "5 of 1024 bytes"
        await paste(pilot, r"Büro \x00\\")
        assert said(dialog, "config_string") == "8 of 1024 bytes"
        await pilot.press("enter")
        await settle(pilot)
        assert made.asked(SetConfigString) == [SetConfigString(ADDRESS, "Büro \0\\".encode())]
        assert isinstance(app.screen, ExportsScreen)
        assert [toast.message for toast in app._notifications] == ["e20.0 has its config string."]


async def test_keys_in_one_bunch_go_into_the_dialog() -> None:
    """As over a slow link."""
    made = FakeEngine()
    app = ConsoleApp(made, clock=lambda: MONOTONIC)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        for key in ("c", "x", "m", "r", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await settle(pilot)
        await settle(pilot)
        assert made.asked(SetConfigString) == [SetConfigString(ADDRESS, b"web01xmr")]


async def test_the_filter_takes_the_letters_that_edit() -> None:
    made = FakeEngine()
    app = ConsoleApp(made, clock=lambda: MONOTONIC)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "slash", "c", "m", "r")
        assert app.screen.query_one("#filter", Input).value == "cmr"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("web\\", "\\ means nothing"),
        ("x" * 1025, "1025 of 1024 bytes: too long"),
    ],
)
async def test_what_is_wrong_with_a_config_string_is_said_while_it_is_typed(text: str, sentence: str) -> None:
    async with opened(FakeEngine(), "c") as (_, pilot, dialog):
        await paste(pilot, text)
        assert said(dialog, "config_string").startswith(sentence)


async def test_a_backslash_that_means_nothing_is_not_sent() -> None:
    made = FakeEngine()
    async with opened(made, "c") as (app, pilot, dialog):
        await paste(pilot, r"\zz")
        await pilot.press("enter")
        await settle(pilot)
        assert app.screen is dialog
        assert made.asked(SetConfigString) == []


@pytest.mark.parametrize(
    ("key", "kind", "field"),
    [("c", SetConfigString, "config_string"), ("m", SetMask, "mask"), ("r", SetReservation, "reservation")],
)
async def test_a_refusal_stands_beside_the_field_and_the_dialog_stays(key: str, kind: type, field: str) -> None:
    made = FakeEngine()
    made.answers[kind] = EngineError("[/no] the state file cannot be written: make room", field=field)
    async with opened(made, key) as (app, pilot, dialog):
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert said(dialog, field) == "[/no] the state file cannot be written: make room"
        assert app.screen is dialog
        assert not dialog.query_one("#save", Button).disabled


async def test_those_on_the_list_stand_first_then_those_who_use_it_then_the_refused() -> None:
    known = known_macs(WEB, (SECOND, Mac.parse("02:00:00:00:00:07")), NOW)
    assert {str(mac): words for mac, words in known.items()} == {
        "52:54:00:a0:e0:02": "on eth2, seen 4m ago",
        "02:00:00:00:00:07": "not seen",
        "52:54:00:a0:e0:01": "on eth1, reads or writes",
        "52:54:00:a0:e0:03": "on eth1, seen 30s ago",
        "52:54:00:bb:00:09": "refused 3s ago on eth1: on the deny list",
        "52:54:00:bb:00:0a": "refused 11m ago on eth2: not on the accept list",
    }
    assert list(known)[:3] == [SECOND, Mac.parse("02:00:00:00:00:07"), FIRST]


async def test_macs_are_marked_and_typed_and_saved() -> None:
    made = FakeEngine()
    async with opened(made, "m") as (app, pilot, dialog):
        assert isinstance(dialog, EditMacs)
        await pilot.press("space", "down", "space", "tab")  # the first two
        await paste(pilot, "5254.zz")
        await pilot.press("enter")
        assert said(dialog, "mask").startswith("'5254.zz' is not a MAC")
        await paste(pilot, "02:00:00:00:00:AA")
        await pilot.press("enter")
        await settle(pilot)
        assert said(dialog, "mask") == "3 of at most 185 MACs"
        assert outcome(dialog) == "Only 3 MACs will be answered."
        await paste(pilot, "02-00-00-00-00-bb")  # and never entered: it is meant all the same
        await pilot.press("ctrl+s")
        await settle(pilot)
        typed = (Mac.parse("02:00:00:00:00:aa"), Mac.parse("02:00:00:00:00:bb"))
        assert made.asked(SetMask) == [SetMask(ADDRESS, (FIRST, SECOND, *typed))]
        assert isinstance(app.screen, ExportsScreen)
        assert [toast.message for toast in app._notifications] == ["Mask list of e20.0: 4 MACs."]


@pytest.mark.parametrize("typed", ["ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "01:00:5e:00:00:01"])
async def test_what_is_no_initiators_address_is_refused(typed: str) -> None:
    made = FakeEngine()
    async with opened(made, "m") as (app, pilot, dialog):
        await pilot.press("tab")
        await paste(pilot, typed)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "no address that a frame can come from" in said(dialog, "mask")
        assert app.screen is dialog
        assert made.asked(SetMask) == []


async def test_shutting_out_who_reads_or_writes_now_is_said_and_asked_and_cancel_is_the_default() -> None:
    made = FakeEngine()
    async with opened(made, "m") as (app, pilot, dialog):
        await pilot.press("down", "space")  # the second alone
        await settle(pilot)
        assert outcome(dialog) == "Only 1 MAC will be answered. ! Will be shut out, and read or write now: 52:54:00:a0:e0:01."
        await pilot.press("ctrl+s")
        await pilot.pause()
        await pilot.pause()
        question = app.screen
        assert isinstance(question, Confirm)
        assert question.query_one("#cancel", Button).has_focus
        await pilot.press("enter")
        await settle(pilot)
        assert app.screen is dialog
        assert made.asked(SetMask) == []
        await pilot.press("ctrl+s")
        await pilot.pause()
        await pilot.pause()
        await pilot.press("right", "enter")
        await settle(pilot)
        assert made.asked(SetMask) == [SetMask(ADDRESS, (SECOND,))]
        assert isinstance(app.screen, ExportsScreen)


async def test_taking_the_reservation_from_its_holder_is_asked() -> None:
    made = FakeEngine()
    async with opened(made, "r") as (app, pilot, _dialog):
        await pilot.press("space", "down", "space", "ctrl+s")
        await pilot.pause()
        await pilot.pause()
        assert isinstance(app.screen, Confirm)
        await pilot.press("right", "enter")
        await settle(pilot)
        assert made.asked(SetReservation) == [SetReservation(ADDRESS, (SECOND,))]


async def test_a_reservation_is_released_by_an_empty_list() -> None:
    made = FakeEngine()
    async with opened(made, "r") as (_, pilot, dialog):
        await pilot.press("space")
        await settle(pilot)
        assert outcome(dialog) == "Empty: nobody holds it, and all may read and write."
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert made.asked(SetReservation) == [SetReservation(ADDRESS, ())]


def test_only_who_was_let_in_before_can_be_shut_out() -> None:
    assert [each.mac for each in shut_out(WEB, (), (SECOND,))] == [FIRST]
    assert shut_out(WEB, (SECOND,), (THIRD,)) == []
    assert shut_out(WEB, (), ()) == []
    assert shut_out(WEB, (), (FIRST,)) == []


async def test_what_someone_else_changed_meanwhile_is_replaced_only_on_a_second_save() -> None:
    made = FakeEngine()
    async with opened(made, "c") as (app, pilot, dialog):
        made.current = replace(BUSY, exports=(replace(WEB, config_string=b"theirs"), *EXPORTS[1:]))
        app.pull()
        await paste(pilot, "ours")
        await pilot.press("enter")
        await settle(pilot)
        assert "changed by someone else meanwhile" in said(dialog, "config_string")
        assert made.asked(SetConfigString) == []
        await pilot.press("enter")
        await settle(pilot)
        assert made.asked(SetConfigString) == [SetConfigString(ADDRESS, b"ours")]


async def test_it_is_sent_once_however_often_it_is_saved_and_closes_behind_a_question() -> None:
    made = FakeEngine()
    made.held = {SetConfigString}
    async with opened(made, "c") as (app, pilot, dialog):
        await pilot.press("ctrl+s", "ctrl+s", "escape", "enter")
        await pilot.pause()
        assert str(dialog.query_one("#save", Button).label) == "Saving..."
        assert len(made.asked(SetConfigString)) == 1
        await pilot.press("ctrl+q")
        await pilot.pause()
        made.waiting[0].set_result(None)
        await settle(pilot)
        await settle(pilot)
        assert isinstance(app.screen, Confirm)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, ExportsScreen)


@pytest.mark.parametrize("key", ["c", "m", "r"])
async def test_escape_leaves_without_a_trace(key: str) -> None:
    made = FakeEngine()
    async with opened(made, key) as (app, pilot, _dialog):
        await pilot.press("space", "escape")
        await settle(pilot)
        assert isinstance(app.screen, ExportsScreen)
        assert [each for each in made.commands if isinstance(each, SetConfigString | SetMask | SetReservation)] == []


@pytest.mark.parametrize("key", ["c", "m", "r"])
async def test_a_console_that_only_looks_and_an_export_that_is_closed_have_no_such_keys(key: str) -> None:
    app = ConsoleApp(FakeEngine(), clock=lambda: MONOTONIC, read_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", key)
        assert isinstance(app.screen, ExportsScreen)
    app = ConsoleApp(FakeEngine(), clock=lambda: MONOTONIC)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "end", key)
        assert isinstance(app.screen, ExportsScreen)


async def test_an_export_that_nobody_knows_yet_is_edited_in_the_line() -> None:
    made = FakeEngine(replace(BUSY, exports=(replace(WEB, initiators=(), refused=(), reservation=()),)))
    async with opened(made, "m") as (_, pilot, dialog):
        assert not dialog.query_one(MarkedList).display
        await pilot.press(*"020000000001".replace("", " ").split(), "ctrl+s")
        await settle(pilot)
        assert made.asked(SetMask) == [SetMask(ADDRESS, (Mac.parse("02:00:00:00:00:01"),))]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("key", ["c", "m", "r"], ids=["config", "mask", "reservation"])
def test_picture(snap_compare: Callable[..., bool], size: tuple[int, int], key: str) -> None:
    """What it is, who is known, what will be, and which keys do it."""

    async def run(pilot: Pilot[None]) -> None:
        await pilot.press("2", key)
        await settle(pilot)
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        await pilot.press("down", "space")
        await settle(pilot)

    assert snap_compare(ConsoleApp(FakeEngine(), clock=lambda: MONOTONIC), terminal_size=size, run_before=run)
