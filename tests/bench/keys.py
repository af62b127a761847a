"""From a key to its paint: the console on a terminal, typed into while nothing else happens and while its data path is saturated.

`python -m tests.bench.keys [--keys N] [--seconds S] [--devices N]`. A key's time runs from its write to the read that completes
what it is to show. Keys come at random moments, so that some meet the periodic refresh; that refresh shows nothing that is
waited for. The first visit of a section makes its widgets, and is counted apart.

With `--devices`, so many emulated targets answer one broadcast first: the time from `d` until the list has them all, and then
the keys with them in the list.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support import netns

from .console_rig import load, many, rig
from .keys_terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .console_rig import Rig
    from .keys_terminal import Picture
    from .loads import Measured

SIZES = ((80, 24), (120, 40))
GOAL = 0.060
"""Seconds that 95 of 100 keys may take."""
_PAUSE = (0.05, 0.35)
"""Seconds between two keys, at least and at most."""
_MOVES = 4
_FIRST = "first visit"
_ALL = "all devices shown"
_SECTIONS = ("2 Exports", "3 Interfaces", "5 Events", "1 SAN")
"""As they are gone through; each begins with its key."""
_LISTS = ("2 Exports", "1 SAN")
_FILTERED = "2 Exports"
_DOWN, _UP, _ESCAPE = b"\x1b[B", b"\x1b[A", b"\x1b"


@dataclass(frozen=True, slots=True)
class Key:
    """What is typed, and what it must show."""

    kind: str
    typed: bytes
    effect: Callable[[Picture], bool]


@dataclass(slots=True)
class Times:
    """Seconds from key to paint, by kind of key."""

    by_kind: dict[str, list[float]] = field(default_factory=dict)

    def add(self, kind: str, seconds: float) -> None:
        """One key."""
        self.by_kind.setdefault(kind, []).append(seconds)

    @property
    def all(self) -> list[float]:
        """Of every key but first visits."""
        return [each for kind, times in self.by_kind.items() if kind not in {_FIRST, _ALL} for each in times]

    @property
    def good(self) -> bool:
        """Whether they meet the goal."""
        return percentile(self.all, 95) < GOAL


def percentile(values: list[float], percent: int) -> float:
    """The least value that so many of 100 do not exceed."""
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]


def section(name: str, kind: str = "section") -> Key:
    """Go to a section; where it has a list, the cursor stands in it."""
    listed = name in _LISTS
    return Key(kind, name[0].encode(), lambda picture: picture.section == name and bool(picture.selected or not listed))


def move(picture: Picture, typed: bytes) -> Key:
    """Move the cursor off the row where it is."""
    before = picture.selected
    return Key("move", typed, lambda now: now.selected not in {"", before})


def filtered(text: str) -> Callable[[Picture], bool]:
    """Whether the header names the filter: it does once the list obeys it."""
    return lambda picture: picture.has(f" /{text} ")


def typing(text: str) -> Iterator[Key]:
    """Open the filter, type into it, and clear it."""
    yield Key("filter", b"/", lambda picture: picture.has("filter: type"))
    for end in range(1, len(text) + 1):
        yield Key("filter", text[end - 1].encode(), filtered(text[:end]))
    yield Key("filter", _ESCAPE, lambda picture: not filtered(text)(picture))


def one_round(picture: Picture) -> Iterator[Key]:
    """From SAN through all sections, down and up their lists, and a filter. Each is asked for once the one before is done."""
    for name in _SECTIONS:
        yield section(name)
        if name in _LISTS:
            for typed in [_DOWN] * _MOVES + [_UP] * _MOVES:
                yield move(picture, typed)
        if name == _FILTERED:
            yield from typing("k7")


def find_all(terminal: Terminal, place: Rig, count: int, stack: contextlib.ExitStack) -> float:
    """Have so many targets appear and ask for them; returns the seconds from the key to where all stand there, with their models.

    The header counts them: it names how many pass the filter.
    """
    for key in typing("emulated"):
        if key.typed == _ESCAPE:
            break
        terminal.press(key.typed, key.effect)
    terminal.press(b"\r", lambda picture: not any(line.strip() == "emulated" for line in picture.lines))
    stack.enter_context(many(place, count))
    seconds = terminal.press(b"d", lambda picture: picture.has(f" {count} of "))
    terminal.press(_ESCAPE, lambda picture: not picture.has(" /emulated "))
    return seconds


def first_visits(terminal: Terminal) -> Iterator[Key]:
    """To each section once."""
    terminal.shows(lambda picture: picture.selected != "", "the list of devices")
    return (section(name, _FIRST) for name in _SECTIONS)


def rounds(picture: Picture) -> Iterator[Key]:
    """For ever."""
    while True:
        yield from one_round(picture)


def type_keys(terminal: Terminal, keys: Iterator[Key], times: Times, *, count: int, until: float) -> None:
    """Type at most so many keys, at random moments, until that time of the monotonic clock."""
    dice = random.Random(count)  # noqa: S311  # moments, not secrets
    for _, key in zip(range(count), keys, strict=False):
        times.add(key.kind, terminal.press(key.typed, key.effect))
        terminal.rest(dice.uniform(*_PAUSE))
        if time.monotonic() >= until:
            return


def measure(
    place: Rig, size: tuple[int, int], *, loaded: bool, keys: int, seconds: float, devices: int = 0
) -> tuple[Times, Measured | None]:
    """Type into a new console; returns the times, and what the load saw."""
    times = Times()
    with Terminal(place, *size) as terminal, contextlib.ExitStack() as stack:
        type_keys(terminal, first_visits(terminal), times, count=len(_SECTIONS), until=time.monotonic() + seconds)
        if devices:
            times.add(_ALL, find_all(terminal, place, devices, stack))
        running = stack.enter_context(load(place, seconds)) if loaded else None
        type_keys(terminal, rounds(terminal.picture), times, count=keys, until=time.monotonic() + seconds)
        return times, running.measured() if running else None


def report(title: str, times: Times) -> Iterator[str]:
    """A line for each kind of key, and one for all."""
    yield f"{title:<26} {'keys':>5} {'median':>8} {'p95':>8} {'p99':>8} {'most':>8}   milliseconds"
    for kind, values in [*times.by_kind.items(), ("all keys but first visits", times.all)]:
        figures = [statistics.median(values), percentile(values, 95), percentile(values, 99), max(values)]
        yield f"  {kind:<24} {len(values):>5} " + " ".join(f"{each * 1000:>8.1f}" for each in figures)
    yield f"  p95 under {GOAL * 1000:.0f} ms: {'yes' if times.good else 'NO'}"


def _of_load(measured: Measured | None) -> Iterator[str]:
    if measured is not None:
        yield f"  meanwhile {measured.rate:,.0f} requests a second, 99 of 100 within {measured.p99 / 1e6:.1f} ms"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.keys", description=__doc__)
    parser.add_argument("--keys", type=int, default=500, help="at most, at each size, idle and loaded")
    parser.add_argument("--seconds", type=float, default=60.0, help="at most, at each size, idle and loaded")
    parser.add_argument("--exports", type=int, default=100)
    parser.add_argument("--devices", type=int, default=0, help="emulated targets that answer one broadcast")
    asked = parser.parse_args()
    if refusal := netns.enter():
        sys.exit(refusal)
    for columns, lines in SIZES:
        for loaded in (False, True):
            with rig(asked.exports) as place:
                times, measured = measure(
                    place, (columns, lines), loaded=loaded, keys=asked.keys, seconds=asked.seconds, devices=asked.devices
                )
            title = f"{columns}x{lines}, {'loaded' if loaded else 'idle'}"
            sys.stdout.write("\n".join([*report(title, times), *_of_load(measured)]) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
