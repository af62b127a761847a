"""The IDENTIFY page: each word an initiator reads, and the way back."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.protocol.ata import Identity, identify_page, parse_identify
from aoetui.engine.protocol.frames import MalformedFrame


def words(sectors: int = 4096, *, serial: str = "S1", firmware: str = "0.1", write_cache: bool = False) -> tuple[int, ...]:
    """The page as 256 little-endian words."""
    page = identify_page(sectors=sectors, serial=serial, firmware=firmware, write_cache=write_cache)
    return struct.unpack("<256H", page)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (0, 0x0040),
        (47, 0x8000),
        (49, 0x0200),
        (50, 0x4000),
        (53, 0x0001),
        (80, 0x0070),
        (83, 0x7400),
        (84, 0x4000),
        (86, 0x3400),
        (87, 0x4000),
        (93, 0x400B),
    ],
)
def test_fixed_word(word: int, value: int) -> None:
    assert words()[word] == value


@pytest.mark.parametrize("write_cache", [True, False])
def test_write_cache_bits_tell_the_truth(*, write_cache: bool) -> None:
    page = words(write_cache=write_cache)
    assert (bool(page[82] & 0x20), bool(page[85] & 0x20)) == (write_cache, write_cache)


@pytest.mark.parametrize(
    ("sectors", "short", "long"),
    [
        (1, (1, 0), (1, 0, 0, 0)),
        (0x0FFF_FFFF, (0xFFFF, 0x0FFF), (0xFFFF, 0x0FFF, 0, 0)),
        (0x1000_0000, (0xFFFF, 0x0FFF), (0, 0x1000, 0, 0)),
        (0x0123_4567_89AB, (0xFFFF, 0x0FFF), (0x89AB, 0x4567, 0x0123, 0)),
        (2**48 - 1, (0xFFFF, 0x0FFF), (0xFFFF, 0xFFFF, 0xFFFF, 0)),
    ],
)
def test_size_words(sectors: int, short: tuple[int, ...], long: tuple[int, ...]) -> None:
    page = words(sectors)
    assert (page[60:62], page[100:104]) == (short, long)


@pytest.mark.parametrize(("sectors", "cylinders"), [(1, 0), (16 * 255 * 10 + 7, 10), (2**40, 0xFFFF)])
def test_geometry_is_capped(sectors: int, cylinders: int) -> None:
    page = words(sectors)
    assert page[54:57] == (cylinders, 16, 255)
    assert page[57] | page[58] << 16 == cylinders * 16 * 255


def test_texts_are_swapped_and_padded_with_spaces() -> None:
    page = identify_page(sectors=1, serial="ABC", firmware="0.1", write_cache=False)
    assert page[20:40] == b"BA C" + b" " * 16
    assert page[46:54] == b".0 1" + b" " * 4
    assert page[54:94] == b"oateiu" + b" " * 34


def test_texts_are_cut_and_made_ascii() -> None:
    page = identify_page(sectors=1, serial="é" + "x" * 30, firmware="123456789", write_cache=False)
    assert parse_identify(page) == Identity("aoetui", "?" + "x" * 19, "12345678", 1, lba48=True)


@pytest.mark.parametrize("sectors", [-1, 0, 2**48])
def test_impossible_size(sectors: int) -> None:
    with pytest.raises(ValueError, match="sectors are out of range"):
        identify_page(sectors=sectors, serial="", firmware="", write_cache=False)


def test_without_lba48_the_short_size_counts() -> None:
    page = list(words(4096))
    page[83] = page[86] = 0x4000
    page[100:104] = [9, 9, 9, 9]
    assert parse_identify(struct.pack("<256H", *page)) == Identity("aoetui", "S1", "0.1", 4096, lba48=False)


@pytest.mark.parametrize("word", [83, 86])
def test_either_word_says_lba48(word: int) -> None:
    page = list(words(2**40))
    page[169 - word] = 0
    assert parse_identify(struct.pack("<256H", *page)).sectors == 2**40


@pytest.mark.parametrize("length", [0, 1, 511])
def test_short_page(length: int) -> None:
    with pytest.raises(MalformedFrame):
        parse_identify(identify_page(sectors=1, serial="", firmware="", write_cache=False)[:length])


PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126))


@given(st.integers(1, 2**48 - 1), PRINTABLE, PRINTABLE, st.booleans(), st.binary(max_size=8))
def test_what_is_written_reads_the_same(sectors: int, serial: str, firmware: str, write_cache: bool, trailing: bytes) -> None:
    page = identify_page(sectors=sectors, serial=serial, firmware=firmware, write_cache=write_cache)
    assert len(page) == 512
    assert parse_identify(page + trailing) == Identity("aoetui", serial[:20], firmware[:8], sectors, lba48=True)


@given(st.binary(min_size=512, max_size=520))
def test_any_page_is_read(page: bytes) -> None:
    assert 0 <= parse_identify(page).sectors < 2**64
