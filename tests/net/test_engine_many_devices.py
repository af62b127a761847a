"""Thousands of targets answer one broadcast."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import ChooseInterfaces, Discover
from aoetui.engine.snapshot import DeviceState
from tests import bench
from tests.support.c_program import compiled_c, no_compiler
from tests.support.engines import PATIENCE
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from aoetui.engine.local import LocalEngine
    from tests.support.netns import VethPair

COUNT = 5000
MANY = Path(bench.__file__).with_name("many.c")


@pytest.mark.skipif(bool(no_compiler()), reason=no_compiler())
def test_five_thousand_targets_answer_one_broadcast_and_none_is_lost(near: LocalEngine, veth_pair: VethPair) -> None:
    """Each is known with its size and serial; one event tells of all, and a second broadcast changes nothing."""
    near.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
    command = [str(compiled_c(MANY)), "far0", str(COUNT)]
    with veth_pair.far.popen(command, stdout=subprocess.PIPE, text=True) as targets:
        try:
            assert targets.stdout is not None
            assert targets.stdout.readline() == "ready\n"
            near.submit(Discover()).result(PATIENCE)
            wait_until(lambda: sum(each.size is not None for each in near.snapshot().devices) == COUNT, "all are known")
            before = near.snapshot()
            assert sorted(each.serial for each in before.devices) == sorted(f"many-{number}" for number in range(COUNT))
            assert {each.size for each in before.devices} == {(2048 + number) * 512 for number in range(COUNT)}
            assert {(each.state, len(each.paths)) for each in before.devices} == {(DeviceState.UP, 1)}
            assert len([event for event in near.events(0) if event.subject == "SAN"]) < 50
            near.submit(Discover()).result(PATIENCE)
            newest = max(each.last_seen for each in before.devices)
            wait_until(lambda: all(each.last_seen > newest for each in near.snapshot().devices), "all are heard again")
            after = near.snapshot()
            assert [(each.address, each.first_seen) for each in after.devices] == [
                (each.address, each.first_seen) for each in before.devices
            ]
            (link,) = [each for each in after.links if each.name == "near0"]
            if link.data_path == "compiled":  # else Python empties the ring, which so many fill: those are asked for again
                assert link.ring_dropped == 0
        finally:
            targets.kill()
