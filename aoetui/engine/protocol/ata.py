"""The IDENTIFY page: 256 words that describe a disk (ATA/ATAPI-6, section 8.15; what Linux reads: aoecmd.c, ataid_complete)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from aoetui.engine.protocol.header import MalformedFrame
from aoetui.engine.protocol.wire import SECTOR

MODEL = "aoetui"
SERIAL_LENGTH = 20
"""Characters of a serial."""
FIRMWARE_LENGTH = 8
"""Characters of a firmware revision."""
MAX_LBA28_SECTORS = 0x0FFF_FFFF
"""As many as 28 bits can say; a larger disk says this in words 60 and 61."""
MAX_LBA48_SECTORS = 0xFFFF_FFFF_FFFF

_WORDS = struct.Struct("<256H")
_HEADS = 16
_TRACK = 255
"""Sectors of a track, as ggaoed has it: Linux reads the geometry only where there is no 48-bit size."""

_MODEL_WORDS = slice(27, 47)
_SERIAL_WORDS = slice(10, 20)
_FIRMWARE_WORDS = slice(23, 27)

_LBA48 = 0x0400
_FLUSH = 0x1000
_FLUSH_EXT = 0x2000
_VALID = 0x4000
"""Bit 14 of words 50, 83, 84, 87 and 93: the word means something."""
_WRITE_CACHE = 0x0020


@dataclass(frozen=True, slots=True)
class Identity:
    """What an IDENTIFY page says of a disk. The texts come from the wire: show them only as plain text."""

    model: str
    serial: str
    firmware: str
    sectors: int
    """Of 512 bytes."""
    lba48: bool


def identify_page(*, sectors: int, serial: str, firmware: str, write_cache: bool) -> bytes:
    """The 512 bytes that describe one of our disks, of `sectors` (1 to 2**48 - 1).

    `serial` is cut to 20 characters and `firmware` to 8; what is not ASCII becomes `?`. Raises ValueError for another size.
    """
    if not 1 <= sectors <= MAX_LBA48_SECTORS:
        raise ValueError(f"{sectors} sectors are out of range: a disk has 1 to {MAX_LBA48_SECTORS}")
    words = [0] * 256
    words[0] = 0x0040  # a fixed ATA disk
    _put_texts(words, serial, firmware)
    _put_size(words, sectors)
    _put_features(words, write_cache=write_cache)
    return _WORDS.pack(*words)


def _put_texts(words: list[int], serial: str, firmware: str) -> None:
    for place, text in ((_SERIAL_WORDS, serial), (_FIRMWARE_WORDS, firmware), (_MODEL_WORDS, MODEL)):
        length = (place.stop - place.start) * 2
        padded = text.encode("ascii", "replace")[:length].ljust(length)
        # ATA strings hold the first character of each pair in the upper byte of its word.
        words[place] = struct.unpack(f">{length // 2}H", padded)


def _put_size(words: list[int], sectors: int) -> None:
    cylinders = min(sectors // (_HEADS * _TRACK), 0xFFFF)
    words[1], words[3], words[6] = cylinders, _HEADS, _TRACK
    words[53] = 0x0001  # words 54 to 58 are valid
    words[54], words[55], words[56] = cylinders, _HEADS, _TRACK
    words[57:59] = _split(cylinders * _HEADS * _TRACK, 2)
    words[60:62] = _split(min(sectors, MAX_LBA28_SECTORS), 2)
    words[100:104] = _split(sectors, 4)


def _put_features(words: list[int], *, write_cache: bool) -> None:
    words[47] = 0x8000  # no READ MULTIPLE
    words[49] = 0x0200  # LBA
    words[50] = _VALID
    words[80] = 0x0070  # ATA/ATAPI-4 to 6
    words[82] = words[85] = _WRITE_CACHE if write_cache else 0
    words[86] = _LBA48 | _FLUSH | _FLUSH_EXT
    words[83] = _VALID | words[86]
    words[84] = words[87] = _VALID
    words[93] = 0x400B


def _split(number: int, words: int) -> tuple[int, ...]:
    return tuple(number >> 16 * place & 0xFFFF for place in range(words))


def parse_identify(page: bytes | memoryview) -> Identity:
    """Read an IDENTIFY page; bytes after the first 512 are tolerated. Raises MalformedFrame if there are fewer."""
    if len(page) < SECTOR:
        raise MalformedFrame(f"an IDENTIFY page has {SECTOR} bytes, not {len(page)}")
    words = _WORDS.unpack_from(page)
    lba48 = bool((words[83] | words[86]) & _LBA48)  # either word, as Linux has it
    size = words[100:104] if lba48 else words[60:62]
    return Identity(
        model=_text(words[_MODEL_WORDS]),
        serial=_text(words[_SERIAL_WORDS]),
        firmware=_text(words[_FIRMWARE_WORDS]),
        sectors=sum(word << 16 * place for place, word in enumerate(size)),
        lba48=lba48,
    )


def _text(words: tuple[int, ...]) -> str:
    return struct.pack(f">{len(words)}H", *words).decode("latin-1").strip(" \0")
