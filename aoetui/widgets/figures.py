"""Numbers as people read them."""

from __future__ import annotations

import humanize

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


def microseconds(value: float | None) -> str:
    """A round-trip time in milliseconds: `0.11ms`; `-` before one was measured."""
    return "-" if value is None else f"{value / 1000:.2f}ms"


def many(number: int, noun: str) -> str:
    """A number with its noun: `1 path`, `3 paths`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
