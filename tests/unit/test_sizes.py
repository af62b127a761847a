"""Sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.sizes import MAX_SIZE, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512", 512),
        ("1024B", 1024),
        ("10G", 10 * 2**30),
        ("10g", 10 * 2**30),
        ("512 MiB", 512 * 2**20),
        ("  1.5T ", 3 * 2**39),
        ("64kB", 64_000),
        ("64K", 65_536),
        ("64KiB", 65_536),
        ("10GB", 10_000_000_000),
        ("1MB", None),
        ("8191P", 8191 * 2**50),
    ],
)
def test_reads_units_as_truncate_does(text: str, size: int | None) -> None:
    if size is None:
        with pytest.raises(ValueError, match="512-byte sectors"):
            parse_size(text)
    else:
        assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "ten", "-1G", "10X", "10iB", "1e9", "\u0661\u0660G", "10 G G", "0x10", "10Gi", "1.G"])
def test_refuses_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size: write a number and a unit, as 10G"):
        parse_size(text)


@pytest.mark.parametrize(("text", "near"), [("1000", 1024), ("0", 512), ("511", 512), ("513", 1024), ("0.1K", 512)])
def test_names_the_next_whole_number_of_sectors(text: str, near: int) -> None:
    with pytest.raises(ValueError, match=f"the next that is one is {near}$"):
        parse_size(text)


@pytest.mark.parametrize("text", ["8192P", "9223372036854775808", "9999999999999999999P"])
def test_refuses_what_no_file_can_be(text: str) -> None:
    with pytest.raises(ValueError, match="choose at most 8191P"):
        parse_size(text)


@given(st.integers(min_value=1, max_value=MAX_SIZE // 512))
def test_reads_every_whole_number_of_sectors(sectors: int) -> None:
    assert parse_size(str(sectors * 512)) == sectors * 512


@given(st.text(max_size=30))
def test_raises_nothing_but_value_errors(text: str) -> None:
    try:
        size = parse_size(text)
    except ValueError:
        return
    assert size % 512 == 0
    assert 512 <= size <= MAX_SIZE
