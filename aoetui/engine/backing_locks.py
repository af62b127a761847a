"""Opening a backing so that nobody else writes to it: flock, a lock on the window's byte range, and O_EXCL.

Two locks, since each is what others look at: flock is what most tools take; the byte-range lock (F_OFD_SETLK, fcntl(2)) is what
qemu takes, and lets two exports serve windows of one backing that do not meet. Both belong to the open file, so they end with it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.inspect_backing import permission_refusal
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from aoetui.engine.inspect_backing import Found
    from aoetui.engine.window import Window

_FLOCK = struct.Struct("hhqqi0q")
"""struct flock (fcntl(2)): type, whence, start, length, pid, padded as C pads it."""
_TAKEN = {errno.EAGAIN, errno.EACCES}


@dataclass(frozen=True, slots=True)
class Locks:
    """What is to be locked: shared for reading, exclusive for writing."""

    window: Window
    whole: bool
    """Whether the window is the whole backing."""
    read_only: bool

    @property
    def flock(self) -> int:
        """Windows of one backing share its flock; their byte ranges keep them apart."""
        return fcntl.LOCK_EX if self.whole and not self.read_only else fcntl.LOCK_SH

    @property
    def record(self) -> bytes:
        """The byte range, as fcntl takes it."""
        kind = fcntl.F_RDLCK if self.read_only else fcntl.F_WRLCK
        return _FLOCK.pack(kind, os.SEEK_SET, self.window.start * SECTOR, self.window.sectors * SECTOR, 0)


def take_locks(found: Found, locks: Locks) -> int:
    """Open `found` and lock it; the descriptor holds the locks. Raises EngineError, NoPermissionError."""
    descriptor = _open(found, locks)
    try:
        _refuse_replaced(found, descriptor)
        _lock(found, descriptor, locks)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def extend_lock(descriptor: int, locks: Locks) -> bool:
    """Lock a larger window through the same descriptor. False, with the lock as it was, if another holds some of what is new."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, locks.record)
    except OSError:
        return False
    return True


def _open(found: Found, locks: Locks) -> int:
    if locks.read_only:
        return _open_as(found, os.O_RDONLY)
    if not found.block_device:
        return _open_as(found, os.O_RDWR)
    try:
        return _open_as(found, os.O_RDWR | os.O_EXCL)
    except EngineError:
        if locks.whole or not _served_in_windows(found):
            raise
    return _open_as(found, os.O_RDWR)


def _open_as(found: Found, flags: int) -> int:
    try:
        return os.open(found.path, flags | os.O_CLOEXEC | os.O_NONBLOCK)
    except PermissionError as error:
        raise permission_refusal(found.path, read_only=not flags & os.O_RDWR) from error
    except OSError as error:
        if error.errno in {errno.EBUSY, errno.ETXTBSY}:
            raise EngineError(f"{found.path} is mounted or otherwise in use: end that use first", field="path") from error
        raise EngineError(f"{found.path} cannot be opened ({error.strerror}): choose another", field="path") from error


def _served_in_windows(found: Found) -> bool:
    """Whether the device's claim is explained by another window's lock. O_EXCL claims a block device whole."""
    descriptor = _open_as(found, os.O_RDWR)
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked))[0]
    finally:
        os.close(descriptor)
    return bool(kind != fcntl.F_UNLCK)


def _refuse_replaced(found: Found, descriptor: int) -> None:
    status = os.fstat(descriptor)
    if (status.st_dev, status.st_ino, status.st_rdev) != found.identity:
        raise EngineError(f"{found.path} was replaced while it was opened: try again", field="path")


def _lock(found: Found, descriptor: int, locks: Locks) -> None:
    try:
        fcntl.flock(descriptor, locks.flock | fcntl.LOCK_NB)
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, locks.record)
    except OSError as error:
        if error.errno in _TAKEN:
            raise EngineError(_taken(found, locks), field="path") from error
        raise EngineError(
            f"{found.path} cannot be locked ({error.strerror}): move it to a file system with locks", field="path"
        ) from error


def _taken(found: Found, locks: Locks) -> str:
    if locks.read_only:
        return f"{found.path} is being written by another export or program, which locks it: stop that one first"
    return f"{found.path} is locked by another export or program: stop that one, or serve another part of it"
