"""Long work with the device of somebody else: imaging it, restoring it, comparing it, measuring it; and a look at its sectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from aoetui.engine.api import Errand
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from aoetui.engine.protocol.address import Address, Mac

PATIENCE = 180.0
"""Seconds without an answer after which a copy gives up, unless told otherwise; as long as the Linux driver waits."""
MAX_RANGES = 100
"""Ranges of sectors that a task lists, of as many as it counts."""
MAX_SECTORS = 256
"""The most that one look reads."""


class TaskKind(StrEnum):
    """What a task does."""

    IMAGE = "image"
    """Device to file."""
    RESTORE = "restore"
    """File to device."""
    COMPARE = "compare"
    BENCH = "bench"


class TaskState(StrEnum):
    """How far a task is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """It ended before its time, or its answer is no; `text` says why."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Sectors:
    """A range of sectors of a device."""

    start: int
    end: int
    """The first behind it."""


@dataclass(frozen=True, slots=True)
class StartCopy(Errand["TaskSnapshot"]):
    """Image, restore or compare; done when the task has begun. Sectors are those of the device, of 512 bytes.

    Refused: no answer, different disks at the address, a reservation of others, a file that exists (unless `overwrite` or
    `resume`) or does not fit.
    """

    kind: TaskKind
    """All but BENCH."""
    address: Address
    path: Path
    """The file."""
    overwrite: bool = False
    """Of IMAGE: replace the file."""
    resume: bool = False
    """Of IMAGE: go on with the file where an earlier one stopped."""
    sparse: bool = True
    """Of IMAGE: leave holes in the file where the device holds zeros."""
    offset: int = 0
    """The device's sector where the file begins."""
    length: int | None = None
    """Sectors; to the end of device or file if None."""
    first: int | None = None
    """Of RESTORE and COMPARE: begin with this sector of the device, and take what is before it for done."""
    serial: str | None = None
    """Refuse a device that has another."""
    window: int | None = None
    """The most requests under way on each path; the buffer count of the target if None, and never more."""
    patience: float = PATIENCE
    macs: tuple[Mac, ...] = ()
    """Use only paths to these MACs of the target, if any are given."""


@dataclass(frozen=True, slots=True)
class StartBench(Errand["TaskSnapshot"]):
    """Measure a device by one frame a request. `write` destroys what the device holds."""

    address: Address
    write: bool = False
    random: bool = False
    seconds: float = 5.0
    window: int | None = None
    serial: str | None = None
    patience: float = 10.0
    macs: tuple[Mac, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelTask(Errand[None]):
    """Stop a task in order: what was done stands. Done when it has stopped."""

    number: int


@dataclass(frozen=True, slots=True)
class ForgetTask(Errand[None]):
    """Drop a task that has ended from the list."""

    number: int


@dataclass(frozen=True, slots=True)
class ReadSectors(Errand["SectorsReport"]):
    """Read a few sectors, and recognise what the device holds: the partition table, and the file systems in it."""

    address: Address
    lba: int = 0
    count: int = 1
    """1 to MAX_SECTORS; fewer come where the device ends."""
    recognise: bool = True
    macs: tuple[Mac, ...] = ()


@dataclass(frozen=True, slots=True)
class Partition:
    """An entry of a partition table, and what it holds. Texts come from the disk."""

    number: int
    sectors: Sectors
    kind: str
    """`Linux`, `EFI system`, or the type's number."""
    name: str
    content: str
    """`ext4 "root" 7f3a...`; empty if nothing was recognised."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a disk holds, as far as it was recognised. Texts come from the disk."""

    table: str = ""
    """`GPT`, `MBR`, or empty."""
    partitions: tuple[Partition, ...] = ()
    content: str = ""
    """What the whole disk holds where it has no table, or beside it."""
    remarks: tuple[str, ...] = ()
    """What is odd, as a table whose backup is missing."""


@dataclass(frozen=True, slots=True)
class SectorsReport:
    """Sectors of a device, and who it is. Texts come from the wire."""

    address: Address
    size: int
    """Bytes."""
    model: str
    serial: str
    lba: int
    data: bytes
    contents: Contents
    bad: tuple[Sectors, ...] = ()
    """Those of the sectors that cannot be read: zeros stand for them."""
    macs: tuple[Mac, ...] = ()
    """Those that were asked, where the serial is not unique;"""
    left_out: tuple[Mac, ...] = ()
    """and those that answer there too, and may be another disk."""

    @property
    def surely(self) -> tuple[Mac, ...]:
        """The MACs to bind a change to, so that it meets the disk that was looked at; none where it can be no other, or where it
        is refused anyhow."""
        return () if self.left_out else self.macs


@dataclass(frozen=True, slots=True)
class TaskPath:
    """One path of a task."""

    interface: str
    mac: Mac
    answers: bool
    """Whether it is used now: False while it is silent."""
    window: int
    """Requests that may be under way now."""
    requests: int
    """Sent, repetitions counted too."""
    lost: int
    """Of these, not answered in time, and sent again."""
    bytes: int
    rtt_us: float | None


@dataclass(frozen=True, slots=True)
class BenchFigures:
    """What a bench measured."""

    requests: int
    seconds: float
    sector_count: int
    """Of a request; the largest of all paths."""
    median_us: float | None
    p99_us: float | None


@dataclass(frozen=True, slots=True)
class TaskSnapshot:
    """A task, at one moment. Sizes in bytes, rates per second."""

    number: int
    """From 1."""
    kind: TaskKind
    address: Address
    path: Path | None
    title: str
    """`e9.1 to /srv/web01.img`: show it only as plain text."""
    state: TaskState
    started: datetime
    seconds: float
    """That it took, or has taken so far."""
    total: int
    """Bytes; of a bench 0."""
    done: int
    rate: float
    """Over the last seconds; of an ended task over its whole time."""
    eta: float | None
    """Seconds that it still takes at this rate; None where that cannot be said."""
    text: str
    """What came of it, or what holds it up: plain sentences that may hold texts from wire and disk. Empty while all goes well."""
    paths: tuple[TaskPath, ...] = ()
    ranges: tuple[Sectors, ...] = ()
    """Sectors that could not be read, or that differ; at most MAX_RANGES."""
    range_count: int = 0
    """Of all of them."""
    bad_sectors: int = 0
    """Sectors in all of them."""
    bench: BenchFigures | None = None
    no_answer: bool = False
    """Whether it ended for want of an answer."""
    again: StartCopy | None = field(default=None)
    """What goes on where it stopped; None if nothing is left to do."""

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self.state is TaskState.RUNNING

    @property
    def share(self) -> float:
        """Done of all, 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


def sectors_of(ranges: tuple[Sectors, ...]) -> int:
    """How many there are in them."""
    return sum(each.end - each.start for each in ranges)


def bytes_of(sectors: int) -> int:
    """Of so many sectors."""
    return sectors * SECTOR
