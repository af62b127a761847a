"""Sending frames in batches: one sendmmsg(2) for up to 64, which Python's socket module does not offer."""

from __future__ import annotations

import ctypes
import errno
import select
import threading
import time
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 64
"""Frames that one system call offers."""
RETRIES = 3
"""How often one batch is offered again after the kernel had no room."""
WAIT = 0.002
"""Seconds to wait for room before each of those."""

_SHORT = 64
"""Bytes of a short frame: a request to read, or an answer to a write."""

_LINK_ERRORS = frozenset({errno.ENETDOWN, errno.ENXIO, errno.ENODEV})
_ROOM_ERRORS = frozenset({errno.EAGAIN, errno.ENOBUFS})
_LASTING_ERRORS = _LINK_ERRORS | _ROOM_ERRORS | {errno.EBADF}
"""Those that the next frame would meet as well; any other is the one frame's own (EMSGSIZE, EINVAL)."""


class _Iovec(ctypes.Structure):
    """struct iovec."""

    _fields_: ClassVar = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Message(ctypes.Structure):
    """struct mmsghdr: a struct msghdr, then the sent length."""

    _fields_: ClassVar = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iov_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint),
    ]


_MESSAGE = ctypes.sizeof(_Message)
_libc = ctypes.CDLL(None, use_errno=True)
_libc.sendmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]
_libc.sendmmsg.restype = ctypes.c_int
_DONTWAIT = 0x40


class BatchSender:
    """Sends on one bound packet socket; any thread may call. `failed` counts the frames the kernel did not take."""

    def __init__(self, fileno: int) -> None:
        self.failed = 0
        self.link_lost = False
        """Set when the kernel said that the link is down or gone."""
        self._fileno = fileno
        self._lock = threading.Lock()
        # the kernel reads these by address: they live as long as the sender
        self._iovecs = (_Iovec * BATCH)()
        self._messages = (_Message * BATCH)()
        self._shorts = (ctypes.c_char * (BATCH * _SHORT))()
        self._laid_out = 0
        """The length of frame that the parts are laid out for in `_shorts`; 0 if they are not."""
        for at, message in enumerate(self._messages):
            message.iov = ctypes.addressof(self._iovecs) + at * ctypes.sizeof(_Iovec)
            message.iov_length = 1

    def send(self, frames: Sequence[bytes]) -> int:
        """Send in order; how many the kernel took. Waits a few milliseconds at most when it has no room."""
        with self._lock:
            taken = sum(self._send_batch(frames[at : at + BATCH]) for at in range(0, len(frames), BATCH))
            self.failed += len(frames) - taken
        return taken

    def close(self) -> None:
        """Let no later call reach the socket, whose number the system may give to another."""
        with self._lock:
            self._fileno = -1

    def _send_batch(self, frames: Sequence[bytes]) -> int:
        joined = b"".join(frames)  # held until the kernel has copied it: one address for all frames
        length = len(frames[0])
        if length <= _SHORT and set(map(len, frames)) == {length}:
            self._lay_out(length)
            ctypes.memmove(self._shorts, joined, len(joined))
            return self._offer(len(frames))
        self._laid_out = 0
        address = ctypes.cast(ctypes.c_char_p(joined), ctypes.c_void_p).value or 0
        for frame, iovec in zip(frames, self._iovecs, strict=False):
            iovec.base, iovec.length = address, len(frame)
            address += len(frame)
        return self._offer(len(frames))

    def _lay_out(self, length: int) -> None:
        """Give each message a place of its own of this length: telling where each is would cost most of a batch of short ones."""
        if self._laid_out == length:
            return
        self._laid_out = length
        address = ctypes.addressof(self._shorts)
        for at, iovec in enumerate(self._iovecs):
            iovec.base, iovec.length = address + at * length, length

    def _offer(self, count: int) -> int:
        """Offer the first `count` messages until each is taken or given up."""
        at = taken = 0
        retries = RETRIES
        while at < count:
            first = ctypes.byref(self._messages, at * _MESSAGE)
            sent = _libc.sendmmsg(self._fileno, first, count - at, _DONTWAIT)
            if sent > 0:
                at, taken = at + sent, taken + sent
                continue
            code = ctypes.get_errno()
            if code not in _LASTING_ERRORS:
                at += 1
            elif retries and code != errno.EBADF:
                retries -= 1
                self._pause(code)
            else:
                break
        return taken

    def _pause(self, code: int) -> None:
        """Before a batch is offered again. The first error of a link may be an old one, left by an interruption that is over."""
        if code == errno.EAGAIN:
            ready = select.poll()
            ready.register(self._fileno, select.POLLOUT)
            ready.poll(WAIT * 1000)
        elif code == errno.ENOBUFS:  # the device's queue, not the socket's: poll would not wait
            time.sleep(WAIT)
        else:
            self.link_lost = True
