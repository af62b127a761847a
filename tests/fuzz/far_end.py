"""The runner's end of the cable: every frame that comes, whoever it is for, and any frame out."""

from __future__ import annotations

import select
import socket
import struct
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
_AUXDATA = 8
_AUX = struct.Struct("=I12xHH")
"""Of struct tpacket_auxdata: status, VLAN tag, and the tag's EtherType."""
_VLAN_VALID = 1 << 4


class FarEnd:
    """A packet socket on far0. To be made inside its namespace."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.setsockopt(SOL_PACKET, PacketOption.IGNORE_OUTGOING, 1)
        self._socket.setsockopt(SOL_PACKET, _AUXDATA, 1)
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
        """What has come, each with its VLAN tag; waits for it until this time of the monotonic clock."""
        if not self._poll.poll(max(0.0, until - time.monotonic()) * 1000):
            return []
        frames = []
        with suppress(BlockingIOError):
            while True:
                frame, controls, _, _ = self._socket.recvmsg(65536, 64, socket.MSG_DONTWAIT)
                status, tag, kind = _AUX.unpack_from(controls[0][2])
                if status & _VLAN_VALID:  # the kernel has taken it out
                    frame = frame[:12] + kind.to_bytes(2) + tag.to_bytes(2) + frame[12:]
                frames.append(frame)
        return frames

    def close(self) -> None:
        """Let it go."""
        self._sender.close()
        self._socket.close()
