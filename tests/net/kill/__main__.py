"""`python -m tests.net.kill [TIMES] [SEED]`: kill -9 the target so often, at any moment, and say what held."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

from tests.net.kill.rounds import run
from tests.support import netns


def main(times: int = 100, seed: int = 1) -> None:
    """In network namespaces of its own. Raises AssertionError for what did not hold."""
    if reason := netns.enter():
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as folder, netns.veth_pair() as pair:
        print(run(pair, Path(folder), times, random.Random(seed)))  # noqa: S311, T201  # no secret; its output


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
