"""The row of an initiator as the rest reads it."""

from __future__ import annotations

from typing import NamedTuple


class InitiatorFigures(NamedTuple):
    """In the order of the row: tables.I_EXPORT to tables.I_FAILED. Times in nanoseconds."""

    export: int
    mac: int
    may: int
    last_seen: int
    last_io: int
    reads: int
    writes: int
    read_bytes: int
    write_bytes: int
    retransmits: int
    dropped: int
    batch: int
    in_batch: int
    reused: int
    pending: int
    failed: int
