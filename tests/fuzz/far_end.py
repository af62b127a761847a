"""The runner's end of the cable: every frame that comes, whoever it is for, and any frame out."""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from aoetui.engine.packet_ring import SOL_PACKET, PacketOption
from aoetui.engine.packet_send import BatchSender

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALL = 3
_BUFFER = 8 << 20
_RCVBUFFORCE = 33


class FarEnd:
    """A packet socket on far0. To be made inside its namespace."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.setsockopt(SOL_PACKET, PacketOption.IGNORE_OUTGOING, 1)
        with suppress(PermissionError):  # batches are small enough without it
            self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _BUFFER)
        self._socket.bind(("far0", _ALL))
        self._sender = BatchSender(self._socket.fileno())
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def send(self, frames: Sequence[bytes]) -> None:
        """All of these, in order."""
        assert self._sender.send(frames) == len(frames), "the kernel refused a frame"

    def receive(self, until: float) -> list[bytes]:
        """What has come; waits for it until this time of the monotonic clock."""
        if not self._poll.poll(max(0.0, until - time.monotonic()) * 1000):
            return []
        frames = []
        with suppress(BlockingIOError):
            while True:
                frames.append(self._socket.recv(65536, socket.MSG_DONTWAIT))
        return frames

    def close(self) -> None:
        """Let it go."""
        self._sender.close()
        self._socket.close()
