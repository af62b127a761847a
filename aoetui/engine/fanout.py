"""Several packet sockets on one interface, each initiator's frames always in the same one (PACKET_FANOUT).

By the source MAC: an initiator's requests are taken in their order then, and whoever has seen a write sees its copies. The
kernel's own ways of sharing do not keep that: round robin and by processor take no note of whose a frame is, and by flow all AoE
is one flow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aoetui.engine.packet_ring import SOL_PACKET, PacketOption
from aoetui.engine.vlan_tags import attach_program

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from aoetui.engine.protocol.address import Mac

MAX_QUEUES: Final = 16
"""Each is a thread that is to have a core of its own."""

_BY_PROGRAM = 6
"""PACKET_FANOUT_CBPF; the following are PACKET_FANOUT_FLAG_ (include/uapi/linux/if_packet.h)."""
_UNIQUE_ID = 0x2000
_IGNORE_OUTGOING = 0x4000
_LOAD, _MULTIPLY, _SHIFT_RIGHT, _RETURN_LOADED = 0x20, 0x24, 0x74, 0x16
"""Codes of classic BPF (include/uapi/linux/bpf_common.h)."""
_FROM_ETHERNET = 0xFFE00000
"""SKF_LL_OFF (include/uapi/linux/filter.h): loads from here on count from the Ethernet header."""
_SOURCE_END_AT = 8
"""The last four bytes of the source."""
_ODD, _HALF = 0x9E3779B1, 16
"""2**32 divided by the golden ratio, made odd: multiplication by it spreads a number over the upper bits (Knuth). MACs may differ
in a few bits alone: those of cards with four ports are four apart."""


def share(sockets: Sequence[socket.socket]) -> None:
    """Have each of these take what `queue_of` says. They are bound to one interface, and let nothing in. Raises OSError."""
    first = sockets[0]
    how = _BY_PROGRAM | _IGNORE_OUTGOING
    first.setsockopt(SOL_PACKET, PacketOption.FANOUT, (how | _UNIQUE_ID) << 16)
    group = first.getsockopt(SOL_PACKET, PacketOption.FANOUT) & 0xFFFF
    for each in sockets[1:]:
        each.setsockopt(SOL_PACKET, PacketOption.FANOUT, how << 16 | group)
    # the kernel takes the remainder by the number of sockets (net/packet/af_packet.c, fanout_demux_bpf)
    program = (
        (_LOAD, 0, 0, _FROM_ETHERNET + _SOURCE_END_AT),
        (_MULTIPLY, 0, 0, _ODD),
        (_SHIFT_RIGHT, 0, 0, _HALF),
        (_RETURN_LOADED, 0, 0, 0),
    )
    attach_program(first, program, SOL_PACKET, PacketOption.FANOUT_DATA)


def queue_of(mac: Mac, queues: int) -> int:
    """The number of the socket, of so many, that has the frames of this source."""
    return ((int.from_bytes(mac.raw[2:]) * _ODD & 0xFFFFFFFF) >> _HALF) % queues
