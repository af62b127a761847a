"""A compiled lane without a network: its ring is filled as the kernel fills one, and its replies are read from a socket pair."""

from __future__ import annotations

import mmap
import os
import socket
import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine import fastpath
from aoetui.engine.fast.lane import Lane
from aoetui.engine.fast.tables import COUNT_OF_ENTRIES, E_FRAME, E_KIND, NOW, TAKEN_SLOTS, W_DONE, X_SLOW_UNTIL, X_STRIKE
from aoetui.engine.packet_ring import Ring, stride_for
from aoetui.engine.protocol.address import Mac
from tests.fuzz.findings import Finding

if TYPE_CHECKING:
    from typing import Self

INDEX = 7
_START = 92
"""Where in a slot the Ethernet header stands."""
_HEAD = struct.Struct("=IIIHHIIHH4xHHiHBB48x")
_USER, _TAG_IS_VALID = 1, 16
_SEND_BUFFER = 2 << 20
_LONGEST = 16384
_FEW = 8
"""Rows of exports that are in use at most."""
DROPPED = -1
"""Fate of a frame that is no entry of the batch; others are ROUTE, READ, WRITE and REPEAT."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What is beside the frame in a slot."""

    kind: int = 0
    """sockaddr_ll.sll_pkttype."""
    index: int = INDEX
    tag: int | None = None
    """VLAN tag, with its priority."""
    cut: int = 0
    """Bytes that did not fit the slot."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of one batch: of each frame of the port's, in order of arrival; and the replies, in the order they left."""

    fates: list[tuple[bytes, int]]
    replies: list[bytes]
    now: int
    """Nanoseconds."""


class LaneRig:
    """One lane. Every frame that is put is taken by `serve` in the end."""

    def __init__(self, mac: bytes, *, mtu: int, sectors: int, vlan: int, slots: int) -> None:
        self.stride = stride_for(mtu)
        self.slots = slots
        self._mac = Mac(mac)
        self._memory = mmap.mmap(-1, self.stride * slots)
        near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._far.setblocking(False)
        self._near = near
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.lane = Lane(
            "rig",
            socket=near.fileno(),
            ring=self._memory,
            stride=self.stride,
            slots=slots,
            slot=0,
            index=INDEX,
            vlan=vlan,
            wake=self._wake,
        )
        self.lane.readdress(self._mac, sectors)
        self.tables = self.lane.tables
        self._port, self._entries = self.tables.port, self.tables.entries
        """Looked up once: that takes long."""
        self.exports = self.tables.exports
        self._ring_at = int(self.lane._ring.ctypes.data)
        self.ring = self._reference_ring(vlan)
        self._next = 0
        self._waiting: deque[tuple[int, bytes | None]] = deque()

    def _reference_ring(self, vlan: int) -> Ring:
        """Reads the same slots as the interpreted path does, and counts as it does."""
        ring = Ring.__new__(Ring)
        ring._index, ring._vlan, ring._bytes = INDEX, vlan, memoryview(self._memory)
        ring.received = ring.foreign_vlan = ring.truncated = 0
        return ring

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ring._bytes.release()
        self.lane.release()
        self._near.close()
        self._far.close()
        os.close(self._wake)
        os.close(self.lane._stop)

    def put(self, frame: bytes, slot: Slot = Slot()) -> None:
        """Fill the next slot, as the kernel does when a frame comes."""
        at = self._next * self.stride
        whole, frame = len(frame) + slot.cut, frame[: self.stride - _START]
        length = len(frame)
        status = _USER if slot.tag is None else _USER | _TAG_IS_VALID
        head = _HEAD.pack(status, whole, length, _START, 106, 0, 0, slot.tag or 0, 0, 17, 0, slot.index, 1, slot.kind, 6)
        self._memory[at : at + _START + length] = head + frame
        seen = self.ring._read(at, self._mac)
        self.ring.received += seen is not None
        self._waiting.append((self._ring_at + at + _START, seen))
        self._next = (self._next + 1) % self.slots

    def serve(self) -> Batch | None:
        """Have the lane take one batch; None if there is nothing left."""
        port = self._port
        if not fastpath.serve_batch(self.tables):
            return None
        count = int(port[COUNT_OF_ENTRIES])
        entries = deque(self._entries[:count, [E_FRAME, E_KIND]].tolist())
        fates: list[tuple[bytes, int]] = []
        for _ in range(int(port[TAKEN_SLOTS])):
            at, frame = self._waiting.popleft()
            if frame is None:
                continue
            fates.append((frame, entries.popleft()[1] if entries and entries[0][0] == at else DROPPED))
        if entries:
            raise Finding("the lane took a frame for its own that is not")
        return Batch(fates, self._replies(), int(port[NOW]))

    def _replies(self) -> list[bytes]:
        replies, receive = [], self._far.recv
        try:
            while True:
                replies.append(receive(_LONGEST))
        except BlockingIOError:
            return replies

    def pass_time(self, milliseconds: int) -> None:
        """Make all that the lane remembers so much older."""
        tables = self.tables
        tables.writes[:, W_DONE] -= milliseconds * 1_000_000
        tables.asked.reshape(-1, 4)[:, 3] -= milliseconds

    def forgive(self) -> None:
        """Forget which disks made a write wait: another process of this host may have."""
        self.exports[:_FEW, [X_SLOW_UNTIL, X_STRIKE]] = 0
