"""Interfaces: the links, and what is odd about each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.widgets import Static

from aoetui.app import ConsoleApp
from aoetui.engine.snapshot import Silence
from aoetui.screens.interfaces import link_detail
from aoetui.widgets.table import LiveTable
from tests.tui.fake_engine import MONOTONIC, FakeEngine, link

if TYPE_CHECKING:
    from collections.abc import Callable


def console() -> ConsoleApp:
    """The app with links of many kinds, and a still clock."""
    return ConsoleApp(FakeEngine(), clock=lambda: MONOTONIC)


async def test_the_detail_follows_the_cursor_and_says_what_is_wrong() -> None:
    async with console().run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "down", "down", "down")
        await pilot.pause()
        shown = str(pilot.app.screen.query_one("#link", Static).content)
        assert "AoE is to be spoken here, and cannot be now" in shown
        assert "!! eth2 has no carrier: look at its cable and the switch." in shown
        assert "i eth2 has MTU 1500" in shown


async def test_enter_opens_and_escape_closes() -> None:
    async with console().run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "enter")
        assert not pilot.app.screen.query_one(LiveTable).display
        await pilot.press("escape")
        assert pilot.app.screen.query_one(LiveTable).has_focus


def test_drops_are_told_apart() -> None:
    shown = link_detail(link("eth1", 3, "52:54:00:aa:00:01", rx_dropped=1, tx_dropped=2, ring_dropped=3, foreign_vlan=4)).plain
    assert "1 received, 2 sent, 3 by our full receive ring" in shown
    assert "4 frames of VLANs, by the port for untagged frames" in shown
    assert "not sent" not in shown
    assert "too long" not in shown


def test_frames_that_did_not_pass_are_shown() -> None:
    shown = link_detail(link("eth1", 3, "52:54:00:aa:00:01", send_failed=1, truncated=2)).plain
    assert "not sent  1 frame of ours that the kernel did not take" in shown
    assert "too long  2 frames for the ring of the MTU before" in shown


def test_frames_that_were_not_answered_are_told_by_reason_the_most_first() -> None:
    silences = ((Silence.MASKED, 1), (Silence.NOT_OURS, 340))
    shown = link_detail(link("eth1", 3, "52:54:00:aa:00:01", chosen=True, silences=silences)).plain
    assert "silent on 340 frames for a shelf or slot that is not served here\n          1 frame from MACs that a mask" in shown
    assert "every one was answered" in link_detail(link("eth1", 3, "52:54:00:aa:00:01", chosen=True)).plain
    assert "silent" not in link_detail(link("eth1", 3, "52:54:00:aa:00:01")).plain


def test_the_data_path_and_its_memory_are_told_where_a_port_is_open() -> None:
    compiled = link_detail(link("eth1", 3, "52:54:00:aa:00:01", data_path="compiled", memory=61457056)).plain
    assert "\ndata path compiled, without the interpreter\nmemory    up to 58.6 MiB" in compiled
    why = "interpreted: numba is not installed"
    interpreted = link_detail(link("eth1", 3, "52:54:00:aa:00:01", data_path=why, memory=8 << 20)).plain
    assert f"\ndata path {why}\nmemory    up to 8.0 MiB" in interpreted
    closed = link_detail(link("eth1", 3, "52:54:00:aa:00:01")).plain
    assert "data path" not in closed
    assert "memory" not in closed


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("keys", [["3", "down"], ["3", "down", "down", "enter"]], ids=["list", "opened"])
def test_picture(snap_compare: Callable[..., bool], size: tuple[int, int], keys: list[str]) -> None:
    """State in glyph, word and colour; which links speak AoE."""
    assert snap_compare(console(), terminal_size=size, press=keys)
