"""A few rounds of `python -m tests.net.kill`."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.net.kill.rounds import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import VethPair


def test_a_target_that_is_killed_leaves_whole_files_and_its_initiator_goes_on(veth_pair: VethPair, tmp_path: Path) -> None:
    figures = run(veth_pair, tmp_path, 4, random.Random(1))  # noqa: S311  # no secret
    assert figures.killed == 4
    assert figures.writes
    assert figures.changes
    assert figures.edits
