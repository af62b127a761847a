"""What the scanner found, told as events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.protocol.devices import (
    Change,
    ConflictEnded,
    ConflictFound,
    DeviceChanged,
    DeviceFound,
    DeviceState,
    DeviceStateChanged,
    PathFound,
    PathStateChanged,
)
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aoetui.engine.events import EventLog


def tell(changes: Iterable[Change], events: EventLog) -> None:
    """Record each change. A path's change is left out where its device changed with it, and a conflict is told as an alarm."""
    listed = list(changes)
    devices = {change.address for change in listed if isinstance(change, DeviceStateChanged)}
    for change in listed:
        match change:
            case DeviceFound(address):
                events.add(Severity.INFO, str(address), "answers")
            case PathFound(address, mac, interface):
                events.add(Severity.INFO, str(address), f"answers from {mac} on {interface}")
            case DeviceStateChanged(address, old, new):
                events.add(_severity(new), str(address), f"is {new}, was {old}")
            case PathStateChanged(address, mac, interface, old, new) if address not in devices:
                events.add(_severity(new), str(address), f"the path by {mac} on {interface} is {new}, was {old}")
            case DeviceChanged(address, what):
                events.add(Severity.WARNING, str(address), what)
            case PathStateChanged() | ConflictFound() | ConflictEnded():
                pass


def _severity(new: DeviceState) -> Severity:
    return Severity.INFO if new is DeviceState.UP else Severity.WARNING
