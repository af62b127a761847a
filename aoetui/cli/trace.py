"""`aoetui trace`: AoE frames as they pass, one a line; and capture files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aoetui.cli import running
from aoetui.cli.options import parts
from aoetui.cli.output import JSON_VERSION, complain
from aoetui.engine.api import UsageError
from aoetui.engine.commands.trace import Direction, FrameDetail, TraceLine, TraceRequest
from aoetui.engine.snapshot import to_json
from aoetui.shutdown import OrderlyStop
from aoetui.widgets import figures
from aoetui.widgets.hexdump import hex_lines
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from aoetui.engine.commands.trace import TraceBatch

_LONGEST = 2000
_WAYS = {Direction.IN: "in", Direction.OUT: "out", Direction.OTHER: "other", Direction.UNKNOWN: "-"}
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="AoE frames as they pass, decoded; capture files.")
@click.option("-i", "--interface", "interfaces", multiple=True, metavar="IFACE", help="Trace this interface; may be repeated.")
@click.option("--filter", "words", default="", metavar="WORDS", help="Only frames for which all of these words hold.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N frames.")
@click.option("--seconds", type=click.FloatRange(0.0, 1e6), metavar="S", help="End after S seconds.")
@click.option("--whole", is_flag=True, help="Keep frames whole: else of an ATA frame the headers and 64 bytes of data.")
@click.option("--write", type=_FILE, metavar="FILE", help="Also write them to FILE: pcapng if it ends so, else pcap.")
@click.option("--overwrite", is_flag=True, help="FILE may be there already.")
@click.option("--read", type=_FILE, metavar="FILE", help="Show the frames of a pcap or pcapng file; needs no permission.")
@click.option("-v", "--verbose", "detail", is_flag=True, help="Print every field and all kept bytes of each frame.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a frame.")
@click.pass_obj
def trace(
    config: Path | None,
    *,
    interfaces: tuple[str, ...],
    words: str,
    count: int | None,
    seconds: float | None,
    whole: bool,
    write: Path | None,
    overwrite: bool,
    read: Path | None,
    detail: bool,
    as_json: bool,
) -> None:
    """Print AoE frames as they come in and go out, decoded, one a line, until Ctrl-C. It listens only, and sends nothing.

    WORDS choose frames, and all must hold: e9.1, a MAC or its beginning, read, write, config, error, unanswered, in, out,
    slow>10ms, !word and others; docs/commands.md lists them, and so does a wrong word.
    """
    names = parts(interfaces)
    if read is not None and (names or seconds is not None or whole):
        raise UsageError("--read shows a file: leave -i, --seconds and --whole out")
    if read is None:
        names = running.traced_interfaces(names, config)
    request = TraceRequest(names, read, words, whole, count, seconds, write, overwrite, detail)
    with running.live_trace(request) as live, OrderlyStop(_stopped, leave=live.stop):
        problems, batch = set[str](), None
        for batch in live.batches():
            _print(batch, as_json=as_json)
            for problem in set(batch.problems) - problems:
                complain(problem)
            problems = set(batch.problems)
        written = live.written
    if batch is not None:
        _sum_up(request, batch, written)


def _stopped(_timeout: float) -> bool:
    """There is nothing to be saved."""
    return True


def _print(batch: TraceBatch, *, as_json: bool) -> None:
    details = batch.details or (None,) * len(batch.lines)
    texts = []
    for line, detail in zip(batch.lines, details, strict=True):
        texts += [_json(line, detail)] if as_json else [line_text(line), *(detail_lines(detail) if detail else ())]
    if texts:
        click.echo("\n".join(texts))


def line_text(line: TraceLine) -> str:
    """One frame: when, where, which way, from, to, address, what, length, how long its request waited, marks."""
    time = datetime.fromtimestamp(line.time_ns // 1_000_000_000, UTC).astimezone()
    fields = [
        f"{time:%H:%M:%S}.{line.time_ns // 1000 % 1_000_000:06d}",
        printable(line.interface or "-", 20),
        f"{_WAYS[line.direction]:<3}",
        f"{line.source} > {line.destination}" if line.source else "",
        f"vlan {line.vlan}" if line.vlan is not None else "",
        f"{line.address:<5}",
        printable(line.what, _LONGEST),
        f"{line.length} bytes",
        figures.duration(line.waited_us) if line.waited_us is not None and line.response else "",
        " ".join(mark.upper() for mark in line.marks),
    ]
    return "  ".join(field for field in fields if field.strip())


def detail_lines(detail: FrameDetail) -> list[str]:
    """Every field, and the kept bytes."""
    fields = [f"    {each.section:<9} {each.name:<10} {printable(each.value, _LONGEST)}" for each in detail.fields]
    return [*fields, *(f"    {line}" for line in hex_lines(detail.frame)), ""]


def _json(line: TraceLine, detail: FrameDetail | None) -> str:
    time = datetime.fromtimestamp(line.time_ns // 1_000_000_000, UTC)
    stamp = f"{time:%Y-%m-%dT%H:%M:%S}.{line.time_ns % 1_000_000_000:09d}+00:00"
    told = {"version": JSON_VERSION, "time": stamp, "frame": to_json(line)}
    if detail is not None:
        told |= {"fields": to_json(detail.fields), "bytes": detail.frame.hex()}
    return json.dumps(told)


def _sum_up(request: TraceRequest, batch: TraceBatch, written: int) -> None:
    """What was lost, and what was written, where someone is there to read it."""
    if request.write is not None:
        complain(f"{figures.many(written, 'frame')} written to {request.write}")
    if batch.dropped:
        complain(f"{figures.many(batch.dropped, 'frame')} lost: they came faster than they could be taken")
    if batch.missed:
        complain(f"{figures.many(batch.missed, 'frame')} passed faster than they could be shown: a filter makes less work")
