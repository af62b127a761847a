"""The main table: every cell, every target, in turns."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .loads import Load
from .processors import stolen
from .samples import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .loads import Measured
    from .targets import Bench, Running, Target

WINDOWS = (1, 16, 64)
MTUS = (1500, 9000)
WAYS = {
    "read": Load(),
    "randread": Load(random=True),
    "write": Load(write=True),
    "randwrite": Load(write=True, random=True),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One way of loading, at one MTU."""

    way: str
    mtu: int
    window: int

    @property
    def name(self) -> str:
        """As `randread-1500-64`."""
        return f"{self.way}-{self.mtu}-{self.window}"


CELLS = tuple(Cell(way, mtu, window) for mtu in MTUS for window in WINDOWS for way in WAYS)


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often and how long each target is loaded in a cell, and who hears of it."""

    count: int
    seconds: float
    say: Callable[[str], None]

    def alternate(self, cell: str, loads: Mapping[str, Callable[[], Measured]]) -> Iterator[Sample]:
        """Every target's load once in each round; each round begins with another target."""
        names = list(loads)
        for number in range(self.count):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                yield self.sample(cell, name, number, loads[name])

    def sample(self, cell: str, name: str, number: int, load: Callable[[], Measured]) -> Sample:
        """One load, and what the host took away meanwhile."""
        taken, begun = stolen(), time.monotonic()
        measured = load()
        cores = (time.monotonic() - begun) * (os.cpu_count() or 1)
        steal = (stolen() - taken) / cores
        self.say(
            f"{cell:18} {name:24} {measured.rate:9.0f}/s  median {measured.median / 1e3:8.1f} us  "
            f"{measured.cost:7.2f} us each  busy {measured.target_busy:4.0%} load {measured.load_busy:4.0%}  "
            f"resent {measured.resends}  failed {measured.errors}  steal {steal:.0%}"
        )
        return Sample(cell, name, number, steal, measured)


def measure_cells(bench: Bench, targets: Sequence[Target], cells: Sequence[Cell], rounds: Rounds) -> Iterator[Sample]:
    """Each MTU's cells with all targets at work at once, each on its own cable; only one is loaded at a time."""
    for mtu in dict.fromkeys(cell.mtu for cell in cells):
        with contextlib.ExitStack() as stack:
            running = [stack.enter_context(bench.at_work(target, mtu)) for target in targets]
            sectors = common_sectors(running)
            for each in running:
                each.settle()
            for cell in (each for each in cells if each.mtu == mtu):
                load = replace(WAYS[cell.way], window=cell.window, seconds=rounds.seconds, sectors=sectors)
                yield from rounds.alternate(cell.name, loads_of(running, load))


def common_sectors(running: Iterable[Running]) -> int:
    """What all of them advertise."""
    return min(each.load(Load(requests=1)).sectors for each in running)


def loads_of(running: Iterable[Running], load: Load) -> dict[str, Callable[[], Measured]]:
    """The same load for each target."""
    return {each.target.name: _load(each, load) for each in running}


def _load(running: Running, load: Load) -> Callable[[], Measured]:
    return lambda: running.load(load)
