"""What debugfs tells of a device, mainline's form and the standalone driver's, and whatever else may stand there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.commands.kernel import KernelFigures, KernelPath
from aoetui.engine.kernel.figures import parse_figures
from aoetui.engine.protocol.address import Mac

MAINLINE = """rttavg: 34938 rttdev: 3141
nskbpool: 0
kicked: 2
maxbcnt: 1024
ref: 1
falloc: 140
ffree: 00000000913544cc
b6f61dd85ecb:3:64:128
\tssthresh:32
\ttaint:0
\tr:548
\tw:1770
\teth0,eth1.100
falloc: 4
ffree: 0000000000000000
525400a0e001:0:1:16
\tssthresh:8
\ttaint:5
\tr:1
\tw:0
\teth2
"""
"""The first half as Linux 6.1 wrote it."""
STANDALONE = """rttavg: 1200 rttdev: 90
nskbpool: 0
kicked: 0
maxbcnt: 8704
ref: 0
525400a0e001:0:16:16
\tfalloc: 16
\tffree: 0xffff88003c0a1b00
\tssthresh:16
\tlost:12
\ttaint:0
\tr:6000
\tw:4000
\teth1
"""


def test_mainline() -> None:
    assert parse_figures(MAINLINE) == KernelFigures(
        rtt_us=34938,
        deviation_us=3141,
        kicked=2,
        references=1,
        paths=(
            KernelPath(Mac.parse("b6:f6:1d:d8:5e:cb"), ("eth0", "eth1.100"), 3, 64, 128, 32, None, 0, 548, 1770),
            KernelPath(Mac.parse("52:54:00:a0:e0:01"), ("eth2",), 0, 1, 16, 8, None, 5, 1, 0),
        ),
    )


def test_standalone_counts_what_was_lost() -> None:
    figures = parse_figures(STANDALONE)
    assert [(path.lost, path.reads, path.writes) for path in figures.paths] == [(12, 6000, 4000)]
    assert figures.loss == pytest.approx(0.0012)


def test_the_loss_of_a_driver_that_does_not_count_it_is_unknown() -> None:
    assert parse_figures(MAINLINE).loss is None


LINES = st.sampled_from([*MAINLINE.splitlines(), *STANDALONE.splitlines()])


@given(st.one_of(st.text(max_size=300), st.lists(st.one_of(LINES, st.text(max_size=40))).map("\n".join)))
def test_any_text_has_figures(text: str) -> None:
    """It raises nothing, and makes no path up."""
    figures = parse_figures(text)
    assert len(figures.paths) <= sum(line.count(":") >= 3 for line in text.splitlines())


@given(st.lists(LINES, max_size=40), st.integers(0, 400))
def test_a_text_that_is_cut_off_keeps_what_stood_before(lines: list[str], length: int) -> None:
    whole = "\n".join(lines)
    cut, kept = parse_figures(whole[:length]), parse_figures(whole)
    assert [path.mac for path in cut.paths] == [path.mac for path in kept.paths][: len(cut.paths)]


def test_numbers_without_end_are_no_numbers() -> None:
    assert parse_figures(f"rttavg: {'9' * 5000}\n525400a0e001:{'9' * 5000}:1:1\n") == KernelFigures(None, None, None, None, ())
