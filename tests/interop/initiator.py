"""A small AoE initiator written from AoEr11 alone, apart from the package, so that it cannot share a mistake with it."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.netns import Namespace

AOE = 0x88A2
BROADCAST = bytes([0xFF] * 6)
ATA, QUERY_CONFIG = 0, 1
READ_EXT, WRITE_EXT, FLUSH_EXT, IDENTIFY = 0x24, 0x34, 0xEA, 0xEC
EXTENDED, WRITE = 0x40, 0x01
"""Flags of an ATA argument: 48 bit addresses, and data from the initiator."""
FIRST_TAG = 0x80000001
REPEATS = 60
PATIENCE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Reply:
    """The parts of a reply that tests look at."""

    flags: int
    """0x08 response, 0x04 error."""
    error: int
    argument: bytes
    length: int
    """Of the whole frame, Ethernet header included."""


class Initiator:
    """Asks one target, one request at a time, with ever new tags. A lost frame is asked again with the same tag."""

    def __init__(self, namespace: Namespace, interface: str, shelf: int, slot: int) -> None:
        self._socket = namespace.run(lambda: _open(interface))
        self._mac = self._socket.getsockname()[4]
        self._shelf, self._slot = shelf, slot
        self._target = BROADCAST
        self._tag = FIRST_TAG

    @property
    def target(self) -> str:
        """The MAC that answered last."""
        return self._target.hex(":")

    @property
    def mac(self) -> bytes:
        """Its own."""
        return bytes(self._mac)

    @property
    def tag(self) -> bytes:
        """Of the last request, as on the wire."""
        return struct.pack(">I", self._tag)

    def close(self) -> None:
        """Let the socket go."""
        self._socket.close()

    def find(self) -> Reply:
        """Broadcast query config until the target answers (30 s), and keep its address."""
        self._target = BROADCAST
        return self.ask(QUERY_CONFIG, bytes(8))

    def ata(self, command: int, *, lba: int = 0, sectors: int = 0, data: bytes = b"", flags: int = EXTENDED) -> Reply:
        """Send one ATA command and wait for its reply."""
        flags |= WRITE if data else 0
        argument = struct.pack("<BBBBQ", flags, 0, sectors, command, lba)  # 6 bytes of LBA, then 2 reserved ones
        return self.ask(ATA, argument + data)

    def ask(self, command: int, argument: bytes) -> Reply:
        """Send one request until its reply comes. Raises TimeoutError if none does."""
        self._tag += 1
        header = struct.pack(">6s6sHBBHBBI", self._target, self._mac, AOE, 0x10, 0, self._shelf, self._slot, command, self._tag)
        for _ in range(REPEATS):
            self._socket.send(header + argument)
            if (reply := self._reply()) is not None:
                return reply
        raise TimeoutError(f"no answer from e{self._shelf}.{self._slot}")

    def _reply(self) -> Reply | None:
        try:
            while True:
                frame = self._socket.recv(65536)
                flags, error, shelf, slot, _, tag = struct.unpack_from(">BBHBBI", frame, 14)
                if flags & 0x08 and (shelf, slot, tag) == (self._shelf, self._slot, self._tag):
                    self._target = frame[6:12]
                    return Reply(flags, error, frame[24:], len(frame))
        except TimeoutError:
            return None


def _open(interface: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(AOE))
    made.bind((interface, AOE))
    made.settimeout(PATIENCE_SECONDS)
    return made
