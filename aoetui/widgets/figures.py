"""Numbers as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import humanize

if TYPE_CHECKING:
    from datetime import datetime

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def size(count: float) -> str:
    """Bytes in powers of ten, as disks are sold: `10.7 GB`; three figures from 100 on: `412 MB`."""
    shown = humanize.naturalsize(count, format="%.1f")
    number, _, unit = shown.partition(" ")
    if unit in {"Byte", "Bytes"}:
        return f"{number} B"
    return f"{float(number):.0f} {unit}" if float(number) >= 100 else shown


def memory(count: int) -> str:
    """Bytes in powers of two, as memory is sold: `58.6 MiB`."""
    return humanize.naturalsize(count, binary=True, format="%.1f")


def rate(per_second: float) -> str:
    """Bytes per second: `412 MB/s`."""
    return f"{size(round(per_second))}/s"


def count(number: float) -> str:
    """A count in three figures: `38.1k`, `250`."""
    if number < 1000:
        return f"{number:.0f}"
    return humanize.metric(number, precision=3).replace(" ", "")


def count_rate(per_second: float) -> str:
    """Requests per second: `38.1k/s`."""
    return f"{count(per_second)}/s"


def payload(count_of_bytes: int) -> str:
    """Bytes of data in one frame: `8.7k`, `1.0k`; `-` where unknown."""
    if count_of_bytes <= 0:
        return "-"
    return f"{count_of_bytes / 1000:.1f}k" if count_of_bytes >= 1000 else f"{count_of_bytes}"


def age(seconds: float) -> str:
    """Whole seconds, minutes, hours or days: `41s`, `3m`, `5h`, `2d`; `now` below two seconds."""
    if seconds < 2:
        return "now"
    for unit, length in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if seconds >= length:
            return f"{seconds // length:.0f}{unit}"
    return f"{seconds:.0f}s"


def ago(seconds: float) -> str:
    """`now`, or `41s ago`."""
    shown = age(seconds)
    return shown if shown == "now" else f"{shown} ago"


def microseconds(value: float | None) -> str:
    """A round-trip time in milliseconds: `0.11ms`; `-` before one was measured."""
    return "-" if value is None else f"{value / 1000:.2f}ms"


def duration(value: float | None) -> str:
    """A latency given in microseconds, in two figures: `64us`, `0.41ms`, `4.1ms`, `41ms`, `1.2s`; `-` without one."""
    if value is None:
        return "-"
    if value < 100:
        return f"{value:.0f}us"
    if value < 1e6:
        return f"{value / 1000:.{2 if value < 1000 else 1 if value < 10_000 else 0}f}ms"
    return f"{value / 1e6:.1f}s"


def percent(part: int, whole: int) -> str:
    """A share: `70%`, `1.2%`, `<.1%`; a share of something never reads as none."""
    share = 100 * part / whole if whole else 0.0
    if not part:
        return "0%"
    return "<.1%" if share < 0.1 else f"{share:.1f}%" if share < 9.95 else f"{share:.0f}%"


def clock(when: datetime, now: datetime) -> str:
    """The time of day, `09:42`; of another day the day: `21Nov`."""
    local = when.astimezone()
    return f"{local:%H:%M}" if local.date() == now.astimezone().date() else f"{local:%d%b}"


def many(number: int, noun: str) -> str:
    """A number with its noun: `1 path`, `3 paths`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
