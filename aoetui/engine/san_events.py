"""What the scanner found, told as events: few changes one by one, many of one kind as one."""

from __future__ import annotations

from dataclasses import dataclass
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
    from collections.abc import Collection, Iterable

    from aoetui.engine.events import EventLog
    from aoetui.engine.protocol.address import Address

TOLD_SINGLY = 8
"""Changes of one kind at once; more are one event, or whoever forges answers pushes every other event out of the ring. A disk
that is exchanged may differ in all eight facts of it."""
_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Told:
    """One change in words."""

    severity: Severity
    address: Address
    text: str
    many: str
    """What is said of many such changes; of `{count}` of them, at `{who}`."""


def tell(changes: Iterable[Change], events: EventLog, ours: Collection[Address]) -> None:
    """Record what changed at once. `ours` are addresses that we serve: what is heard there comes from somebody else.

    A path's change is left out where its device changed with it, and a conflict is told as an alarm.
    """
    listed = list(changes)
    devices = {change.address for change in listed if isinstance(change, DeviceStateChanged)}
    kinds: dict[tuple[Severity, str], list[_Told]] = {}
    for change in listed:
        told = _of_ours(change) if change.address in ours else _of_another(change, devices)
        if told is not None:
            kinds.setdefault((told.severity, told.many), []).append(told)
    for alike in kinds.values():
        _record(alike, events)


def _record(alike: list[_Told], events: EventLog) -> None:
    if len(alike) <= TOLD_SINGLY:
        for told in alike:
            events.add(told.severity, str(told.address), told.text)
        return
    found = sorted({told.address for told in alike})
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    who = ", ".join(str(address) for address in found[:_NAMED]) + more
    subject = "SAN" if len(found) > 1 else who
    events.add(alike[0].severity, subject, alike[0].many.format(count=len(alike), who=who))


def _of_another(change: Change, devices: Collection[Address]) -> _Told | None:
    match change:
        case DeviceFound(address):
            return _Told(Severity.INFO, address, "answers", "{who} answer")
        case PathFound(address, mac, interface):
            return _Told(Severity.INFO, address, f"answers from {mac} on {interface}", "{count} new paths to {who}")
        case DeviceStateChanged(address, old, new):
            return _Told(_severity(new), address, f"is {new}, was {old}", f"{{who}} are {new}")
        case PathStateChanged(address, mac, interface, old, new) if address not in devices:
            text = f"the path by {mac} on {interface} is {new}, was {old}"
            return _Told(_severity(new), address, text, f"{{count}} paths to {{who}} are {new}")
        case DeviceChanged(address, what):
            return _Told(Severity.WARNING, address, what, "{count} changes in what {who} answer")
        case PathStateChanged() | ConflictFound() | ConflictEnded():
            return None


def _of_ours(change: Change) -> _Told | None:
    match change:
        case PathFound(address, mac, interface):
            return _Told(Severity.INFO, address, f"answers from {mac} on {interface}", "{count} others answer for {who}")
        case PathStateChanged(address, mac, interface, _, DeviceState.SILENT):
            text = f"{mac} on {interface} answers for it no more"
            return _Told(Severity.INFO, address, text, "{count} others answer for {who} no more")
        case PathStateChanged(address, mac, interface, _, DeviceState.UP):
            text = f"{mac} on {interface} answers for it again"
            return _Told(Severity.WARNING, address, text, "{count} others answer for {who} again")
        case DeviceChanged(address, what):
            text = f"heard on the Ethernet: {what}"
            return _Told(Severity.WARNING, address, text, "{count} changes in what others answer for {who}")
        case DeviceFound() | DeviceStateChanged() | PathStateChanged() | ConflictFound() | ConflictEnded():
            return None


def _severity(new: DeviceState) -> Severity:
    return Severity.INFO if new is DeviceState.UP else Severity.WARNING
