"""A device in memory behind paths that lose, repeat, delay and reorder, in the time of a test: nothing waits."""

from __future__ import annotations

import heapq
import random
import struct
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.ata import Identity, identify_page
from aoetui.engine.protocol.transfer_path import PathFacts
from aoetui.engine.protocol.wire import ATA_HEADER, SECTOR, AtaOp

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.protocol.transfer import Transfer

E91 = Address(9, 1)
OURS, THEIRS = Mac.parse("02:00:00:00:00:01"), Mac.parse("02:00:00:00:01:00")
SERIAL = "7f3a11c0"
_ATA = struct.Struct("<BBBBIH2x")
READS = {AtaOp.READ, AtaOp.READ_EXT}


def path(number: int = 0, *, sectors: int = 2, window: int = 16) -> PathFacts:
    """The path of this number: port `eth<number>`."""
    return PathFacts(f"eth{number}", OURS, Mac(THEIRS.raw[:5] + bytes((number,))), sectors, window)


def content(lba: int) -> bytes:
    """What sector `lba` holds at first."""
    return lba.to_bytes(8) * (SECTOR // 8)


@dataclass
class FakeDisk:
    """A target with many ports; answers as vblade does."""

    sectors: int
    serial: str = SERIAL
    written: dict[int, bytes] = field(default_factory=dict)
    writes: int = 0
    bad: frozenset[int] = frozenset()
    bad_error: int = 0x40
    """UNC; vblade answers ABRT (0x04)."""
    aoe_error: int | None = None
    ata_error: int | None = None
    most: int = 255
    """Sectors beyond which it answers AoE error 2."""
    mute: Callable[[str, int], bool] = lambda _port, _sectors: False
    """Whether it is silent: by port, and by the sectors asked for (0: IDENTIFY)."""

    @property
    def identity(self) -> Identity:
        """As IDENTIFY tells it."""
        return Identity("aoetui", self.serial, "1", self.sectors, lba48=True)

    def sector(self, lba: int) -> bytes:
        """What it holds now."""
        return self.written.get(lba, content(lba))

    def answer(self, port: str, frame: bytes) -> bytes | None:
        """The response to a request."""
        _, _, amount, op, low, high = _ATA.unpack_from(frame, 24)
        identify = op == AtaOp.IDENTIFY
        if self.mute(port, 0 if identify else amount):
            return None
        if self.aoe_error is not None and not identify:
            return reply(frame, flags=0x1C, error=self.aoe_error)
        if identify:
            page = identify_page(sectors=self.sectors, serial=self.serial, firmware="1", write_cache=False)
            return reply(frame, data=page)
        if amount > self.most:
            return reply(frame, flags=0x1C, error=2)
        lba = low | high << 32
        if self.ata_error is not None:
            return reply(frame, status=0x41, fault=self.ata_error)
        if lba + amount > self.sectors:
            return reply(frame, status=0x41, fault=0x10)
        if not self.bad.isdisjoint(range(lba, lba + amount)):
            return reply(frame, status=0x41, fault=self.bad_error)
        if op in READS:
            return reply(frame, data=b"".join(map(self.sector, range(lba, lba + amount))))
        self.writes += 1
        data = frame[ATA_HEADER:]
        self.written |= {lba + number: data[SECTOR * number :][:SECTOR] for number in range(amount)}
        return reply(frame)


def reply(frame: bytes, *, data: bytes = b"", flags: int = 0x18, error: int = 0, status: int = 0x40, fault: int = 0) -> bytes:
    """A response to `frame`: its header turned round, its registers with the result."""
    header = frame[6:12] + frame[:6] + frame[12:14] + bytes((flags, error)) + frame[16:24]
    return (header + bytes((frame[24], fault, 0, status)) + frame[28:36] + data).ljust(60, b"\0")


@dataclass
class Harm:
    """Shares of frames, each from 0 to 1, in each direction."""

    drop: float = 0.0
    repeat: float = 0.0
    late: float = 0.0
    """Held back for up to a third of a second."""


class World:
    """Lets a transfer work with a disk until it ends, and notes what it was delivered."""

    def __init__(
        self, transfer: Transfer, disk: FakeDisk, harm: Harm | None = None, seed: int = 0, latency: float = 1e-4
    ) -> None:
        self.transfer = transfer
        self.disk = disk
        self.harm = harm or Harm()
        self.latency = latency
        """Seconds that a frame is on its way at least, and half of what it is at most."""
        self.now = 0.0
        self.got: dict[int, bytes] = {}
        self.sent = 0
        self.most_under_way = 0
        self._dice = random.Random(seed)  # noqa: S311  # fates, not secrets
        self._flying: list[tuple[float, int, str, bytes, bool]] = []
        self._order = count()

    def run(self, until: float = 10_000.0) -> None:
        """Until the transfer ends, or the time is over."""
        while not self.transfer.ended and self.now < until:
            self.step()

    def step(self) -> None:
        """Send, and let time pass until the next thing happens."""
        for port, frames in self.transfer.outgoing(self.now):
            self.sent += len(frames)
            for frame in frames:
                self._launch(port, frame, answer=False)
        for each in self.transfer.paths:
            assert len(each.outstanding) <= each.facts.window
        self.most_under_way = max(self.most_under_way, self.transfer.under_way)
        due = self.transfer.timer()
        if due is None:
            return
        if self._flying and self._flying[0][0] <= due:
            self._land()
        else:
            self.now = max(self.now, due)
            self.transfer.handle_timer(self.now)

    def _land(self) -> None:
        self.now, _, port, frame, answer = heapq.heappop(self._flying)
        if answer:
            self.transfer.receive([(port, frame)], self.now)
            self._collect()
            return
        response = self.disk.answer(port, frame)
        if response is not None:
            self._launch(port, response, answer=True)

    def _collect(self) -> None:
        for lba, amount, frame in self.transfer.delivered:
            for number in range(amount):
                assert lba + number not in self.got, "delivered twice"
                self.got[lba + number] = frame[ATA_HEADER + SECTOR * number :][:SECTOR]
        self.transfer.delivered.clear()

    def _launch(self, port: str, frame: bytes, *, answer: bool) -> None:
        drawn = self._dice.random()
        if drawn < self.harm.drop:
            return
        copies = 2 if drawn < self.harm.drop + self.harm.repeat else 1
        for _ in range(copies):
            delay = self.latency * (1 + self._dice.random())
            if self._dice.random() < self.harm.late:
                delay += self._dice.random() / 3
            heapq.heappush(self._flying, (self.now + delay, next(self._order), port, frame, answer))
