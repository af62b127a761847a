"""What a disk holds, as lines of plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.widgets import figures
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from aoetui.engine.commands.copying import Contents, Partition, SectorsReport


def contents_lines(contents: Contents, width: int = 100) -> list[str]:
    """`GPT, 2 partitions`, then one line for each partition; or what the whole disk holds."""
    if contents.table:
        lines = [f"{contents.table}, {figures.many(len(contents.partitions), 'partition')}"]
        lines += [_partition_line(each) for each in contents.partitions]
    else:
        lines = [contents.content or "nothing that is known: no partition table, no file system"]
    lines += [f"! {remark}" for remark in contents.remarks]
    return [printable(line, width) for line in lines]


def _partition_line(each: Partition) -> str:
    sectors = each.sectors
    size = figures.size((sectors.end - sectors.start) * 512)
    name = f'"{each.name}"' if each.name else ""
    about = "  ".join(part for part in (each.kind, name, each.content) if part)
    return f"  {each.number:>2}  {sectors.start:>12} to {sectors.end - 1:<12} {size:>8}  {about}"


def contents_words(contents: Contents) -> str:
    """The same in one sentence: `GPT with 2 partitions (ext4 "root", swap)`."""
    if not contents.table:
        return contents.content or "nothing that is known"
    held = ", ".join(each.content or each.kind for each in contents.partitions)
    return f"{contents.table} with {figures.many(len(contents.partitions), 'partition')}{f' ({held})' if held else ''}"


def left_out_words(report: SectorsReport) -> str:
    """That others answer at the address who may be another disk; empty if nobody does."""
    if not report.left_out:
        return ""
    alone, others = " and ".join(map(str, report.macs)), " and ".join(map(str, report.left_out))
    return f"read from {alone} alone: nothing proves that {others} there is the same disk"
