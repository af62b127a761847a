"""A running target under fuzzed frames: a short seeded run over a cable, with a real file."""

from __future__ import annotations

import pytest

from tests.fuzz import wire

COUNT = 4000


@pytest.mark.usefixtures("private_network")
@pytest.mark.parametrize("mtu", [1500, 9000])
def test_seeded_run(mtu: int) -> None:
    figures = wire.run(21, COUNT, mtu=mtu)
    assert figures.frames == COUNT
    expected = {"AoE error 1", "AoE error 2", "AoE error 6", "ATA error 04h", "ATA error 10h", "config string", "mask list"}
    assert figures.answers.keys() >= expected | {"ATA", "ATA with data", "reservation"}
