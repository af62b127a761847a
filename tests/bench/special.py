"""The cells beside the main table: slow and stalled disks, durable writes, many exports, many initiators, memory over time."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.netns import veth_pair
from tests.support.slow_disk import SlowDisk
from tests.support.waiting import wait_until

from .engine import SERVING
from .loads import Load, LoadError, NothingAnsweredError
from .processors import memory, unpinned
from .rounds import common_sectors, loads_of
from .targets import OURS, Target, ours, vblade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .rounds import Rounds
    from .samples import Sample
    from .targets import Bench, Running

SLOW_DISK, STALLED, EXPORTS, INITIATORS, QUEUES = "slow-disk", "stalled", "exports", "initiators", "queues"
DURABLE = {"durable-write": Load(write=True, window=64), "durable-randwrite": Load(write=True, random=True, window=64)}
WITH_STALL, WITH_EXPORTS, WITH_INITIATORS = "one disk stalled", "1,000 exports", "200 initiators"
WITH_QUEUES = "two queues"
"""What stands in place of a target's name where two states of ours are compared."""
_LATENCY = 0.001
_SLOW_SIZE = 8 << 30
"""Large against what a cell reads of it: hardly a read finds its page in the cache."""
_EXPORTS, _INITIATORS = 1000, 200
_SETTLING = Load(window=64, random=True, seconds=0.5)
_SERVED_WITHIN = 300.0
_A_LOAD = 10.0
"""Seconds of one load while memory is watched."""


def slow_disk(bench: Bench, rounds: Rounds) -> Iterator[Sample]:
    """Random reads of a disk that takes 1 ms for each, 64 in flight."""
    load = Load(random=True, window=64, seconds=rounds.seconds)
    with contextlib.ExitStack() as stack:
        running = []
        for target in (ours(), vblade()):
            disk = stack.enter_context(_slow(bench, target.name, _SLOW_SIZE))
            running.append(stack.enter_context(bench.at_work(target, path=disk.path)))
        load = replace(load, sectors=common_sectors(running))
        for each in running:
            each.load(load)
        yield from rounds.alternate(SLOW_DISK, loads_of(running, load))


def durable(bench: Bench, rounds: Rounds) -> Iterator[Sample]:
    """Writes that are answered once stable storage has them, 64 in flight."""
    with bench.at_work(ours("-s")) as mine, bench.at_work(vblade("-s")) as theirs:
        sectors = common_sectors((mine, theirs))
        mine.settle()
        for cell, load in DURABLE.items():
            wanted = replace(load, seconds=rounds.seconds, sectors=sectors)
            yield from rounds.alternate(cell, loads_of((mine, theirs), wanted))


def stalled(bench: Bench, rounds: Rounds) -> Iterator[Sample]:
    """Random reads of one export, 16 in flight; then while 64 requests to another of the same process wait for its disk."""
    wanted = Load(random=True, window=16, seconds=rounds.seconds, slot=0)
    stuck = Load(random=True, window=64, seconds=0.3, slot=1)
    with (
        _slow(bench, STALLED, bench.size) as disk,
        bench.file("beside a stalled disk") as path,
        _engine(bench, [path, disk.path]) as running,
    ):
        running.settle(replace(_SETTLING, slot=0))
        for number in range(rounds.count):
            yield rounds.sample(STALLED, OURS, number, lambda: running.load(wanted))
            disk.stall()
            with contextlib.suppress(NothingAnsweredError):
                running.load(stuck)
            yield rounds.sample(STALLED, WITH_STALL, number, lambda: running.load(wanted))
            disk.go()
            wait_until(lambda: not disk.counts().under_way, "the end of what had stalled")


def exports(bench: Bench, rounds: Rounds) -> Iterator[Sample]:
    """Random reads over 1,000 exports in turn, and over one as large as all of them, 64 in flight."""
    wanted = Load(random=True, window=64, seconds=rounds.seconds)
    with contextlib.ExitStack() as stack:
        size = bench.size // _EXPORTS // 4096 * 4096
        paths = [stack.enter_context(bench.file(f"export {number}", size)) for number in range(_EXPORTS)]
        many = stack.enter_context(_engine(bench, paths))
        one = stack.enter_context(_engine(bench, [stack.enter_context(bench.file("one export", size * _EXPORTS))]))
        of_one, of_many = replace(wanted, slot=0), replace(wanted, exports=_EXPORTS)
        one.settle(replace(_SETTLING, slot=0))
        many.settle(replace(_SETTLING, exports=_EXPORTS))
        yield from rounds.alternate(EXPORTS, {OURS: lambda: one.load(of_one), WITH_EXPORTS: lambda: many.load(of_many)})


def initiators(bench: Bench, rounds: Rounds) -> Iterator[Sample]:
    """Random reads from 200 source addresses in turn, and from one, 64 in flight."""
    wanted = Load(random=True, window=64, seconds=rounds.seconds)
    from_many = replace(wanted, initiators=_INITIATORS)
    with bench.at_work(ours()) as running:
        running.settle()
        yield from rounds.alternate(
            INITIATORS, {OURS: lambda: running.load(wanted), WITH_INITIATORS: lambda: running.load(from_many)}
        )


def queues(bench: Bench, rounds: Rounds) -> Iterator[Sample]:
    """Random reads from 200 source addresses by one receive queue and by two, 64 in flight; no target is kept on one core."""
    wanted = Load(random=True, window=64, seconds=rounds.seconds, slot=0, initiators=_INITIATORS)
    with contextlib.ExitStack() as stack:
        loads = {}
        for name, count in ((OURS, 1), (WITH_QUEUES, 2)):
            running = stack.enter_context(_engine(bench, [stack.enter_context(bench.file(name))], count))
            unpinned(running.process.pid)
            running.settle(replace(_SETTLING, slot=0, initiators=_INITIATORS))
            loads[name] = partial(running.load, wanted)
        yield from rounds.alternate(QUEUES, loads)


SPECIAL: dict[str, Callable[[Bench, Rounds], Iterator[Sample]]] = {
    SLOW_DISK: slow_disk,
    "durable": durable,
    STALLED: stalled,
    EXPORTS: exports,
    INITIATORS: initiators,
    QUEUES: queues,
}


def watch_memory(bench: Bench, minutes: float, say: Callable[[str], None]) -> Iterator[dict[str, float]]:
    """What our target has in memory, at the start and every 10 seconds while it is loaded in every way in turn."""
    ways = itertools.cycle(
        Load(write=write, random=random, window=64, seconds=_A_LOAD) for write in (False, True) for random in (False, True)
    )
    with bench.at_work(ours()) as running:
        running.settle()
        begun = time.monotonic()
        while (passed := (time.monotonic() - begun) / 60) < minutes:
            taken = memory(running.process.pid)
            say(f"{passed:6.1f} min  " + "  ".join(f"{name} {size / 1e6:.1f} MB" for name, size in taken.items()))
            yield {"minutes": passed, **taken}
            running.load(next(ways))


@contextlib.contextmanager
def _slow(bench: Bench, name: str, size: int) -> Iterator[SlowDisk]:
    folder = bench.folder / f"slow {name}"
    folder.mkdir()
    with SlowDisk(folder, size, _LATENCY) as disk:
        yield disk


@contextlib.contextmanager
def _engine(bench: Bench, paths: Sequence[Path], queues: int = 1) -> Iterator[Running]:
    """One process that serves them all."""
    words = (sys.executable, "-m", "tests.bench.engine", "{interface}", str(queues), *map(str, paths))
    target = Target(f"engine of {len(paths)} by {queues}", words, {"PYTHONPATH": str(Path(__file__).parents[2])})
    with veth_pair() as pair, bench.start(target, pair, {"interface": pair.near_link}) as running:
        _await_service(running)
        yield running


def _await_service(running: Running) -> None:
    end = time.monotonic() + _SERVED_WITHIN
    while SERVING not in running.said():
        if running.process.poll() is not None or time.monotonic() > end:
            raise LoadError(f"{running.target.name} does not serve: {running.said()}")
        time.sleep(0.05)
