"""The compiled lane under generated batches: it answers as the reference path, one request after the other, would have.

And the comparison can fail: it finds each lane, and each reference, that is broken on purpose.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from aoetui.engine.fast_path import SWITCH, fast_path
from aoetui.engine.protocol import repeats, replies, target
from aoetui.engine.protocol.replies import ata_head
from tests.fuzz.__main__ import main
from tests.fuzz.findings import Finding
from tests.support.engines import PREPARING

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.protocol.address import Address
    from aoetui.engine.protocol.facts import ExportFacts, PortFacts
    from aoetui.engine.protocol.header import Header
    from aoetui.engine.protocol.replies import WriteBlocks
    from tests.fuzz.compiled import Stage

COUNT = 30_000
BROKEN_COUNT = 60_000

if os.environ.get(SWITCH) == "0":
    pytest.skip(f"{SWITCH}=0 is set: there is no compiled data path", allow_module_level=True)
pytest.importorskip("numba", reason="numba is not installed: there is no compiled data path")
fast_path.wait(PREPARING)  # in another process, that is, where it is not kept yet: a test that compiles takes a minute

from aoetui.engine.fast import tables  # noqa: E402 - there is numba
from tests.fuzz import compiled  # noqa: E402
from tests.fuzz.lane_rig import DROPPED  # noqa: E402


@pytest.mark.parametrize("seed", [20, 21])
def test_lane_answers_as_the_reference_path(seed: int) -> None:
    tally = compiled.run(seed, COUNT)
    assert tally.frames == COUNT
    # How many repeats the lane answers hangs on how fast it is: what waited too long is routed.
    assert tally.fates[tables.REPEAT] > 10, tally.report()
    assert all(tally.fates[fate] > 100 for fate in (tables.READ, tables.WRITE, tables.ROUTE, DROPPED)), tally.report()
    assert tally.fates[tables.READ] + tally.fates[tables.WRITE] > COUNT / 3, "too little of it tests the lane"


def _rows(stage: Stage) -> list[tuple[int, ExportFacts]]:
    """The lane's rows, and the exports in them."""
    return [(path.fast._rows[stage.rig.lane], path.facts.now) for path in stage.paths]


def _one_sector_more(stage: Stage) -> None:
    for row, facts in _rows(stage):
        stage.rig.exports[row, tables.X_SECTORS] = facts.sectors + 1


def _one_sector_off(stage: Stage) -> None:
    for (row, _), model in zip(_rows(stage), stage.models, strict=True):
        stage.rig.exports[row, tables.X_BASE] = model.base + 512


def _one_buffer_more(stage: Stage) -> None:
    for row, facts in _rows(stage):
        stage.rig.exports[row, tables.X_BUFFERS] = facts.buffer_count + 1


def _one_buffer_less(stage: Stage) -> None:
    for row, facts in _rows(stage):
        stage.rig.exports[row, tables.X_BUFFERS] = facts.buffer_count - 1


def _open_gates(stage: Stage) -> None:
    stage.rig.exports[:, tables.X_GATE] = 0


def _all_may(stage: Stage) -> None:
    stage.rig.tables.initiators[:, tables.I_MAY] = 3


def _no_memory(stage: Stage) -> None:
    stage.rig.tables.writes[:, tables.W_PLACE] = -1


def _no_tag_is_reused(stage: Stage) -> None:
    stage.rig.tables.initiators[:, tables.I_REUSED] = 0
    stage.rig.tables.tags[:] = 0


def _another_mac(stage: Stage) -> None:
    stage.rig.tables.port[tables.MAC] = 0x02000000000A


def _all_vlans(stage: Stage) -> None:
    stage.rig.tables.port[tables.VLAN] = 0


def _longer_frames(stage: Stage) -> None:
    stage.rig.tables.port[tables.SECTOR_COUNT] = stage.port.sector_count + 1


def _miscount(stage: Stage) -> None:
    stage.rig.tables.initiators[:, tables.I_READ_BYTES] += 512


def _lost_route(stage: Stage) -> None:
    port = stage.rig.tables.port
    port[tables.FIFO_READ] = port[tables.FIFO_WRITTEN]


@pytest.mark.parametrize(
    "fault",
    [
        _one_sector_more,
        _one_sector_off,
        _one_buffer_more,
        _one_buffer_less,
        _open_gates,
        _all_may,
        _no_memory,
        _no_tag_is_reused,
        _another_mac,
        _all_vlans,
        _longer_frames,
        _miscount,
        _lost_route,
    ],
)
def test_broken_lane_is_found(fault: Callable[[Stage], None]) -> None:
    with pytest.raises(Finding, match=r"python -m tests.fuzz --compiled --seed 1 --first"):
        compiled.run(1, BROKEN_COUNT, fault=fault)


def _echoing(intent: WriteBlocks) -> bytes:
    return (intent.head + b"\x01").ljust(60, b"\0")


def _all_flags(header: Header, frame: bytes | memoryview, address: Address, port: PortFacts) -> bytes:
    head = bytearray(ata_head(header, frame, address, port))
    head[24] = frame[24]
    return bytes(head)


@pytest.mark.parametrize(
    ("where", "name", "instead"),
    [
        (replies, "write_reply", _echoing),
        (target, "ata_head", _all_flags),
        (target, "_MASK_28", 0x1FFF_FFFF),
        (repeats.Repeats, "is_repeat", lambda *_: False),
        (repeats, "MEMORY_SECONDS", 10.0),
        (repeats.TagUse, "note", lambda *_: None),
    ],
)
def test_difference_from_a_broken_reference_is_found(where: object, name: str, instead: object) -> None:
    with patch.object(where, name, instead), pytest.raises(Finding):
        compiled.run(1, BROKEN_COUNT)


def test_finding_is_found_again() -> None:
    with patch.object(replies, "write_reply", _echoing), pytest.raises(Finding) as found:
        compiled.run(1, BROKEN_COUNT)
    words = re.search(r"python -m tests.fuzz (.+)", found.value.place)
    assert words
    with patch.object(replies, "write_reply", _echoing):
        assert main(words[1].split()) == 1
    assert main(words[1].split()) == 0
