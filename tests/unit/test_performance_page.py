"""The figures of docs/performance.md that follow from the source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aoetui.engine.memory import LIMIT
from aoetui.engine.packet_ring import RING_BYTES, stride_for
from aoetui.engine.protocol.wire import SECTOR

PAGE = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
MIB = 1 << 20


def figures(row: str) -> list[str]:
    """What stands in the last cell of a table's row."""
    found = re.search(rf"^\| {re.escape(row)}[^|]*\| ([^|]*) \|$", PAGE, re.MULTILINE)
    assert found, row
    return re.findall(r"[\d.]+", found[1])


def test_the_memory_of_a_port_is_what_the_tables_take() -> None:
    pytest.importorskip("numpy")
    from aoetui.engine.fast.tables import BATCH, FETCH, FETCHERS, MEMORY_BYTES

    longest = [stride_for(mtu) // SECTOR * SECTOR for mtu in (1500, 9000)]
    whole = [RING_BYTES + MEMORY_BYTES + (BATCH + FETCHERS * FETCH) * each for each in longest]
    assert figures("**together**") == [f"{each / MIB:.1f}" for each in whole]
    assert figures(f"buffers for {BATCH} reads") == [f"{BATCH * each / MIB:.1f}".removesuffix(".0") for each in longest]
    assert figures("buffers for these") == [str(FETCHERS * FETCH * each // MIB) for each in longest]
    assert f"requests of {FETCHERS} exports whose reads wait for the disk, {FETCH} of each" in PAGE


def test_the_parts_come_to_the_whole() -> None:
    section = PAGE[PAGE.index("\n## Memory\n") : PAGE.index("| **together**")]
    cells = re.findall(r"\| (\d[\d.]*)(?: and (\d+))? \|$", section, re.MULTILINE)
    whole = float(figures("**together**")[1])
    assert len(cells) >= 6
    assert sum(float(jumbo or small) for small, jumbo in cells) == pytest.approx(whole, abs=0.1 * len(cells))


def test_the_ring_and_what_may_wait_are_as_in_the_source() -> None:
    assert figures("receive ring") == figures("where it is interpreted") == [str(RING_BYTES // MIB)]
    assert f"at most {LIMIT // MIB} MiB over all exports" in PAGE
