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
ETHERTYPE_8021Q = 0x8100
_ETHERTYPE_AT = 12
VLAN_ID = 0x0FFF
_SO_ATTACH_FILTER = 26
_SO_DETACH_FILTER = 27
_INSTRUCTION = struct.Struct("=HBBI")
"""struct sock_filter: code, instructions to skip if true, if false, operand."""
_LOAD, _LOAD_HALF, _AND, _IF_EQUAL, _RETURN = 0x20, 0x28, 0x54, 0x15, 0x06
"""Codes of classic BPF (include/uapi/linux/bpf_common.h)."""
_METADATA = 0xFFFFF000
"""SKF_AD_OFF (include/uapi/linux/filter.h); loads from here on read what the kernel knows of a frame."""
_TAG, _TAG_PRESENT, _TAG_PROTOCOL = _METADATA + 44, _METADATA + 48, _METADATA + 60
_LINK_LOCAL = 0x0180C200
"""The first bytes of the groups by which switches speak (IEEE 802.1D, table 7-10): LLDP, spanning tree."""
_WHOLE = 0xFFFFFFFF


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def shut(sock: socket.socket) -> None:
    """Let nothing into a packet socket."""
    attach_program(sock, ((_RETURN, 0, 0, 0),))


def open_to_all(sock: socket.socket) -> None:
    """Let in what it is bound to: end `shut`."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def attach_filter(sock: socket.socket, vlan: int) -> None:
    """Let only AoE frames of this VLAN into a packet socket. Raises OSError.

    Call it before the socket is bound, or while it is shut: then no other frame slips in.
    """
    attach_program(sock, _filter(vlan))


def attach_wide_filter(sock: socket.socket, length: int) -> None:
    """Let in the first `length` bytes of AoE frames, tagged or not, of whatever is tagged, and of what switches say.

    Call it before the socket is bound. Raises OSError.
    """
    attach_program(sock, _wide_filter(length))


def attach_program(
    sock: socket.socket,
    instructions: Iterable[tuple[int, int, int, int]],
    level: int = socket.SOL_SOCKET,
    option: int = _SO_ATTACH_FILTER,
) -> None:
    """Have a program of classic BPF decide; unless told otherwise, how many bytes of a frame are let in. Raises OSError."""
    code = b"".join(_INSTRUCTION.pack(*instruction) for instruction in instructions)
    program = _Program(len(code) // _INSTRUCTION.size, code)
    sock.setsockopt(level, option, bytes(program))


def _filter(vlan: int) -> Iterable[tuple[int, int, int, int]]:
    """Every skip ends at the last instruction, which lets nothing through."""
    return (
        (_LOAD, 0, 0, _TAG_PROTOCOL),
        (_IF_EQUAL, 0, 6, ETHERTYPE_8021Q),
        (_LOAD, 0, 0, _TAG),
        (_AND, 0, 0, VLAN_ID),
        (_IF_EQUAL, 0, 3, vlan),
        (_LOAD_HALF, 0, 0, _ETHERTYPE_AT),
        (_IF_EQUAL, 0, 1, ETHERTYPE_AOE),
        (_RETURN, 0, 0, _WHOLE),
        (_RETURN, 0, 0, 0),
    )


def _wide_filter(length: int) -> Iterable[tuple[int, int, int, int]]:
    """Every skip ends at the last instruction, which lets the frame through."""
    return (
        (_LOAD, 0, 0, _TAG_PRESENT),
        (_IF_EQUAL, 5, 0, 1),
        (_LOAD_HALF, 0, 0, _ETHERTYPE_AT),
        (_IF_EQUAL, 3, 0, ETHERTYPE_AOE),
        (_LOAD, 0, 0, 0),
        (_IF_EQUAL, 1, 0, _LINK_LOCAL),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, length),
    )


def tagged(frame: bytes, vlan: int) -> bytes:
    """The frame with a tag, priority 0: four bytes more."""
    return frame[:_ETHERTYPE_AT] + struct.pack(">HH", ETHERTYPE_8021Q, vlan) + frame[_ETHERTYPE_AT:]
