"""The file or block device under an export: opened, locked, read, written, flushed.

Nothing here is cached: what is read is what the kernel has at that moment, or an OSError.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from aoetui.engine.api import EngineError
from aoetui.engine.backing_locks import Locks, extend_lock, take_locks
from aoetui.engine.inspect_backing import Found, examine, inspect, list_block_devices
from aoetui.engine.new_file import create
from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.window import Window, choose_window
from aoetui.engine.writeback import check_writeback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Backing", "Window", "create", "inspect", "list_block_devices"]

_DIRECT_BUFFER = 1 << 18
"""Bytes of a page-aligned buffer for O_DIRECT: two of the largest frames; longer requests go through it in pieces."""
_SPARE_BUFFERS = 4
"""Of these, that are kept when nobody uses them."""

_LONG = struct.calcsize("l")
_FS_IOC_GETVERSION = 0x8000_7601 | _LONG << 16
"""_IOR('v', 1, long) of include/uapi/linux/fs.h; the kernel answers with an int."""


@dataclass(slots=True)
class _Descriptors:
    """`plain` goes through the page cache; `direct` (O_DIRECT) is -1 where it was not asked for."""

    plain: int
    direct: int = -1

    def close(self) -> None:
        for descriptor in (self.direct, self.plain):
            if descriptor >= 0:
                os.close(descriptor)
        self.direct = self.plain = -1


class Backing:
    """An open backing, or a window of one. Any thread may call anything at any time, but `close` when nothing else is called.

    With `direct`, I/O is O_DIRECT through page-aligned buffers. A request that the device cannot take so (its logical block is
    larger than 512 bytes and the request is not aligned to it: EINVAL) goes through the page cache instead; the kernel keeps
    the two views of one inode coherent, and neither promises more than `flush` does.
    """

    def __init__(self, found: Found, window: Window, descriptors: _Descriptors, *, read_only: bool) -> None:
        self.path = found.path
        self.key = _lasting_key(found, window, descriptors.plain)
        """What is served, also across restarts of the host: keys the state. Another window of it is another disk."""
        self.running_key = found.running_key
        """What it is while this host runs, by whatever path: device and inode, or `block:major:minor`."""
        self.block_device = found.block_device
        self.read_only = read_only
        self.window = window
        self._identity = found.identity
        self._intact = window.end * SECTOR
        """Bytes from the backing's start that nobody has cut off since it was opened."""
        self._relatives = found.relatives
        self._descriptors = descriptors
        self._direct = descriptors.direct >= 0
        self._spare: list[mmap.mmap] = []
        self._sizes = threading.Lock()
        """For the window and what is intact of it, which belong together."""

    @classmethod
    def open(cls, path: Path, *, read_only: bool, direct: bool = False, offset: int = 0, length: int | None = None) -> Self:
        """Open and lock `path`, from sector `offset`, for `length` sectors (None: to its end).

        Raises EngineError (field `path`, `offset`, `length` or `direct`) with the remedy, NoPermissionError where the kernel
        refuses.
        """
        found = examine(path, read_only=read_only)
        window = choose_window(path, found.size, offset, length)
        whole = window == Window(0, found.size // SECTOR)
        descriptors = _Descriptors(take_locks(found, Locks(window, whole=whole, read_only=read_only)))
        try:
            _refuse_shrunk(path, descriptors.plain, window)
            if direct:
                descriptors.direct = _open_direct(path, descriptors.plain, read_only=read_only)
            return cls(found, window, descriptors, read_only=read_only)
        except BaseException:
            descriptors.close()
            raise

    @property
    def sectors(self) -> int:
        """Sectors of 512 bytes that are served."""
        return self.window.sectors

    def overlaps(self, other: Backing) -> bool:
        """Whether the two share sectors: the same file or device with windows that meet, or a disk and a partition of it."""
        if self.running_key == other.running_key:
            return self.window.meets(other.window)
        return other.running_key in self._relatives or self.running_key in other._relatives

    @property
    def missing(self) -> int:
        """Sectors at the end of the window that were cut off; also when the backing is long again, with nothing there."""
        with self._sizes:
            return min(self.window.sectors, self.window.end - self._intact // SECTOR)

    @property
    def links(self) -> int:
        """How many names the file has. None: it is gone when it is closed. Raises OSError."""
        return os.fstat(self._descriptors.plain).st_nlink

    def fileno(self) -> int:
        """The file descriptor, through the page cache."""
        return self._descriptors.plain

    def is_at(self, status: os.stat_result) -> bool:
        """Whether this is the status of the file or device that is open."""
        device, inode, number = self._identity
        return status.st_rdev == number if self.block_device else (status.st_dev, status.st_ino) == (device, inode)

    def look(self) -> int:
        """The backing's size of now in bytes; what is cut off is noted. Raises OSError."""
        plain = self._descriptors.plain
        while True:
            window = self.window
            size = os.lseek(plain, 0, os.SEEK_END) if self.block_device else os.fstat(plain).st_size
            with self._sizes:
                if window is self.window:  # else it has grown since, and the size may be of before
                    self._intact = min(self._intact, size)
                    return size

    def has_room(self) -> bool:
        """Whether the file system could take more; a block device has none. Raises OSError."""
        return not self.block_device and os.fstatvfs(self._descriptors.plain).f_bavail > 0

    def grow(self, end: int) -> bool:
        """Serve up to sector `end`, which the backing has. False if another program has locked what is new."""
        window = Window(self.window.start, end - self.window.start)
        if not extend_lock(self._descriptors.plain, Locks(window, whole=False, read_only=self.read_only)):
            return False
        with self._sizes:
            self.window, self._intact = window, end * SECTOR
        return True

    def read(self, lba: int, count: int) -> bytes:
        """Read `count` sectors from sector `lba` of the window. Raises OSError: EIO for what was cut off."""
        position = self._position(lba, count)
        self._refuse_lost(position + count * SECTOR)
        try:
            if not self._direct:
                return self._read_plain(position, count * SECTOR)
            with self._buffer() as buffer:
                return self._read_direct(buffer, position, count * SECTOR)
        except OSError:
            self._note_end()
            raise

    def write(self, lba: int, *pieces: bytes | bytearray | memoryview) -> None:
        """Write whole sectors, one piece after the other, from sector `lba` of the window on.

        Raises OSError: EIO for what was cut off.
        """
        if self.read_only:
            raise OSError(errno.EROFS, "served read-only", str(self.path))
        size = sum(memoryview(piece).nbytes for piece in pieces)
        if size % SECTOR:
            raise OSError(errno.EINVAL, "no whole number of sectors", str(self.path))
        position = self._position(lba, size // SECTOR)
        if not self.block_device:
            self._note_end()  # a write past the end of a shorter file would make it look whole, with zeros for what was lost
        self._refuse_lost(position + size)
        try:
            if self._direct:
                with self._buffer() as buffer:
                    self._write_direct(buffer, memoryview(b"".join(pieces)), position)
            else:
                self._write_plain(pieces, size, position)
        except OSError:
            self._note_end()
            raise

    def flush(self) -> None:
        """Return once everything written is on stable storage (fdatasync). Raises OSError."""
        os.fdatasync(self._descriptors.plain)

    def check_writeback(self) -> None:
        """Raise the OSError that the kernel met since it was last asked, when it wrote what it had taken. Waits for nothing."""
        check_writeback(self._descriptors.plain, self.window.end * SECTOR)

    def close(self) -> None:
        """Release the backing and its locks; what was written is left to the kernel. Harmless if repeated."""
        self._descriptors.close()

    def _position(self, lba: int, count: int) -> int:
        if lba < 0 or count < 0 or lba + count > self.window.sectors:
            raise OSError(errno.EINVAL, f"sectors {lba} to {lba + count} are outside the export", str(self.path))
        return (self.window.start + lba) * SECTOR

    def _note_end(self) -> None:
        with contextlib.suppress(OSError):  # what was asked for is what fails
            self.look()

    def _refuse_lost(self, end: int) -> None:
        """What was cut off does not come back: a file that is long again has zeros there, which nobody wrote."""
        if end > self._intact:
            raise OSError(errno.EIO, "the backing was made shorter while it is served", str(self.path))

    @contextlib.contextmanager
    def _buffer(self) -> Iterator[mmap.mmap]:
        """A page-aligned buffer for this thread alone."""
        try:
            buffer = self._spare.pop()
        except IndexError:
            buffer = mmap.mmap(-1, _DIRECT_BUFFER)
        yield buffer
        if len(self._spare) < _SPARE_BUFFERS:
            self._spare.append(buffer)

    def _write_plain(self, pieces: Sequence[bytes | bytearray | memoryview], size: int, position: int) -> None:
        descriptor = self._descriptors.plain
        done = os.pwritev(descriptor, pieces, position)
        if done < size:
            rest = memoryview(b"".join(pieces))[done:]
            _complete(lambda at: os.pwritev(descriptor, [rest[at:]], position + done + at), len(rest))

    def _read_plain(self, position: int, size: int) -> bytes:
        data = os.pread(self._descriptors.plain, size, position)
        while len(data) < size:
            more = os.pread(self._descriptors.plain, size - len(data), position + len(data))
            if not more:
                raise OSError(errno.EIO, "the backing ends before the export does", str(self.path))
            data += more
        return data

    def _read_direct(self, buffer: mmap.mmap, position: int, size: int) -> bytes:
        data = bytearray()
        with memoryview(buffer) as whole:
            for start in range(0, size, _DIRECT_BUFFER):
                with whole[: size - start] as piece:
                    self._through_both(os.preadv, piece, position + start)
                    data += piece
        return bytes(data)

    def _write_direct(self, buffer: mmap.mmap, data: memoryview, position: int) -> None:
        with memoryview(buffer) as whole:
            for start in range(0, len(data), _DIRECT_BUFFER):
                with whole[: len(data) - start] as piece:
                    piece[:] = data[start : start + len(piece)]
                    self._through_both(os.pwritev, piece, position + start)

    def _through_both(self, call: Callable[[int, list[memoryview], int], int], piece: memoryview, position: int) -> None:
        """`call` on the direct descriptor, and on the plain one for what that does not take."""

        def step(at: int) -> int:
            with piece[at:] as rest:
                try:
                    return call(self._descriptors.direct, [rest], position + at)
                except OSError as error:
                    if error.errno != errno.EINVAL:
                        raise
                return call(self._descriptors.plain, [rest], position + at)

        _complete(step, len(piece))


def _lasting_key(found: Found, window: Window, descriptor: int) -> str:
    parts = [found.key]
    if not found.block_device and (generation := _generation(descriptor)):
        parts.append(f"generation {generation}")
    if window.start:
        parts.append(f"from sector {window.start}")
    return ", ".join(parts)


def _generation(descriptor: int) -> int:
    """Tells a file from an earlier one of the same inode number, which file systems give out again; 0 where it is not known."""
    try:
        answer = fcntl.ioctl(descriptor, _FS_IOC_GETVERSION, bytes(_LONG))
    except OSError:
        return 0
    (generation,) = struct.unpack_from("=I", answer)
    return int(generation)


def _complete(step: Callable[[int], int], size: int) -> None:
    """Repeat `step(done so far)`, which says how many bytes it did, until `size` are done. Nothing done: OSError(EIO)."""
    done = 0
    while done < size:
        moved = step(done)
        if moved <= 0:
            raise OSError(errno.EIO, "the backing ends before the export does")
        done += moved


def _refuse_shrunk(path: Path, descriptor: int, window: Window) -> None:
    if os.lseek(descriptor, 0, os.SEEK_END) < window.end * SECTOR:
        raise EngineError(f"{path} became smaller while it was opened: try again", field="path")


def _open_direct(path: Path, plain: int, *, read_only: bool) -> int:
    """A second descriptor of the same inode with O_DIRECT, through /proc so that a renamed path cannot mislead."""
    flags = (os.O_RDONLY if read_only else os.O_RDWR) | os.O_DIRECT | os.O_CLOEXEC
    try:
        return os.open(f"/proc/self/fd/{plain}", flags)
    except OSError as error:
        raise EngineError(
            f"{path} cannot be opened with O_DIRECT ({error.strerror}): the file system lacks it; serve it without direct",
            field="direct",
        ) from error
