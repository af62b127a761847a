"""What the lossy wire knows of writes: which must not be delivered late, and which byte of a disk is wrong."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.support.lossy import Ledger, Parcel

if TYPE_CHECKING:
    from pathlib import Path

SECTOR = 512
OLD, NEW = b"o" * SECTOR, b"n" * SECTOR
WRITE_EXT, READ_EXT = 0x34, 0x24


def frame(tag: int, *, flags: int = 0, op: int = WRITE_EXT, lba: int = 10, data: bytes = b"") -> bytes:
    """An ATA frame."""
    head = struct.pack(">6s6sHBBHBBI", bytes(6), bytes(6), 0x88A2, 0x10 | flags, 0, 9, 1, 0, tag)
    return head + struct.pack("<BBBBQ", 0x41, 0, len(data) // SECTOR, op, lba) + data


class Wire:
    """Gives a ledger frames as a wire would."""

    def __init__(self, disk: Path) -> None:
        self.disk = disk
        self.ledger = Ledger(disk)
        self.now = 0.0
        self._number = 0

    def hear(self, tag: int, data: bytes, lba: int = 10, op: int = WRITE_EXT) -> Parcel:
        """A request comes from the initiator."""
        self.now += 1
        self._number += 1
        parcel = Parcel(self._number, self.now, frame(tag, op=op, lba=lba, data=data))
        self.ledger.request(parcel)
        return parcel

    def give(self, parcel: Parcel) -> bool:
        """Whether it may go to the target now."""
        self.now += 1
        return self.ledger.goes_on(parcel, self.now)

    def answer(self, tag: int) -> None:
        """The target answers."""
        self.now += 1
        self.ledger.reply(Parcel(1, self.now, frame(tag, flags=0x08)))


@pytest.fixture
def wire(tmp_path: Path) -> Wire:
    """A wire that nothing has crossed."""
    return Wire(tmp_path / "disk.img")


def test_a_late_write_is_spared_when_newer_data_is_there(wire: Wire) -> None:
    """Linux has asked again with a new tag, was answered, and has written something newer: no target can tell."""
    late, again = wire.hear(1, OLD), wire.hear(2, OLD)
    assert wire.give(again)
    wire.answer(2)
    assert wire.give(wire.hear(3, NEW))
    assert not wire.give(late)
    assert (wire.ledger.spared, wire.ledger.stale_copies) == (1, 0)


def test_the_copy_of_an_answered_write_is_given_whatever_came_since(wire: Wire) -> None:
    """The target has seen its tag: it can tell."""
    first = wire.hear(1, OLD)
    assert wire.give(first)
    wire.answer(1)
    assert wire.give(wire.hear(2, NEW))
    assert wire.give(first)
    assert (wire.ledger.spared, wire.ledger.stale_copies) == (0, 1)


def test_the_copy_of_a_write_that_was_not_answered_is_spared(wire: Wire) -> None:
    """The target may have refused the first one for want of room."""
    first = wire.hear(1, OLD)
    assert wire.give(first)
    assert wire.give(wire.hear(2, NEW))
    assert not wire.give(first)


@pytest.mark.parametrize(
    ("data", "lba"),
    [
        pytest.param(OLD, 10, id="the same data"),
        pytest.param(NEW, 11, id="the sector behind"),
        pytest.param(NEW, 9, id="the sector before"),
    ],
)
def test_a_late_write_that_harms_nothing_is_given(wire: Wire, data: bytes, lba: int) -> None:
    late = wire.hear(1, OLD)
    assert wire.give(wire.hear(2, data, lba))
    assert wire.give(late)


def test_a_newer_write_that_was_dropped_does_not_count(wire: Wire) -> None:
    late = wire.hear(1, OLD)
    wire.hear(2, NEW)
    assert wire.give(late)


def test_one_sector_of_a_longer_write_is_enough(wire: Wire) -> None:
    late = wire.hear(1, OLD * 4, lba=8)
    assert wire.give(wire.hear(2, NEW * 2, lba=11))
    assert not wire.give(late)


def test_reads_and_short_frames_always_go_on(wire: Wire) -> None:
    read = wire.hear(1, b"", op=READ_EXT)
    assert wire.give(wire.hear(2, NEW))
    assert wire.give(read)
    short = Parcel(9, 99.0, b"\xff" * 20)
    wire.ledger.request(short)
    wire.ledger.reply(short)
    assert wire.give(short)


def stale_copy_answered(wire: Wire, held: bytes, *newer: bytes) -> list[str]:
    """Write OLD, then what is newer, then a copy of the first, which is answered when the disk holds `held`."""
    first = wire.hear(1, OLD)
    assert wire.give(first)
    wire.answer(1)
    for tag, data in enumerate(newer, start=2):
        assert wire.give(wire.hear(tag, data))
        wire.answer(tag)
    assert wire.give(first)
    wire.disk.write_bytes(bytes(10 * SECTOR) + held)
    wire.answer(1)
    return wire.ledger.carried_out


def test_a_stale_copy_that_was_carried_out_is_found_at_once(wire: Wire) -> None:
    (story,) = stale_copy_answered(wire, OLD, NEW)
    assert story.startswith("sector 10 holds")
    assert "tag 00000001" in story


def test_a_stale_copy_that_was_only_answered_is_right(wire: Wire) -> None:
    assert stale_copy_answered(wire, NEW, NEW) == []


def test_the_same_data_written_again_is_no_stale_copy(wire: Wire) -> None:
    assert stale_copy_answered(wire, OLD, NEW, OLD) == []


def test_a_disk_is_compared_with_what_was_written_last(wire: Wire) -> None:
    for tag, data in ((0xA1, OLD * 2), (0xA2, NEW)):
        assert wire.give(wire.hear(tag, data))
        wire.answer(tag)
    wire.disk.write_bytes(bytes(10 * SECTOR) + NEW + OLD)
    assert wire.ledger.disagreement() == ""
    wire.disk.write_bytes(bytes(10 * SECTOR) + OLD + OLD)
    told = wire.ledger.disagreement()
    assert told.startswith("1 sectors hold not what was written last\nsector 10 holds")
    assert "tag 000000a1" in told
    assert "tag 000000a2" in told
