"""Judges loss and duplicates of one path. Pure.

The rule of thumb of those who ran such networks: 1 frame of 1000 lost is fine, 1 of 100 ends with devices that Linux gives up
(`closewait`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.commands.paths import Finding
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aoetui.engine.commands.paths import Loss, PathReport

FINE = 1 / 1000
RUINOUS = 1 / 100
LONG_FRAMES_SUFFER = 4
"""So many times the loss of short frames is more than chance."""
_RULE = "1 of 1000 is fine, 1 of 100 leads to closewait"
_REMEDY = (
    "look at cable, connectors and the switch's error counters, turn on flow control at both ends (ethtool -A), and lower"
    " aoe_maxout on the initiators"
)


def loss_findings(subject: str, path: PathReport) -> Iterator[Finding]:
    """What is lost and what comes twice on a path."""
    way = f"{path.interface} -> {path.mac}"
    loss = path.loss
    if loss.lost:
        yield Finding(severity_of(loss), subject, f"{way}: {_counted(loss)} frames were not answered ({_RULE})", _REMEDY)
    if path.long_frames.rate > max(FINE, LONG_FRAMES_SUFFER * path.short_frames.rate):
        yield Finding(
            Severity.WARNING,
            subject,
            f"{way}: of long frames {_counted(path.long_frames)} are lost, of short ones only {_counted(path.short_frames)}",
            "a switch or card has no room for them: turn on flow control, use ports with larger buffers, or a lower MTU",
        )
    if path.duplicates:
        answers = "answer" if path.duplicates == 1 else "answers"
        yield Finding(
            Severity.WARNING,
            subject,
            f"{way}: {path.duplicates} {answers} came twice",
            "look for a loop between switches, a mirror port, or two links of one bridge without spanning tree",
        )


def severity_of(loss: Loss) -> Severity:
    """By the rule of thumb."""
    if loss.rate >= RUINOUS:
        return Severity.ALARM
    return Severity.WARNING if loss.rate > FINE else Severity.INFO


def _counted(loss: Loss) -> str:
    return f"{loss.lost} of {loss.sent}"
