"""What of the new events is called out over the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aoetui.engine.snapshot import Event

Loudness = Literal["information", "warning", "error"]

MOST_TOASTS = 3
"""At once; the rest is a number and the way to Events."""

LOUDNESS: dict[Severity, Loudness] = {Severity.INFO: "information", Severity.WARNING: "warning", Severity.ALARM: "error"}
"""Textual's names for our severities."""


def toasts(events: Sequence[Event]) -> Iterator[tuple[str, Severity]]:
    """The warnings and alarms, never a flood."""
    loud = [event for event in events if event.severity is not Severity.INFO]
    for event in loud[:MOST_TOASTS]:
        yield f"{event.subject}: {event.text}", event.severity
    if len(loud) > MOST_TOASTS:
        yield f"and {len(loud) - MOST_TOASTS} more: 5 Events", Severity.WARNING
