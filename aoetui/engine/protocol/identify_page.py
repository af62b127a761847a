"""An IDENTIFY page in full: every field that means something, by a name that stays; and pages as hex text, both ways.

What `ata.parse_identify` tells is what an initiator needs; this is what a person may want to know. Words that a disk leaves at
zero, or marks as meaning nothing, are left out. Sources: ATA/ATAPI-6 section 8.15, ATA8-ACS section 7.16, ACS-3 section 7.12.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.protocol.header import MalformedFrame
from aoetui.engine.protocol.identify_words import (
    CHECKED_WORDS,
    FEATURES,
    FORM_FACTORS,
    SATA_SPEEDS,
    SATA_STANDARDS,
    SECURITY,
    SPECIFIC,
    STANDARDS,
)
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Lines = Iterator[tuple[str, str, str]]
    """Key, name and value; an empty value is left out."""

WORDS = 256
_LAYOUT = struct.Struct("<256H")
_SIGNATURE = 0xA5
_NAME = re.compile(r"[0-9]+:$", re.ASCII)
_BYTE = re.compile(r"[0-9a-f]{2}$", re.ASCII | re.IGNORECASE)
_WORD = re.compile(r"[0-9a-f]{4}$", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class IdentifyField:
    """One thing that a page says. Texts in `value` come from the disk: show them only as plain text."""

    group: str
    """A heading: `disk`, `capacity`, `geometry`, `features`, `transport`, `power`, `security`, `page`."""
    key: str
    """Its name for programs, which stays; none stands twice in a page."""
    name: str
    value: str


class Page:
    """The 256 words, with the few ways in which ATA puts things into them."""

    def __init__(self, words: Sequence[int]) -> None:
        self.words = tuple(words)

    def __getitem__(self, word: int) -> int:
        """One word; 0 where its own mark (bits 15 and 14 are 01) says that it means nothing."""
        checked = CHECKED_WORDS.get(word)
        return self.words[word] if checked is None or self.words[checked] >> 14 == 1 else 0

    def text(self, first: int, count: int) -> str:
        """Characters: the first of each pair in the upper byte of its word."""
        packed = struct.pack(f">{count}H", *self.words[first : first + count])
        return packed.decode("latin-1").strip(" \0")

    def number(self, first: int, count: int) -> int:
        """A number over several words, the least significant first."""
        return sum(word << 16 * place for place, word in enumerate(self.words[first : first + count]))

    def bits(self, word: int, names: Mapping[int, str]) -> list[str]:
        """The names of the bits that are set."""
        return [name for bit, name in names.items() if self[word] >> bit & 1]


def words_of(page: bytes | memoryview) -> tuple[int, ...]:
    """The words of a page; bytes after the first 512 are tolerated. Raises MalformedFrame if there are fewer."""
    if len(page) < SECTOR:
        raise MalformedFrame(f"an IDENTIFY page has {SECTOR} bytes, not {len(page)}")
    return tuple(_LAYOUT.unpack_from(page))


def identify_fields(words: Sequence[int]) -> tuple[IdentifyField, ...]:
    """Everything that a page of 256 words says, group by group."""
    page = Page(words)
    groups = {
        "disk": _disk,
        "capacity": _capacity,
        "geometry": _geometry,
        "features": _features,
        "transport": _transport,
        "power": _power,
        "security": _security,
        "page": _page,
    }
    return tuple(
        IdentifyField(group, key, name, value) for group, fields in groups.items() for key, name, value in fields(page) if value
    )


def identify_rows(words: Sequence[int]) -> list[str]:
    """Every word, eight to a row: `  0: 0040 0000 ...`."""
    return [f"{first:3d}: " + " ".join(f"{word:04x}" for word in words[first : first + 8]) for first in range(0, len(words), 8)]


def parse_identify_text(text: str) -> tuple[int, ...]:
    """The words of a page that was printed: by `identify_rows`, by aoeping -i (512 bytes), or by hdparm --Istdout (256 words).

    Lines that hold anything but hex and `N:` are headings, and passed over. Raises ValueError.
    """
    tokens: list[str] = []
    for line in text.splitlines():
        line_tokens = [token for token in line.split() if not _NAME.match(token)]
        if all(_BYTE.match(token) or _WORD.match(token) for token in line_tokens):
            tokens += line_tokens
    if len(tokens) == SECTOR and all(map(_BYTE.match, tokens)):
        return words_of(bytes(int(token, 16) for token in tokens))
    if len(tokens) == WORDS and all(map(_WORD.match, tokens)):
        return tuple(int(token, 16) for token in tokens)
    raise ValueError(f"no IDENTIFY page: {len(tokens)} hex numbers are neither {SECTOR} bytes nor {WORDS} words of four digits")


def _disk(page: Page) -> Lines:
    yield "model", "model", page.text(27, 20)
    yield "serial", "serial", page.text(10, 10)
    yield "firmware", "firmware", page.text(23, 4)
    yield "wwn", "world wide name", "".join(f"{word:04x}" for word in page.words[108:112]) if any(page.words[108:112]) else ""
    yield "media-serial", "media serial", page.text(176, 30)
    yield "kind", "kind", _kind(page[0])
    yield "specific", "spin-up", SPECIFIC.get(page[2], "")
    yield "rotation", "rotation", _rotation(page[217])
    yield "form-factor", "form factor", FORM_FACTORS.get(page[168] & 0x0F, "")
    standards = page.bits(80, STANDARDS) if page[80] != 0xFFFF else []
    yield "standards", "standards", ", ".join(standards)
    yield "minor-version", "minor version", f"{page[81]:#06x}" if page[81] not in (0, 0xFFFF) else ""


def _kind(word: int) -> str:
    if word == 0x848A:
        return "CompactFlash"
    kind = "ATAPI device" if word & 0x8000 else "ATA disk"
    removable = ", removable medium" if word & 0x0080 else ""
    return kind + removable + (", page incomplete" if word & 0x0004 and not word & 0x8000 else "")


def _rotation(word: int) -> str:
    if word == 1:
        return "none (solid state)"
    return f"{word} rpm" if 0x0401 <= word <= 0xFFFE else ""


def _capacity(page: Page) -> Lines:
    lba28, lba48, extended = page.number(60, 2), page.number(100, 4), page.number(230, 4)
    logical = page.number(117, 2) * 2 if _marked(page[106]) and page[106] & 0x1000 else SECTOR
    large = bool(page[83] & 0x0400 or page[86] & 0x0400)
    sectors = lba48 if large else lba28
    yield "sectors", "sectors", str(sectors)
    yield "bytes", "bytes", str(sectors * logical)
    yield "sectors-28", "28-bit sectors", str(lba28)
    yield "sectors-48", "48-bit sectors", str(lba48) if large else ""
    yield "sectors-extended", "extended sectors", str(extended) if page[69] & 0x0008 and extended else ""
    yield "logical-sector", "logical sector", f"{logical} bytes"
    physical = logical << (page[106] & 0x0F) if _marked(page[106]) and page[106] & 0x2000 else logical
    yield "physical-sector", "physical sector", f"{physical} bytes"
    yield "alignment", "alignment", f"sector {page[209] & 0x3FFF}" if _marked(page[209]) else ""
    yield "trim-blocks", "TRIM blocks", str(page[105]) if page[169] & 1 and page[105] else ""


def _marked(word: int) -> bool:
    return word >> 14 == 1


def _geometry(page: Page) -> Lines:
    yield "chs", "cylinders/heads/sectors", _chs(page, 1, 3, 6)
    if page[53] & 1:
        yield "current-chs", "current", _chs(page, 54, 55, 56)
        yield "current-sectors", "current sectors", str(page.number(57, 2)) if any(page.words[57:59]) else ""


def _chs(page: Page, cylinders: int, heads: int, sectors: int) -> str:
    found = (page[cylinders], page[heads], page[sectors])
    return "/".join(map(str, found)) if any(found) else ""


def _features(page: Page) -> Lines:
    for feature in FEATURES:
        word, bit = feature.supported
        if page[word] in (0xFFFF, 0) or not page[word] >> bit & 1:
            continue
        if feature.enabled is None:
            yield feature.key, feature.name, "yes"
        else:
            word, bit = feature.enabled
            yield feature.key, feature.name, "enabled" if page[word] >> bit & 1 else "supported, not enabled"


def _transport(page: Page) -> Lines:
    yield "transport", "transport", _standard(page[222])
    if page[76] not in (0, 0xFFFF):
        yield "speeds", "speeds", ", ".join(page.bits(76, SATA_SPEEDS))
        yield "speed", "speed now", SATA_SPEEDS.get(page[77] >> 1 & 7, "")
    yield "queue-depth", "queue depth", str((page[75] & 0x1F) + 1) if page[76] & 0x0100 or page[83] & 2 else ""
    yield "multiple", "sectors of READ MULTIPLE", _multiple(page)
    yield "pio", "PIO modes", _modes("PIO", page[64] << 3 & 0x18, 0) if page[53] & 2 else ""
    yield "mwdma", "multiword DMA", _modes("MDMA", page[63] & 0xFF, page[63] >> 8)
    yield "udma", "Ultra DMA", _modes("UDMA", page[88] & 0x7F, page[88] >> 8 & 0x7F) if page[53] & 4 else ""
    yield "reset", "hardware reset", f"{page[93]:#06x}" if _marked(page[93]) else ""


def _standard(word: int) -> str:
    if word in (0, 0xFFFF):
        return ""
    if word >> 12 != 1:
        return "parallel" if word >> 12 == 0 else f"type {word >> 12}"
    named = [name for bit, name in SATA_STANDARDS.items() if word >> bit & 1]
    return ", ".join(["serial", *named])


def _multiple(page: Page) -> str:
    most = page[47] & 0xFF
    now = f", {page[59] & 0xFF} now" if page[59] & 0x0100 else ""
    return f"at most {most}{now}" if most else ""


def _modes(name: str, supported: int, selected: int) -> str:
    modes = [f"{name}{bit}{' (selected)' if selected >> bit & 1 else ''}" for bit in range(8) if supported >> bit & 1]
    return ", ".join(modes)


def _power(page: Page) -> Lines:
    yield "apm-level", "APM level", str(page[91] & 0xFF) if page[86] & 0x0008 else ""
    yield "acoustic", "acoustic level", f"{page[94] & 0xFF} (vendor's choice {page[94] >> 8})" if page[86] & 0x0200 else ""


def _security(page: Page) -> Lines:
    if page[128] & 1:
        yield "security-state", "state", ", ".join(page.bits(128, SECURITY)) or "not enabled"
        yield "security-level", "level", "maximum" if page[128] & 0x0100 else "high"
        yield "erase-time", "erase takes", _minutes(page[89])
        yield "enhanced-erase-time", "enhanced erase takes", _minutes(page[90])
        yield "password-revision", "password revision", str(page[92]) if page[92] not in (0, 0xFFFF) else ""


def _minutes(word: int) -> str:
    steps = word & 0x7FFF if word & 0x8000 else word & 0x00FF
    return f"{steps * 2} minutes" if steps else ""


def _page(page: Page) -> Lines:
    yield "checksum", "checksum", _checksum(page)
    vendor = page.words[7:10]
    yield "vendor", "vendor's words 7 to 9", " ".join(f"{word:#06x}" for word in vendor) if any(vendor) else ""
    used = sum(map(bool, page.words))
    yield "words-used", "words that are not zero", f"{used} of {WORDS}"


def _checksum(page: Page) -> str:
    if page[255] & 0xFF != _SIGNATURE:
        return "none"
    return "right" if sum(_LAYOUT.pack(*page.words)) & 0xFF == 0 else "WRONG: the page was changed on its way, or made up"
