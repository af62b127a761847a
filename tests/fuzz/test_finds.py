"""The fuzzer can fail: it finds each target that is broken on purpose, and says how to see it again."""

from __future__ import annotations

import re

import pytest

from tests.fuzz import pure, wire
from tests.fuzz.__main__ import main
from tests.fuzz.faults import broken
from tests.fuzz.findings import ALLOWED_GROWTH, Figures, Finding

COUNT = 20_000
FOUND = {
    "echo": "holds what no field of its frame covers",
    "raise": "on purpose",
    "read too far": "and not",
    "write too far": "are not what was written",
}
"""On the wire."""


@pytest.mark.parametrize("fault", ["echo", "raise", "read too far", "believe anybody"])
def test_pure_run_finds(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    with broken(fault), pytest.raises(Finding) as found:
        pure.run(1, COUNT)
    words = re.search(r"python -m tests.fuzz (.+)", found.value.place)
    assert words
    with broken(fault):
        assert main(words[1].split()) == 1
    assert found.value.frame.hex() in capsys.readouterr().err
    assert main(words[1].split()) == 0


@pytest.mark.usefixtures("private_network")
@pytest.mark.parametrize("fault", FOUND)
def test_wire_run_finds(fault: str) -> None:
    with pytest.raises(Finding) as found:
        wire.run(1, COUNT, fault=fault)
    assert FOUND[fault] in found.value.what


def test_memory_that_grows_is_found() -> None:
    figures = Figures(100)
    for sample in range(101):
        figures.frames = sample
        figures.sample((50 << 20) + sample * ALLOWED_GROWTH // 100)
    figures.judge_memory()
    figures.frames = 101
    figures.sample((50 << 20) + 2 * ALLOWED_GROWTH)
    with pytest.raises(Finding, match="resident memory grew"):
        figures.judge_memory()
