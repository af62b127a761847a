"""`python -m tests.fuzz`: a given number of fuzzed frames, and the figures.

Exit code 1, with the frame, if one breaks the contract.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz import pure, wire
from tests.fuzz.findings import JUDGED, Finding, resident
from tests.support import netns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fuzz.compiled import Tally
    from tests.fuzz.findings import Figures

_EVERY = 10.0
"""Seconds between two lines about progress."""


class Progress:
    """Says now and then how far it is."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def show(self, figures: Figures) -> None:
        """One line, unless the last one is young."""
        if time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            print(f"{figures.frames:,} of {figures.total:,}, {figures.memory[-1][1] / (1 << 20):.1f} MiB", flush=True)  # noqa: T201

    def show_tally(self, tally: Tally) -> None:
        """The same of a compiled run."""
        if time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            print(f"of {tally.total:,}: {tally.report()}, {resident() / (1 << 20):.1f} MiB", flush=True)  # noqa: T201


def main(words: Sequence[str]) -> int:
    """Run, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="frames")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, metavar="CHUNK", help="where to begin, to see a finding again")
    parser.add_argument(
        "--wire", action="store_true", help="against a running target in private namespaces, not the pure machines"
    )
    parser.add_argument("--compiled", action="store_true", help="a compiled lane against the reference path; needs numba")
    parser.add_argument("--capture", type=Path, metavar="FILE", help="requests of a pcap before both, instead of made-up ones")
    parser.add_argument("--sectors", type=int, default=1 << 17, help="of the disks that were asked in the capture")
    parser.add_argument("--mtu", type=int, default=1500, help="of the wire")
    options = parser.parse_args(words)
    refusal = netns.enter() if options.wire else ""
    if refusal:
        parser.error(refusal)
    show = Progress().show
    try:
        if options.capture:
            return _captured(options.capture, options.sectors)
        if options.compiled:
            return _compiled(options.seed, options.count, options.first)
        if options.wire:
            figures = wire.run(options.seed, options.count, mtu=options.mtu, first=options.first, show=show)
        else:
            figures = pure.run(options.seed, options.count, first=options.first, show=show)
        print(figures.report())  # noqa: T201
        if options.count >= JUDGED:
            figures.judge_memory()
    except Finding as finding:
        print(finding, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _compiled(seed: int, count: int, first: int) -> int:
    from tests.fuzz import compiled

    print(compiled.run(seed, count, first=first, show=Progress().show_tally).report())  # noqa: T201
    return 0


def _captured(path: Path, sectors: int) -> int:
    from tests.fuzz import captured  # there may be no numba

    print(captured.run(path, sectors).report())  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
