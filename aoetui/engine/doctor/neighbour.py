"""What the switch port at the other end says of itself (LLDP, IEEE 802.1AB; the port's VLAN is a TLV of IEEE 802.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.protocol.wire import ETHERNET_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

ETHERTYPE_LLDP = 0x88CC
_END, _PORT_ID, _PORT_DESCRIPTION, _SYSTEM_NAME, _ORGANISATION = 0, 2, 4, 5, 127
_PORT_VLAN = bytes.fromhex("0080c201")
"""IEEE 802.1's own TLVs, subtype 1: Port VLAN ID."""
_MAC_SUBTYPE = 3
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A switch port. Its names are text from the wire: show them only as plain text."""

    system: str
    port: str
    vlan: int | None
    """The VLAN of its untagged frames; None if it does not say, or has none."""


def neighbour_of(frame: bytes) -> Neighbour | None:
    """Read an LLDP frame, cut short perhaps; None if it names nothing."""
    system, port, description, vlan = "", "", "", None
    for kind, value in _parts(frame):
        if kind == _SYSTEM_NAME:
            system = _text(value)
        elif kind == _PORT_ID and value:
            port = value[1:7].hex(":") if value[0] == _MAC_SUBTYPE else _text(value[1:])
        elif kind == _PORT_DESCRIPTION:
            description = _text(value)
        elif kind == _ORGANISATION and value[:4] == _PORT_VLAN and len(value) >= 6:
            vlan = int.from_bytes(value[4:6]) or None
    port = description or port
    return Neighbour(system, port, vlan) if system or port else None


def _parts(frame: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each TLV: seven bits of type, nine of length."""
    at = ETHERNET_HEADER
    while at + 2 <= len(frame):
        head = int.from_bytes(frame[at : at + 2])
        kind, length = head >> 9, head & 0x1FF
        if kind == _END or at + 2 + length > len(frame):
            return
        yield kind, frame[at + 2 : at + 2 + length]
        at += 2 + length


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip("\0 ")[:_LONGEST]
