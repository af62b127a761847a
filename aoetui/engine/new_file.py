"""Making a backing file before it is served."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import humanize

from aoetui.engine.api import EngineError, NoPermissionError, UsageError
from aoetui.engine.atomic import sync_folder
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.spec import NewFile


def create(path: Path, new: NewFile) -> None:
    """Make `path`, of the size asked, all zeros, on stable storage, mode 0600. On failure nothing is left of it.

    Raises UsageError (field `size`), EngineError (field `path`, or `size` if there is no room), NoPermissionError.
    """
    if new.size < SECTOR or new.size % SECTOR:
        raise UsageError(f"{new.size} bytes is no size for a disk: choose a multiple of {SECTOR}, as 10G", field="size")
    descriptor = _open_new(path)
    try:
        try:
            _fill(path, descriptor, new)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(path.parent)
    except OSError as error:
        _remove(path)
        raise EngineError(f"{path} could not be made ({error.strerror}): look at its disk", field="path") from error
    except BaseException:
        _remove(path)
        raise


def _open_new(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise EngineError(f"{path} exists already: choose it as it is, or another name", field="path") from error
    except FileNotFoundError as error:
        raise EngineError(
            f"the folder {path.parent} does not exist: make it with `mkdir -p {path.parent}`", field="path"
        ) from error
    except PermissionError as error:
        raise NoPermissionError(
            f"no permission to make {path}: choose a folder of your own, or run aoetui as root", field="path"
        ) from error
    except OSError as error:
        raise EngineError(f"{path} cannot be made ({error.strerror}): choose another name", field="path") from error


def _fill(path: Path, descriptor: int, new: NewFile) -> None:
    try:
        if new.sparse:
            os.ftruncate(descriptor, new.size)
        else:
            _refuse_too_large(path, new.size)
            os.posix_fallocate(descriptor, 0, new.size)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _no_room(path, new.size) from error
        if error.errno in {errno.EFBIG, errno.EINVAL, errno.EOVERFLOW}:
            text = f"the file system of {path} takes no file of {_human(new.size)}: choose a smaller size"
            raise EngineError(text, field="size") from error
        raise


def _refuse_too_large(path: Path, size: int) -> None:
    """Before anything is allocated: filling a disk to the brim, if only for a moment, hurts whoever else writes to it."""
    if size > _free(path):
        raise _no_room(path, size)


def _no_room(path: Path, size: int) -> EngineError:
    free = _human(_free(path))
    return EngineError(
        f"{path} needs {_human(size)}, and {path.parent} has {free} free: choose a smaller size, or sparse", field="size"
    )


def _free(path: Path) -> int:
    room = os.statvfs(path.parent)
    return room.f_bavail * room.f_frsize


def _human(size: int) -> str:
    return humanize.naturalsize(size)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
