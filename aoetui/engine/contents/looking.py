"""All that is recognised on a disk: its table, what each partition holds, or what the whole of it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.commands.copying import Contents, Partition, Sectors
from aoetui.engine.contents.filesystems import HEAD, TAIL, recognise
from aoetui.engine.contents.partitions import partition_table
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from aoetui.engine.contents.partitions import Disk, Slice

MOST_LOOKED_INTO = 16
"""Partitions whose content is looked for: each costs some hundred kilobytes over the wire."""


def contents_of(disk: Disk) -> Contents:
    """What the disk holds."""
    table = partition_table(disk)
    whole = _content(disk, 0, disk.sectors) if table is None else ""
    if table is None:
        return Contents(content=whole)
    partitions = tuple(_partition(disk, each, look=number < MOST_LOOKED_INTO) for number, each in enumerate(table.slices))
    return Contents(table.kind, partitions, remarks=table.remarks)


def _partition(disk: Disk, each: Slice, *, look: bool) -> Partition:
    inside = look and not each.kind.startswith("extended") and each.end <= disk.sectors
    content = _content(disk, each.start, each.end) if inside else ""
    return Partition(each.number, Sectors(each.start, each.end), each.kind, each.name, content)


def _content(disk: Disk, start: int, end: int) -> str:
    head = disk.read(start, min(HEAD // SECTOR, end - start))
    length = min(TAIL // SECTOR, end - start)
    found = recognise(head, disk.read(end - length, length), (end - start) * SECTOR)
    return "" if found is None else str(found)
