"""Replacing a small file as a whole: after a crash or a power cut it has its old text or its new one, never a part."""

from __future__ import annotations

import errno
import glob
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


_NOT_OURS_TO_GIVE = {errno.EPERM, errno.EINVAL}
"""EINVAL: the owner has no number in this user namespace."""


def replace_file(path: Path, content: bytes | Iterable[bytes], *, mode: int = 0o600) -> None:
    """Write `content`, or its parts one after the other, beside `path`, sync it, rename it over `path`, sync the folder.

    Raises OSError; then `path` is as it was, or, where only the folder could not be synced, new and perhaps not for good.
    An existing file keeps its mode and, where we may give it away, its owner. `path` itself must be no symbolic link.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        _write_new(temporary, (content,) if isinstance(content, bytes) else content, mode)
        _keep_mode_and_owner(path, temporary)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put the folder's names on stable storage. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed in the middle of `replace_file` have left, of this file and of those named after it.

    To be called by whoever alone may replace it now.
    """
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError):
            leftover.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, on stable storage: 0755 for root, whose settings others may read, 0700 for anyone else.

    Raises OSError.
    """
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o755 if os.geteuid() == 0 else 0o700, exist_ok=True)
        sync_folder(folder.parent)


def _write_new(path: Path, parts: Iterable[bytes], mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(descriptor)


def _keep_mode_and_owner(path: Path, temporary: Path) -> None:
    try:
        old = path.stat()
    except FileNotFoundError:
        return
    try:
        os.chown(temporary, old.st_uid, old.st_gid)
    except OSError as error:
        if error.errno not in _NOT_OURS_TO_GIVE:
            raise
    temporary.chmod(old.st_mode & 0o7777)
