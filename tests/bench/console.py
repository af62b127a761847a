"""What an open console costs the data path: the rate with it, refreshing and typed into, against the same engine without one.

`python -m tests.bench.console [--rounds N] [--seconds S] [--json FILE]`. The target has one core, load generator and terminal the
other. Rounds alternate; a ratio is of two neighbours. What is painted is read and thrown away: drawing it would take time from
the load.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import itertools
import json
import os
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import netns
from tests.support.program import until

from .console_rig import ended, load, pinned, rig
from .goals import CONSOLE, WITH_CONSOLE, rate
from .machine import describe
from .rounds import Rounds
from .samples import Results
from .targets import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .console_rig import Rig
    from .loads import Measured

GOAL = 0.95
"""Of the rate without a console."""
TARGET_CORE, OTHER_CORE = 0, 1
_TYPED = (b"2", *[b"\x1b[B"] * 6, *[b"\x1b[A"] * 6, b"3", b"5", b"1", *[b"\x1b[B"] * 6, *[b"\x1b[A"] * 6)
"""Through the sections, and down and up both lists."""
_EVERY = 0.2
"""Seconds between two keys."""
_HEADLESS = """
import signal
from aoetui.cli.running import console_engine
engine = console_engine(None)
engine.start()
signal.pause()
"""
"""The console's engine, and nothing on top of it."""


@contextlib.contextmanager
def headless(place: Rig) -> Iterator[int]:
    """The engine alone; gives its process."""
    with ended(place.host.popen(pinned(TARGET_CORE, [sys.executable, "-c", _HEADLESS]), env=place.environment)) as process:
        yield process.pid


@contextlib.contextmanager
def with_console(place: Rig) -> Iterator[int]:
    """The engine under a console of 120x40 that is typed into; gives their process."""
    master, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    command = pinned(TARGET_CORE, [sys.executable, "-m", "aoetui"])
    process = place.host.popen(command, env=place.environment, preexec_fn=lambda: os.login_tty(os.dup(terminal)))
    os.close(terminal)
    painted, done = [0], threading.Event()
    threads = [
        threading.Thread(target=_read, args=(master, painted)),
        threading.Thread(target=_type, args=(master, painted, done)),
    ]
    with ended(process):
        for thread in threads:
            thread.start()
        yield process.pid
        assert process.poll() is None, f"the console has ended with {process.returncode}"
        done.set()
        threads[1].join()
    threads[0].join()
    os.close(master)


def _read(master: int, painted: list[int]) -> None:
    with contextlib.suppress(OSError):  # EIO: the console has ended
        while output := os.read(master, 65536):
            painted[0] += len(output)


def _type(master: int, painted: list[int], done: threading.Event) -> None:
    for key in itertools.cycle(_TYPED):
        if done.wait(_EVERY):
            return
        if painted[0]:
            os.write(master, key)


def measure(place: Rig, exports: int, *, console: bool, seconds: float) -> Measured:
    """Start the target, wait until it serves so many exports, and load it."""
    with with_console(place) if console else headless(place) as process:
        until(lambda: _served(place) >= exports, "all exports served")
        with load(place, seconds, core=OTHER_CORE, process=process) as running:
            return running.measured()


def _served(place: Rig) -> int:
    words = [sys.executable, "-m", "aoetui", "discover", "--json", "-i", place.guest_link, "--wait", "2"]
    process = place.guest.popen(words, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    output, _ = process.communicate()
    return len(json.loads(output)["devices"]) if output else 0


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.console", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10.0, help="of load in each half of a round")
    parser.add_argument("--exports", type=int, default=100)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all results there, for tests.bench.report")
    asked = parser.parse_args()
    if refusal := netns.enter():
        sys.exit(refusal)
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("two cores are needed: one for the target, one for the load")
    os.sched_setaffinity(0, {OTHER_CORE})
    results = Results(machine=describe())
    with rig(asked.exports) as place:

        def half(console: bool) -> Callable[[], Measured]:  # one of two loads
            return lambda: measure(place, asked.exports, console=console, seconds=asked.seconds)

        loads = {OURS: half(console=False), WITH_CONSOLE: half(console=True)}
        results.samples += Rounds(asked.rounds, asked.seconds, _say).alternate(CONSOLE, loads)
    _say(f"with a console against without: {results.ratio(CONSOLE, rate, WITH_CONSOLE, OURS)}, goal {GOAL}")
    if asked.json:
        results.write(asked.json)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
