"""A comparison that finds more differences than anybody wants to read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from aoetui.engine.commands.copying import StartCopy, TaskKind, TaskState
from aoetui.engine.initiator.image_file import SourceFile
from aoetui.engine.initiator.restoring import MOST_FRAGMENTS, CompareCopy
from aoetui.engine.protocol.wire import ATA_HEADER, SECTOR
from tests.unit.protocol.fake_wire import E91, FakeDisk

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import pytest

SECTORS = 6 * MOST_FRAGMENTS


def test_every_other_sector_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted, and the first of them told: not a range is kept for each."""
    path = tmp_path / "image"
    path.write_bytes(bytes(SECTORS * SECTOR))
    known = SimpleNamespace(identity=FakeDisk(SECTORS).identity, left_out=())
    compare = CompareCopy(
        cast("Any", None), cast("Any", None), StartCopy(TaskKind.COMPARE, E91, path), cast("Any", known), SourceFile(path)
    )
    transfer = SimpleNamespace(bad=[(7, 8)], paths=[], remaining=list)
    most = 0

    def carry(_transfer: object, take: Any, _watch: object) -> str:  # noqa: ANN401  # the wire's place is taken
        nonlocal most
        frame = bytes(ATA_HEADER) + bytes(SECTOR) + b"\1" * SECTOR
        for lba in range(SECTORS - 2, -2, -2):
            take([(lba, 2, frame)])
            most = max(most, len(compare._different))
        return ""

    monkeypatch.setattr(compare, "_transfer", lambda _ranges: transfer)
    monkeypatch.setattr(compare, "_carry", carry)
    outcome = compare.run(cast("Any", None))
    compare.source.close()
    assert outcome.state is TaskState.FAILED
    assert most <= 2 * MOST_FRAGMENTS
    assert outcome.sectors == SECTORS // 2 + 1
    assert outcome.ranges[:2] == ((1, 2), (3, 4))
    assert f"differ in {SECTORS // 2 + 1} sectors in more than" in outcome.text
    assert "the first of them 1 (1 of them cannot be read)" in outcome.text
