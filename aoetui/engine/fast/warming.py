"""Everything of a lane called once, so that it is compiled, or loaded from where it is kept."""

from __future__ import annotations

import mmap
import os

import numpy as np

from aoetui.engine import fastpath
from aoetui.engine.fast import fetcher_rows, rows
from aoetui.engine.fast.export_row import ExportRow
from aoetui.engine.fast.fetch import SCRATCH_WORDS, fetch
from aoetui.engine.fast.flush import flush_once
from aoetui.engine.fast.lane import Lane
from aoetui.engine.fast.tables import GATE_READS, STOP
from aoetui.engine.fast_disk import FastDisk, Reads, Writes
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.wire import SECTOR


def warm() -> None:
    """Compile, or load, all that a lane calls, on a ring that nobody fills. Takes seconds the first time."""
    with mmap.mmap(-1, mmap.PAGESIZE) as ring:
        wake = os.eventfd(0, os.EFD_CLOEXEC)
        lane = Lane("none", socket=-1, ring=ring, stride=2048, slots=2, slot=0, index=0, vlan=0, wake=wake)
        _call_all(lane)
        lane.tables.port[STOP] = 1
        lane.start(Mac(bytes(6)), 2)
        lane.stop(60.0)
        os.close(wake)
        del lane


def _call_all(lane: Lane) -> None:
    disk = FastDisk(Reads.ELSEWHERE, Writes.ELSEWHERE)
    numbers = {"sectors": 1, "buffer_count": 2, "descriptor": -1, "base": 0, "end": 0, "mapped_at": 0, "salt": 0}
    row = ExportRow(shelf=0, slot=0, disk=disk, flusher=-1, fetcher=-1, **numbers)
    export = lane.add_export(row, lambda: None, lambda _lane: None) or 0
    mac, data = bytes(6), memoryview(bytes(SECTOR))
    initiator = lane.add_initiator(export, mac, 0, 0) or 0
    lane.let([initiator], 0)
    lane.learn_tags(initiator, 1)
    lane.knows_write(0, export, mac, 1, 1, data, 0.0)
    lane.remember_write(0, mac, 1, 1, data)
    lane.awaits_flush(0, mac, 1, 1)
    lane.close_gate(export, GATE_READS)
    with open(os.devnull, "r+b") as null:  # noqa: PTH123 - the same, in fewer words
        flusher = lane.start_flusher(export, null.fileno(), lambda _code: None)
        scratch = np.zeros(2, np.int64)
        flush_once(lane.tables, flusher, int(scratch.ctypes.data))
        lane.stop_flusher(flusher, 60.0)
        _fetch(lane, export, null.fileno())
    rows.note_handled(lane.tables.lock, lane.tables.exports, np.array([export], np.int64))
    lane.open_gate(export)
    lane.keeps(export)
    rows.unlock(lane.tables.lock)
    lane.tables.lock[:] = 0
    lane.abandon()
    lane.remove_initiators([initiator])
    lane.remove_export(export)
    fastpath.serve_batch(lane.tables)


def _fetch(lane: Lane, export: int, disk: int) -> None:
    t, who = lane.tables, 1
    fetcher_rows.set_fetcher(t, 0, who, export, disk, 0, 0)
    fetcher_rows.came(t, 0)
    fetcher_rows.wait_until_through(t, 0, who, 0, 1, 1)
    fetcher_rows.is_through(t, 0, who, 0, 1)
    fetcher_rows.waits_since(t, 0, who)
    fetcher_rows.stop_fetcher(t, 0, who, -1)
    fetcher_rows.cancel_fetcher(t, 0, who)
    fetch(t, 0, np.zeros(SCRATCH_WORDS, np.int64))
    fetcher_rows.clear_fetcher(t, 0, who)
