"""Who uses an export and how it goes for each; who asks and is not answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from aoetui.widgets import figures
from aoetui.widgets.plain import printable
from aoetui.widgets.silences import refusing_list

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from aoetui.engine.snapshot import Counters, ExportSnapshot, InitiatorSnapshot, RefusedSnapshot

FINE, BAD = 1 / 1000, 1 / 100
"""Of the requests that were asked again: up to here all is well; from here on Linux gives disks up."""

ENOUGH = 1000
"""Requests below which such a share tells nothing."""

GUESSED = (
    "~ again: asked for again, a guess, for a program may read the same sectors twice. Up to 1 in 1000 is fine. From 1 in 100 on"
    " Linux gives disks up: let the switch use flow control, or the initiator ask for less at once (aoe_maxout)."
)

SILENT = "They see no disk here. m edits the mask list; accept and deny stand in the config file."


def users_part(export: ExportSnapshot, now: datetime) -> Text:
    """Initiators, those in use first; then the refused."""
    return Text("\n").join([*_initiators(export, now), Text(), *_refused(export, now)])


def _initiators(export: ExportSnapshot, now: datetime) -> Iterator[Text]:
    if not export.initiators:
        yield Text("Nobody has asked for it yet.", "dim")
        return
    titles = f"{'initiator':<17} {'':<8} {'first':>5} {'last':>5} {'reads':>6} {'writes':>6} {'bytes':>8} {'p99':>7}"
    yield Text(titles, "dim")
    for each in sorted(export.initiators, key=lambda each: (not each.active, each.mac, each.interface)):
        yield _figures(each, now)
        yield _state(each, export.spec.buffer_count)
    yield Text()
    yield Text(GUESSED, "dim")


def _figures(each: InitiatorSnapshot, now: datetime) -> Text:
    counters = each.counters
    line = Text(f"{each.mac!s:<17} ")
    line.append(*(("* active", "green") if each.active else ("- idle  ", "dim")))
    last = figures.age((now - each.last_seen).total_seconds())
    line.append(f" {figures.clock(each.first_seen, now):>5} {last:>5}")
    line.append(f" {figures.count(counters.reads):>6} {figures.count(counters.writes):>6}")
    line.append(f" {figures.size(counters.read_bytes + counters.write_bytes):>8}")
    return line.append(f" {figures.duration(each.latency.p99_us):>7}")


def _state(each: InitiatorSnapshot, buffers: int) -> Text:
    """What may be wrong with it; nothing is coloured while all is well."""
    line = Text(f"  on {printable(each.interface, 25)}: {each.under_way}/{buffers} under way")
    line.append(f", {figures.count(each.dropped)} dropped", "yellow" if each.dropped else "")
    line.append(f", {figures.many(each.counters.errors, 'error')}", "yellow" if each.counters.errors else "")
    return line.append(", ").append_text(asked_again(each.counters))


def asked_again(counters: Counters) -> Text:
    """`~130 again, 1 in 1.00k: fine`."""
    again, requests = counters.retransmits, counters.reads + counters.writes
    line = Text(f"~{figures.count(again)} again")
    if not again or requests < ENOUGH:
        return line
    share = again / requests
    word, style = ("fine", "") if share <= FINE else ("BAD", "bold red") if share >= BAD else ("too many", "yellow")
    return Text(f"{line.plain}, 1 in {figures.count(requests / again)}: {word}", style)


def _refused(export: ExportSnapshot, now: datetime) -> Iterator[Text]:
    if not export.refused_frames:
        yield Text("Nobody was refused.", "dim")
        return
    frames = figures.many(export.refused_frames, "frame")
    yield Text.assemble(("Refused, and not answered: ", "yellow"), f"{frames} in all. The latest first:")
    yield Text(f"{'MAC':<17} {'via':<13} {'frames':>6} {'first':>5} {'last':>5}  why", "dim")
    yield from (_refusal(each, now) for each in export.refused)
    yield Text(SILENT, "dim")


def _refusal(each: RefusedSnapshot, now: datetime) -> Text:
    last = figures.age((now - each.last).total_seconds())
    seen = f"{figures.count(each.count):>6} {figures.clock(each.first, now):>5} {last:>5}"
    return Text(f"{each.mac!s:<17} {printable(each.interface, 13):<13} {seen}  {refusing_list(each.why)}")
