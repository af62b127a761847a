"""Doctor: looks when it is told to, says what is wrong first, and how old that is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.app import ConsoleApp
from aoetui.engine.api import EngineError
from aoetui.engine.commands.doctor import Bundle, Check, Examine, Finding, MakeBundle, Report, Verdict
from aoetui.widgets.table import LiveTable
from aoetui.widgets.words import Words
from tests.tui.fake_engine import BUSY, MONOTONIC, FakeEngine, ago

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot

FAULT = Finding(
    Check.BRIDGE,
    "eth1",
    Verdict.FAULT,
    "eth1 is a port of the bridge br0, which takes all its frames: nothing that asks on eth1 is answered",
    "ask on br0: `aoetui doctor -i br0`",
)
REPORT = Report(
    taken=ago(3),
    seconds=5.1,
    asked=("eth2",),
    listened=("eth1", "eth2"),
    address=None,
    answer=f"Nothing is seen: {FAULT.seen}. To do: {FAULT.remedy}.",
    findings=(
        FAULT,
        Finding(Check.LOSS, "eth2", Verdict.WARNING, "5 of 50 answers were lost on eth2", "check cables and flow control"),
        Finding(Check.RECEIVED, "eth3", Verdict.UNKNOWN, "eth3 could not be listened on: no memory"),
        Finding(Check.SWITCH, "eth2", Verdict.NOTE, "eth2 is at the switch port [b]sw\x1b[2J1"),
        Finding(Check.CARRIER, "eth2", Verdict.OK, "eth2 is up and has carrier"),
    ),
)


def console(answer: object = REPORT, *, read_only: bool = False) -> tuple[ConsoleApp, FakeEngine]:
    """The app, over an engine whose examination ends with this."""
    engine = FakeEngine()
    engine.answers[Examine] = answer
    return ConsoleApp(engine, read_only=read_only, clock=lambda: MONOTONIC), engine


def words(pilot: Pilot[None], name: str) -> str:
    """What stands there."""
    return str(pilot.app.screen.query_one(name, Words).content)


async def test_nothing_is_asked_before_it_is_told_to() -> None:
    app, engine = console()
    async with app.run_test() as pilot:
        await pilot.press("6")
        assert words(pilot, "#doctor-state") == "not examined yet"
        assert engine.asked(Examine) == []
        await pilot.press("e")
        await pilot.pause()
        assert engine.asked(Examine) == [Examine()]
        assert words(pilot, "#doctor-answer") == REPORT.answer
        assert words(pilot, "#doctor-state") == "examined 3s ago, asked on eth2"


async def test_the_gravest_stands_first_and_the_cursor_tells_the_remedy() -> None:
    app, _ = console()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6", "enter")
        await pilot.pause()
        assert words(pilot, "#finding") == f"x fault  bridge, eth1\n{FAULT.seen}\nto do  {FAULT.remedy}"
        await pilot.press("j")
        await pilot.pause()
        assert words(pilot, "#finding").startswith("! warning  loss, eth2\n5 of 50 answers were lost on eth2\n")


async def test_while_it_looks_it_says_how_far_and_is_not_told_twice() -> None:
    app, engine = console()
    engine.held = {Examine}
    async with app.run_test() as pilot:
        await pilot.press("6", "e", "e")
        await pilot.pause()
        assert words(pilot, "#doctor-state") == "examining eth1, eth2: 0 of 5 s"
        engine.current = replace(BUSY, monotonic=MONOTONIC + 3)
        app.pull()
        assert words(pilot, "#doctor-state") == "examining eth1, eth2: 3 of 5 s"
        assert len(engine.waiting) == 1
        engine.waiting[0].set_result(REPORT)
        await pilot.pause()
        assert words(pilot, "#doctor-state").startswith("examined ")


async def test_what_is_old_says_so() -> None:
    """What was found is never shown as if it were so now."""
    app, engine = console()
    async with app.run_test() as pilot:
        await pilot.press("6", "e")
        await pilot.pause()
        assert not app.screen.has_class("-old")
        engine.current = replace(BUSY, taken=BUSY.taken + timedelta(seconds=120))
        app.pull()
        assert words(pilot, "#doctor-state") == "examined 2m ago, asked on eth2: that may have changed, e looks again"
        assert app.screen.has_class("-old")


async def test_why_it_could_not_look_is_said_and_the_last_findings_stay() -> None:
    app, engine = console()
    async with app.run_test() as pilot:
        await pilot.press("6", "e")
        await pilot.pause()
        engine.answers[Examine] = EngineError("aoetui is ending")
        await pilot.press("e")
        await pilot.pause()
        assert words(pilot, "#doctor-state") == "aoetui is ending"
        assert words(pilot, "#doctor-answer") == REPORT.answer


async def test_the_filter_finds_remedies_too() -> None:
    app, _ = console()
    async with app.run_test() as pilot:
        await pilot.press("6", "e", "slash", *"flow", "enter")
        await pilot.pause()
        assert app.screen.query_one(LiveTable).keys == ("1",)
        assert app.screen.counted == (1, 5)  # type: ignore[attr-defined]  # a ConsoleScreen


@pytest.mark.parametrize("age", [3, 90])
async def test_a_bundle_takes_what_was_found_unless_that_is_old(age: float) -> None:
    report = replace(REPORT, taken=ago(age))
    app, engine = console(report)
    engine.answers[MakeBundle] = Bundle(Path("/var/lib/aoetui/bundles/nas1.tar.gz"), ("MANIFEST", "doctor.txt"), 9812)
    async with app.run_test() as pilot:
        await pilot.press("6", "e")
        await pilot.pause()
        await pilot.press("b")
        await pilot.pause()
        assert engine.asked(MakeBundle) == [MakeBundle(report=report if age < 60 else None)]
        assert words(pilot, "#doctor-state").endswith("\nbundle: /var/lib/aoetui/bundles/nas1.tar.gz")


async def test_read_only_looks_and_makes_no_file() -> None:
    app, engine = console(read_only=True)
    async with app.run_test() as pilot:
        await pilot.press("6", "e", "b")
        await pilot.pause()
        assert engine.asked(Examine) == [Examine()]
        assert engine.asked(MakeBundle) == []


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("keys", [["6"], ["6", "e"]], ids=["not examined", "examined"])
def test_picture(snap_compare: Callable[..., bool], size: tuple[int, int], keys: list[str]) -> None:
    """Verdict in glyph, word and colour; text from the wire is shown as what it is."""
    assert snap_compare(console()[0], terminal_size=size, press=keys)
