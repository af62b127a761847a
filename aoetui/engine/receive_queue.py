"""One receive queue of a port: a packet socket, the ring that the kernel fills, and the compiled loop that empties it, if any.

Where there is no loop, `take` empties it. The port's thread alone calls `take`, `begin`, `end` and `take_error`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from aoetui.engine.fast_path import fast_path
from aoetui.engine.packet_ring import MAX_BATCH, RING_BYTES, SOL_PACKET, PacketOption, Ring
from aoetui.engine.protocol.wire import sectors_per_frame

if TYPE_CHECKING:
    from aoetui.engine.fast.lane import Lane
    from aoetui.engine.protocol.address import Mac

STOP_TIME = 0.2
"""Seconds that a loop is given to end; after that it is in a call to a disk."""
_SO_SNDBUFFORCE = 32
_SEND_BUFFER = 4 << 20
"""Bytes of replies that may wait for the interface: two batches of the largest."""


@dataclass(frozen=True, slots=True)
class WireStatistics:
    """Frames, counted since the wire was opened."""

    received: int = 0
    """Handed out by `receive`."""
    ring_dropped: int = 0
    """Dropped by the kernel because the ring was full."""
    foreign_vlan: int = 0
    """Sent to us or to all in a VLAN without a link of its own, and heard by a port for untagged frames: refused.

    Also those that a port for that VLAN takes: the kernel tells this one only that there was a tag."""
    send_failed: int = 0
    """Not taken by the kernel."""
    truncated: int = 0
    """Longer than a slot of the ring (the MTU grew): refused."""

    def __add__(self, other: WireStatistics) -> WireStatistics:
        return WireStatistics(*map(sum, zip(astuple(self), astuple(other), strict=True)))


class ReceiveQueue:
    """Made of a packet socket that is not bound yet; `close` closes that too."""

    def __init__(self, sock: socket.socket, *, index: int, mtu: int, vlan: int | None, wakeup: int) -> None:
        """For a link's frames of a VLAN; None: untagged ones. `wakeup` is an eventfd, written when a loop has frames for `take`.

        Raises OSError.
        """
        self.socket = sock
        self.ring = Ring(sock, index, mtu, vlan or 0)
        self.let_hear(others=False)
        with contextlib.suppress(OSError):  # Linux before 4.20 lacks it: the ring drops what we sent
            sock.setsockopt(SOL_PACKET, PacketOption.IGNORE_OUTGOING, 1)
        with contextlib.suppress(OSError):  # a user namespace may not: then it is the system's default
            sock.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER)
        self.lane: Lane | None = None
        self.is_stuck = False
        """Whether a disk keeps the loop: it is abandoned, and the port is to be opened anew."""
        self._index = index
        self._vlan = vlan or 0
        self._wakeup = os.dup(wakeup)
        """The queue's own: a loop that a disk keeps may write it when the port is long closed."""
        self._left: list[bytes] = []
        """Frames that the loop had set aside when it was stopped."""
        self._before = WireStatistics()
        """What loops counted that have ended."""
        self._lane_received = 0
        self._dropped = 0

    def let_hear(self, *, others: bool) -> None:
        """See Wire."""
        # Frames that pass by the queue pass by those who listen too (net/core/dev.c, __dev_direct_xmit).
        self.socket.setsockopt(SOL_PACKET, PacketOption.QDISC_BYPASS, not others)

    @property
    def memory(self) -> int:
        """The most bytes that ring and loop may take."""
        return RING_BYTES + (0 if self.lane is None else self.lane.memory)

    def begin(self, name: str, mac: Mac, mtu: int) -> None:
        """Have the compiled loop empty the ring from now on, if it can be had."""
        if fast_path.lane is None:
            return
        self.lane = fast_path.lane(
            name,
            socket=self.socket.fileno(),
            ring=self.ring.memory,
            stride=self.ring.stride,
            slots=self.ring.slots,
            slot=self.ring.head,
            index=self._index,
            vlan=self._vlan,
            wake=self._wakeup,
        )
        self.lane.start(mac, sectors_per_frame(mtu))

    def end(self) -> None:
        """End the loop, and go on where it stops; not if a disk keeps it."""
        lane = self.lane
        if lane is not None and lane.stop(STOP_TIME):
            self._left = lane.take_all()
            self.ring.head = lane.slot
            self._before += WireStatistics(*lane.statistics())
            self.lane = None
            lane.release()

    def has_received(self) -> bool:
        """Whether the loop has had frames since this was last asked."""
        before, self._lane_received = self._lane_received, 0 if self.lane is None else self.lane.received
        return self._lane_received != before

    def take(self, mac: Mac) -> list[bytes]:
        """The frames that are there, at most MAX_BATCH mostly: of the ring, or what the loop leaves to the reference path."""
        lane = self.lane
        if lane is None:
            left, self._left = self._left, []
            return left or self.ring.take(mac)
        if not self.is_stuck and lane.give_up_if_stuck():
            self.is_stuck = True
            self._save(lane, mac)
        if self.is_stuck:
            left, self._left = self._left, []
            return left
        return lane.take(MAX_BATCH)

    def _save(self, lane: Lane, mac: Mac) -> None:
        """A disk keeps the loop, and the port is to be opened anew: take what has come so far, but for the loop's last batch."""
        self._left = lane.take_all()
        self.ring.head = lane.behind_batch
        while more := self.ring.take(mac):
            self._left += more

    def take_error(self) -> int:
        """The socket's error, which ends its state of error; 0 if there is none."""
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if self.lane is not None:
            self.lane.error_taken()
        return code

    def count_drops(self) -> None:
        """Read what the kernel has dropped, which sets its own count to 0."""
        (_, dropped) = struct.unpack("=II", self.socket.getsockopt(SOL_PACKET, PacketOption.STATISTICS, 8))
        self._dropped += dropped

    def statistics(self) -> WireStatistics:
        """The counters of now, drops as of when they were last read."""
        ring, lane = self.ring, self.lane
        counted = WireStatistics(ring.received, self._dropped, ring.foreign_vlan, truncated=ring.truncated)
        return counted + (self._before if lane is None else WireStatistics(*lane.statistics()) + self._before)

    def close(self) -> None:
        """Give everything back: what a loop works with that a disk keeps, once it has ended."""
        lane = self.lane
        if lane is None:
            self._dispose()
        elif lane.stop(STOP_TIME):
            lane.release()
            self._dispose()
        else:
            lane.abandon()
            lane.when_ended(self._dispose)

    def _dispose(self) -> None:
        self.ring.close()
        self.socket.close()
        os.close(self._wakeup)
