"""How long an export's initiators wait: a histogram in text, reads beside writes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from aoetui.widgets import figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aoetui.engine.snapshot import ExportSnapshot, Latency

_LABEL, _SHARE = 9, 5
BAR, TRACE = "\N{FULL BLOCK}", "\N{LEFT ONE EIGHTH BLOCK}"
ASCII_BAR, ASCII_TRACE = "#", "|"
"""For a terminal without blocks. A trace stands where the share is too small for a bar: a slow request is never left out."""


def latency_part(export: ExportSnapshot, width: int, *, ascii_only: bool) -> Text:
    """The last seconds in figures, and all replies since the export was opened in bars, in at most `width` columns."""
    lines = [_recent(export.latency), Text(), *_histogram(export, width, ascii_only=ascii_only)]
    return Text("\n").join(lines)


def _recent(latency: Latency) -> Text:
    if not latency.count:
        return Text("Last 10 s: no read or write.", "dim")
    return Text.assemble(
        f"Last 10 s: {figures.count(latency.count)} replies, half within ",
        (figures.duration(latency.p50_us), "bold"),
        ", 99 of 100 within ",
        (figures.duration(latency.p99_us), "bold"),
    )


def _histogram(export: ExportSnapshot, width: int, *, ascii_only: bool) -> Iterator[Text]:
    reads, writes = export.read_latency, export.write_latency
    if not reads.count and not writes.count:
        yield Text("Nothing was read or written since it was opened.", "dim")
        return
    room = max((width - _LABEL) // 2 - 2, 20)
    yield Text("Since it was opened, from arrival to reply:")
    yield Text(f"{'':<{_LABEL}} {_title('reads', reads):<{room}} {_title('writes', writes)}", "bold")
    yield Text(f"{'':<{_LABEL}} {_percentiles(reads):<{room}} {_percentiles(writes)}")
    by_octave = [octaves(each) for each in (reads, writes)]
    found = sorted({end for counts in by_octave for end in counts})
    end, most = found[0], max(count / counts.total() for counts in by_octave for count in counts.values())
    while end <= found[-1]:
        bars = [_bar(counts[end], counts.total(), most, room, ascii_only=ascii_only) for counts in by_octave]
        yield Text.assemble((f"{'to ' + figures.duration(end):>{_LABEL}} ", "dim"), bars[0], " ", bars[1])
        end *= 2


def octaves(latency: Latency) -> Counter[int]:
    """Replies by the power of two, in microseconds, within which they came."""
    counts: Counter[int] = Counter()
    for end, count in latency.buckets:
        counts[1 << (int(end) - 1).bit_length()] += count
    return counts


def _title(name: str, latency: Latency) -> str:
    return f"{name} {figures.count(latency.count)}"


def _percentiles(latency: Latency) -> str:
    return f"p50 {figures.duration(latency.p50_us)}  p99 {figures.duration(latency.p99_us)}"


def _bar(count: int, total: int, most: float, room: int, *, ascii_only: bool) -> Text:
    """A bar, `most` being the longest, and the share it stands for; nothing where there is nothing."""
    if not count:
        return Text(" " * room)
    full, trace = (ASCII_BAR, ASCII_TRACE) if ascii_only else (BAR, TRACE)
    length = round(count / total / most * (room - _SHARE - 1))
    bar = Text(full * length or trace, "cyan")
    return bar.append(f" {figures.percent(count, total)}", "").append(" " * room)[:room]
