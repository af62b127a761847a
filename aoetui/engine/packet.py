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
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from aoetui.engine.api import EngineError
from aoetui.engine.fanout import queue_of, share
from aoetui.engine.fast_path import fast_path
from aoetui.engine.packet_ring import SOL_PACKET, PacketOption, stride_for
from aoetui.engine.packet_send import BatchSender
from aoetui.engine.permission import raw_sockets_refused
from aoetui.engine.port_names import split_port_name
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.wire import ETHERTYPE_AOE, sectors_per_frame
from aoetui.engine.receive_queue import ReceiveQueue, WireStatistics
from aoetui.engine.vlan_tags import ETHERTYPE_ALL, attach_filter, open_to_all, shut, tagged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aoetui.engine.fast.lane import Lane

_ARPHRD_ETHER = 1
_MAX_NAME = 15
_MR_PROMISC = 1
"""PACKET_MR_PROMISC (include/uapi/linux/if_packet.h)."""
_IFREQ = struct.Struct("=16s24x")
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


class Wire(Protocol):
    """What a port needs of a link."""

    mac: Mac
    mtu: int
    """Bytes, as `mac` true at the time of opening or of the last `refresh`."""

    @property
    def needs_reopen(self) -> bool:
        """Whether this wire cannot go on, since the MTU has outgrown it, or a disk keeps a loop of it: open another.

        Also when the link was down and there are several queues: an initiator may be another queue's than it was."""
        ...

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The compiled loops that answer plain reads and writes before `receive` has them; none: `receive` has them all."""
        ...

    def lane_of(self, mac: Mac) -> Lane | None:
        """The one that has the frames of this source."""
        ...

    @property
    def interpreted(self) -> str:
        """Why there is none; empty if there is."""
        ...

    @property
    def memory(self) -> int:
        """The most bytes that it may take: its receive ring, and the loop's tables and buffers."""
        ...

    def filenos(self) -> tuple[int, ...]:
        """The file descriptors of its sockets."""
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
    """The real wire: AF_PACKET sockets for the AoE frames of one interface that are untagged, or of one VLAN.

    Priority tags (VLAN id 0) count as untagged. Frames with two tags, or with one of 802.1ad, are of no VLAN of ours.
    """

    def __init__(self, name: str, queues: int = 1) -> None:
        """Open and bind this port, with 1 to MAX_QUEUES receive queues, which share the initiators (see fanout).

        Raises NoPermissionError, or EngineError when its interface is missing or not Ethernet.
        """
        self.interface, self.vlan = split_port_name(name)
        interface = self.interface
        self._queues: tuple[ReceiveQueue, ...] = ()
        with contextlib.ExitStack() as undo:
            try:
                sockets = [undo.enter_context(self._open()) for _ in range(queues)]
                self._set_up(sockets, undo)
            except OSError as failed:
                text = f"cannot open a packet socket on {interface}: {failed.strerror}"
                raise EngineError(text, field="interfaces") from failed
            undo.pop_all()

    def _open(self) -> socket.socket:
        try:
            # protocol 0 receives nothing yet: no frame of another interface slips into the ring
            return socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        except PermissionError as refused:
            raise raw_sockets_refused(self.interface) from refused
        except OSError as failed:
            raise EngineError(f"cannot open a packet socket: {failed.strerror}; does this kernel have AF_PACKET?") from failed

    def _set_up(self, sockets: Sequence[socket.socket], undo: contextlib.ExitStack) -> None:
        self._socket = sockets[0]
        self.index = self._find()
        self.refresh()
        self._wakeup = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        undo.callback(os.close, self._wakeup)
        made = []
        for each in sockets:
            queue = ReceiveQueue(each, index=self.index, mtu=self.mtu, vlan=self.vlan, wakeup=self._wakeup)
            undo.callback(queue.close)
            made.append(queue)
        self._bind(sockets)
        self._queues = tuple(made)
        self._sender = BatchSender(self._socket.fileno())
        self._poll = select.poll()
        """On what `receive` waits for: a queue that a loop empties is none of it."""
        self._poll.register(self._wakeup, select.POLLIN)
        for each in sockets:
            self._poll.register(each, select.POLLIN)
        self._switched_off = ""
        self._turn = 0
        """The queue that is looked at first."""
        self._down = False
        self._interrupted = False
        """Whether the link was ever down."""
        self._closed = False
        self._receiving = threading.Lock()
        self._state = threading.Lock()

    def _bind(self, sockets: Sequence[socket.socket]) -> None:
        for each in sockets:
            if len(sockets) > 1:
                shut(each)  # until they share: a frame that came before would be in all of them
            elif self.vlan is not None:
                attach_filter(each, self.vlan)
            each.bind((self.interface, ETHERTYPE_AOE if self.vlan is None else ETHERTYPE_ALL))
        if self.vlan is not None:
            # Or a card that filters VLANs keeps those without a link of their own to itself; the kernel undoes this at the end.
            promiscuous = struct.pack("=iHH8x", self.index, _MR_PROMISC, 0)
            sockets[0].setsockopt(SOL_PACKET, PacketOption.ADD_MEMBERSHIP, promiscuous)
        if len(sockets) > 1:
            share(sockets)
            for each in sockets:
                if self.vlan is None:
                    open_to_all(each)
                else:
                    attach_filter(each, self.vlan)

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
        for lane in self.lanes:
            lane.readdress(self.mac, sectors_per_frame(self.mtu))

    @property
    def needs_reopen(self) -> bool:
        """See Wire."""
        outgrown = stride_for(self.mtu) > self._queues[0].ring.stride
        # when the link came up, the kernel may have put the sockets into another order (net/packet/af_packet.c, packet_notifier)
        disordered = self._interrupted and len(self._queues) > 1
        return outgrown or disordered or any(queue.is_stuck for queue in self._queues)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """See Wire."""
        return tuple(queue.lane for queue in self._queues if queue.lane is not None)

    def lane_of(self, mac: Mac) -> Lane | None:
        """See Wire."""
        return self._queues[queue_of(mac, len(self._queues))].lane

    @property
    def interpreted(self) -> str:
        """See Wire."""
        if all(queue.lane is not None for queue in self._queues):
            return ""
        return self._switched_off or fast_path.why_not or "the compiled one takes over"

    @property
    def memory(self) -> int:
        """See Wire."""
        return sum(queue.memory for queue in self._queues)

    def interpret(self, why: str) -> None:
        """Use no compiled loop, for this reason; with an empty one, use it again. Holds from the next `receive` on."""
        self._switched_off = why
        self.wake()

    def filenos(self) -> tuple[int, ...]:
        """See Wire."""
        return tuple(queue.socket.fileno() for queue in self._queues)

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
            if frames or any(queue.has_received() for queue in self._queues):
                self._interrupted |= self._sender.link_lost
                self._down = self._sender.link_lost = False
            return frames

    def _take(self) -> list[bytes]:
        """Of one queue: the first that has any, beginning with another each time."""
        count = len(self._queues)
        for number in range(count):
            at = (self._turn + number) % count
            if frames := self._queues[at].take(self.mac):
                self._turn = (at + 1) % count
                return frames
        return []

    def _follow_fast_path(self) -> None:
        """Begin with the compiled loops when there are any, and end them when one failed or they are not wanted."""
        if any(lane.failed for lane in self.lanes):
            self._switched_off = self._switched_off or LOOP_FAILED
        for number, queue in enumerate(self._queues):
            had = queue.lane
            if had is None and not self._switched_off:
                queue.begin(self._name_of(number), self.mac, self.mtu)
                if queue.lane is not None:
                    self._poll.unregister(queue.socket)
            elif had is not None and self._switched_off:
                queue.end()
                if queue.lane is None:
                    self._poll.register(queue.socket, select.POLLIN)

    def _name_of(self, number: int) -> str:
        name = self.interface if self.vlan is None else f"{self.interface}.{self.vlan}"
        return f"{name}-{number}" if number else name

    def _wait(self, timeout: float) -> None:
        lanes = self.lanes
        lost = any(lane.link_lost for lane in lanes) or self._sender.link_lost
        self._interrupted |= lost
        if self._down or lost:
            self._name()  # a link that is deleted while it is down reports no error of its own
        ready = dict(self._poll.poll(max(0.0, min(timeout, _LANE_WAIT) if lanes else timeout) * 1000))
        if self._wakeup in ready:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wakeup)
        self._raise_pending(
            [
                queue
                for queue in self._queues
                if (ready.get(queue.socket.fileno(), 0) & select.POLLERR if queue.lane is None else queue.lane.in_error)
            ]
        )

    def _raise_pending(self, queues: Sequence[ReceiveQueue]) -> None:
        """Take these sockets' errors, which ends their state of error, and raise the first."""
        codes = [code for queue in queues if (code := queue.take_error())]
        if codes:
            self._down = self._interrupted = True
            self._name()
            raise OSError(codes[0], f"{self.interface}: {os.strerror(codes[0])}")

    def send(self, frames: Sequence[bytes]) -> int:
        """See Wire."""
        return self._sender.send(frames if self.vlan is None else [tagged(frame, self.vlan) for frame in frames])

    def statistics(self) -> WireStatistics:
        """See Wire."""
        with self._state:
            if not self._closed:
                for queue in self._queues:
                    queue.count_drops()
        return sum((queue.statistics() for queue in self._queues), WireStatistics(send_failed=self._sender.failed))

    def wake(self) -> None:
        """See Wire."""
        with self._state:
            if not self._closed:
                os.eventfd_write(self._wakeup, 1)

    def let_hear(self, *, others: bool) -> None:
        """See Wire."""
        with self._state:
            if not self._closed:
                for queue in self._queues:
                    queue.let_hear(others=others)

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
            for queue in self._queues:
                queue.close()
            os.close(self._wakeup)
