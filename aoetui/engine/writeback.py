"""Whether the kernel could write what it took: a page that it cannot write is dropped, and only who asks is told."""

from __future__ import annotations

import ctypes
import os

_WAIT_BEFORE = 1
"""SYNC_FILE_RANGE_WAIT_BEFORE (sync_file_range(2))."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]


def check_writeback(descriptor: int, end: int) -> None:
    """Raise the OSError that the kernel met since this was last asked of the descriptor; each is told once.

    Writes nothing, and waits for nothing if `end` (bytes) is where the file ends: the call looks for errors of the whole file
    after it has waited for the one page there (mm/filemap.c, file_fdatawait_range).
    """
    if _libc.sync_file_range(descriptor, end, 1, _WAIT_BEFORE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
