"""`python -m tests.bench.reading`: the rate of `aoetui read` as a ratio to the C load generator's, at the same window.

Both read vblade, or ours, one after the other in each round, on the same core. What `aoetui read` needs to start is not counted:
it tells how long its copy took. It writes what it reads to a file; `aoetui bench`, which does not, stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import netns
from tests.support.program import environment

from .loads import SHELF, SLOT, Load, LoadError
from .processors import LOAD_CORE, pinned
from .targets import Bench, Running, ours, vblade

if TYPE_CHECKING:
    from collections.abc import Sequence

ADDRESS = f"e{SHELF}.{SLOT}"
TARGETS = {"vblade": vblade, "aoetui": ours}
_DEADLINE = 300.0


@dataclass(slots=True)
class Cell:
    """Rates in bytes a second, by round."""

    load: list[float] = field(default_factory=list)
    read: list[float] = field(default_factory=list)
    bench: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        of_read, of_bench = (
            statistics.median(ours / theirs for ours, theirs in zip(rates, self.load, strict=True))
            for rates in (self.read, self.bench)
        )
        load, read, bench = (statistics.median(rates) / 1e6 for rates in (self.load, self.read, self.bench))
        return f"load {load:7.1f} MB/s  read {read:7.1f} MB/s, ratio {of_read:.2f}  bench {bench:7.1f} MB/s, ratio {of_bench:.2f}"


def aoetui(running: Running, folder: Path, *words: str) -> dict[str, Any]:
    """The result of a verb, on the load's core. Raises LoadError if it did not do what it was asked."""
    link = running.pair.far_link
    command = pinned(LOAD_CORE, [sys.executable, "-m", "aoetui", words[0], "-i", link, "--json", *words[1:]])
    ended = running.pair.far.run(
        lambda: subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(folder),
            timeout=_DEADLINE,
            check=False,
        )
    )
    if ended.returncode:
        raise LoadError(f"aoetui {words[0]} ended with {ended.returncode}: {ended.stderr.strip()}")
    task: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])["task"]
    return task


def measure_round(cell: Cell, running: Running, folder: Path, window: int, seconds: float) -> None:
    """One round of a cell."""
    measured = running.load(Load(window=window, seconds=seconds))
    cell.load.append(measured.rate * measured.sectors * 512)
    image = folder / "image"
    copied = aoetui(running, folder, "read", "--window", str(window), "--overwrite", ADDRESS, str(image))
    cell.read.append(copied["total"] / copied["seconds"])
    image.unlink()
    task = aoetui(running, folder, "bench", "--window", str(window), "--seconds", str(seconds), ADDRESS)
    figures = task["bench"]
    cell.bench.append(figures["requests"] * figures["sector_count"] * 512 / figures["seconds"])


def main(words: Sequence[str]) -> int:
    """Measure, a line for each cell."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reading", description=__doc__)
    parser.add_argument("--target", choices=TARGETS, default="vblade")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each load")
    parser.add_argument("--size", type=int, default=256, metavar="MIB", help="of the disk, which is read whole in each round")
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--mtu", type=int, nargs="+", default=[1500, 9000])
    parser.add_argument("--folder", type=Path, help="where disk and image are made; the place of temporary files if not given")
    options = parser.parse_args(words)
    if os.geteuid():
        parser.error("run it as root: it makes network namespaces, and gives each program a core")
    if refusal := netns.enter():
        parser.error(refusal)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="aoetui-bench-") as name:
        folder = Path(name)
        for mtu in options.mtu:
            with Bench(folder, options.size << 20).at_work(TARGETS[options.target](), mtu) as running:
                running.load(Load(window=16, warm=True, requests=1))
                cells = {window: Cell() for window in options.windows}
                for _ in range(options.rounds):
                    for window, cell in cells.items():
                        measure_round(cell, running, folder, window, options.seconds)
                for window, cell in cells.items():
                    print(f"{options.target}, MTU {mtu}, window {window:3}: {cell}", flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
