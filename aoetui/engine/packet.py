"""The packet socket of one port: AoE frames in and out, whole and untagged, as bytes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import threading
from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from aoetui.engine.api import EngineError
from aoetui.engine.fast_path import fast_path
from aoetui.engine.packet_ring import MAX_BATCH, RING_BYTES, SOL_PACKET, PacketOption, Ring, stride_for
from aoetui.engine.packet_send import BatchSender
from aoetui.engine.permission import raw_sockets_refused
from aoetui.engine.port_names import split_port_name
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.wire import ETHERTYPE_AOE, sectors_per_frame
from aoetui.engine.vlan_tags import ETHERTYPE_ALL, attach_filter, tagged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aoetui.engine.fast.lane import Lane

_ARPHRD_ETHER = 1
_MAX_NAME = 15
_MR_PROMISC = 1
"""PACKET_MR_PROMISC (include/uapi/linux/if_packet.h)."""
_IFREQ = struct.Struct("=16s24x")
_SO_SNDBUFFORCE = 32
_SEND_BUFFER = 4 << 20
"""Bytes of replies that may wait for the interface: two batches of the largest."""
_STOP_TIME = 0.2
"""Seconds that a loop is given to end; after that it is in a call to a disk."""
_LANE_WAIT = 0.1
"""Seconds between two looks whether a disk keeps the loop."""
LOOP_FAILED = "the compiled loop failed, and the log says why"
"""`Wire.interpreted` once a loop has ended that nobody had told to."""


class _Ioctl(IntEnum):
    """include/uapi/linux/sockios.h."""

    GIFNAME = 0x8910
    GIFMTU = 0x8921
    GIFHWADDR = 0x8927
    GIFINDEX = 0x8933


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


class Wire(Protocol):
    """What a port needs of a link."""

    mac: Mac
    mtu: int
    """Bytes, as `mac` true at the time of opening or of the last `refresh`."""

    @property
    def needs_reopen(self) -> bool:
        """Whether this wire cannot receive any more, since the MTU has outgrown it or a disk keeps its loop: open another."""
        ...

    @property
    def lane(self) -> Lane | None:
        """The compiled loop that answers plain reads and writes before `receive` has them; None: `receive` has them all."""
        ...

    @property
    def interpreted(self) -> str:
        """Why there is none; empty if there is."""
        ...

    @property
    def memory(self) -> int:
        """The most bytes that it may take: its receive ring, and the loop's tables and buffers."""
        ...

    def fileno(self) -> int:
        """The socket's file descriptor."""
        ...

    def receive(self, timeout: float) -> list[bytes]:
        """Wait up to `timeout` seconds for frames; take those that are there, at most 256. One thread at a time.

        Empty on timeout or sooner, after `wake`, and when all that came was refused. Raises OSError: ENETDOWN once each time the
        link goes down (the wire works on when it comes up again), ENODEV when the link is gone, EBADF after `close`.
        """
        ...

    def send(self, frames: Sequence[bytes]) -> int:
        """Send in order, from any thread; how many the kernel took. What it refuses is counted, never raised."""
        ...

    def statistics(self) -> WireStatistics:
        """The counters of now; any thread."""
        ...

    def refresh(self) -> None:
        """Read `mac` and `mtu` again. Raises OSError (ENODEV) when the link is gone."""
        ...

    def wake(self) -> None:
        """Make a `receive` that waits, or the next one, return at once; any thread."""
        ...

    def let_hear(self, *, others: bool) -> None:
        """Whether packet sockets of others on this host (a trace, tcpdump) are to hear what is sent here; it costs a little."""
        ...

    def close(self) -> None:
        """End a `receive` that waits, and give everything back. May be called twice."""
        ...


class PacketSocket:
    """The real wire: an AF_PACKET socket for the AoE frames of one interface that are untagged, or of one VLAN.

    Priority tags (VLAN id 0) count as untagged. Frames with two tags, or with one of 802.1ad, are of no VLAN of ours.
    """

    def __init__(self, name: str) -> None:
        """Open and bind this port. Raises NoPermissionError, or EngineError when its interface is missing or not Ethernet."""
        self.interface, self.vlan = split_port_name(name)
        interface = self.interface
        try:
            # protocol 0 receives nothing yet: no frame of another interface slips into the ring
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        except PermissionError as refused:
            raise raw_sockets_refused(interface) from refused
        except OSError as failed:
            raise EngineError(f"cannot open a packet socket: {failed.strerror}; does this kernel have AF_PACKET?") from failed
        try:
            self._set_up()
        except OSError as failed:
            self._socket.close()
            raise EngineError(f"cannot open a packet socket on {interface}: {failed.strerror}", field="interfaces") from failed
        except EngineError:
            self._socket.close()
            raise

    def _set_up(self) -> None:
        self.index = self._find()
        self.refresh()
        self._ring = Ring(self._socket, self.index, self.mtu, self.vlan or 0)
        self._socket.setsockopt(SOL_PACKET, PacketOption.QDISC_BYPASS, 1)
        with contextlib.suppress(OSError):  # Linux before 4.20 lacks it: the ring drops what we sent
            self._socket.setsockopt(SOL_PACKET, PacketOption.IGNORE_OUTGOING, 1)
        if self.vlan is not None:
            attach_filter(self._socket, self.vlan)
            # Or a card that filters VLANs keeps those without a link of their own to itself; the kernel undoes this at the end.
            promiscuous = struct.pack("=iHH8x", self.index, _MR_PROMISC, 0)
            self._socket.setsockopt(SOL_PACKET, PacketOption.ADD_MEMBERSHIP, promiscuous)
        self._socket.bind((self.interface, ETHERTYPE_AOE if self.vlan is None else ETHERTYPE_ALL))
        self._sender = BatchSender(self._socket.fileno())
        self._wakeup = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._polls = (select.poll(), select.poll())
        """Without the socket, which is the loop's then, and with it."""
        self._polls[1].register(self._socket, select.POLLIN)
        for each in self._polls:
            each.register(self._wakeup, select.POLLIN)
        with contextlib.suppress(OSError):  # a user namespace may not: then it is the system's default
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER)
        self._lane: Lane | None = None
        self._switched_off = ""
        self._left: list[bytes] = []
        """Frames that the loop had set aside when it was stopped."""
        self._before = WireStatistics()
        """What loops counted that have ended."""
        self._lane_received = 0
        self._stuck = False
        self._ring_dropped = 0
        self._down = False
        self._closed = False
        self._receiving = threading.Lock()
        self._state = threading.Lock()

    def _find(self) -> int:
        """The interface's index. Raises EngineError if it is missing or not Ethernet."""
        name = os.fsencode(self.interface)
        try:
            answer = self._ask(_Ioctl.GIFINDEX, name if len(name) <= _MAX_NAME else b"")
        except OSError as missing:
            text = f"there is no interface {self.interface}: `ip -br link` lists those there are"
            raise EngineError(text, field="interfaces") from missing
        (index,) = struct.unpack_from("=i", answer, 16)
        (hardware,) = struct.unpack_from("=H", self._ask(_Ioctl.GIFHWADDR, name), 16)
        if hardware != _ARPHRD_ETHER:
            text = f"{self.interface} is not an Ethernet interface: AoE is spoken on Ethernet alone, choose another"
            raise EngineError(text, field="interfaces")
        return int(index)

    def _ask(self, request: _Ioctl, name: bytes) -> bytes:
        return fcntl.ioctl(self._socket, request, _IFREQ.pack(name))

    def _name(self) -> bytes:
        """The name of now: an interface may be renamed, its index stays. Raises OSError (ENODEV) when it is gone."""
        answer = fcntl.ioctl(self._socket, _Ioctl.GIFNAME, struct.pack("=16si20x", b"", self.index))
        return answer[:16].rstrip(b"\0")

    def refresh(self) -> None:
        """See Wire."""
        name = self._name()
        (self.mtu,) = struct.unpack_from("=i", self._ask(_Ioctl.GIFMTU, name), 16)
        self.mac = Mac(self._ask(_Ioctl.GIFHWADDR, name)[18:24])
        lane = getattr(self, "_lane", None)
        if lane is not None:
            lane.readdress(self.mac, sectors_per_frame(self.mtu))

    @property
    def needs_reopen(self) -> bool:
        """See Wire."""
        return self._stuck or stride_for(self.mtu) > self._ring.stride

    @property
    def lane(self) -> Lane | None:
        """See Wire."""
        return self._lane

    @property
    def interpreted(self) -> str:
        """See Wire."""
        return "" if self._lane is not None else self._switched_off or fast_path.why_not or "the compiled one takes over"

    @property
    def memory(self) -> int:
        """See Wire."""
        lane = self._lane
        return RING_BYTES + (0 if lane is None else lane.memory)

    def interpret(self, why: str) -> None:
        """Use no compiled loop, for this reason; with an empty one, use it again. Holds from the next `receive` on."""
        self._switched_off = why
        self.wake()

    def fileno(self) -> int:
        """See Wire."""
        return self._socket.fileno()

    def receive(self, timeout: float) -> list[bytes]:
        """See Wire."""
        with self._receiving:
            if self._closed:
                raise OSError(errno.EBADF, "the packet socket is closed")
            self._follow_fast_path()
            frames = self._take()
            if not frames:
                self._wait(timeout)
                frames = [] if self._closed else self._take()
            if frames:
                self._down = self._sender.link_lost = False
            return frames

    def _take(self) -> list[bytes]:
        lane = self._lane
        if lane is None:
            left, self._left = self._left, []
            return left or self._ring.take(self.mac)
        if lane.received != self._lane_received:
            self._lane_received = lane.received
            self._down = self._sender.link_lost = False
        if not self._stuck and lane.give_up_if_stuck():
            self._stuck = True
            self._save(lane)
        if self._stuck:
            left, self._left = self._left, []
            return left
        return lane.take(MAX_BATCH)

    def _save(self, lane: Lane) -> None:
        """A disk keeps the loop, and the port is to be opened anew: take what has come so far, but for the loop's last batch."""
        self._left = lane.take_all()
        self._ring.head = lane.behind_batch
        while more := self._ring.take(self.mac):
            self._left += more

    def _follow_fast_path(self) -> None:
        """Begin with the compiled loop when there is one, and end it when it failed or is not wanted."""
        lane = self._lane
        if lane is None:
            if fast_path.lane is not None and not self._switched_off:
                self._lane = fast_path.lane(
                    self.interface if self.vlan is None else f"{self.interface}.{self.vlan}",
                    socket=self._socket.fileno(),
                    ring=self._ring.memory,
                    stride=self._ring.stride,
                    slots=self._ring.slots,
                    slot=self._ring.head,
                    index=self.index,
                    vlan=self.vlan or 0,
                    wake=self._wakeup,
                )
                self._lane.start(self.mac, sectors_per_frame(self.mtu))
        elif lane.failed or self._switched_off:
            self._switched_off = self._switched_off or LOOP_FAILED
            if lane.stop(_STOP_TIME):
                self._end_lane(lane)

    def _end_lane(self, lane: Lane) -> None:
        """Go on where the loop stopped."""
        self._left = lane.take_all()
        ring = self._ring
        ring.head = lane.slot
        self._before += WireStatistics(*lane.statistics())
        self._lane = None
        lane.release()

    def _wait(self, timeout: float) -> None:
        lane = self._lane
        if self._down or self._sender.link_lost or (lane is not None and lane.link_lost):
            self._name()  # a link that is deleted while it is down reports no error of its own
        ready = dict(self._polls[lane is None].poll(max(0.0, timeout if lane is None else min(timeout, _LANE_WAIT)) * 1000))
        if self._wakeup in ready:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wakeup)
        if ready.get(self._socket.fileno(), 0) & select.POLLERR:
            self._raise_pending()
        if lane is not None and lane.in_error:
            try:
                self._raise_pending()
            finally:
                lane.error_taken()

    def _raise_pending(self) -> None:
        """Take the socket's error, which ends the state of error, and raise it."""
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._down = True
            self._name()
            raise OSError(code, f"{self.interface}: {os.strerror(code)}")

    def send(self, frames: Sequence[bytes]) -> int:
        """See Wire."""
        return self._sender.send(frames if self.vlan is None else [tagged(frame, self.vlan) for frame in frames])

    def statistics(self) -> WireStatistics:
        """See Wire."""
        with self._state:
            if not self._closed:
                counts = self._socket.getsockopt(SOL_PACKET, PacketOption.STATISTICS, 8)
                self._ring_dropped += struct.unpack("=II", counts)[1]  # reading sets the kernel's own to 0
        ring, lane = self._ring, self._lane
        counts_of_ring = WireStatistics(ring.received, self._ring_dropped, ring.foreign_vlan, self._sender.failed, ring.truncated)
        return counts_of_ring + (self._before if lane is None else WireStatistics(*lane.statistics()) + self._before)

    def wake(self) -> None:
        """See Wire."""
        with self._state:
            if not self._closed:
                os.eventfd_write(self._wakeup, 1)

    def let_hear(self, *, others: bool) -> None:
        """See Wire."""
        # Frames that pass by the queue pass by those who listen too (net/core/dev.c, __dev_direct_xmit).
        with self._state:
            if not self._closed:
                self._socket.setsockopt(SOL_PACKET, PacketOption.QDISC_BYPASS, not others)

    def close(self) -> None:
        """See Wire."""
        self.statistics()
        self.wake()
        with self._state:
            if self._closed:
                return
            self._closed = True
        self._sender.close()
        with self._receiving:
            lane = self._lane
            if lane is None:
                self._dispose()
            elif lane.stop(_STOP_TIME):
                lane.release()
                self._dispose()
            else:
                lane.abandon()
                lane.when_ended(self._dispose)

    def _dispose(self) -> None:
        self._ring.close()
        self._socket.close()
        os.close(self._wakeup)
