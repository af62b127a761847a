"""Devices as the console reads them: made anew only where something changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from aoetui.engine.clock import Clock
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.devices import Device, DeviceState, Path, Sameness
from aoetui.engine.san_view import SanView

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
    (view,) = SanView(Times().clock).of((device(1, 998.0),))
    assert (view.first_seen, view.last_seen) == (START - timedelta(seconds=10), START - timedelta(seconds=2))
    assert view.paths[0].last_seen == view.last_seen
    assert view.paths[0].rtt_us == 2000.0


def test_only_what_changed_is_made_anew() -> None:
    """The same tuple is the same view, and in another one each unchanged device."""
    times = Times()
    san = SanView(times.clock)
    devices = (device(1, 998.0), device(2, 998.0), device(3, 998.0))
    first = san.of(devices)
    times.pass_(5.0)
    assert san.of(devices) is first
    second = san.of((device(0, 1004.0), devices[0], replace(devices[1], last_seen=1004.0)))
    assert second[1] is first[0]
    assert second[2].last_seen == START + timedelta(seconds=4)
    assert [str(each.address) for each in second] == ["e9.0", "e9.1", "e9.2"]


def test_a_step_of_the_wall_clock_is_followed() -> None:
    """A host learns the time soon after its start: what was told before is told anew, for ages are differences of wall times."""
    times = Times()
    san = SanView(times.clock)
    devices = (device(1, 998.0),)
    san.of(devices)
    times.wall += timedelta(days=400)
    (view,) = san.of(devices)
    assert times.wall - view.last_seen == timedelta(seconds=2)
