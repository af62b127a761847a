"""An initiator that overwrites a few blocks again and again, and knows what each may hold after a power cut."""

from __future__ import annotations

import random
import socket
import struct
import time
from typing import TYPE_CHECKING

from .initiator import AOE, ATA, EXTENDED, WRITE, WRITE_EXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.netns import Namespace

SECTOR = 512
BLOCK_SECTORS = 2
BLOCKS = 256
STRIDE_SECTORS = 6
"""From block to block: some share a page, others lie on two."""
SPAN_BYTES = BLOCKS * STRIDE_SECTORS * SECTOR
WINDOW = 16
"""Writes under way at a time, each to a block of its own: the order of two to the same sector is not the network's to keep."""
REPEAT_SECONDS = 1.0
DEADLINE_SECONDS = 120.0
RESPONSE, ERROR, ATA_ERROR = 0x08, 0x04, 0x01


def content(number: int) -> bytes:
    """The sector that a write leaves behind; no two writes are the same, and 0 is a sector never written."""
    return number.to_bytes(8, "big") * (SECTOR // 8)


class WriteStream:
    """Writes numbered from 1 on, which are their tags too."""

    def __init__(self, namespace: Namespace, interface: str, target: str, shelf: int, slot: int, *, seed: int) -> None:
        """`target` is a MAC."""
        self._socket = namespace.run(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(AOE)))
        namespace.run(lambda: self._socket.bind((interface, AOE)))
        self._source = self._socket.getsockname()[4]
        self._target = bytes.fromhex(target.replace(":", ""))
        self._shelf, self._slot = shelf, slot
        self._choice = random.Random(seed)  # noqa: S311  # no secret
        self._number = 0
        self._under_way: dict[int, int] = {}
        """The number of the write that each block waits for."""
        self._answered: dict[int, int] = {}
        """The number of the last answered write of each block."""
        self.answers = 0
        """Writes answered so far."""

    def close(self) -> None:
        """Let the socket go."""
        self._socket.close()

    @property
    def blocks(self) -> int:
        """Blocks of which a write was answered."""
        return len(self._answered)

    def run(self, done: Callable[[], bool]) -> None:
        """Write until `done`; some writes are then under way. Raises TimeoutError when it takes too long."""
        self._socket.settimeout(REPEAT_SECONDS)
        end = time.monotonic() + DEADLINE_SECONDS
        while not done():
            while len(self._under_way) < WINDOW:
                self._write_another()
            try:
                self._hear(self._socket.recv(65536))
            except TimeoutError:
                if time.monotonic() > end:
                    raise
                self._repeat()

    def hear_the_rest(self) -> None:
        """Once the target is gone: hear the answers that it had sent by then. They count like any other."""
        self._socket.setblocking(False)
        try:
            while True:
                self._hear(self._socket.recv(65536))
        except BlockingIOError:
            return

    def missing(self, disk: bytes) -> list[int]:
        """The blocks that hold neither the last answered write nor the one then under way; each sector is judged by itself."""
        return [block for block in range(BLOCKS) if any(not self._may_hold(block, sector) for sector in _sectors(disk, block))]

    def _may_hold(self, block: int, sector: bytes) -> bool:
        answered = content(self._answered.get(block, 0))
        return sector == answered or (block in self._under_way and sector == content(self._under_way[block]))

    def _write_another(self) -> None:
        self._number += 1
        block = self._choice.choice([block for block in range(BLOCKS) if block not in self._under_way])
        self._under_way[block] = self._number
        self._send(block)

    def _repeat(self) -> None:
        for block in self._under_way:
            self._send(block)

    def _send(self, block: int) -> None:
        number = self._under_way[block]
        addressed = (self._shelf, self._slot, ATA, number)
        header = struct.pack(">6s6sHBBHBBI", self._target, self._source, AOE, 0x10, 0, *addressed)
        argument = struct.pack("<BBBBQ", EXTENDED | WRITE, 0, BLOCK_SECTORS, WRITE_EXT, block * STRIDE_SECTORS)
        self._socket.send(header + argument + content(number) * BLOCK_SECTORS)

    def _hear(self, frame: bytes) -> None:
        flags, _, shelf, slot, command, number, _, _, _, status = struct.unpack_from(">BBHBBIBBBB", frame, 14)
        if not flags & RESPONSE or (shelf, slot, command) != (self._shelf, self._slot, ATA):
            return
        if flags & ERROR or status & ATA_ERROR:
            raise AssertionError(f"write {number} was answered with an error: {frame[14:36].hex()}")
        for block in [block for block, waits in self._under_way.items() if waits == number]:
            del self._under_way[block]
            self._answered[block] = number
            self.answers += 1


def _sectors(disk: bytes, block: int) -> list[bytes]:
    start = block * STRIDE_SECTORS * SECTOR
    return [disk[start + at : start + at + SECTOR] for at in range(0, BLOCK_SECTORS * SECTOR, SECTOR)]
