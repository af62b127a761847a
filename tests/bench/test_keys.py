"""The benchmark of keys finds what each key shows, on the real console at both sizes."""

from __future__ import annotations

import pytest

from .console_rig import rig
from .keys import SIZES, Times, first_visits, one_round, percentile, report, type_keys
from .keys_terminal import Terminal


def test_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, percent) for percent in (1, 50, 95, 99)] == [1.0, 50.0, 95.0, 99.0]
    assert percentile([7.0], 95) == 7.0


@pytest.mark.usefixtures("private_network")
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_each_key_shows_what_it_is_waited_for(size: tuple[int, int]) -> None:
    """Every kind of key; none is found before it is typed."""
    times = Times()
    with rig(12) as place, Terminal(place, *size) as terminal:
        type_keys(terminal, first_visits(terminal), times, count=4, until=float("inf"))
        type_keys(terminal, one_round(terminal.picture), times, count=100, until=float("inf"))
        assert terminal.picture.section == "1 SAN"
    assert {kind: len(each) for kind, each in times.by_kind.items()} == {"first visit": 4, "move": 16, "section": 4, "filter": 4}
    assert "p95 under 60 ms" in "\n".join(report("idle", times))
