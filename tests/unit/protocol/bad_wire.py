"""Writers that behave like Linux, a wire that drops, repeats and delays, and a target: on one clock that nobody waits for.

A writer asks again with a new tag, takes a reply to its newest tag only, and writes to no sector before its last write there is
acknowledged (drivers/block/aoe, aoecmd.c).
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aoetui.engine.protocol.repeats import TagUse
from aoetui.engine.protocol.replies import WriteBlocks, write_reply
from tests.unit.protocol.asking import ask, ata, patched

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.facts import ExportFacts
    from aoetui.engine.protocol.repeats import Repeats

SECTORS = 8
"""Of each writer, for itself."""
WINDOW = 4
"""Writes that one has under way."""
CONTENTS = 3
"""Few, so that a sector holds again what it held before."""
LATEST = 4.0
"""Seconds that the wire holds a frame back at most: less than the target remembers."""


@dataclass(frozen=True, slots=True)
class Harm:
    """What befalls frames. Shares from 0 to 1, times in seconds."""

    drop: float
    repeat: float
    late: float
    """Share of the frames, and of the copies, that are held back up to LATEST."""
    patience: float
    """After this a writer asks again."""
    slowness: float
    """The longest that the target's disk takes."""


@dataclass(eq=False, slots=True)
class Write:
    """One write of one writer, however often it is asked for."""

    lba: int
    data: bytes

    @property
    def sectors(self) -> range:
        """Where it goes."""
        return range(self.lba, self.lba + len(self.data) // 512)


class Clock:
    """Things to be done, in order of their times."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do this later."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), act))

    def run(self) -> None:
        """Until nothing is left to do."""
        while self._due:
            self.now, _, act = heapq.heappop(self._due)
            act()


@dataclass(slots=True)
class Writer:
    """An initiator with `left` writes to make."""

    mac: Mac
    first: int
    left: int
    wire: Wire
    under_way: dict[int, Write] = field(default_factory=dict)
    """By the newest tag of each."""
    newest: dict[int, Write] = field(default_factory=dict)
    """The last write to each sector."""
    acknowledged: dict[int, bytes] = field(default_factory=dict)
    tags: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def busy(self) -> set[int]:
        """Sectors with a write under way."""
        return {sector for write in self.under_way.values() for sector in write.sectors}

    def go_on(self) -> None:
        """Begin writes as long as there are some to make and sectors to make them in."""
        while self.left and len(self.under_way) < WINDOW:
            random = self.wire.random
            count = random.choice((1, 1, 2))
            lba = self.first + random.randrange(SECTORS - count + 1)
            if self.busy & set(range(lba, lba + count)):
                return  # the acknowledgement will come back to it
            self.left -= 1
            write = Write(lba, bytes([random.randrange(CONTENTS)]) * 512 * count)
            self.newest.update(dict.fromkeys(write.sectors, write))
            self._ask(write)

    def _ask(self, write: Write) -> None:
        tag = next(self.tags)
        self.under_way[tag] = write
        frame = ata(0x34, count=len(write.sectors), lba=write.lba, data=write.data)
        self.wire.carry_request(self, write, patched(frame[:6] + self.mac.raw + frame[12:], 20, f"{tag:08x}"))
        self.wire.clock.after(self.wire.harm.patience, lambda: self._ask_again(tag))

    def _ask_again(self, tag: int) -> None:
        write = self.under_way.pop(tag, None)
        if write is not None:
            self.wire.seen["asked again"] += 1
            self._ask(write)

    def hear(self, reply: bytes) -> None:
        """Take a reply to the newest tag for an acknowledgement."""
        write = self.under_way.pop(int.from_bytes(reply[20:24], "big"), None)
        if write is not None:
            self.acknowledged.update(dict.fromkeys(write.sectors, write.data[:512]))
            self.go_on()

    def misses(self, disk: dict[int, bytes]) -> bool:
        """Whether a sector that it is not writing to holds anything but what was acknowledged there last."""
        return any(disk.get(sector) != self.acknowledged[sector] for sector in self.acknowledged.keys() - self.busy)


class Wire:
    """Between writers and a target, harming what it carries. `seen` counts what happened."""

    def __init__(self, harm: Harm, random: random.Random, target: Target) -> None:
        self.harm, self.random, self.target, self.clock = harm, random, target, target.clock
        self.seen: Counter[str] = Counter()

    def _delays(self) -> list[float]:
        chance = self.random.random
        copies = (chance() >= self.harm.drop) + (chance() < self.harm.repeat)
        return [chance() * (LATEST if chance() < self.harm.late else 0.01) for _ in range(copies)]

    def carry_request(self, writer: Writer, write: Write, frame: bytes) -> None:
        """Let the frame come to the target, or not, or twice; but not into the hole."""

        def deliver() -> None:
            answered = (writer.mac.raw, frame[20:24]) in self.target.answered
            superseded = any(writer.newest[sector] is not write for sector in write.sectors)
            if superseded and not answered:
                self.seen["kept out of the hole"] += 1
                return
            self.seen["old copies"] += superseded
            self.target.receive(frame, lambda reply: self._carry_reply(writer, reply))

        for delay in self._delays():
            self.clock.after(delay, deliver)

    def _carry_reply(self, writer: Writer, reply: bytes) -> None:
        for delay in self._delays():
            self.clock.after(delay, lambda: writer.hear(reply))


class Target:
    """The target machine, its memory of writes, and a disk in memory that is served in order of arrival, a batch at a time."""

    def __init__(self, clock: Clock, facts: ExportFacts, repeats: Repeats, service: Callable[[], float]) -> None:
        self.clock, self.facts, self.repeats, self.service = clock, facts, repeats, service
        self.tags: defaultdict[bytes, TagUse] = defaultdict(TagUse)
        """By MAC."""
        self.disk: dict[int, bytes] = {}
        self.answered: set[tuple[bytes, bytes]] = set()
        """MAC and tag of each frame that was answered."""
        self.executed = 0
        self.after_batch: Callable[[], None] = lambda: None
        self._queue: list[tuple[float, WriteBlocks, Callable[[bytes], None]]] = []

    def receive(self, frame: bytes, reply: Callable[[bytes], None]) -> None:
        """A frame has come."""
        intent = ask(frame, self.facts)
        assert isinstance(intent, WriteBlocks)
        self.tags[frame[6:12]].note(int.from_bytes(frame[20:24]), frame)
        self._queue.append((self.clock.now, intent, reply))
        if len(self._queue) == 1:
            self.clock.after(self.service(), self._serve)

    def _serve(self) -> None:
        batch, self._queue = self._queue, []
        for arrived, intent, reply in batch:
            if not self.repeats.is_repeat(intent, arrived, self.tags[intent.head[:6]]):
                self.write(intent)
                self.repeats.executed(intent, arrived, self.clock.now)
            self.answered.add((intent.head[:6], intent.head[20:24]))
            reply(write_reply(intent))
        self.after_batch()

    def write(self, intent: WriteBlocks) -> None:
        """To the disk."""
        self.executed += 1
        for number in range(intent.count):
            self.disk[intent.lba + number] = bytes(intent.data[number * 512 : number * 512 + 512])
