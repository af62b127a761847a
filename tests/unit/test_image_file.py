"""The file of an image: what it claims is there, whatever its disk and other people do."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest

from aoetui.engine.api import EngineError
from aoetui.engine.initiator import image_file
from aoetui.engine.initiator.image_file import ImageFile, PartNote, note_path, read_note
from aoetui.engine.protocol.wire import ATA_HEADER, SECTOR

if TYPE_CHECKING:
    from pathlib import Path

NOTE = PartNote("e9.1", "aoetui", "1", 4096, 0, 4096, 0)


def piece(lba: int, count: int) -> tuple[int, int, bytes]:
    """As a transfer delivers it: each sector full of its number."""
    return lba, count, bytes(ATA_HEADER) + b"".join((lba + number + 1).to_bytes(2) * (SECTOR // 2) for number in range(count))


def sectors(path: Path, first: int, count: int) -> bytes:
    """What the image holds."""
    return path.read_bytes()[first * SECTOR : (first + count) * SECTOR]


def test_a_sector_that_comes_twice_shifts_no_other(tmp_path: Path) -> None:
    """Beside as long a gap, their length is that of a whole run."""
    image = ImageFile(tmp_path / "image", NOTE)
    image.write([piece(0, 2), piece(2, 2), piece(2, 2), piece(6, 2)])
    image.close()
    for lba in (0, 2, 6):
        assert sectors(tmp_path / "image", lba, 2) == piece(lba, 2)[2][ATA_HEADER:]
    assert sectors(tmp_path / "image", 4, 2) == bytes(2 * SECTOR)


def test_what_the_disk_lost_on_its_way_is_not_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that allocates late finds out in fdatasync that there was no room, and tells it once."""
    image = ImageFile(tmp_path / "image", NOTE)
    image.write([piece(0, 255)])
    failures = [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))]
    sync = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        if failures:
            raise failures.pop()
        sync(descriptor)

    monkeypatch.setattr("os.fdatasync", fdatasync)
    with pytest.raises(OSError, match="No space left"):
        image.save(replace(NOTE, next=4096))
    with pytest.raises(OSError, match="No space left"):  # nor by a later one, which has nothing to tell
        image.save(replace(NOTE, next=4096))
    image.close()
    assert read_note(tmp_path / "image").next == 0


@pytest.mark.parametrize("call", ["ftruncate", "replace_file"])
def test_killed_at_the_begin_nothing_is_claimed_that_was_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """An unfinished image is begun anew, and the process ends at the first such call: the old claim holds, or none does."""
    path = tmp_path / "image"
    image = ImageFile(path, NOTE)
    image.write([piece(0, 255)])
    image.save(replace(NOTE, next=255))
    image.close()

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        patched.setattr("os.ftruncate" if call == "ftruncate" else f"{image_file.__name__}.{call}", killed)
        ImageFile(path, NOTE, overwrite=True)
    claimed = read_note(path).next
    assert sectors(path, 0, claimed) == piece(0, 255)[2][ATA_HEADER:][: claimed * SECTOR]


def test_a_new_image_that_is_killed_at_its_begin_does_not_look_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "image"

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        patched.setattr(image_file, "replace_file", killed)
        ImageFile(path, NOTE)
    assert path.stat().st_size == 0 or note_path(path).exists()


def test_a_file_that_was_cut_short_is_not_gone_on_with(tmp_path: Path) -> None:
    """Zeros would stand for what its note claims."""
    path = tmp_path / "image"
    note = replace(NOTE, next=255)
    image = ImageFile(path, NOTE)
    image.write([piece(0, 255)])
    image.save(note)
    image.close()
    os.truncate(path, 100 * SECTOR)
    with pytest.raises(EngineError, match=r"is shorter than .*: begin anew with --overwrite"):
        ImageFile(path, read_note(path), resume=True)
    assert path.stat().st_size == 100 * SECTOR


@pytest.mark.parametrize(
    "changes",
    [
        {"offset": -5},
        {"length": 4097},
        {"next": 0.5},
        {"next": 4097},
        {"sectors": "x"},
        {"bad": ((5, 3),)},
        {"bad": ((9, 5000),)},
    ],
)
def test_a_note_whose_numbers_cannot_be_true_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "image"
    ImageFile(path, NOTE).close()
    assert read_note(path) == NOTE
    note_path(path).write_text(json.dumps(asdict(NOTE) | changes))
    with pytest.raises(EngineError, match="is no note that can be resumed from"):
        read_note(path)
