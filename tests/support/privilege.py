"""What the tests' process may do: its capabilities, handed on to the programs it starts, or put aside for a while."""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
_VERSION = 0x20080522
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Word(ctypes.Structure):
    """32 of the capabilities (capget(2))."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def _held() -> ctypes.Array[_Word]:
    words = (_Word * 2)()
    _call("capget", ctypes.byref(_Header(_VERSION, 0)), words)
    return words


def _hold(words: ctypes.Array[_Word]) -> None:
    _call("capset", ctypes.byref(_Header(_VERSION, 0)), words)


def hand_on() -> None:
    """Let the programs that this process starts have its capabilities too: a user other than root loses them at exec."""
    words = _held()
    for word in words:
        word.inheritable = word.permitted
    _hold(words)
    for capability in range(64):
        if words[capability // 32].permitted >> capability % 32 & 1:
            _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


@contextlib.contextmanager
def as_ordinary_user() -> Iterator[None]:
    """This thread as a user who is not root and has no capability: for root that is nobody."""
    if os.geteuid() == 0:
        os.seteuid(NOBODY)  # the kernel clears the effective capabilities with it
        try:
            yield
        finally:
            os.seteuid(0)
        return
    before, fewer = _held(), _held()
    for word in fewer:
        word.effective = 0
    _hold(fewer)
    try:
        yield
    finally:
        _hold(before)
