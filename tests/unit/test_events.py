"""The event ring: numbered without gaps, bounded, and complete to whoever comes back in time."""

from __future__ import annotations

import threading

import pytest

from aoetui.engine.clock import Clock
from aoetui.engine.events import KEPT_EVENTS, EventLog
from aoetui.engine.snapshot import Severity


@pytest.fixture
def log() -> EventLog:
    """An empty one."""
    return EventLog(Clock())


def test_each_event_comes_once(log: EventLog) -> None:
    assert (log.last, log.since(0)) == (0, [])
    log.add(Severity.INFO, "e9.1", "one")
    log.add(Severity.ALARM, "engine", "two")
    assert [(event.number, event.text) for event in log.since(0)] == [(1, "one"), (2, "two")]
    assert [event.text for event in log.since(1)] == ["two"]
    assert log.since(2) == log.since(99) == []


def test_the_oldest_are_forgotten(log: EventLog) -> None:
    for number in range(KEPT_EVENTS + 3):
        log.add(Severity.INFO, "engine", str(number))
    kept = log.since(0)
    assert [kept[0].number, kept[-1].number, len(kept)] == [4, KEPT_EVENTS + 3, KEPT_EVENTS]
    assert [event.number for event in log.since(KEPT_EVENTS)] == [KEPT_EVENTS + 1, KEPT_EVENTS + 2, KEPT_EVENTS + 3]


def test_many_threads_leave_no_gap(log: EventLog) -> None:
    def body() -> None:
        for _ in range(200):
            log.add(Severity.INFO, "engine", "x")

    threads = [threading.Thread(target=body) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [event.number for event in log.since(0)] == list(range(1, 801))
