"""Replies to the kernel: one sendmmsg for many, and what it refuses is counted. The rules of packet_send.py."""

from __future__ import annotations

from aoetui.engine.fast.compiler import c_poll, c_sendmmsg, compiled, errno_of
from aoetui.engine.fast.tables import LINK_LOST, SEND_FAILED, SOCKET, Tables

_DONTWAIT = 0x40
_RETRIES = 3
_RETRY_MS = 2
_EBADF, _EAGAIN, _EFAULT, _ENODEV, _ENXIO, _ENETDOWN, _ENOBUFS = 9, 11, 14, 19, 6, 100, 105
_MESSAGE = 64
"""Bytes of a struct mmsghdr."""


@compiled
def offer(t: Tables, messages: int, replies: int) -> int:
    """Offer messages at an address to the kernel until each is taken or given up.

    Stops at one whose data could not be read (EFAULT): returns its number, or `replies` if there was none.
    """
    at, retries = 0, _RETRIES
    while at < replies:
        sent = c_sendmmsg(t.port[SOCKET], messages + at * _MESSAGE, replies - at, _DONTWAIT)
        if sent > 0:
            at += sent
            continue
        code = errno_of()
        if code == _EFAULT:
            return at
        if code not in (_EBADF, _EAGAIN, _ENODEV, _ENXIO, _ENETDOWN, _ENOBUFS):
            t.port[SEND_FAILED] += 1
            at += 1
            continue
        if code in (_ENODEV, _ENXIO, _ENETDOWN):
            t.port[LINK_LOST] = 1
        if retries == 0 or code == _EBADF:
            t.port[SEND_FAILED] += replies - at
            return replies
        retries -= 1
        if code in (_EAGAIN, _ENOBUFS):
            c_poll(0, 0, _RETRY_MS)
    return replies
