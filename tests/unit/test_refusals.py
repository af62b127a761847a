"""Who was refused, and how often: a table that forged MACs cannot fill."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from aoetui.engine.clock import Clock
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.refusals import MAX_REFUSED, Refusal, Refusals
from aoetui.engine.views import _refused_view


def mac(number: int) -> Mac:
    return Mac(b"\x02\0" + number.to_bytes(4, "big"))


def test_each_mac_and_interface_is_counted_with_its_first_and_last_time() -> None:
    times = iter([1.0, 2.0, 3.0, 4.0])
    refusals = Refusals(Clock(monotonic=lambda: next(times)))
    refusals.note(mac(1), "eth1", Silence.MASKED)
    refusals.note(mac(2), "eth1", Silence.DENIED)
    refusals.note(mac(1), "eth2", Silence.MASKED)
    refusals.note(mac(1), "eth1", Silence.DENIED)
    assert refusals.values() == [
        Refusal(mac(1), "eth1", Silence.DENIED, 2, 1.0, 4.0),
        Refusal(mac(1), "eth2", Silence.MASKED, 1, 3.0, 3.0),
        Refusal(mac(2), "eth1", Silence.DENIED, 1, 2.0, 2.0),
    ]
    assert refusals.total == 4


def test_the_one_that_was_quiet_longest_makes_room_and_the_total_stays() -> None:
    refusals = Refusals(Clock())
    for number in range(MAX_REFUSED):
        refusals.note(mac(number), "eth1", Silence.MASKED)
    refusals.note(mac(0), "eth1", Silence.MASKED)
    refusals.note(mac(9999), "eth1", Silence.MASKED)
    listed = {each.mac for each in refusals.values()}
    assert len(listed) == MAX_REFUSED
    assert {mac(0), mac(9999)} <= listed
    assert mac(1) not in listed
    assert refusals.total == MAX_REFUSED + 2


def test_one_moment_is_shown_as_one_though_the_clock_goes_on_while_it_is_looked_up() -> None:
    midnight, beats = datetime(2026, 1, 1, tzinfo=UTC), itertools.count()
    clock = Clock(monotonic=lambda: 100.0, wall=lambda: midnight + timedelta(seconds=next(beats)))
    shown = _refused_view(Refusal(mac(1), "eth1", Silence.MASKED, 1, 40.0, 40.0), clock)
    assert (shown.first, shown.last) == (midnight - timedelta(seconds=60), midnight - timedelta(seconds=60))
