"""IDENTIFY pages in full: any page is read, known ones say what they are, and printed ones are read back."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.protocol.ata import identify_page, parse_identify
from aoetui.engine.protocol.header import MalformedFrame
from aoetui.engine.protocol.identify_page import identify_fields, identify_rows, parse_identify_text, words_of

PAGES = st.binary(min_size=512, max_size=512).map(lambda page: list(words_of(page)))
OURS = words_of(identify_page(sectors=20_971_520, serial="7f3a11c0", firmware="0.1.0", write_cache=True))


def told(words: list[int] | tuple[int, ...]) -> dict[str, str]:
    """Each field's value by its key."""
    return {field.key: field.value for field in identify_fields(words)}


def with_words(**changed: int) -> dict[str, str]:
    """A page of zeros, but for `w83=0x4400`."""
    words = [0] * 256
    for name, value in changed.items():
        words[int(name[1:])] = value
    return told(words)


@given(PAGES)
def test_any_page_is_read_and_no_key_stands_twice(words: list[int]) -> None:
    fields = identify_fields(words)
    assert len({field.key for field in fields}) == len(fields)
    assert all(field.value for field in fields)


@given(PAGES)
def test_it_agrees_with_what_an_initiator_reads(words: list[int]) -> None:
    """Linux takes word 83 for the size whatever its mark says; a person is told by the mark."""
    words[83] = words[83] & 0x3FFF | 0x4000
    identity = parse_identify(struct.pack("<256H", *words))
    fields = told(words)
    assert (fields.get("model", ""), fields.get("serial", "")) == (identity.model, identity.serial)
    assert fields["sectors"] == str(identity.sectors)


@given(PAGES)
def test_printed_words_are_read_back(words: list[int]) -> None:
    assert parse_identify_text("\n".join(identify_rows(words))) == tuple(words)


@given(PAGES)
def test_bytes_as_aoeping_prints_them_are_read_back(words: list[int]) -> None:
    raw = struct.pack("<256H", *words)
    rows = [" ".join(f"{byte:02x}" for byte in raw[at : at + 16]) + " " for at in range(0, 512, 16)]
    assert parse_identify_text("\n".join(["device identify response:", *rows, ""])) == tuple(words)


@given(st.text())
def test_any_other_text_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="no IDENTIFY page"):
        parse_identify_text(text)


@given(st.binary(max_size=511))
def test_a_short_page_is_malformed(page: bytes) -> None:
    with pytest.raises(MalformedFrame, match="512 bytes"):
        words_of(page)


def test_our_own_page_in_full() -> None:
    assert told(OURS) == {
        "model": "aoetui",
        "serial": "7f3a11c0",
        "firmware": "0.1.0",
        "kind": "ATA disk",
        "standards": "ATA/ATAPI-4, ATA/ATAPI-5, ATA/ATAPI-6",
        "sectors": "20971520",
        "bytes": "10737418240",
        "sectors-28": "20971520",
        "sectors-48": "20971520",
        "logical-sector": "512 bytes",
        "physical-sector": "512 bytes",
        "chs": "5140/16/255",
        "current-chs": "5140/16/255",
        "current-sectors": "20971200",
        "write-cache": "enabled",
        "lba48": "enabled",
        "flush": "enabled",
        "flush-ext": "enabled",
        "lba": "yes",
        "reset": "0x400b",
        "checksum": "none",
        "words-used": "57 of 256",
    }


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        ({"w217": 1}, "rotation", "none (solid state)"),
        ({"w217": 7200}, "rotation", "7200 rpm"),
        ({"w217": 0x0400}, "rotation", None),
        ({"w82": 1, "w85": 0}, "smart", "supported, not enabled"),
        ({"w82": 1, "w85": 1}, "smart", "enabled"),
        ({"w82": 0xFFFF}, "smart", None),
        ({"w83": 0x0400}, "lba48", None),
        ({"w83": 0x4400}, "lba48", "supported, not enabled"),
        ({"w83": 0x4400, "w86": 0x0400}, "lba48", "enabled"),
        ({"w106": 0x6003}, "physical-sector", "4096 bytes"),
        ({"w106": 0x5000, "w117": 2048}, "logical-sector", "4096 bytes"),
        ({"w106": 0x2003}, "physical-sector", "512 bytes"),
        ({"w128": 0x0001}, "security-state", "not enabled"),
        ({"w128": 0x002B}, "security-state", "enabled, frozen, enhanced erase"),
        ({"w128": 0x0021, "w89": 60}, "erase-time", "120 minutes"),
        ({"w128": 0x0021, "w89": 0x8000 | 300}, "erase-time", "600 minutes"),
        ({"w108": 0x5000, "w109": 0xC500, "w110": 0x1234, "w111": 0xABCD}, "wwn", "5000c5001234abcd"),
        ({"w222": 0x1020}, "transport", "serial, SATA 3.0"),
        ({"w222": 0x0020}, "transport", "parallel"),
        ({"w76": 0x010E, "w77": 0x0006, "w75": 31}, "speed", "6.0 Gb/s"),
        ({"w76": 0x010E, "w77": 0x0006, "w75": 31}, "queue-depth", "32"),
        ({"w76": 0x010E}, "ncq", "yes"),
        ({"w53": 4, "w88": 0x203F}, "udma", "UDMA0, UDMA1, UDMA2, UDMA3, UDMA4, UDMA5 (selected)"),
        ({"w53": 2, "w64": 3}, "pio", "PIO3, PIO4"),
        ({"w168": 3}, "form-factor", "2.5 inch"),
        ({"w0": 0x848A}, "kind", "CompactFlash"),
        ({"w0": 0x8580}, "kind", "ATAPI device, removable medium"),
        ({"w2": 0xC837}, "specific", "spins up by itself, page complete"),
        ({"w47": 0x8010, "w59": 0x0110}, "multiple", "at most 16, 16 now"),
        ({"w83": 0x4008, "w86": 0x0008, "w91": 0x4080}, "apm-level", "128"),
        ({"w7": 0x0107, "w9": 9}, "vendor", "0x0107 0x0000 0x0009"),
        ({"w209": 0x4001}, "alignment", "sector 1"),
        ({"w255": 0x5CA5}, "checksum", "WRONG: the page was changed on its way, or made up"),
    ],
)
def test_a_word_says_what_the_standard_gives_it(words: dict[str, int], key: str, value: str | None) -> None:
    assert with_words(**words).get(key) == value


@given(PAGES)
def test_a_checksum_is_right_where_all_bytes_add_up_to_nothing(words: list[int]) -> None:
    words[255] = 0x00A5
    words[255] |= -sum(struct.pack("<256H", *words)) % 256 << 8
    assert told(words)["checksum"] == "right"
