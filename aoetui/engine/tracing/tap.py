"""The packet socket of a traced interface: it hears the AoE frames that come, and those that this host sends.

A TPACKET_V3 ring (include/uapi/linux/if_packet.h): the kernel fills blocks with as many frames as fit, and a block is taken
whole. So a frame costs the reader next to nothing, however many come.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import select
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from aoetui.engine.api import EngineError
from aoetui.engine.packet_ring import SOL_PACKET, PacketOption, PacketType, SlotStatus
from aoetui.engine.permission import raw_sockets_refused
from aoetui.engine.protocol.captured import ETHERTYPE_8021AD, ETHERTYPE_8021Q, Captured, Direction, with_tag
from aoetui.engine.protocol.wire import ETHERTYPE_AOE
from aoetui.engine.vlan_tags import ETHERTYPE_ALL, attach_program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TAP_BYTES = 8 << 20
"""Memory of one interface's ring."""
BLOCK_BYTES = 256 << 10
"""A block holds any frame whole: they are at most 64 KiB."""
BLOCK_MS = 50
"""A block that is not full is handed over after so long."""
SHORT = 104
"""Bytes that are kept of an ATA frame unless all are asked for: headers, a VLAN tag, and the first 64 of data."""
WHOLE = 0x40000

_TPACKET_V3 = 2
_BLOCKS = TAP_BYTES // BLOCK_BYTES
_FRAME_BYTES = 2048
_MR_PROMISC = 1
_SIOCGIFHWADDR = 0x8927
_SIOCGIFINDEX = 0x8933
_IFREQ = struct.Struct("=16s24x")
_MAX_NAME = 15
_ETHERNET, _LOOPBACK = 1, 772
"""ARPHRD_ETHER and ARPHRD_LOOPBACK."""
_USER = int(SlotStatus.USER)
_VLAN_VALID = int(SlotStatus.VLAN_VALID)
_VLAN_TPID_VALID = 1 << 6
_BLOCK = struct.Struct("=8xIIIIQII")
"""struct tpacket_block_desc: status, frames, offset of the first, bytes used, sequence, first frame's time (s, ns)."""
_FRAME = struct.Struct("=4xIIIIIH6xIH20xB")
"""struct tpacket3_hdr: seconds, nanoseconds, bytes kept, length, status, where the frame begins, VLAN tag and its EtherType;
of the sockaddr_ll behind it the packet type."""
_NEXT = struct.Struct("=I")
"""Its first word: how far it is to the next frame."""
_STATUS_AT = 8
_LOAD_BYTE, _LOAD_HALF, _IF_EQUAL, _RETURN = 0x30, 0x28, 0x15, 0x06
_DIRECTIONS = {int(PacketType.OTHERHOST): Direction.OTHER, int(PacketType.OUTGOING): Direction.OUT}


class Block(NamedTuple):
    """What the kernel has handed over at once."""

    frames: int
    time_ns: int
    """Of the first frame, since 1970."""
    data: bytes
    """The frames as `frames_in` reads them."""


class Tap:
    """One interface, from opening to `close`. One thread calls `take`."""

    def __init__(self, interface: str, *, whole: bool) -> None:
        """Open it. Raises NoPermissionError, or EngineError when the interface is missing or carries no Ethernet frames."""
        self.interface = interface
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        except PermissionError as refused:
            raise raw_sockets_refused(interface) from refused
        except OSError as failed:
            raise EngineError(f"cannot trace {interface}: {failed.strerror}; does this kernel have AF_PACKET?") from failed
        try:
            self.index = self._find()
            self._set_up(whole=whole)
        except OSError as failed:
            self._socket.close()
            raise EngineError(f"cannot trace {interface}: {failed.strerror}", field="interfaces") from failed
        except EngineError:
            self._socket.close()
            raise
        self._head = 0

    def _find(self) -> int:
        name = os.fsencode(self.interface)
        try:
            request = _IFREQ.pack(name if len(name) <= _MAX_NAME else b"")
            answer = fcntl.ioctl(self._socket, _SIOCGIFINDEX, request)
            hardware = fcntl.ioctl(self._socket, _SIOCGIFHWADDR, request)
        except OSError as missing:
            text = f"there is no interface {self.interface}: `ip -br link` lists those there are"
            raise EngineError(text, field="interfaces") from missing
        if struct.unpack_from("=H", hardware, 16)[0] not in (_ETHERNET, _LOOPBACK):
            text = f"{self.interface} carries no Ethernet frames, and so no AoE: trace another"
            raise EngineError(text, field="interfaces")
        return int(struct.unpack_from("=i", answer, 16)[0])

    def _set_up(self, *, whole: bool) -> None:
        self._socket.setsockopt(SOL_PACKET, PacketOption.VERSION, _TPACKET_V3)
        ring = struct.pack("=IIIIIII", BLOCK_BYTES, _BLOCKS, _FRAME_BYTES, TAP_BYTES // _FRAME_BYTES, BLOCK_MS, 0, 0)
        self._socket.setsockopt(SOL_PACKET, PacketOption.RX_RING, ring)
        attach_program(self._socket, _program(WHOLE if whole else SHORT))
        # What a card filters out, as frames of VLANs without a link, is part of the picture; the kernel undoes this at the end.
        promiscuous = struct.pack("=iHH8x", self.index, _MR_PROMISC, 0)
        self._socket.setsockopt(SOL_PACKET, PacketOption.ADD_MEMBERSHIP, promiscuous)
        self._socket.bind((self.interface, ETHERTYPE_ALL))
        self._memory = mmap.mmap(self._socket.fileno(), TAP_BYTES)
        self._bytes = memoryview(self._memory)

    def fileno(self) -> int:
        """For poll: readable when a block is there."""
        return self._socket.fileno()

    def take(self) -> list[Block]:
        """The blocks that are there, at most one ring full; they are the kernel's again."""
        taken = []
        for _ in range(_BLOCKS):
            at = self._head * BLOCK_BYTES
            status, frames, first, used, _, seconds, nanoseconds = _BLOCK.unpack_from(self._bytes, at)
            if not status & _USER:
                break
            if frames:
                data = bytes(self._bytes[at + first : at + used])
                taken.append(Block(frames, seconds * 1_000_000_000 + nanoseconds, data))
            struct.pack_into("=I", self._bytes, at + _STATUS_AT, 0)
            self._head = (self._head + 1) % _BLOCKS
        return taken

    def error(self) -> str:
        """Take the socket's error from it: the link went down or is gone. Empty if there is none."""
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return os.strerror(code) if code else ""

    def dropped(self) -> int:
        """Frames that found no room in the ring since this was last asked."""
        return int(struct.unpack("=III", self._socket.getsockopt(SOL_PACKET, PacketOption.STATISTICS, 12))[1])

    def close(self) -> None:
        """Give everything back."""
        self._bytes.release()
        self._memory.close()
        self._socket.close()


def wait_for(taps: Iterable[Tap], wake: int, timeout: float) -> None:
    """Return when one of the taps has a block or an error, `wake` (an eventfd) was written, or after `timeout` seconds."""
    poll = select.poll()
    for tap in taps:
        poll.register(tap, select.POLLIN)
    poll.register(wake, select.POLLIN)
    poll.poll(timeout * 1000)


def offsets_in(data: bytes, frames: int) -> Iterator[int]:
    """Where the frames of a block begin."""
    at = 0
    for _ in range(frames):
        yield at
        at += _NEXT.unpack_from(data, at)[0]


def frame_at(data: bytes, at: int, interface: str) -> Captured:
    """The frame that begins there. The kernel has taken the outer VLAN tag of those that came in: it is put back."""
    seconds, nanoseconds, kept, length, status, start, tag, kind, way = _FRAME.unpack_from(data, at)
    frame = data[at + start : at + start + kept]
    if status & _VLAN_VALID:
        frame = with_tag(frame, kind if status & _VLAN_TPID_VALID else ETHERTYPE_8021Q, tag & 0xFFFF)
        length += 4
    return Captured(seconds * 1_000_000_000 + nanoseconds, interface, _DIRECTIONS.get(way, Direction.IN), frame, length)


def _program(kept: int) -> Iterable[tuple[int, int, int, int]]:
    """AoE frames, with none, one or two tags that stand in the frame; of ATA frames `kept` bytes, of others all."""
    return (
        (_LOAD_HALF, 0, 0, 12),
        (_IF_EQUAL, 11, 0, ETHERTYPE_AOE),
        (_IF_EQUAL, 1, 0, ETHERTYPE_8021Q),
        (_IF_EQUAL, 0, 13, ETHERTYPE_8021AD),
        (_LOAD_HALF, 0, 0, 16),
        (_IF_EQUAL, 5, 0, ETHERTYPE_AOE),
        (_IF_EQUAL, 0, 10, ETHERTYPE_8021Q),
        (_LOAD_HALF, 0, 0, 20),
        (_IF_EQUAL, 0, 8, ETHERTYPE_AOE),
        (_LOAD_BYTE, 0, 0, 27),
        (_IF_EQUAL, 4, 5, 0),
        (_LOAD_BYTE, 0, 0, 23),
        (_IF_EQUAL, 2, 3, 0),
        (_LOAD_BYTE, 0, 0, 19),
        (_IF_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, kept),
        (_RETURN, 0, 0, WHOLE),
        (_RETURN, 0, 0, 0),
    )
