"""The benchmark's parts do what they say; nothing here looks at time."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.c_program import no_compiler

from .goals import GOALS
from .loads import Load, Measured, NothingAnsweredError, measure
from .report import BEGIN, END, replaced
from .rounds import Cell, Rounds, measure_cells
from .samples import Results, Sample, read
from .tables import report
from .targets import Bench, null, other, ours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.netns import VethPair

    from .targets import Target

REQUESTS = 500
SIZE = 1 << 20
PATIENCE = 60.0
"""Seconds that a load may last at most; it ends with its last request."""
FEW = Load(requests=REQUESTS, window=16, seconds=PATIENCE)
MEASURED = Measured(100, 1_000_000, 10_000, 20_000, 0, 0, 0, 2, 300_000, 200_000)
SKIPS = no_compiler() or ("" if shutil.which("taskset") else "no taskset: install util-linux")


@pytest.fixture
def bench(private_network: None, tmp_path: Path) -> Bench:  # noqa: ARG001  # it may skip
    """Somewhere to measure."""
    if SKIPS:
        pytest.skip(SKIPS)
    return Bench(tmp_path, SIZE)


@pytest.mark.parametrize("make", [null, ours], ids=["null", "ours"])
@pytest.mark.parametrize("mtu", [1500, 9000])
def test_every_request_is_counted_once(bench: Bench, make: Callable[[], Target], mtu: int) -> None:
    with bench.at_work(make(), mtu) as running:
        for load in (FEW, replace(FEW, random=True, window=64), replace(FEW, write=True, window=1)):
            measured = running.load(load)
            assert (measured.requests, measured.errors, measured.wrong) == (REQUESTS, 0, 0)
            assert measured.sectors == (mtu - 36) // 512
            assert 0 < measured.median <= measured.p99 <= measured.nanoseconds
            assert measured.target_time > 0
            assert measured.load_time > 0


def test_data_is_compared(bench: Bench) -> None:
    with bench.file("disk") as path, bench.at_work(ours(), path=path) as running:
        before = running.load(replace(FEW, verify=True))
        written = running.load(replace(FEW, write=True, verify=True))
        after = running.load(replace(FEW, verify=True))
        assert (before.wrong, written.errors, after.wrong) == (REQUESTS, 0, 0)
        with path.open("r+b") as disk:
            disk.seek(7 * 512 + 100)
            disk.write(b"otherwise")
        assert running.load(replace(FEW, verify=True)).wrong == 1


def test_writes_are_never_empty_nor_alike(bench: Bench) -> None:
    with bench.file("disk") as path, bench.at_work(ours(), path=path) as running:
        sectors = running.load(replace(FEW, write=True)).sectors
        content, length = path.read_bytes(), sectors * 512
        pieces = [content[start : start + length] for start in range(0, REQUESTS * length, length)]
    assert len(set(pieces)) == REQUESTS
    assert all(any(piece[start : start + 512]) for piece in pieces for start in range(0, length, 512))


def test_many_initiators_are_answered(bench: Bench) -> None:
    with bench.at_work(ours()) as running:
        measured = running.load(replace(FEW, initiators=200))
    assert (measured.requests, measured.errors) == (REQUESTS, 0)


def test_where_nothing_answers_it_says_so(bench: Bench, veth_pair: VethPair) -> None:
    del bench
    with pytest.raises(NothingAnsweredError, match="nothing answered on far0"):
        measure(veth_pair.far, veth_pair.far_link, replace(FEW, wait=0.2))


def test_targets_take_turns(bench: Bench) -> None:
    targets = [null(), replace(null(), name="other")]
    lines: list[str] = []
    cells = [Cell("read", 1500, 16), Cell("randwrite", 1500, 1)]
    samples = list(measure_cells(bench, targets, cells, Rounds(2, 0.05, lines.append)))
    expected = [
        (cell, target, number)
        for cell in ("read-1500-16", "randwrite-1500-1")
        for number, order in enumerate((("null", "other"), ("other", "null")))
        for target in order
    ]
    assert [(sample.cell, sample.target, sample.round) for sample in samples] == expected
    assert len(lines) == len(samples)


@pytest.fixture
def results() -> Results:
    """Two rounds of ours and vblade in every cell of the first goal: ours is twice, then three times as fast."""
    return Results(
        {"cores": "2"}, {"rounds": "2"}, list(_samples()), [{"minutes": 0.0, "VmRSS": 5e7, "RssAnon": 4e7, "RssFile": 1e7}]
    )


def _samples() -> Iterator[Sample]:
    for cell in GOALS[0].cells:
        for number in range(2):
            yield Sample(cell, "vblade", number, 0.25, MEASURED)
            yield Sample(cell, "aoetui", number, 0.0, replace(MEASURED, requests=100 * (number + 2)))


def test_a_goal_is_judged_by_the_median_of_its_rounds(results: Results) -> None:
    lines = report(results).splitlines()
    assert "| rate against vblade, 16 and 64 in flight | at least 1.5 | 2.50 to 2.50 | met |" in lines
    assert "| rate against vblade, 16 and 64 in flight | read-1500-16 | at least 1.5 | 2.50 (2.00 to 3.00) | met |" in lines
    assert "| durable writes, 64 in flight, against vblade -s | at least 4 | not measured |  |" in lines


def test_a_goal_short_in_one_cell_is_not_met(results: Results) -> None:
    slow = [replace(each, measured=MEASURED) if each.cell == "read-1500-16" else each for each in results.samples]
    text = report(replace(results, samples=slow))
    assert "1.00 to 2.50 | met in 15 of 16 cells |" in text
    assert "| read-1500-16 | at least 1.5 | 1.00 (1.00 to 1.00) | short |" in text


def test_results_survive_their_file_and_later_ones_replace_them(results: Results, tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    results.write(first)
    assert read([first]) == results
    anew = [Sample("read-1500-16", "aoetui", 0, 0.0, MEASURED), Sample("read-1500-16", "vblade", 0, 0.0, MEASURED)]
    Results(samples=anew).write(second)
    both = read([first, second])
    assert both.of("read-1500-16", "aoetui") == [MEASURED]
    assert len(both.of("read-9000-16", "aoetui")) == 2
    assert both.memory == results.memory


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replaced(page, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert replaced(replaced(page, "newer"), "new") == replaced(page, "new")
    with pytest.raises(ValueError, match="needs one line"):
        replaced(f"{END}\n{BEGIN}", "new")


def test_another_target_is_a_name_and_a_command_line() -> None:
    target = other("ggaoed=ggaoed --config '{path} x' {interface}")
    assert target.command({"path": "/disk", "interface": "near0"}) == ["ggaoed", "--config", "/disk x", "near0"]
    with pytest.raises(ValueError, match="is no target"):
        other("ggaoed")


def test_nothing_names_a_host_or_a_place() -> None:
    from .machine import describe

    text = " ".join(describe().values())
    assert os.uname().nodename not in text
    assert "/home" not in text
