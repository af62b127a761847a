"""`aoetui sectors` and `aoetui bench`: a look at a device, and how fast it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aoetui.cli import running
from aoetui.cli.copying import ADDRESS, YES
from aoetui.cli.destroying import confirm, device_words, target_of
from aoetui.cli.following import START_SECONDS, follow
from aoetui.cli.options import macs_of, parts
from aoetui.cli.output import print_json, print_lines
from aoetui.engine.commands.copying import MAX_SECTORS, ReadSectors, StartBench
from aoetui.engine.protocol.wire import SECTOR
from aoetui.widgets import figures
from aoetui.widgets.contents import contents_lines
from aoetui.widgets.hexdump import disk_lines
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.commands.copying import TaskSnapshot
    from aoetui.engine.protocol.address import Address

INTERFACES = click.option(
    "-i", "--interface", "interfaces", multiple=True, metavar="IFACE", help="Use this interface; may be repeated."
)
MACS = click.option("--mac", "macs", multiple=True, metavar="MAC", help="Use only paths to this MAC; may be repeated.")


@click.command(short_help="Show sectors of a device, and what it holds.")
@INTERFACES
@MACS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("address", type=ADDRESS)
@click.argument("lba", type=click.IntRange(0), default=0)
@click.argument("count", type=click.IntRange(1, MAX_SECTORS), default=1)
@click.pass_obj
def sectors(
    config: Path | None,
    *,
    address: Address,
    lba: int,
    count: int,
    interfaces: tuple[str, ...],
    macs: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show COUNT sectors (1 to 256) of the device at ADDRESS from LBA on, and the partition table and file systems on it."""
    chosen = running.chosen_interfaces(parts(interfaces), config)
    with running.san_engine(chosen) as engine:
        report = engine.submit(ReadSectors(address, lba, count, macs=macs_of(macs))).result(START_SECONDS)
    if as_json:
        print_json("sectors", report)
        return
    print_lines([device_words(report), *contents_lines(report.contents, 2000)])
    print_lines([f"! sectors {each.start} to {each.end - 1} cannot be read: zeros stand for them" for each in report.bad])
    print_lines(list(disk_lines(report.data, lba * SECTOR)))


@click.command(short_help="Measure how fast a device is.")
@INTERFACES
@MACS
@click.option("--window", type=click.IntRange(1, 65535), multiple=True, metavar="N", help="Requests under way; may be repeated.")
@click.option("--random", "at_random", is_flag=True, help="Sectors at random, instead of one after the other.")
@click.option("--seconds", type=click.FloatRange(0.1, 3600.0), default=5.0, show_default=True, help="How long, for each window.")
@click.option("--write", "writes", is_flag=True, help="Measure writes: what the device holds is lost.")
@YES
@click.option("--json", "as_json", is_flag=True, help="Print JSON objects, one a line; the last of each window is the result.")
@click.argument("address", type=ADDRESS)
@click.pass_obj
def bench(
    config: Path | None,
    *,
    address: Address,
    interfaces: tuple[str, ...],
    macs: tuple[str, ...],
    window: tuple[int, ...],
    at_random: bool,
    seconds: float,
    writes: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Measure the device at ADDRESS by requests of one frame. Reads, unless --write."""
    chosen = running.chosen_interfaces(parts(interfaces), config)
    with running.san_engine(chosen) as engine:
        serial, paths = None, macs_of(macs)
        if writes:
            report = target_of(engine, address, paths)
            confirm(report, what="this destroys what is on", yes=yes)
            serial, paths = report.serial, paths or report.surely
        for each in window or (None,):
            command = StartBench(address, writes, at_random, seconds, each, serial, macs=paths)
            code = follow(engine, command, as_json=as_json, resume=lambda _ended: "", lines=bench_lines)
            if code:
                return code
    return 0


def bench_lines(task: TaskSnapshot) -> list[str]:
    """What was measured, then each path."""
    found = task.bench
    if found is None:
        return [task.text]
    under_way = sum(path.window for path in task.paths)
    rate = found.requests / max(found.seconds, 1e-6)
    latencies = f"median {figures.duration(found.median_us)}  p99 {figures.duration(found.p99_us)}"
    lines = [
        f"{task.title} of {found.sector_count * SECTOR} bytes, {under_way} under way, {found.seconds:.1f} s",
        f"    {figures.count_rate(rate)}  {figures.rate(task.rate)}  {latencies}",
    ]
    for path in task.paths:
        lost = f"{figures.count(path.lost)} repeated ({figures.percent(path.lost, path.requests)})"
        lines.append(f"    {path.mac} on {path.interface}: {figures.count(path.requests)} requests, {lost}")
    return [printable(line, 2000) for line in lines]
