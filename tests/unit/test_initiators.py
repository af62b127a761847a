"""The table of initiators and the trouble of a disk, with a clock that the test turns."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from aoetui.engine.clock import Clock
from aoetui.engine.disk_trouble import CALM, DiskTrouble
from aoetui.engine.initiators import FORGOTTEN_AT_ONCE, MAX_INITIATORS, Initiators
from aoetui.engine.protocol.address import Mac


class Hands:
    """A clock's."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.clock = Clock(monotonic=lambda: self.now)


@pytest.fixture
def hands() -> Hands:
    """At 1000 s."""
    return Hands()


def mac(number: int) -> Mac:
    """A MAC of its own."""
    return Mac(b"\x02\0" + number.to_bytes(4, "big"))


def test_whose_requests_wait_is_not_forgotten() -> None:
    """A record made anew would give the initiator a second buffer count."""
    table = Initiators()
    waiting = table.find(mac(0), "eth1", 0.0)
    waiting.under_way = 1
    for number in range(1, MAX_INITIATORS + 1):
        table.find(mac(number), "eth1", float(number))
    assert table.find(mac(0), "eth1", 5000.0) is waiting


def test_one_mac_on_two_interfaces_is_two_initiators() -> None:
    table = Initiators()
    assert table.find(mac(1), "eth1", 1.0) is table.find(mac(1), "eth1", 2.0)
    assert table.find(mac(1), "eth1", 3.0) is not table.find(mac(1), "eth2", 4.0)
    assert [(each.first_seen, each.last_seen) for each in table.values()] == [(1.0, 3.0), (4.0, 4.0)]
    assert [(each.mac, each.interface) for each in table.values()] == [(mac(1), "eth1"), (mac(1), "eth2")]


def test_the_busy_stay_the_idle_go_and_the_totals_stay_right(hands: Hands) -> None:
    table = Initiators()
    busy = table.find(mac(0), "eth1", hands.now)
    count = MAX_INITIATORS * 2
    for number in range(1, count):
        hands.now += 1
        busy.last_io = hands.now
        table.was_read(table.find(mac(number), "eth1", hands.now), 512)
        table.was_written(busy, 1024)
        table.replied(busy, error=number % 2 == 0)
        assert len(table.values()) <= MAX_INITIATORS
    assert table.values()[0] is busy
    assert len(table.values()) > MAX_INITIATORS - FORGOTTEN_AT_ONCE
    total = table.total()
    assert (total.reads, total.read_bytes) == (count - 1, (count - 1) * 512)
    assert (total.writes, total.write_bytes, total.others) == (count - 1, (count - 1) * 1024, count - 1)
    assert total.errors == (count - 1) // 2


def test_what_is_answered_to_one_that_was_forgotten_still_counts(hands: Hands) -> None:
    table = Initiators()
    waiting = table.find(mac(0), "eth1", hands.now)
    for number in range(1, MAX_INITIATORS + 1):
        hands.now += 1
        table.find(mac(number), "eth1", hands.now)
    assert waiting not in table.values()
    table.was_failed(waiting)
    table.was_read(waiting, 512)
    assert (table.total().reads, table.total().errors) == (1, 1)


def test_trouble_stands_until_the_same_thing_has_worked_for_a_while(hands: Hands) -> None:
    trouble = DiskTrouble(Path("/srv/disk.img"), hands.clock)
    assert trouble.text == ""
    trouble.failed("writing", OSError(errno.ENOSPC, "No space left on device"))
    assert trouble.text == (
        "writing /srv/disk.img failed: No space left on device. Initiators were told; make room on its file system"
    )
    hands.now += CALM + 1
    trouble.succeeded("reading")
    assert trouble.text, "that reads work says nothing about writes"
    trouble.failed("writing", OSError(errno.ENOSPC, "No space left on device"))
    hands.now += CALM
    trouble.succeeded("writing")
    assert trouble.text, "too early"
    hands.now += 1
    trouble.succeeded("writing")
    assert trouble.text == ""
