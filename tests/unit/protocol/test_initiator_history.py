"""What happened to a device last, and whether it comes and goes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from aoetui.engine.protocol.devices import DeviceState
from aoetui.engine.protocol.san import CALM_AFTER, FLAPS, GONE_AFTER
from tests.unit.protocol.fake_san import LINK, FakeSan, FakeTarget, mac_of, page, twins

SILENCE = 15.0
"""Seconds that miss two broadcasts of five seconds each."""


def come_and_go(san: FakeSan, target: FakeTarget) -> None:
    """Fall silent once, and answer again."""
    target.alive = False
    san.run(SILENCE)
    target.alive = True
    san.run(SILENCE)


def test_nothing_has_changed_since_it_was_found() -> None:
    san = FakeSan(FakeTarget())
    san.run(30.0)
    assert (san.device().changed, san.device().why, san.device().flapping) == (None, "", False)


def test_the_last_change_is_told_with_its_time() -> None:
    target = FakeTarget()
    san = FakeSan(target)
    san.run(1.0)
    target.alive = False
    san.run(SILENCE)
    silent = san.device()
    assert silent.why == "did not answer 2 broadcasts"
    assert silent.changed is not None
    assert san.now - SILENCE < silent.changed <= san.now
    target.alive = True
    san.run(SILENCE)
    assert san.device().why == "answers again"
    target.page = page(sectors=4096)
    san.run(60.0)
    assert san.device().why == "size 1048576 -> 2097152 bytes"
    san.machine.set_links({}, san.now)
    assert san.device().why.startswith("is not asked any more")
    san.run(GONE_AFTER)
    assert (san.device().state, san.device().why) == (DeviceState.GONE, "no answer for 10 minutes")


def test_of_several_paths_it_is_said_which() -> None:
    one, two = twins()
    san = FakeSan(one, two)
    san.run(1.0)
    two.alive = False
    san.run(SILENCE)
    assert san.device().why == f"{mac_of(2)} on eth1 did not answer 2 broadcasts"
    assert san.device().state is DeviceState.UP


def test_three_returns_within_five_minutes_are_flapping_until_it_is_calm() -> None:
    target = FakeTarget()
    san = FakeSan(target)
    san.run(1.0)
    for number in range(1, FLAPS + 1):
        assert not san.device().flapping
        come_and_go(san, target)
        assert san.device().flapping is (number == FLAPS)
    san.run(CALM_AFTER - 2 * SILENCE)
    assert san.device().flapping
    san.run(2 * SILENCE)
    assert not san.device().flapping


def test_paths_that_return_together_are_one_return() -> None:
    one, two = twins()
    san = FakeSan(one, two, interfaces=("eth1", "eth2"))
    for _ in range(FLAPS - 1):
        one.alive = two.alive = False
        san.run(SILENCE)
        one.alive = two.alive = True
        san.run(SILENCE)
    assert not san.device().flapping


def test_returns_that_lie_apart_are_not_flapping() -> None:
    target = FakeTarget()
    san = FakeSan(target)
    for _ in range(2 * FLAPS):
        come_and_go(san, target)
        san.run(150.0)
    assert not san.device().flapping


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from([0.5, 6.0, 20.0, 400.0])), max_size=12))
def test_what_is_told_is_what_is_known(steps: list[tuple[bool, bool, float]]) -> None:
    """A value that was kept is never older than its record, whatever happens; one that did not change is the same object."""
    one, two = twins(config=b"web02")
    san = FakeSan(one, two)
    for one.alive, two.alive, seconds in steps:
        san.run(seconds)
        kept = san.machine.devices()
        assert san.machine.devices() is kept
        for record in san.machine._san._devices.values():
            assert record.value() == record._frozen()
        san.machine.set_links({"eth1": LINK} if one.alive else {}, san.now)
        for record in san.machine._san._devices.values():
            assert record.value() == record._frozen()
