"""The trace: frames as they pass on chosen interfaces. Nothing here transmits; while it is on, each frame costs a little more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.api import Command, Errand
from aoetui.engine.protocol.captured import Direction, Mark
from aoetui.engine.protocol.decoded import DecodedField

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.protocol.address import Mac

__all__ = [
    "ClearTrace",
    "DecodedField",
    "Direction",
    "FrameDetail",
    "Mark",
    "OpenTrace",
    "OpenedTrace",
    "PauseTrace",
    "ReadTrace",
    "SaveTrace",
    "SavedTrace",
    "ShowFrame",
    "StartTrace",
    "StopTrace",
    "TraceBatch",
    "TraceLine",
    "TracePage",
    "TraceRequest",
]

MOST_LINES = 1000
"""Of one page."""


@dataclass(frozen=True, slots=True)
class StartTrace(Command[None]):
    """Trace these interfaces from now on. What was kept before stays if it is of a trace, and goes if it is of a file."""

    interfaces: tuple[str, ...]
    whole: bool = False
    """Keep frames whole; else of an ATA frame the first 104 bytes."""


@dataclass(frozen=True, slots=True)
class StopTrace(Command[None]):
    """Trace no more; what was kept stays."""


@dataclass(frozen=True, slots=True)
class PauseTrace(Command[None]):
    """Keep no more frames, or keep them again: those that pass meanwhile are only counted, and what is kept stays as it is."""

    paused: bool


@dataclass(frozen=True, slots=True)
class ClearTrace(Command[None]):
    """Forget the frames that are kept; numbers begin at 1 again."""


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One frame in a line."""

    rank: int
    """Its place among the frames that pass the filter, from 1; without a filter its number. It stays when older ones go."""
    number: int
    """From 1, without gaps, of all frames that were kept."""
    time_ns: int
    """Nanoseconds since 1970, UTC."""
    interface: str
    direction: Direction
    vlan: int | None
    source: Mac | None
    destination: Mac | None
    address: str
    """`e9.1`, with `*` for every shelf or slot; empty if it is no AoE frame."""
    what: str
    """What it says, in words. It may hold text from the wire: show it only as plain text."""
    response: bool
    tag: int | None
    length: int
    """Bytes on the wire."""
    kept: int
    """Bytes kept."""
    marks: tuple[Mark, ...]
    peer: int | None
    """The frame that it answers, or that answers it first."""
    waited_us: float | None
    """From the request to this answer; of a request, to its first answer."""


@dataclass(frozen=True, slots=True)
class TracePage:
    """A part of the trace."""

    lines: tuple[TraceLine, ...]
    oldest: int
    """Rank of the first line that there is; `newest + 1` if there is none."""
    newest: int
    """Rank of the last one."""
    searching: bool
    """Whether there are frames that the filter has not looked at yet: ask again."""
    missed: int
    """Frames that were given up before the filter had looked at them."""


@dataclass(frozen=True, slots=True)
class ReadTrace(Errand[TracePage]):
    """The lines from rank `first` on, at most `count`; without `first` the newest ones. Raises UsageError for a bad filter."""

    filter: str = ""
    first: int | None = None
    count: int = 100


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """What a trace on the command line is to do, from frame to frame."""

    interfaces: tuple[str, ...] = ()
    """Traced, unless a file is read."""
    read: Path | None = None
    """A capture file instead of interfaces."""
    filter: str = ""
    whole: bool = False
    """As in StartTrace."""
    count: int | None = None
    """End after so many lines."""
    seconds: float | None = None
    """End after this time."""
    write: Path | None = None
    """Also write the frames of the lines here: pcapng if it ends so, else pcap."""
    overwrite: bool = False
    detail: bool = False
    """Also decode each frame in full."""


@dataclass(frozen=True, slots=True)
class TraceBatch:
    """Lines that are new."""

    lines: tuple[TraceLine, ...]
    details: tuple[FrameDetail, ...]
    """One for each line, where asked for."""
    missed: int
    """Frames that were given up before they came to be lines, up to now."""
    dropped: int
    """Frames that the kernel could not hand over, up to now."""
    problems: tuple[str, ...]
    """Why an interface is not traced, or what is wrong with a file's end."""


@dataclass(frozen=True, slots=True)
class FrameDetail:
    """All of one frame."""

    line: TraceLine
    fields: tuple[DecodedField, ...]
    frame: bytes
    """As far as it was kept."""


@dataclass(frozen=True, slots=True)
class ShowFrame(Errand[FrameDetail]):
    """Decode one frame by its number. Raises EngineError if it is kept no more."""

    number: int


@dataclass(frozen=True, slots=True)
class SavedTrace:
    """What was written."""

    path: Path
    frames: int
    cut: int
    """Of these, frames whose end was not kept."""


@dataclass(frozen=True, slots=True)
class SaveTrace(Errand[SavedTrace]):
    """Write the kept frames that pass the filter as a pcap file (pcapng if its name ends so), whole or not at all."""

    path: Path
    filter: str = ""
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class OpenedTrace:
    """What was read."""

    path: Path
    frames: int
    others: int
    """Frames of the file that are no AoE, which were passed over."""
    complete: bool
    """Whether everything fitted: at most 64 MiB are kept."""
    problem: str
    """What is wrong with the file's end, if something is: what came before it is there."""


@dataclass(frozen=True, slots=True)
class OpenTrace(Errand[OpenedTrace]):
    """Show a pcap or pcapng file instead of what was kept; a trace that runs is stopped."""

    path: Path
