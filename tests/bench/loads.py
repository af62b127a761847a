"""The load generator (`load.c`) as the benchmark uses it: what to do, started at the far end of a cable, and what it measured."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.c_program import compiled_c

from .processors import LOAD_CORE, ended, pinned

if TYPE_CHECKING:
    from tests.support.netns import Namespace

SHELF, SLOT = 9, 1
"""Where a target's only export is."""
_NOTHING_THERE = 3
"""Its exit code."""
_GRACE = 700.0
"""Seconds beyond its own that a load may take: it reads everything once, or waits for the first answer."""


class LoadError(Exception):
    """The load generator could not do its work; says why."""


class NothingAnsweredError(LoadError):
    """There is no target, or it answered no request in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to ask of a target. Ends after `seconds`, or after `requests` if that is sooner."""

    write: bool = False
    random: bool = False
    window: int = 1
    """Requests under way, 1 to 1024."""
    seconds: float = 1.0
    requests: int | None = None
    sectors: int = 0
    """Of each request; 0: what the target advertises."""
    exports: int = 1
    """Above 1: so many addresses in turn, slots 0 to 99 of each shelf from SHELF on."""
    initiators: int = 1
    """Source addresses in turn."""
    slot: int = SLOT
    verify: bool = False
    """Write a pattern that tells sectors apart; compare with it what is read."""
    warm: bool = False
    """First read everything once."""
    wait: float = 10.0
    """Seconds that the first answer may take."""

    def words(self) -> list[str]:
        """As options of the program."""
        flags = {"--write": self.write, "--random": self.random, "--verify": self.verify, "--warm": self.warm}
        numbers = {
            "--window": self.window,
            "--seconds": self.seconds,
            "--requests": self.requests,
            "--sectors": self.sectors,
            "--exports": self.exports,
            "--initiators": self.initiators,
            "--shelf": SHELF,
            "--slot": self.slot,
            "--wait": self.wait,
        }
        given = [word for name, value in numbers.items() if value is not None for word in (name, str(value))]
        return [name for name, wanted in flags.items() if wanted] + given


@dataclass(frozen=True, slots=True)
class Measured:
    """What a load saw. Times in nanoseconds; `median` and `p99` of the time from a request to its answer."""

    requests: int
    """Answered within the measured span."""
    nanoseconds: int
    median: float
    p99: float
    resends: int
    errors: int
    wrong: int
    """Answers whose data was not the pattern."""
    sectors: int
    load_time: int
    """Processor time of the load generator within the span,"""
    target_time: int
    """and of the target's process, all its threads."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.nanoseconds * 1e9

    @property
    def cost(self) -> float:
        """Processor time of the target for a request, in microseconds."""
        return self.target_time / self.requests / 1e3

    @property
    def load_cost(self) -> float:
        """Processor time of the load generator for a request, in microseconds."""
        return self.load_time / self.requests / 1e3

    @property
    def target_busy(self) -> float:
        """Share of one core that the target used."""
        return self.target_time / self.nanoseconds

    @property
    def load_busy(self) -> float:
        """Share of one core that the load generator used."""
        return self.load_time / self.nanoseconds


def measure(namespace: Namespace, link: str, load: Load, process: int = 0) -> Measured:
    """Run a load on a link, and take the processor time of the target's process.

    Raises LoadError when nothing answers or the load does not end.
    """
    program = compiled_c(Path(__file__).with_name("load.c"))
    words = pinned(LOAD_CORE, [str(program), "--interface", link, "--process", str(process), *load.words()])
    with ended(namespace.popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)) as running:
        try:
            output, complaint = running.communicate(timeout=load.seconds + _GRACE)
        except subprocess.TimeoutExpired as late:
            raise LoadError(f"the load generator did not end within {late.timeout:.0f} s") from late
    if running.returncode == _NOTHING_THERE:
        raise NothingAnsweredError(complaint.strip())
    if running.returncode:
        raise LoadError(f"the load generator ended with {running.returncode}: {complaint.strip()}")
    measured = Measured(**json.loads(output))
    if not measured.requests:
        raise NothingAnsweredError(f"no request was answered within {load.seconds} s")
    return measured
