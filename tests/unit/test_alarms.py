"""Alarms that come and go, told once each."""

from __future__ import annotations

from aoetui.engine.alarms import AlarmWatch, alarms_of
from aoetui.engine.clock import Clock
from aoetui.engine.events import EventLog
from aoetui.engine.snapshot import Alarm, Sameness, Severity
from tests.tui.fake_engine import device, path


def told(log: EventLog, since: int = 0) -> list[tuple[Severity, str, str]]:
    """What was recorded."""
    return [(event.severity, event.subject, event.text) for event in log.since(since)]


def test_an_alarm_is_told_when_it_begins_and_when_it_is_over() -> None:
    log = EventLog(Clock())
    watch = AlarmWatch(log)
    lost = Alarm(Severity.ALARM, "e9.1", "eth1 is down")
    for _ in range(3):
        watch.see([lost])
    assert told(log) == [(Severity.ALARM, "e9.1", "eth1 is down")]
    watch.see([])
    watch.see([])
    assert told(log, 1) == [(Severity.INFO, "e9.1", "well again")]
    watch.see([lost])
    assert told(log, 2) == [(Severity.ALARM, "e9.1", "eth1 is down")]


def test_an_alarm_names_few_of_those_who_answer() -> None:
    """Whoever shares the Ethernet can answer with any number of MACs."""
    macs = [f"02:00:00:00:00:{number:02x}" for number in range(70)]
    found = device("e9.1", *(path(mac, "eth1") for mac in macs), sameness=Sameness.DIFFERENT)
    (alarm,) = alarms_of([], [found], [], [])
    assert f"({macs[0]} and {macs[1]} and {macs[2]} and 67 more)" in alarm.text
    assert len(alarm.text) < 250


def test_a_subject_is_not_well_while_another_alarm_stands() -> None:
    log = EventLog(Clock())
    watch = AlarmWatch(log)
    one, other = Alarm(Severity.ALARM, "e9.1", "one"), Alarm(Severity.WARNING, "e9.1", "other")
    watch.see([one, other])
    watch.see([other])
    assert [text for _, _, text in told(log)] == ["one", "other"]
    watch.see([])
    assert told(log, 2) == [(Severity.INFO, "e9.1", "well again")]


def test_what_was_told_elsewhere_is_not_told_again() -> None:
    log = EventLog(Clock())
    watch = AlarmWatch(log)
    down, taken = Alarm(Severity.WARNING, "eth1", "eth1 is down"), Alarm(Severity.ALARM, "e9.1", "eth1 is down")
    watch.see([down, taken], {"eth1"})
    watch.see([down, taken])
    assert told(log) == [(Severity.ALARM, "e9.1", "eth1 is down")]
    watch.see([])
    assert told(log, 1) == [(Severity.INFO, "e9.1", "well again")]
    watch.see([down])
    assert told(log, 2) == [(Severity.WARNING, "eth1", "eth1 is down")]


def test_a_device_that_comes_and_goes_is_a_warning() -> None:
    well, flapping = device("e9.1", path("02:00:00:00:00:01", "eth1")), device("e9.2", flapping=True)
    (alarm,) = alarms_of([], [well, flapping], [], [])
    assert (alarm.severity, alarm.subject) == (Severity.WARNING, "e9.2")
    assert "comes and goes" in alarm.text
