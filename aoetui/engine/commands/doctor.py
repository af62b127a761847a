"""The doctor's commands: look at everything that can keep devices from being seen, and gather it all for whoever helps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from textwrap import wrap
from typing import TYPE_CHECKING

from aoetui.engine.api import Errand

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from aoetui.engine.protocol.address import Address

SECONDS = 5.0
"""How long an examination listens, if it is not told otherwise: a console asks its SAN that often."""


class Verdict(StrEnum):
    """What a finding says, the gravest first."""

    FAULT = "fault"
    """This keeps devices from being seen or used, or data from being safe."""
    WARNING = "warning"
    """It works, and will hurt."""
    UNKNOWN = "unknown"
    """It could not be looked at."""
    NOTE = "note"
    """Worth knowing; nothing is wrong."""
    OK = "ok"


class Check(StrEnum):
    """What is looked at, in the order in which one thing rests on another: the first fault is the reason of those after it."""

    PERMISSION = "permission"
    CHOICE = "choice"
    INTERFACE = "interface"
    BRIDGE = "bridge"
    CARRIER = "carrier"
    PROGRAMS = "programs"
    SENT = "frames out"
    RECEIVED = "frames in"
    VLAN = "VLAN"
    MASK = "mask list"
    TARGET = "target"
    ANSWERS = "answers"
    DUPLICATE = "duplicate"
    MTU = "MTU"
    RESERVATION = "reservation"
    LOSS = "loss"
    SWITCH = "switch"
    DROPS = "drops"
    SPEED = "speed"
    ADDRESSES = "IP"
    EXPORTS = "exports"
    DRIVER = "driver"
    OTHERS = "others"


_INDENT = 23
"""Columns before a finding's sentence."""
_RANK = {verdict: rank for rank, verdict in enumerate(Verdict)}
_ORDER = {check: place for place, check in enumerate(Check)}
MARKS = {Verdict.FAULT: "x", Verdict.WARNING: "!", Verdict.UNKNOWN: "?", Verdict.NOTE: "i", Verdict.OK: "*"}
"""A sign for each, for where colours do not show."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Its texts may hold names from the wire: show them only as plain text."""

    check: Check
    subject: str
    """What was looked at: `eth1`, `e9.1`, or `host`."""
    verdict: Verdict
    seen: str
    """One sentence."""
    remedy: str = ""
    """What to do, with the exact command where there is one; empty if there is nothing to do."""

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands in a report: by verdict, then by cause."""
        return _RANK[self.verdict], _ORDER[self.check]


@dataclass(frozen=True, slots=True)
class Report:
    """What an examination found."""

    taken: datetime
    """When it ended."""
    seconds: float
    """How long it took."""
    asked: tuple[str, ...]
    """The interfaces that were asked on."""
    listened: tuple[str, ...]
    """Those that were listened on, and perhaps not asked."""
    address: Address | None
    """What was looked for; None: anything."""
    answer: str
    """One sentence: why nothing is seen, or what is."""
    findings: tuple[Finding, ...]
    """The gravest first, and of these what others rest on first."""

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong: there is no fault and no warning."""
        return not any(each.verdict in (Verdict.FAULT, Verdict.WARNING) for each in self.findings)

    def lines(self, width: int = 0) -> list[str]:
        """The report as text, wrapped to `width` columns (0: not at all): the answer, then each finding, its remedy below it.

        Not made safe for a terminal.
        """
        lines = [*_wrapped(self.answer, "", "", width), ""]
        for each in self.findings:
            about = "" if each.subject in each.seen else f"{each.subject}: "
            lines += _wrapped(
                f"{about}{each.seen}", f"{MARKS[each.verdict]} {each.verdict:<8} {each.check:<11} ", " " * _INDENT, width
            )
            if each.remedy:
                lines += _wrapped(each.remedy, " " * _INDENT + "-> ", " " * (_INDENT + 3), width)
        return lines


def _wrapped(text: str, first: str, rest: str, width: int) -> list[str]:
    if not width:
        return [first + text]
    lines = wrap(text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)
    return lines or [first]


@dataclass(frozen=True, slots=True)
class Examine(Errand[Report]):
    """Look at this host, and ask and listen on interfaces for `seconds`.

    With no interface named, those that are chosen; where none is chosen, every Ethernet interface is listened on, and none asked.
    Asks and reads, and never writes. Nothing is refused: what cannot be looked at is a finding.
    """

    interfaces: tuple[str, ...] = ()
    address: Address | None = None
    """A device that should be there."""
    seconds: float = SECONDS


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was gathered."""

    path: Path
    files: tuple[str, ...]
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class MakeBundle(Errand[Bundle]):
    """Gather everything that helps to help, without anything secret, in one new .tar.gz that only its owner may read.

    Raises EngineError where the file exists or cannot be made.
    """

    path: Path | None = None
    """None: in the state folder, named by host and time."""
    report: Report | None = None
    """None: an examination is made first."""
    config: Path | None = None
    """The config file to put in; None: the engine's own, if it has one."""
