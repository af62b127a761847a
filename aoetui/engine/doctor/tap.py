"""Listens on an interface with its VLAN tags: what reaches its card, whether or not the kernel hands it to anybody."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from typing import TYPE_CHECKING, Self

from aoetui.engine.packet_ring import SOL_PACKET, PacketOption, SlotStatus
from aoetui.engine.vlan_tags import ETHERTYPE_8021Q, ETHERTYPE_ALL, VLAN_ID, attach_wide_filter

if TYPE_CHECKING:
    from collections.abc import Iterator

_AUXDATA = struct.Struct("=IIIHHHH")
"""struct tpacket_auxdata: status, length, captured length, two offsets, tag, the tag's EtherType."""
_MR_PROMISC = 1
_SO_RCVBUFFORCE = 33
_BUFFER = 4 << 20
_LONGEST = 512
_BATCH = 256


class Tap:
    """Hears AoE in every VLAN, the kinds of other frames by which VLANs and switches are known, and nothing that leaves here.

    Made and used in one thread. Raises OSError where the kernel refuses.
    """

    def __init__(self, interface: str, index: int, *, promiscuous: bool) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        try:
            self._socket.setsockopt(SOL_PACKET, PacketOption.AUXDATA, 1)
            with contextlib.suppress(OSError):  # Linux before 4.20 lacks it: what leaves is left out below
                self._socket.setsockopt(SOL_PACKET, PacketOption.IGNORE_OUTGOING, 1)
            attach_wide_filter(self._socket, _LONGEST)
            self._make_room()
            if promiscuous:  # a card that filters VLANs keeps those without a link to itself; the kernel undoes this at the end
                request = struct.pack("=iHH8x", index, _MR_PROMISC, 0)
                self._socket.setsockopt(SOL_PACKET, PacketOption.ADD_MEMBERSHIP, request)
            self._socket.bind((interface, ETHERTYPE_ALL))
        except OSError:
            self._socket.close()
            raise
        self._lost = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def _make_room(self) -> None:
        for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
            with contextlib.suppress(OSError):  # a user namespace may not force it
                self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
                return

    def fileno(self) -> int:
        """The socket's file descriptor."""
        return self._socket.fileno()

    def frames(self) -> Iterator[tuple[int | None, bytes]]:
        """What has come, at most 256 frames: the VLAN (None: untagged), and the frame's first 512 bytes without that tag.

        Ends early when the link goes down; it comes on again with the link.
        """
        for _ in range(_BATCH):
            try:
                frame, controls, _, sender = self._socket.recvmsg(_LONGEST, 256)
            except OSError:
                return
            if sender[2] != socket.PACKET_OUTGOING:
                yield _vlan_of(controls), frame

    def lost(self) -> int:
        """Frames that came too fast, since it was made."""
        counts = self._socket.getsockopt(SOL_PACKET, PacketOption.STATISTICS, 8)
        self._lost += struct.unpack("=II", counts)[1]
        return self._lost


def _vlan_of(controls: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in controls:
        if (level, kind) == (SOL_PACKET, PacketOption.AUXDATA) and len(data) >= _AUXDATA.size:
            status, *_, tag, ethertype = _AUXDATA.unpack_from(data)
            if status & SlotStatus.VLAN_VALID and ethertype in (ETHERTYPE_8021Q, 0):
                return int(tag & VLAN_ID)
    return None


def ready(descriptors: list[int], timeout: float) -> None:
    """Wait up to `timeout` seconds until one of these has something."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    poll.poll(max(0.0, timeout) * 1000)
