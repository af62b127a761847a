"""What the scanner found, told as events: each change where there are few, one event where there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aoetui.engine.clock import Clock
from aoetui.engine.events import EventLog
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.devices import (
    Change,
    DeviceChanged,
    DeviceFound,
    DeviceState,
    DeviceStateChanged,
    PathFound,
    PathStateChanged,
)
from aoetui.engine.san_events import TOLD_SINGLY, tell
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from collections.abc import Collection

UP, SILENT, GONE = DeviceState
E91 = Address(9, 1)
MAC = Mac.parse("02:00:00:00:00:07")


def told(changes: list[Change], ours: Collection[Address] = ()) -> list[tuple[Severity, str, str]]:
    """What is recorded of them."""
    log = EventLog(Clock())
    tell(changes, log, ours)
    return [(event.severity, event.subject, event.text) for event in log.since(0)]


def addresses(count: int) -> list[Address]:
    """e1.0, e1.1 and so on, the last ones first: who answers first is chance."""
    return [Address(1 + number // 100, number % 100) for number in reversed(range(count))]


def test_few_changes_are_told_each() -> None:
    changes: list[Change] = [DeviceFound(E91), PathFound(E91, MAC, "eth1"), DeviceChanged(E91, "size 1 -> 2 bytes")]
    assert told(changes) == [
        (Severity.INFO, "e9.1", "answers"),
        (Severity.INFO, "e9.1", "answers from 02:00:00:00:00:07 on eth1"),
        (Severity.WARNING, "e9.1", "size 1 -> 2 bytes"),
    ]
    silent = [DeviceStateChanged(address, UP, SILENT) for address in addresses(TOLD_SINGLY)]
    assert told([*silent]) == [(Severity.WARNING, str(each.address), "is silent, was up") for each in silent]


def test_many_devices_that_fall_silent_are_one_event() -> None:
    changes: list[Change] = []
    for address in addresses(5000):
        changes += [PathStateChanged(address, MAC, "eth1", UP, SILENT), DeviceStateChanged(address, UP, SILENT)]
    assert told(changes) == [(Severity.WARNING, "SAN", "e1.0, e1.1, e1.2 and 4997 more are silent")]


@pytest.mark.parametrize(
    ("kind", "severity", "text"),
    [
        (DeviceFound, Severity.INFO, "e1.0, e1.1, e1.2 and 297 more answer"),
        (lambda address: PathFound(address, MAC, "eth1"), Severity.INFO, "300 new paths to e1.0, e1.1, e1.2 and 297 more"),
        (
            lambda address: DeviceStateChanged(address, SILENT, UP),
            Severity.INFO,
            "e1.0, e1.1, e1.2 and 297 more are up",
        ),
        (
            lambda address: PathStateChanged(address, MAC, "eth1", SILENT, GONE),
            Severity.WARNING,
            "300 paths to e1.0, e1.1, e1.2 and 297 more are gone",
        ),
        (
            lambda address: DeviceChanged(address, "size 1 -> 2 bytes"),
            Severity.WARNING,
            "300 changes in what e1.0, e1.1, e1.2 and 297 more answer",
        ),
    ],
)
def test_many_changes_of_one_kind_are_one_event(kind: type[DeviceFound], severity: Severity, text: str) -> None:
    assert told([kind(address) for address in addresses(300)]) == [(severity, "SAN", text)]


def test_one_change_of_another_kind_is_told_beside_many() -> None:
    found: list[Change] = [DeviceFound(address) for address in addresses(300)]
    texts = [text for _, _, text in told([*found, DeviceChanged(E91, "size 1 -> 2 bytes"), *found])]
    assert texts == ["e1.0, e1.1, e1.2 and 297 more answer", "size 1 -> 2 bytes"]


def test_many_paths_of_one_device_are_one_event_of_it() -> None:
    macs = [Mac(b"\x02\0\0\0\0" + bytes([number])) for number in range(200)]
    assert told([PathFound(E91, mac, "eth1") for mac in macs]) == [(Severity.INFO, "e9.1", "200 new paths to e9.1")]


def test_others_at_our_address_are_never_told_as_our_export() -> None:
    """Our own answers are not heard: whoever goes quiet there is somebody else, and our export serves on."""
    changes: list[Change] = [
        DeviceFound(E91),
        PathFound(E91, MAC, "eth1"),
        DeviceChanged(E91, "size 1 -> 2 bytes"),
        DeviceStateChanged(E91, UP, SILENT),
        PathStateChanged(E91, MAC, "eth1", UP, SILENT),
    ]
    assert told(changes, {E91}) == [
        (Severity.INFO, "e9.1", "answers from 02:00:00:00:00:07 on eth1"),
        (Severity.WARNING, "e9.1", "heard on the Ethernet: size 1 -> 2 bytes"),
        (Severity.INFO, "e9.1", "02:00:00:00:00:07 on eth1 answers for it no more"),
    ]
    back: list[Change] = [DeviceStateChanged(E91, SILENT, UP), PathStateChanged(E91, MAC, "eth1", SILENT, UP)]
    assert told(back, {E91}) == [(Severity.WARNING, "e9.1", "02:00:00:00:00:07 on eth1 answers for it again")]
    gone: list[Change] = [DeviceStateChanged(E91, SILENT, GONE), PathStateChanged(E91, MAC, "eth1", SILENT, GONE)]
    assert told(gone, {E91}) == []


def test_many_others_at_our_address_are_one_event() -> None:
    macs = [Mac(b"\x02\0\0\0\0" + bytes([number])) for number in range(200)]
    changes: list[Change] = [PathStateChanged(E91, mac, "eth1", UP, SILENT) for mac in macs]
    assert told(changes, {E91}) == [(Severity.INFO, "e9.1", "200 others answer for e9.1 no more")]
