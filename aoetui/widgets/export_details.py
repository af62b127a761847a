"""What is known of one of our exports, in words: who uses it, where it is served, what lies under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.snapshot import ExportState
from aoetui.widgets import figures
from aoetui.widgets.durability import mode_sentence
from aoetui.widgets.plain import plain, printable
from aoetui.widgets.silences import refusing_list

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from aoetui.engine.protocol.address import Mac
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


def facts(export: ExportSnapshot, now: datetime) -> Text:
    """How it is served, what is wrong with it, and what may be."""
    size = figures.size(export.size) if export.size else "not open"
    title = ((str(export.spec.address), "bold"), "  ", export_state(export), "  ", (size, "bold"), "  ")
    lines = [Text.assemble(*title, mode_sentence(export.spec))]
    if export.problem:
        lines.append(plain(f"! {export.problem}", 300, "bold yellow"))
    return Text("\n").join([*lines, *writers_lines(export), *_limits(export, now)])


def writers_lines(export: ExportSnapshot) -> Iterator[Text]:
    """A warning where several initiators use it and have written to it: each would overwrite what the other's memory holds.

    Those that stand on an interface of ours each for itself are more likely the paths of one host.
    """
    writers = [each for each in export.active_initiators if each.counters.writes]
    macs = sorted({each.mac for each in writers})
    if len(macs) < 2:
        return
    if len({each.interface for each in writers}) == len(writers):
        yield Text(f"i {len(macs)} MACs write to it, each by an interface of its own: well if they are one host's", "cyan")
        return
    named = ", ".join(map(str, macs[:4])) + (" and more" if len(macs) > 4 else "")
    warning = f"! {len(macs)} MACs write to it: {named}. Unless they are one host's, or share a cluster file system, its data"
    yield Text(f"{warning} is being corrupted: keep one out by mask list (m) or reservation (r).", "bold yellow")


def _limits(export: ExportSnapshot, now: datetime) -> Iterator[Text]:
    """Who may not use it, and who tried."""
    if export.reservation:
        yield Text(f"reserved for {_named(export.reservation)}: nobody else may read or write")
    if export.mask:
        yield Text(f"mask list: only {_named(export.mask)} {'is' if len(export.mask) == 1 else 'are'} answered")
    if export.refused:
        last = export.refused[0]
        when = figures.ago((now - last.last).total_seconds())
        count = figures.many(export.refused_frames, "frame")
        yield Text(f"refused {count}, the last {when} of {last.mac}, {refusing_list(last.why)}", "yellow")


def _named(macs: tuple[Mac, ...]) -> str:
    return str(macs[0]) if len(macs) == 1 else f"{len(macs)} MACs"


def users_and_ports(export: ExportSnapshot, now: datetime) -> Text:
    """The initiators, those in use first; then the interfaces and the backing."""
    lines = [*_initiators(export, now), Text(), *_ports(export.ports)]
    return Text("\n").join([*lines, _fact("backing", plain(str(export.spec.path), 300))])


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
        yield Text.assemble((f"{'on':<9}", "dim"), f"{printable(port.interface, 25):<9} ", told)


def _fact(name: str, value: Text) -> Text:
    return Text.assemble((f"{name:<9}", "dim"), value)
