"""`python -m tests.bench`: our target beside vblade and others, in private namespaces, and the ratios between them.

Needs root, a C compiler, taskset and vblade. Ends by itself; --quick takes some minutes, the whole about half an hour.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import netns

from .loads import LoadError
from .machine import describe
from .rounds import CELLS, Rounds, measure_cells
from .samples import Results
from .special import SPECIAL, watch_memory
from .tables import report
from .targets import ALONE, OURS_INTERPRETED, PIECE, Bench, null, other, ours, vblade

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .samples import Sample

_QUICK_ROUNDS, _ROUNDS = 2, 7
_QUICK_SECONDS, _SECONDS = 0.4, 1.5
_MEBIBYTES = 256


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def _arguments() -> argparse.ArgumentParser:
    names = ", ".join((CELLS[0].name, "...", *SPECIAL))
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few and short rounds: to see that it works, not to judge by")
    parser.add_argument("--rounds", type=int, help=f"of each cell; {_ROUNDS} if not given")
    parser.add_argument("--seconds", type=float, help=f"of each load; {_SECONDS} if not given")
    parser.add_argument("--cells", default="*", metavar="PATTERN", help=f"only these, with * and ?: {names}")
    parser.add_argument(
        "--other", action="append", default=[], metavar="NAME=COMMAND", help="a further target; {shelf} {slot} {interface} {path}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all results there, for tests.bench.report")
    parser.add_argument("--memory", type=float, default=0, metavar="MINUTES", help="watch our target's memory under load so long")
    parser.add_argument("--folder", type=Path, help="where the backings are made; the place of temporary files if not given")
    parser.add_argument(
        "--piece", type=int, default=PIECE, metavar="BYTES", help=f"a backing is made by writes of so many; {PIECE} if not given"
    )
    parser.add_argument("--size", type=int, default=_MEBIBYTES, metavar="MIB", help=f"of a backing; {_MEBIBYTES} if not given")
    return parser


def _measured(bench: Bench, rounds: Rounds, options: argparse.Namespace) -> Iterator[Sample]:
    """Every sample of the cells that are wanted."""
    cells = [cell for cell in CELLS if fnmatch.fnmatch(cell.name, options.cells)]
    if cells:
        targets = [ours(), vblade(), ours(name=OURS_INTERPRETED, extra=ALONE), null(), *map(other, options.other)]
        yield from measure_cells(bench, targets, cells, rounds)
    for name, measure in SPECIAL.items():
        if fnmatch.fnmatch(name, options.cells):
            yield from measure(bench, rounds)


def run(options: argparse.Namespace) -> Results:
    """All that is asked for. Raises LoadError; what was measured before is kept in the file all the same."""
    rounds = Rounds(
        options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS),
        options.seconds or (_QUICK_SECONDS if options.quick else _SECONDS),
        _say,
    )
    results = Results(
        describe(),
        {
            "rounds": str(rounds.count),
            "seconds a load": f"{rounds.seconds:g}",
            "MiB a disk": str(options.size),
            "bytes a write when a disk is made": str(options.piece),
        },
    )
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="aoetui-bench-") as folder, _kept(results, options.json):
        bench = Bench(Path(folder), options.size << 20, options.piece)
        results.samples.extend(_measured(bench, rounds, options))
        if options.memory:
            results.memory.extend(watch_memory(bench, options.memory, _say))
    return results


@contextlib.contextmanager
def _kept(results: Results, path: Path | None) -> Iterator[None]:
    try:
        yield
    finally:
        if path is not None:
            results.write(path)


def main(words: Sequence[str]) -> int:
    """Measure, and print the tables."""
    parser = _arguments()
    options = parser.parse_args(words)
    if os.geteuid():
        parser.error("run it as root: it makes network namespaces, and gives each program a core")
    if refusal := netns.enter():
        parser.error(refusal)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was started ends with us, and its folder too
    try:
        print(report(run(options)))  # noqa: T201
    except (LoadError, ValueError) as error:
        _say("\n".join((str(error), *getattr(error, "__notes__", ()))))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
