"""A plain packet socket that sees every frame of a link with its VLAN tag, for captures, and for initiators in a VLAN.

Nothing here is shared with the packet socket of the engine.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.protocol.address import Address, Mac
from tests.support.initiator import Initiator
from tests.support.waiting import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.netns import Namespace

_ALL = 0x0003
_SOL_PACKET = 263
_AUXDATA = 8
_AUX = struct.Struct("=IIIHHHH")
"""struct tpacket_auxdata: status, length, captured length, two offsets, tag, the tag's EtherType."""
_VLAN_VALID = 1 << 4
_OUTGOING = 4
_TYPE_AT = 12


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame on the link, without its outer tag."""

    vlan: int | None
    """Of an 802.1Q tag; None: there was none."""
    outgoing: bool
    """Sent from this end."""
    frame: bytes


def with_tag(frame: bytes, tag: bytes) -> bytes:
    """The frame with a tag before its EtherType, as `81 00 00 64`."""
    return frame[:_TYPE_AT] + tag + frame[_TYPE_AT:]


class Tap:
    """Sees, in order, what crosses the link from when it is made."""

    def __init__(self, link: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(_SOL_PACKET, _AUXDATA, 1)
        self._socket.bind((link, _ALL))
        self.mac = Mac(self._socket.getsockname()[4])

    def send(self, frame: bytes) -> None:
        """Send as it is."""
        self._socket.send(frame)

    def next(self, timeout: float = DEADLINE) -> Seen:
        """The next frame. Raises TimeoutError."""
        self._socket.settimeout(timeout)
        frame, controls, _, sender = self._socket.recvmsg(1 << 16, 256)
        status, *_, tag, kind = _AUX.unpack(controls[0][2])
        if status & _VLAN_VALID:
            return Seen(tag & 0xFFF if kind == 0x8100 else None, sender[2] == _OUTGOING, frame)
        if frame[_TYPE_AT : _TYPE_AT + 2] == b"\x81\x00":  # of a frame that leaves, the tag is where its sender put it
            (tag,) = struct.unpack_from(">H", frame, _TYPE_AT + 2)
            return Seen(tag & 0xFFF, sender[2] == _OUTGOING, frame[:_TYPE_AT] + frame[_TYPE_AT + 4 :])
        return Seen(None, sender[2] == _OUTGOING, frame)

    def incoming(self, count: int) -> list[Seen]:
        """The next `count` frames that come in."""
        found: list[Seen] = []
        while len(found) < count:
            seen = self.next()
            if not seen.outgoing:
                found.append(seen)
        return found

    def close(self) -> None:
        """See no more."""
        self._socket.close()


class TaggedWire:
    """What an initiator needs of a wire, in one VLAN (None: untagged), each frame with its tag written in."""

    def __init__(self, link: str, vlan: int | None) -> None:
        self._tap = Tap(link)
        self._vlan = vlan
        self.mac = self._tap.mac

    def send(self, frames: Sequence[bytes]) -> int:
        """Send in order."""
        tag = b"" if self._vlan is None else struct.pack(">HH", 0x8100, self._vlan)
        for frame in frames:
            self._tap.send(with_tag(frame, tag))
        return len(frames)

    def receive(self, timeout: float) -> list[bytes]:
        """The next frame that comes in with the tag of this VLAN, or none in time."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            try:
                seen = self._tap.next(left)
            except TimeoutError:
                break
            if not seen.outgoing and seen.vlan == self._vlan and seen.frame[_TYPE_AT : _TYPE_AT + 2] == b"\x88\xa2":
                return [seen.frame]
        return []

    def close(self) -> None:
        """Give the socket back."""
        self._tap.close()


@contextmanager
def tap(namespace: Namespace, link: str) -> Iterator[Tap]:
    """A tap in a namespace."""
    with closing(namespace.run(lambda: Tap(link))) as made:
        yield made


@contextmanager
def initiator_in(namespace: Namespace, link: str, vlan: int | None, address: str = "e9.1") -> Iterator[Initiator]:
    """An initiator in a VLAN, or outside of all."""
    with closing(namespace.run(lambda: TaggedWire(link, vlan))) as wire:
        yield Initiator(wire, Address.parse(address))
