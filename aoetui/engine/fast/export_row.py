"""What the compiled loop of a port knows of an export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aoetui.engine.fast.tables import (
    X_BASE,
    X_BUFFERS,
    X_END,
    X_FD,
    X_FETCHER,
    X_FLUSHER,
    X_KEY,
    X_MAP,
    X_READS,
    X_SALT,
    X_SECTORS,
    X_WORDS,
    X_WRITES,
)

if TYPE_CHECKING:
    from aoetui.engine.fast.tables import Numbers
    from aoetui.engine.fast_disk import FastDisk


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRow:
    """What the loop knows of an export."""

    shelf: int
    slot: int
    sectors: int
    buffer_count: int
    descriptor: int
    base: int
    """Bytes of the backing before the export's first sector."""
    end: int
    """Bytes that the backing must have."""
    mapped_at: int
    """Address of the backing's first byte; 0: it is not mapped."""
    disk: FastDisk
    flusher: int
    """Its number on the lane; -1: writes are answered at once."""
    fetcher: int
    """Its number on the lane; -1: reads that have to wait take the reference path."""
    salt: int
    """A number of its own: no other export that ever had its row shares it."""

    def numbers(self) -> Numbers:
        """The same as the tables hold it."""
        numbers = np.zeros(X_WORDS, np.int64)
        numbers[[X_KEY, X_SECTORS, X_BUFFERS]] = self.shelf << 8 | self.slot, self.sectors, self.buffer_count
        numbers[[X_FD, X_BASE, X_END, X_MAP]] = self.descriptor, self.base, self.end, self.mapped_at
        numbers[[X_READS, X_WRITES, X_SALT]] = self.disk.reads, self.disk.writes, self.salt
        numbers[[X_FLUSHER, X_FETCHER]] = self.flusher, self.fetcher
        return numbers
