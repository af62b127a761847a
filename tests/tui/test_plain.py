"""Foreign text cannot act on the terminal, the markup or the layout; figures read as people write them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from aoetui.widgets import figures
from aoetui.widgets.plain import plain, printable


@given(st.one_of(st.binary(max_size=400), st.text(max_size=400)), st.integers(0, 120))
def test_what_comes_out_is_printable_and_short(value: str | bytes, limit: int) -> None:
    """Whatever goes in."""
    text = printable(value, limit)
    assert cell_len(text) <= limit
    assert {unicodedata.category(each)[0] for each in text}.isdisjoint({"C", "M"})
    assert "\n" not in text


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_ordinary_text_stays_as_it_is(value: str) -> None:
    """Only the padding behind it goes."""
    assert printable(value) == value.rstrip(" ")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("disk[/x]", "disk[/x]"),
        ("\x1b[31mred", "·[31mred"),
        ("\x9b2J", "·2J"),
        ("a\u202eb", "a·b"),
        ("one\ntwo", "one·two"),
        (b"web01\0\0\0", "web01"),
        (b"\xff\xfe", "��"),
        ("e\u0301", "é"),
        ("a\u1160\u200bb", "a··b"),
        ("", ""),
    ],
)
def test_hostile_text(given: str | bytes, shown: str) -> None:
    """Controls, C1, bidi overrides, line ends and padding."""
    assert plain(given).plain == shown


def test_long_text_says_that_it_was_cut() -> None:
    """Wide characters count as two."""
    assert printable("x" * 300, 10) == "xxxxxxx..."
    assert printable("磁盘磁盘磁盘", 8) == "磁盘..."


@pytest.mark.parametrize(
    ("function", "value", "shown"),
    [
        (figures.size, 0, "0 B"),
        (figures.size, 512, "512 B"),
        (figures.size, 10_737_418_240, "10.7 GB"),
        (figures.size, 412_000_000, "412 MB"),
        (figures.size, 1e12, "1.0 TB"),
        (figures.rate, 412e6, "412 MB/s"),
        (figures.count_rate, 38_100.0, "38.1k/s"),
        (figures.count_rate, 250.0, "250/s"),
        (figures.payload, 8704, "8.7k"),
        (figures.payload, 1024, "1.0k"),
        (figures.payload, 512, "512"),
        (figures.payload, 0, "-"),
        (figures.age, 0.3, "now"),
        (figures.age, 41, "41s"),
        (figures.age, 200, "3m"),
        (figures.age, 7300, "2h"),
        (figures.age, 200_000, "2d"),
        (figures.ago, 1.0, "now"),
        (figures.ago, 41, "41s ago"),
        (figures.duration, 64.0, "64us"),
        (figures.duration, 410.0, "0.41ms"),
        (figures.duration, 4096.0, "4.1ms"),
        (figures.duration, 41_000.0, "41ms"),
        (figures.duration, 1_200_000.0, "1.2s"),
        (figures.duration, None, "-"),
        (figures.microseconds, 110.0, "0.11ms"),
        (figures.microseconds, None, "-"),
    ],
)
def test_figures(function: object, value: float | None, shown: str) -> None:
    """As they stand in the columns."""
    assert callable(function)
    assert function(value) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"), [(0, 0, "0%"), (0, 9, "0%"), (1, 5000, "<.1%"), (1, 80, "1.2%"), (7, 10, "70%"), (9, 9, "100%")]
)
def test_percent(part: int, whole: int, shown: str) -> None:
    """Something is never nothing."""
    assert figures.percent(part, whole) == shown


def test_many() -> None:
    """One is not many."""
    assert [figures.many(number, "path") for number in (0, 1, 2)] == ["0 paths", "1 path", "2 paths"]
