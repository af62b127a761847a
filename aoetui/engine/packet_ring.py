"""The receive ring of a packet socket: TPACKET_V2 slots in memory that the kernel fills and we hand back, in order.

The layout is Linux's include/uapi/linux/if_packet.h and net/packet/af_packet.c (tpacket_rcv).
"""

from __future__ import annotations

import mmap
import struct
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.wire import MAC_LENGTH

if TYPE_CHECKING:
    import socket

SOL_PACKET = 263
RING_BYTES = 8 << 20
"""Memory of one interface's ring."""
BLOCK_BYTES = 128 << 10
"""The kernel allocates a ring in blocks; a slot of the largest MTU (65535) fits one."""
MIN_STRIDE = 2048
MAX_BATCH = 256
"""Frames that one call takes at most."""

_TPACKET_V2 = 1
_RESERVE = 26
"""Bytes left free in a slot before the Ethernet header: so the data of an ATA frame begins at a multiple of 128."""
_SLOT_OVERHEAD = 66 + _RESERVE + 14 + 4
"""Bytes of a slot before the Ethernet header, the header itself, and one VLAN tag left in a frame."""
_SLOT = struct.Struct("=IIIH10xH10xi2xB")
"""struct tpacket2_hdr: status, length, captured length, offset of the frame, VLAN tag; of sockaddr_ll: link, packet type."""
_VLAN_ID = 0x0FFF


class PacketOption(IntEnum):
    """Socket options at SOL_PACKET."""

    ADD_MEMBERSHIP = 1
    RX_RING = 5
    STATISTICS = 6
    AUXDATA = 8
    VERSION = 10
    RESERVE = 12
    FANOUT = 18
    QDISC_BYPASS = 20
    FANOUT_DATA = 22
    IGNORE_OUTGOING = 23


class SlotStatus(IntFlag):
    """First word of a slot."""

    USER = 1 << 0
    """The kernel has filled it; writing 0 hands it back."""
    VLAN_VALID = 1 << 4


class PacketType(IntEnum):
    """How the kernel saw the frame (sockaddr_ll.sll_pkttype)."""

    OTHERHOST = 3
    OUTGOING = 4


_USER = int(SlotStatus.USER)
_VLAN_VALID = int(SlotStatus.VLAN_VALID)
_OTHERHOST = int(PacketType.OTHERHOST)
_OUTGOING = int(PacketType.OUTGOING)


def stride_for(mtu: int) -> int:
    """Bytes of a slot that holds any frame of this MTU: a power of two, so that blocks hold a whole number of them."""
    return max(MIN_STRIDE, 1 << (mtu + _SLOT_OVERHEAD - 1).bit_length())


class Ring:
    """The ring of one socket that is not bound yet. One thread at a time may call `take`."""

    def __init__(self, sock: socket.socket, index: int, mtu: int, vlan: int) -> None:
        """Make and map the ring for a link's frames of a VLAN; 0: untagged ones. Raises OSError when the kernel has no memory."""
        self._index = index
        self._vlan = vlan
        self.stride = stride_for(mtu)
        self.slots = RING_BYTES // self.stride
        self.received = 0
        self.foreign_vlan = 0
        self.truncated = 0
        block = max(BLOCK_BYTES, self.stride)
        sock.setsockopt(SOL_PACKET, PacketOption.VERSION, _TPACKET_V2)
        request = struct.pack("=IIII", block, RING_BYTES // block, self.stride, self.slots)
        sock.setsockopt(SOL_PACKET, PacketOption.RESERVE, _RESERVE)
        sock.setsockopt(SOL_PACKET, PacketOption.RX_RING, request)
        self.memory = mmap.mmap(sock.fileno(), RING_BYTES)
        self._bytes = memoryview(self.memory)
        self._words = self._bytes.cast("I")
        self.head = 0
        """The slot that the kernel fills next, or has filled first."""

    def take(self, mac: Mac) -> list[bytes]:
        """Copy out what the kernel has filled, up to MAX_BATCH slots, and hand those slots back. Empty if nothing came.

        `mac` is that of the interface.
        """
        frames = []
        words, step = self._words, self.stride // 4
        for _ in range(MAX_BATCH):
            if not words[self.head * step] & _USER:
                break
            frame = self._read(self.head * self.stride, mac)
            if frame is not None:
                frames.append(frame)
            words[self.head * step] = 0
            self.head = (self.head + 1) % self.slots
        self.received += len(frames)
        return frames

    def _read(self, at: int, mac: Mac) -> bytes | None:
        """Copy the frame of the slot at this offset, or count why it is not ours.

        The kernel erases the tag of a VLAN that has no link of its own, and only marks the frame as another host's.
        If it was sent to us, or to all, it was tagged. A frame of a VLAN that does have a link comes here too, as that link's,
        which will take it (net/core/dev.c, __netif_receive_skb_core: orig_dev).
        """
        status, length, captured, start, tag, index, kind = _SLOT.unpack_from(self._bytes, at)
        if kind == _OUTGOING or index != self._index:
            return None
        if kind == _OTHERHOST:
            destination = Mac(bytes(self._bytes[at + start : at + start + MAC_LENGTH]))
            self.foreign_vlan += destination == mac or destination.is_multicast
            return None
        if (tag & _VLAN_ID if status & _VLAN_VALID else 0) != self._vlan:
            self.foreign_vlan += 1
            return None
        if captured < length:
            self.truncated += 1
            return None
        return bytes(self._bytes[at + start : at + start + captured])

    def close(self) -> None:
        """Unmap the ring."""
        self._words.release()
        self._bytes.release()
        self.memory.close()
