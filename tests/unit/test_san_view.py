"""Devices as the console reads them: made anew only where something changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aoetui.engine.clock import Clock
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.devices import Device, DeviceState, Path, Sameness
from aoetui.engine.san_view import SanView

if TYPE_CHECKING:
    from aoetui.engine.snapshot import DeviceSnapshot

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Times:
    """Both clocks, as the test turns them."""

    def __init__(self) -> None:
        self.monotonic = 1000.0
        self.wall = START

    def pass_(self, seconds: float) -> None:
        """Both go on."""
        self.monotonic += seconds
        self.wall += timedelta(seconds=seconds)

    @property
    def clock(self) -> Clock:
        """For what is tested."""
        return Clock(lambda: self.monotonic, lambda: self.wall)


def device(slot: int, heard: float) -> Device:
    path = Path(Mac(bytes([2, 0, 0, 0, 0, slot])), "eth1", DeviceState.UP, 0.002, 17, 990.0, heard, None)
    return Device(Address(9, slot), DeviceState.UP, None, b"web", 64, 1, Sameness.SAME, (path,), 990.0, heard)


def test_times_are_those_of_the_wall() -> None:
    (view,) = SanView(Times().clock).heard((device(1, 998.0),)).devices
    assert (view.first_seen, view.last_seen) == (START - timedelta(seconds=10), START - timedelta(seconds=2))
    assert view.paths[0].last_seen == view.last_seen
    assert view.paths[0].rtt_us == 2000.0


def test_only_what_changed_is_made_anew() -> None:
    """The same tuple is the same view, and in another one each unchanged device."""
    times = Times()
    san = SanView(times.clock)
    devices = (device(1, 998.0), device(2, 998.0), device(3, 998.0))
    first = san.heard(devices)
    times.pass_(5.0)
    assert san.heard(devices) is first
    second = san.heard((device(0, 1004.0), devices[0], replace(devices[1], last_seen=1004.0))).devices
    assert second[1] is first.devices[0]
    assert second[2].last_seen == START + timedelta(seconds=4)
    assert [str(each.address) for each in second] == ["e9.0", "e9.1", "e9.2"]


def test_a_step_of_the_wall_clock_is_followed() -> None:
    """A host learns the time soon after its start: what was told before is told anew, for ages are differences of wall times."""
    times = Times()
    san = SanView(times.clock)
    devices = (device(1, 998.0),)
    san.heard(devices)
    times.wall += timedelta(days=400)
    (view,) = san.heard(devices).devices
    assert times.wall - view.last_seen == timedelta(seconds=2)


def own(slot: int, seen: datetime) -> DeviceSnapshot:
    """One of ours."""
    (view,) = SanView(Times().clock).heard((device(slot, 998.0),)).devices
    return replace(view, ours=True, paths=(), first_seen=seen, last_seen=seen)


def test_the_whole_is_the_same_while_it_looks_the_same() -> None:
    """Also if what is ours was made anew; its times stay those of when it became so."""
    san = SanView(Times().clock)
    heard = san.heard((device(1, 998.0), device(3, 998.0)))
    first = san.whole(heard, [own(2, START), own(3, START)])
    assert [(each.address.slot, each.ours) for each in first] == [(1, False), (2, True), (3, True)]
    later = START + timedelta(seconds=1)
    assert san.whole(heard, [own(2, later), own(3, later)]) is first
    second = san.whole(heard, [own(2, later), replace(own(3, later), config_string=b"new")])
    assert (second[1], second[2].config_string, second[2].last_seen) == (first[1], b"new", later)
    assert [each.ours for each in san.whole(heard, [own(2, later)])] == [False, True, False]
    assert san.whole(heard, []) is heard.devices
