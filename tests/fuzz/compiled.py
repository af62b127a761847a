"""A compiled lane against the reference path, frame by frame: what each is answered, what the disks hold, what is counted.

A chunk of frames has exports, an interface and a seed of its own, so that any of them can be run again alone. How the lane
divides frames into batches, and what it answers, is its own affair; that it answers as the reference path would have, and
routes all else in order, is not.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter, deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.fast.tables import ROUTE
from aoetui.engine.protocol import target
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.facts import AccessPolicy, PortFacts, TargetState
from aoetui.engine.protocol.wire import longest_frame, sectors_per_frame
from aoetui.engine.spec import ExportSpec
from aoetui.engine.vlan_tags import tagged
from tests.fuzz.dice import Dice
from tests.fuzz.findings import Finding
from tests.fuzz.lane_rig import DROPPED, LaneRig, Slot
from tests.fuzz.one_by_one import Model, OneByOne, Sent
from tests.fuzz.plain_traffic import PLAIN, SECTOR, Traffic
from tests.fuzz.requests import Place, World
from tests.fuzz.waiting_path import LINK, Times, WaitingPath

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CHUNK = 20_000
"""Frames of one chunk."""
TARGET = bytes.fromhex("020000000009")
MACS = tuple(bytes.fromhex("0200000001") + bytes((number,)) for number in range(6))
_ADDRESSES = ((9, 1), (9, 2), (0, 0), (65534, 254), (4095, 3))
_SECTORS = (1, 2, 3, 17, 64, 64, 200, 1000)
_SMALL = 70
"""Disks of so many sectors are looked at after each batch."""
_LOOKS = 16
"""Batches between two looks at larger ones."""
_FOLDERS = [path for path in (Path(tempfile.gettempdir()), Path("/dev/shm")) if path.is_dir()]  # noqa: S108 - one is in memory


@dataclass(slots=True)
class Tally:
    """Of one run."""

    total: int
    frames: int = 0
    fates: Counter[int] = field(default_factory=Counter)
    batches: int = 0
    started: float = field(default_factory=time.monotonic)

    def report(self) -> str:
        """One line for a person."""
        seconds = time.monotonic() - self.started
        answered = sum(count for fate, count in self.fates.items() if fate > ROUTE)
        return (
            f"{self.frames:,} frames in {seconds:.0f} s ({self.frames / seconds:,.0f}/s), {self.batches:,} batches: "
            f"{answered:,} answered compiled ({self.fates[3]:,} of them writes that came twice), {self.fates[ROUTE]:,} routed, "
            f"{self.fates[DROPPED]:,} dropped, {self.frames - self.fates.total():,} refused in the ring"
        )


@dataclass(frozen=True, slots=True)
class Disk:
    """What an export serves: so many sectors of a file, behind `offset` and before `tail` further ones."""

    sectors: int
    offset: int
    tail: int
    read_only: bool
    buffer_count: int


class Stage:
    """One lane and its exports, three times: on files, in the model, and in the reference path that waits behind the lane."""

    def __init__(self, rng: Dice, keep: ExitStack) -> None:
        self._rng = rng
        mtu, vlan = self.link()
        self.vlan = vlan
        self.port = PortFacts(Mac(TARGET), sectors_per_frame(mtu), longest_frame(mtu))
        self.rig = keep.enter_context(LaneRig(TARGET, mtu=mtu, sectors=self.port.sector_count, vlan=vlan, slots=256))
        self.times = Times()
        self.folder = Path(keep.enter_context(tempfile.TemporaryDirectory(dir=rng.pick(_FOLDERS))))
        self.paths: list[WaitingPath] = []
        self.models: list[Model] = []
        for number, address in enumerate(self.addresses()):
            self._add(self.folder / str(number), address, keep)
        self.one_by_one = OneByOne(self.port, self.models)
        places = [Place(*address, sectors) for address, sectors in self._places()]
        self.world = World(TARGET, self.port.sector_count, places, MACS, changes=0.2)
        self.due: deque[tuple[bytes, list[Sent]]] = deque()
        """What was routed, and is not taken from the FIFO."""
        self.batches = 0

    def link(self) -> tuple[int, int]:
        """MTU, and VLAN or 0."""
        return self._rng.pick((1500, 1500, 9000)), self._rng.pick((0, 0, 0, 5, 4094))

    def addresses(self) -> Sequence[tuple[int, int]]:
        """Of the exports."""
        return self._rng.sample(_ADDRESSES, self._rng.pick((1, 2, 3)))

    def disk(self) -> Disk:
        """The next export's."""
        rng = self._rng
        return Disk(
            sectors=rng.pick(_SECTORS),
            offset=rng.pick((0, 0, 1, 3, 8)),
            tail=rng.pick((0, 0, 5)),
            read_only=rng.random() < 0.15,
            buffer_count=rng.pick((2, 5, 16, 64, 64, 65535)),
        )

    def _places(self) -> list[tuple[tuple[int, int], int]]:
        facts = [path.facts.now for path in self.paths]
        return [((each.address.shelf, each.address.slot), each.sectors) for each in facts]

    def _add(self, file: Path, address: tuple[int, int], keep: ExitStack) -> None:
        disk = self.disk()
        content = bytearray(self._rng.randbytes((disk.offset + disk.sectors + disk.tail) * SECTOR))
        file.write_bytes(content)
        spec = ExportSpec(
            address=Address(*address),
            path=file,
            interfaces=(LINK,),
            read_only=disk.read_only,
            offset=disk.offset,
            length=disk.sectors,
            buffer_count=disk.buffer_count,
        )
        path = WaitingPath(spec, self.policy(), self.state(), self.times, self.rig.lane)
        path.fast.join(self.rig.lane)
        keep.callback(path.backing.close)
        keep.callback(path.fast.unmap)
        self.paths.append(path)
        self.models.append(Model(path.facts, content, disk.offset * SECTOR))

    def policy(self) -> AccessPolicy:
        """Whom an export answers."""
        rng = self._rng
        deny = frozenset(Mac(mac) for mac in rng.sample(MACS, rng.pick((0, 0, 0, 1))))
        accept = None if rng.random() < 0.8 else frozenset(Mac(mac) for mac in rng.sample(MACS, 4))
        return AccessPolicy(deny, accept)

    def state(self) -> TargetState:
        """Its mask list and reservation."""
        rng = self._rng
        mask = tuple(Mac(mac) for mac in rng.sample(MACS, rng.pick((0, 0, 0, 4))))
        holders = tuple(Mac(mac) for mac in rng.sample(MACS, rng.pick((0, 0, 0, 3))))
        return TargetState(b"", mask, holders)

    # ---- the lane's part

    def put(self, frames: list[tuple[bytes, Slot]], tally: Tally) -> None:
        """Have these frames come, and the lane serve them all."""
        for frame, slot in frames:
            self.rig.put(frame, slot)
        tally.frames += len(frames)
        while (batch := self.rig.serve()) is not None:
            self.batches += 1
            self.one_by_one.begin_batch()
            now = batch.now + self.times.ahead * 1_000_000
            wanted: list[bytes] = []
            for frame, fate in batch.fates:
                tally.fates[fate] += 1
                try:
                    reply, sent = self.one_by_one.take(frame, fate, now)
                except Finding as finding:
                    raise Finding(finding.what, frame) from finding
                if reply is not None:
                    wanted.append(reply if not self.vlan else tagged(reply, self.vlan))
                elif fate == ROUTE:
                    self.due.append((frame, sent))
            if batch.replies != wanted:
                raise Finding(_first_difference(batch.replies, wanted))
            self.look(large=self.batches % _LOOKS == 0)
            self.rig.forgive()
            self.behind()

    def look(self, *, large: bool) -> None:
        """Whether the files hold what they must. Where something waits, only what comes of it can be looked at."""
        for path, model in zip(self.paths, self.models, strict=True):
            if (large or len(model.content) < _SMALL * SECTOR) and not path.waiting and not self.due:
                held = os.pread(path.backing.fileno(), len(model.content) + 1, 0)
                if held != model.content:
                    at = next(i for i, (a, b) in enumerate(zip(held, model.content, strict=False)) if a != b)
                    raise Finding(
                        f"{path.facts.now.address} holds something else at byte {at}: sector {(at - model.base) // SECTOR}"
                    )

    # ---- the reference path's part

    def behind(self) -> None:
        """Now and then the reference path takes some of what was routed, and carries some of it out."""
        rng = self._rng
        speed = rng.random()
        if speed < 0.1:
            return
        if speed > 0.25:
            self.settle()
            return
        self.take(rng.pick((1, 5, 256)))
        for path in self.paths:
            path.work(rng.pick((0, 1, 100)))

    def take(self, limit: int) -> None:
        """As a port's thread takes frames from its wire."""
        for frame in self.rig.lane.take(limit):
            if not self.due or self.due[0][0] != frame:
                raise Finding("the FIFO gave another frame than was routed next", frame)
            for sent in self.due.popleft()[1]:
                self.paths[self.models.index(sent.model)].take(sent)

    def settle(self) -> None:
        """Let the reference path have all that was routed, and be through with it."""
        while self.due:
            before = len(self.due)
            self.take(256)
            if len(self.due) == before:
                raise Finding(f"{before} frames that were routed are not in the FIFO", self.due[0][0])
        for path in self.paths:
            path.work(1 << 30)
        if self.rig.lane.take(1):
            raise Finding("the FIFO holds frames that were not routed")

    def introduce(self, traffic: Traffic, tally: Tally, *, careful: float) -> None:
        """Have initiators known, and those that use tags again known for that, while nothing waits.

        Became it known while a copy waits, that would be carried out again, and was answered as a repeat had it been quicker.
        """
        traffic.welcome_these(self._served(writes=False), self._served(writes=True))
        usual = Slot(tag=self.vlan) if self.vlan else PLAIN
        for frames in (traffic.introductions(careful), traffic.misuse()):
            self.put([(frame, usual) for frame in frames], tally)
            self.settle()

    def _served(self, *, writes: bool) -> set[tuple[int, int, bytes]]:
        """Shelf, slot and MAC of those whose requests the lane may answer."""
        served = set()
        for facts in [path.facts.now for path in self.paths]:
            for mac in MACS:
                shut = target.shut_out(Mac(mac), facts) or target.reserved(Mac(mac), facts)
                if not shut and not (writes and facts.read_only):
                    served.add((facts.address.shelf, facts.address.slot, mac))
        return served

    def change(self) -> None:
        """A person changes who may use an export, while nothing waits; or time passes."""
        rng = self._rng
        self.settle()
        self.look(large=True)
        if rng.random() < 0.5:
            path = rng.pick(self.paths)
            path.facts.change(lambda facts: facts.with_state(self.state()))
        else:
            milliseconds = rng.pick((300, 300, 7000))
            self.times.ahead += milliseconds
            self.rig.pass_time(milliseconds)

    # ---- the figures

    def judge_figures(self) -> None:
        """Whether what was counted is what came. Raises Finding."""
        self.settle()
        self.look(large=True)
        got, ring = self.rig.lane.statistics(), self.rig.ring
        if got != (ring.received, 0, ring.foreign_vlan, 0, ring.truncated):
            raise Finding(f"counted {got}, and not {ring.received}, 0, {ring.foreign_vlan}, 0, {ring.truncated}")
        for path, model in zip(self.paths, self.models, strict=True):
            self._judge_export(path, model)

    @staticmethod
    def _judge_export(path: WaitingPath, model: Model) -> None:
        total, uses = path.initiators.total(), model.uses.values()
        got = (total.reads, total.read_bytes, total.writes)
        twice = path.answered_twice
        want = (sum(use.reads for use in uses), sum(use.read_bytes for use in uses), sum(use.writes for use in uses) - twice)
        if got != want or (not twice and total.write_bytes != sum(use.write_bytes for use in uses)):
            raise Finding(f"{path.facts.now.address} counted {total}, and not {want}")
        answered = sum(sum(counts) for counts in path.fast.latencies()[0] + path.fast.latencies()[1])
        if answered != sum(use.answered for use in uses):
            raise Finding(f"{path.facts.now.address} timed {answered} answers of {sum(use.answered for use in uses)}")
        for record in path.initiators.values():
            use = model.uses[record.mac.raw]
            if record.fast is None:
                continue
            figures = record.fast.counters()
            if record.fast.dropped != use.dropped or sum(record.fast.latencies()) != use.answered:
                raise Finding(f"{record.mac}: {record.fast.dropped} dropped of {use.dropped}, {use.answered} answered")
            if not use.repeats <= figures.retransmits <= use.retransmits:
                raise Finding(f"{record.mac}: {figures.retransmits} of {use.repeats} to {use.retransmits} came twice")


def _first_difference(replies: list[bytes], wanted: list[bytes]) -> str:
    for number, (one, other) in enumerate(zip(replies, wanted, strict=False)):
        if one != other:
            return f"reply {number} of {len(wanted)} was\n  {one.hex()}\nand not\n  {other.hex()}"
    return f"{len(replies)} replies, and not {len(wanted)}"


def run_chunk(seed: int, chunk: int, count: int, tally: Tally, fault: Callable[[Stage], None] = lambda _: None) -> None:
    """`count` frames of one chunk. `fault` is called before each round. Raises Finding."""
    rng = Dice(f"compiled:{seed}:{chunk}")
    with ExitStack() as keep:
        stage = Stage(rng, keep)
        traffic = Traffic(rng, stage.world, vlan=stage.vlan)
        end = tally.frames + count
        try:
            stage.introduce(traffic, tally, careful=0.8)
            while tally.frames < end:
                fault(stage)
                stage.put(traffic.round()[: max(0, end - tally.frames)], tally)
                if rng.random() < 0.02:
                    stage.change()
                    stage.introduce(traffic, tally, careful=0.0)
            fault(stage)
            stage.judge_figures()
        except Finding as finding:
            place = f"seed {seed}, chunk {chunk}: python -m tests.fuzz --compiled --seed {seed} --first {chunk} --count {count}"
            raise Finding(finding.what, finding.frame, place=place) from finding
        tally.batches += stage.batches


def run(
    seed: int,
    total: int,
    *,
    first: int = 0,
    show: Callable[[Tally], None] = lambda _: None,
    fault: Callable[[Stage], None] = lambda _: None,
) -> Tally:
    """`total` frames in chunks from number `first` on. Raises Finding."""
    tally, chunk = Tally(total), first
    while tally.frames < total:
        run_chunk(seed, chunk, min(CHUNK, total - tally.frames), tally, fault)
        chunk += 1
        show(tally)
    return tally
