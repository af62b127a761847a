"""802.1Q by our own hand, where the kernel has no link for a VLAN: a filter that lets in its AoE frames, and tags to send with.

The kernel takes the outer tag out of every received frame, into metadata, before a packet socket sees it (net/core/dev.c,
__netif_receive_skb_core): the filter asks the metadata, and a tag that still stands in a frame is a second one.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import TYPE_CHECKING

from aoetui.engine.protocol.wire import ETHERTYPE_AOE

if TYPE_CHECKING:
    from collections.abc import Iterable

ETHERTYPE_ALL = 0x0003
"""ETH_P_ALL: a packet socket for a single EtherType is not told the tag."""
_ETHERTYPE_8021Q = 0x8100
_ETHERTYPE_AT = 12
_VLAN_ID = 0x0FFF
_SO_ATTACH_FILTER = 26
_INSTRUCTION = struct.Struct("=HBBI")
"""struct sock_filter: code, instructions to skip if true, if false, operand."""
_LOAD, _LOAD_HALF, _AND, _IF_EQUAL, _RETURN = 0x20, 0x28, 0x54, 0x15, 0x06
"""Codes of classic BPF (include/uapi/linux/bpf_common.h)."""
_METADATA = 0xFFFFF000
"""SKF_AD_OFF (include/uapi/linux/filter.h); loads from here on read what the kernel knows of a frame."""
_TAG, _TAG_PROTOCOL = _METADATA + 44, _METADATA + 60
_WHOLE = 0xFFFFFFFF


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def attach_filter(sock: socket.socket, vlan: int) -> None:
    """Let only AoE frames of this VLAN into a packet socket. Raises OSError.

    Call it before the socket is bound: then no other frame slips in.
    """
    code = b"".join(_INSTRUCTION.pack(*instruction) for instruction in _filter(vlan))
    program = _Program(len(code) // _INSTRUCTION.size, code)
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(program))


def _filter(vlan: int) -> Iterable[tuple[int, int, int, int]]:
    """Every skip ends at the last instruction, which lets nothing through."""
    return (
        (_LOAD, 0, 0, _TAG_PROTOCOL),
        (_IF_EQUAL, 0, 6, _ETHERTYPE_8021Q),
        (_LOAD, 0, 0, _TAG),
        (_AND, 0, 0, _VLAN_ID),
        (_IF_EQUAL, 0, 3, vlan),
        (_LOAD_HALF, 0, 0, _ETHERTYPE_AT),
        (_IF_EQUAL, 0, 1, ETHERTYPE_AOE),
        (_RETURN, 0, 0, _WHOLE),
        (_RETURN, 0, 0, 0),
    )


def tagged(frame: bytes, vlan: int) -> bytes:
    """The frame with a tag, priority 0: four bytes more."""
    return frame[:_ETHERTYPE_AT] + struct.pack(">HH", _ETHERTYPE_8021Q, vlan) + frame[_ETHERTYPE_AT:]
