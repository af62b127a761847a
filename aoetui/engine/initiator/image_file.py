"""The file that a device is imaged to, and beside it the note that lets an image be finished later.

The note (`FILE.aoetui-part`, JSON) says of which device and which sectors the file is, and how far it is complete. It claims
only what the file holds on stable storage, and is removed when the image is whole. What an interrupted run had read beyond its
claim is cut off and read again.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import threading
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.atomic import replace_file, sync_folder
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.wire import ATA_HEADER, SECTOR

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aoetui.engine.initiator.carrying import Delivered

SUFFIX = ".aoetui-part"
_MOST_PARTS = 512
"""Pieces of one pwritev(2)."""
_ZEROS = bytes(255 * SECTOR)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_GIVEN_UP = 512
"""Sectors that a full disk's note is worth."""
_A_HOLE = bytes(SECTOR)
_VERSION = 2


@dataclass(frozen=True, slots=True)
class PartNote:
    """See the module. Sectors are the device's."""

    address: str
    model: str
    serial: str
    sectors: int
    """Of the device."""
    offset: int
    length: int
    next: int
    """Everything before is in the file,"""
    bad: tuple[tuple[int, int], ...] = ()
    """but for these, which could not be read."""
    macs: tuple[str, ...] = ()
    """Those that it was read from, where the serial is not unique: another MAC may be another disk."""
    version: int = field(default=_VERSION)

    def same_copy(self, other: PartNote) -> bool:
        """Whether both are of the same device and the same sectors of it."""
        return self._what() == other._what()

    def _what(self) -> tuple[object, ...]:
        return (self.model, self.serial, self.sectors, self.offset, self.length)


def note_path(path: Path) -> Path:
    """Where the note of an image is."""
    return path.with_name(path.name + SUFFIX)


def read_note(path: Path) -> PartNote:
    """The note of an image. Raises EngineError where there is none, or none that can be read."""
    where = note_path(path)
    try:
        said = json.loads(where.read_text(encoding="utf-8"))
        bad = tuple((int(start), int(end)) for start, end in said["bad"])
        macs = tuple(str(Mac.parse(str(each))) for each in said["macs"])
        note = PartNote(**(said | {"bad": bad, "macs": macs}))
        sound = note.version == _VERSION and _is_whole(note)
    except FileNotFoundError:
        text = f"there is nothing to resume: {where} is missing, so {path} is complete or no image of ours"
        raise EngineError(text, field="path") from None
    except OSError as error:
        raise EngineError(f"{where} cannot be read: {error.strerror}", field="path") from error
    except (ValueError, TypeError, KeyError) as error:
        raise EngineError(_bad_note(where), field="path") from error
    if not sound:
        raise EngineError(_bad_note(where), field="path")
    return note


def _is_whole(note: PartNote) -> bool:
    """Whether its numbers can be true."""
    end = note.offset + note.length
    numbers = (note.sectors, note.offset, note.length, note.next)
    return (
        all(type(each) is int for each in numbers)
        and 0 <= note.offset <= note.next <= end <= note.sectors
        and all(note.offset <= start < stop <= end for start, stop in note.bad)
    )


def _bad_note(where: Path) -> str:
    return f"{where} is no note that can be resumed from: begin anew with --overwrite"


class ImageFile:
    """An image that is being written. `write` is for one thread; a thread of its own saves what was written."""

    def __init__(self, path: Path, note: PartNote, *, overwrite: bool = False, resume: bool = False, sparse: bool = True) -> None:
        """Make or open the file, as long as the image. Raises EngineError where that may not be, or cannot."""
        self.path = path
        self.note = note
        self._sparse = sparse
        self._problem: OSError | None = None
        self._saving: threading.Thread | None = None
        try:
            self._fd = self._open(overwrite=overwrite, resume=resume)
        except FileExistsError:
            text = f"{path} exists: name another file, or add --overwrite to replace it, or --resume to go on with an image"
            raise EngineError(text, field="path") from None
        except OSError as error:
            raise EngineError(f"{path} cannot be written: {error.strerror}", field="path") from error
        try:
            self._prepare()
        except BaseException:
            os.close(self._fd)
            raise

    def _open(self, *, overwrite: bool, resume: bool) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC
        if not resume:
            flags |= os.O_CREAT if overwrite else os.O_CREAT | os.O_EXCL
        return os.open(self.path, flags, 0o600)

    def _prepare(self) -> None:
        path, note = self.path, self.note
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            raise EngineError(f"{path} is no regular file: an image is written to a file", field="path")
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise EngineError(f"{path} is in use, by an export or by another copy: name another file", field="path") from error
        claimed = (note.next - note.offset) * SECTOR
        if os.fstat(self._fd).st_size < claimed:
            raise EngineError(f"{path} is shorter than its note says: begin anew with --overwrite", field="path")
        try:
            # First of all: killed after it, an image that is not whole has a note, and an older one claims nothing here.
            self._write_note(note)
            os.ftruncate(self._fd, claimed)
            os.ftruncate(self._fd, note.length * SECTOR)
        except OSError as error:
            raise EngineError(
                f"{path} cannot be made {note.length * SECTOR} bytes long: {error.strerror}", field="path"
            ) from error

    def write(self, delivered: Delivered) -> None:
        """Write sectors, neighbours in one call. Raises OSError; also one that a save has met."""
        if self._problem is not None:
            raise self._problem
        ordered = sorted(delivered)
        data = b"".join([frame[ATA_HEADER : ATA_HEADER + count * SECTOR] for _, count, frame in ordered])
        if _one_run(ordered) and not (self._sparse and _A_HOLE in data):
            self._put([memoryview(data)], ordered[0][0])
        else:
            self._write_parts(ordered)

    def _write_parts(self, ordered: Delivered) -> None:
        """Where there are gaps, or zeros that are left out."""
        parts: list[memoryview] = []
        start = end = -1
        for lba, count, frame in ordered:
            length = count * SECTOR
            if self._sparse and frame.startswith(_ZEROS[:length], ATA_HEADER):
                continue
            if lba != end or len(parts) == _MOST_PARTS:
                self._put(parts, start)
                parts, start = [], lba
            parts.append(memoryview(frame)[ATA_HEADER : ATA_HEADER + length])
            end = lba + count
        self._put(parts, start)

    def _put(self, parts: list[memoryview], lba: int) -> None:
        at = (lba - self.note.offset) * SECTOR
        while parts:
            written = os.pwritev(self._fd, parts, at)
            at += written
            while parts and written >= len(parts[0]):
                written -= len(parts.pop(0))
            if written:
                parts[0] = parts[0][written:]

    def save_soon(self, note: Callable[[], PartNote]) -> None:
        """Begin to put what was written on stable storage, then to claim it; nothing while that still goes on."""
        if self._saving is None or not self._saving.is_alive():
            claimed = note()
            self._saving = threading.Thread(target=self._save_or_note, args=(claimed,), name="image-save", daemon=True)
            self._saving.start()

    def _save_or_note(self, note: PartNote) -> None:
        try:
            self._sync()
            self._write_note(note)
        except OSError as error:
            self._problem = error

    def save(self, note: PartNote) -> None:
        """Put what was written on stable storage, and claim it. Raises OSError."""
        if self._saving is not None:
            self._saving.join()
        if self._problem is not None:
            raise self._problem
        self._sync()
        try:
            self._write_note(note)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            self._write_note(self._cut(note))

    def _cut(self, note: PartNote) -> PartNote:
        """Give up the end of what there is, so that a full disk has room for the note."""
        cut = max(note.offset, note.next - _GIVEN_UP)
        os.ftruncate(self._fd, (cut - note.offset) * SECTOR)
        os.ftruncate(self._fd, note.length * SECTOR)
        return replace(note, next=cut, bad=tuple((start, min(end, cut)) for start, end in note.bad if start < cut))

    def _sync(self) -> None:
        """Raises OSError, from then on always: the kernel tells once what it lost, and nobody which part of it."""
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            self._problem = error
            raise

    def _write_note(self, note: PartNote) -> None:
        replace_file(note_path(self.path), json.dumps(asdict(note)).encode() + b"\n")
        self.note = note

    def finish(self) -> None:
        """The image is whole and on stable storage: the note goes. Raises OSError."""
        note_path(self.path).unlink(missing_ok=True)
        sync_folder(self.path.parent)

    def close(self) -> None:
        """Close the file; what was not saved stays unclaimed."""
        if self._saving is not None:
            self._saving.join()
        os.close(self._fd)


def _one_run(ordered: Delivered) -> bool:
    """Whether each piece, sorted, begins where the one before it ends."""
    return all(before[0] + before[1] == after[0] for before, after in pairwise(ordered))


def why_unwritten(path: Path, error: OSError) -> str:
    """What a failed write means for a person, and the remedy."""
    if error.errno in _NO_ROOM:
        return f"there is no room left for {path}: make room"
    if error.errno == errno.EFBIG:
        return f"{path} may not grow so large here: its file system, or this process's limit (ulimit -f), forbids it"
    return f"{path} cannot be written ({error.strerror}): look at its disk"


class SourceFile:
    """The file that is written to a device, or compared with it: read in large pieces, for neighbours are asked for soon."""

    PIECE = 1 << 20
    KEPT = 4

    def __init__(self, path: Path) -> None:
        """Open it. Raises EngineError where it cannot be read, or its length is unknown."""
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise EngineError(f"{path} cannot be read: {error.strerror}", field="path") from error
        said = os.fstat(self._fd)
        self._written_at, mode = said.st_mtime_ns, said.st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
            os.close(self._fd)
            raise EngineError(f"{path} is neither a file nor a block device", field="path")
        self.size = os.lseek(self._fd, 0, os.SEEK_END)
        self._pieces: dict[int, bytes] = {}

    def read(self, at: int, length: int) -> bytes:
        """So many bytes from there. Raises EngineError where the file ends before, or cannot be read."""
        number, start = divmod(at, self.PIECE)
        piece = self._pieces.get(number)
        if piece is None:
            piece = self._fetch(number)
        found = piece[start : start + length]
        if len(found) < length and start + length > self.PIECE and len(piece) == self.PIECE:
            found += self.read((number + 1) * self.PIECE, length - len(found))
        if len(found) < length:
            raise EngineError(f"{self.path} has become shorter than it was: it ends before byte {at + length}", field="path")
        return found

    @property
    def changed(self) -> bool:
        """Whether somebody has written to it since it was opened; of a block device that is not told."""
        return os.fstat(self._fd).st_mtime_ns != self._written_at

    def _fetch(self, number: int) -> bytes:
        try:
            piece = os.pread(self._fd, self.PIECE, number * self.PIECE)
        except OSError as error:
            raise EngineError(f"{self.path} cannot be read: {error.strerror}", field="path") from error
        while len(self._pieces) >= self.KEPT:
            del self._pieces[next(iter(self._pieces))]
        self._pieces[number] = piece
        return piece

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)
