"""Every command and sub-command of AoEr11, spoiled in every way a frame can be: a grid of requests and what befalls them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.unit.protocol.asking import ADD, MARK, ata, config, gist, mask, other, outcome, patched, reserve, shown
from tests.unit.protocol.golden import INITIATOR, ONE_SECTOR, TWO_SECTORS


@dataclass(frozen=True, slots=True)
class Sound:
    """A request without fault, unpadded."""

    frame: bytes
    met_with: str
    fixed: int
    """Bytes below which nothing can be made of it."""
    cut: str = ""
    """What it is met with when it is longer than that, and still not whole."""
    to_every: str = ""
    """What it is met with when it is sent to a wildcard address; as otherwise if empty."""


NOT_TO_EVERY = "silence: wildcard ATA"
BAD_ARGUMENT = "AoE error 2"

SOUND: dict[str, Sound] = {
    "READ": Sound(ata(0x20, count=2), "reads", 36, to_every=NOT_TO_EVERY),
    "READ EXT": Sound(ata(0x24, count=2), "reads", 36, to_every=NOT_TO_EVERY),
    "WRITE": Sound(ata(0x30, data=ONE_SECTOR), "writes", 36, BAD_ARGUMENT, NOT_TO_EVERY),
    "WRITE EXT": Sound(ata(0x34, count=2, data=TWO_SECTORS), "writes", 36, BAD_ARGUMENT, NOT_TO_EVERY),
    "IDENTIFY": Sound(ata(0xEC), "answers", 36),
    "CHECK POWER": Sound(ata(0xE5), "answers", 36),
    "FLUSH": Sound(ata(0xE7), "flushes", 36, to_every=NOT_TO_EVERY),
    "FLUSH EXT": Sound(ata(0xEA), "flushes", 36, to_every=NOT_TO_EVERY),
    "SMART": Sound(ata(0xB0, lba=0xC24F00), "ATA error 04", 36, to_every=NOT_TO_EVERY),
    "SET FEATURES": Sound(ata(0xEF), "ATA error 04", 36, to_every=NOT_TO_EVERY),
    "no ATA command": Sound(ata(0x00), "ATA error 04", 36, to_every=NOT_TO_EVERY),
    "config read": Sound(config(0), "answers", 32),
    "config test": Sound(config(1, b"box"), "answers", 32, "silence: malformed"),
    "config prefix test": Sound(config(2, b"bo"), "answers", 32, "silence: malformed"),
    "config set": Sound(config(3, b"box"), "changes", 32, "silence: malformed"),
    "config force set": Sound(config(4, b"new"), "changes", 32, "silence: malformed"),
    "no config op": Sound(config(5), BAD_ARGUMENT, 32),
    "mask read": Sound(mask(0), "answers", 28),
    "mask edit": Sound(mask(1, (ADD, INITIATOR)), "changes", 28, BAD_ARGUMENT),
    "no mask op": Sound(mask(2), BAD_ARGUMENT, 28),
    "reserve read": Sound(reserve(0), "answers", 26),
    "reserve set": Sound(reserve(1, INITIATOR), "changes", 26, BAD_ARGUMENT),
    "reserve force set": Sound(reserve(2, INITIATOR), "changes", 26, BAD_ARGUMENT),
    "release": Sound(reserve(1), "changes", 26),
    "no reserve op": Sound(reserve(3), BAD_ARGUMENT, 26),
    "command 4": Sound(other(4), "AoE error 1", 24),
    "command EF": Sound(other(0xEF), "AoE error 1", 24),
    "vendor command F0": Sound(other(0xF0), "AoE error 1", 24),
    "vendor command FF": Sound(other(0xFF), "AoE error 1", 24),
}

every = pytest.mark.parametrize("sound", SOUND.values(), ids=SOUND)


@every
def test_sound_request(sound: Sound) -> None:
    assert gist(sound.frame) == sound.met_with


@every
def test_every_truncation(sound: Sound) -> None:
    for length in range(sound.fixed):
        assert gist(sound.frame[:length]) == "silence: malformed"
    for length in range(sound.fixed, len(sound.frame)):
        assert gist(sound.frame[:length]) == sound.cut


@every
@pytest.mark.parametrize("after", [bytes(36), b"\xff", MARK * 120], ids=["padding", "one byte", "a kilobyte"])
def test_trailing_bytes_change_nothing(sound: Sound, after: bytes) -> None:
    assert outcome(sound.frame + after) == outcome(sound.frame)


@every
@pytest.mark.parametrize(
    ("at", "text", "met_with"),
    [
        (14, "18", "silence: not a request"),
        (14, "1c", "silence: not a request"),
        (14, "28", "silence: not a request"),
        (14, "00", "silence: wrong version"),
        (14, "20", "silence: wrong version"),
        (14, "f0", "silence: wrong version"),
        (12, "0800", "silence: malformed"),
        (12, "8100", "silence: malformed"),
        (6, "010000000001", "silence: bad source"),
        (6, "ffffffffffff", "silence: bad source"),
        (6, "000000000000", "silence: bad source"),
        (0, "020000000008", "silence: not to us"),
        (0, "01005e000001", "silence: not to us"),
        (0, "000000000000", "silence: not to us"),
        (16, "000a01", "silence: not ours"),
        (16, "000902", "silence: not ours"),
        (16, "000aff", "silence: not ours"),
        (16, "ffff02", "silence: not ours"),
    ],
)
def test_met_with_silence(sound: Sound, at: int, text: str, met_with: str) -> None:
    assert gist(patched(sound.frame, at, text)) == met_with


@every
@pytest.mark.parametrize("verfl", ["1403", "1406", "14ff", "1003", "1300"])
def test_stale_error_of_a_request_is_not_echoed(sound: Sound, verfl: str) -> None:
    """Error flag, error byte, and the flags that must be zero."""
    assert outcome(patched(sound.frame, 14, verfl)) == outcome(sound.frame)


@every
@pytest.mark.parametrize("address", ["ffff01", "0009ff", "ffffff"])
def test_to_a_wildcard(sound: Sound, address: str) -> None:
    asked = patched(sound.frame, 16, address)
    if sound.to_every:
        assert gist(asked) == sound.to_every
    else:
        assert outcome(asked) == outcome(sound.frame)


@every
def test_to_every_host(sound: Sound) -> None:
    assert outcome(patched(sound.frame, 0, "ffffffffffff")) == outcome(sound.frame)


# ---- counts that are not what follows them


@pytest.mark.parametrize(
    ("frame", "met_with"),
    [
        (ata(0x20, count=0), BAD_ARGUMENT),
        (ata(0x20, count=3), BAD_ARGUMENT),
        (ata(0x24, count=0), BAD_ARGUMENT),
        (ata(0x24, count=255), BAD_ARGUMENT),
        (ata(0x30, count=0, data=ONE_SECTOR), BAD_ARGUMENT),
        (ata(0x30, count=2, data=ONE_SECTOR), BAD_ARGUMENT),
        (ata(0x30, count=3, data=ONE_SECTOR * 3), BAD_ARGUMENT),
        (ata(0x34, count=0), BAD_ARGUMENT),
        (ata(0x34, count=255, data=ONE_SECTOR * 255), BAD_ARGUMENT),
        (ata(0x34, count=1, data=TWO_SECTORS), "writes"),
        (ata(0xEC, count=0), BAD_ARGUMENT),
        (ata(0xEC, count=2), BAD_ARGUMENT),
        (ata(0xEC, count=255), BAD_ARGUMENT),
        (ata(0xE5, count=0), "answers"),
        (ata(0xE5, count=255), "answers"),
        (ata(0xE7, count=255), "flushes"),
        (ata(0xEA, count=255), "flushes"),
        (ata(0xB0, count=0), "ATA error 04"),
        (patched(config(0, b"box"), 30, "0004"), "silence: malformed"),
        (patched(config(0), 30, "ffff"), "silence: malformed"),
        (patched(config(3, b"x" * 1400), 30, "0401"), "silence: malformed"),
        (patched(config(5), 30, "0001"), "silence: malformed"),
        (patched(config(1, b"boxes"), 30, "0003"), "answers"),
        (mask(0, count=255), "answers"),
        (mask(1, (ADD, INITIATOR), count=2), BAD_ARGUMENT),
        (mask(1, (ADD, INITIATOR), count=255), BAD_ARGUMENT),
        (mask(1, (ADD, INITIATOR), count=0), "changes"),
        (mask(2, count=255), BAD_ARGUMENT),
        (reserve(0, count=255), "answers"),
        (reserve(1, INITIATOR, count=2), BAD_ARGUMENT),
        (reserve(1, count=1), BAD_ARGUMENT),
        (reserve(2, INITIATOR, count=255), BAD_ARGUMENT),
        (reserve(2, INITIATOR, count=0), "changes"),
        (reserve(255, count=255), BAD_ARGUMENT),
    ],
    ids=shown,
)
def test_count_and_what_follows(frame: bytes, met_with: str) -> None:
    assert gist(frame) == met_with
