"""A network namespace for this process, as an ordinary user within a user namespace. Imports nothing that starts a thread."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000


def enter() -> str:
    """Leave the host's network for an empty one. Returns why the kernel refuses, or nothing."""
    try:
        leave_network()
    except PermissionError:
        return _enter_as_user()
    except OSError as error:
        return f"this kernel makes no network namespaces ({error.strerror})"
    return ""


def leave_network() -> None:
    """Give this process an empty network. Raises OSError; PermissionError without the privilege for it."""
    _unshare(CLONE_NEWNET)


def _enter_as_user() -> str:
    user, group = os.geteuid(), os.getegid()
    try:
        _unshare(CLONE_NEWUSER | CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError as error:
        return f"user namespaces are forbidden here ({error.strerror}); as root, or where they are allowed, its links are real"
    return ""


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
