"""What is known of one of our exports, in words: who uses it, where it is served, what lies under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.snapshot import ExportState
from aoetui.widgets import figures
from aoetui.widgets.plain import plain, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from aoetui.engine.snapshot import ExportSnapshot, InitiatorSnapshot, PortSnapshot

STATES = {
    ExportState.SERVING: ("* serving", "green"),
    ExportState.DEGRADED: ("! degraded", "yellow"),
    ExportState.WAITING: ("x waiting", "bold red"),
    ExportState.STOPPED: ("- stopped", "dim"),
}


def export_state(export: ExportSnapshot) -> Text:
    """Glyph, word and colour: each alone tells it."""
    return Text(*STATES[export.state])


def shortened(path: str, width: int) -> Text:
    """A path of at most `width` columns (8 or more): its middle is left out, for start and end tell most."""
    safe = printable(path, 1000)
    if len(safe) <= width:
        return plain(safe, width)
    tail = (width - 2) * 2 // 3
    return plain(f"{safe[: width - 2 - tail]}..{safe[-tail:]}", width)


def traffic_line(export: ExportSnapshot, seconds: int) -> Text:
    """`now 250 MB/s  most 290 MB/s in 60 s`: the chart in words."""
    recent = [rates.bytes for rates in export.history[-seconds:]]
    now, most = figures.rate(export.rates.bytes), figures.rate(max(recent, default=0.0))
    line = Text.assemble("now ", (now, "bold"), f"  most {most} in {seconds} s")
    return line.append(f"  {figures.count_rate(export.rates.requests)}  errors {figures.count(export.counters.errors)}", "dim")


def facts(export: ExportSnapshot) -> Text:
    """How it is served, and what is wrong with it."""
    spec = export.spec
    size = figures.size(export.size) if export.size else "not open"
    mode = "read-only" if spec.read_only else "read-write"
    lines = [
        Text.assemble(
            (str(spec.address), "bold"), "  ", export_state(export), "  ", (size, "bold"), f"  {mode}, {spec.durability}"
        ),
    ]
    if export.problem:
        lines.append(plain(f"! {export.problem}", 300, "bold yellow"))
    for line in lines:
        line.no_wrap = False
    return Text("\n").join(lines)


def users_and_ports(export: ExportSnapshot, now: datetime) -> Text:
    """The initiators, those in use first; then the interfaces."""
    lines = [*_initiators(export, now), Text(), *_ports(export.ports), Text(), *_rest(export)]
    return Text("\n").join(lines)


def _initiators(export: ExportSnapshot, now: datetime) -> Iterator[Text]:
    if not export.initiators:
        yield Text("Nobody has asked for it yet.", "dim")
        return
    yield Text(f"{'initiator':<17}  {'via':<9} {'reads':>7} {'writes':>7} {'last I/O':>8}", "dim")
    for each in sorted(export.initiators, key=lambda each: (not each.active, each.mac)):
        yield _initiator(each, now)


def _initiator(each: InitiatorSnapshot, now: datetime) -> Text:
    counters = each.counters
    age = "never" if each.last_io is None else figures.age((now - each.last_io).total_seconds())
    state = ("  * active", "green") if each.active else ("  - idle", "dim")
    via = printable(each.interface, 9)
    line = Text(f"{each.mac!s:<17}  {via:<9} {figures.count(counters.reads):>7} {figures.count(counters.writes):>7} {age:>8}")
    return line.append(*state)


def _ports(ports: tuple[PortSnapshot, ...]) -> Iterator[Text]:
    for port in ports:
        if port.serving:
            told = Text(
                f"* served, {figures.many(port.sector_count, 'sector')} ({port.sector_count * SECTOR} bytes) a frame", "green"
            )
        else:
            told = plain(f"x not served: {port.problem}", 200, "yellow")
        line = Text.assemble((f"{'on':<9}", "dim"), f"{printable(port.interface, 15):<9} ", told)
        line.no_wrap = False
        yield line


def _rest(export: ExportSnapshot) -> Iterator[Text]:
    spec = export.spec
    path = plain(str(spec.path), 300)
    path.no_wrap = False
    yield _fact("backing", path)
    if spec.label:
        yield _fact("label", plain(spec.label, 80))
    yield _fact("serial", plain(export.serial, 40))
    yield _fact("buffers", Text(str(spec.buffer_count)))
    if spec.offset or spec.length is not None:
        length = "the end" if spec.length is None else f"{spec.length} sectors on"
        yield _fact("window", Text(f"from sector {spec.offset} to {length}"))
    if spec.mask:
        yield _fact("mask", Text(", ".join(str(mac) for mac in spec.mask)))


def _fact(name: str, value: Text) -> Text:
    return Text.assemble((f"{name:<9}", "dim"), value)
