"""Writes over a wire that drops, repeats and delays: the disk always holds what was acknowledged last, but for the hole."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from aoetui.engine.protocol.repeats import Repeats, TagUse
from aoetui.engine.protocol.replies import WriteBlocks
from tests.unit.protocol.asking import ask, ata, patched
from tests.unit.protocol.bad_wire import SECTORS, Clock, Harm, Target, Wire, Writer
from tests.unit.protocol.golden import INITIATOR, SOMEONE, export

SHARES = st.sampled_from([0.0, 0.02, 0.2, 0.5])
HARMS = st.builds(
    Harm,
    drop=SHARES,
    repeat=SHARES,
    late=SHARES,
    patience=st.sampled_from([0.2, 0.5, 1.0]),
    slowness=st.sampled_from([0.0, 0.1, 1.0]),
)
WORST = Harm(drop=0.2, repeat=0.5, late=0.5, patience=0.3, slowness=0.5)


class NoMemory(Repeats):
    """As other targets are: each frame is executed."""

    def is_repeat(self, write: WriteBlocks, arrived: float, tags: TagUse) -> bool:  # noqa: ARG002 - it is the other's signature
        return False


class Run:
    """Two writers, their tags the same, on two parts of one disk, to the end."""

    def __init__(self, harm: Harm, seed: int, repeats: Repeats, writes: int = 30) -> None:
        random = Random(seed)  # noqa: S311 - chance, not secrecy
        self.target = Target(Clock(), export(), repeats, lambda: random.random() * harm.slowness)
        self.wire = Wire(harm, random, self.target)
        self.writers = [Writer(INITIATOR, 0, writes, self.wire), Writer(SOMEONE, SECTORS, writes, self.wire)]
        self.misses = 0
        """How often a writer would have read something else than it wrote last."""
        self.target.after_batch = self._look
        for writer in self.writers:
            writer.go_on()
        self.target.clock.run()
        self._look()

    def _look(self) -> None:
        self.misses += sum(writer.misses(self.target.disk) for writer in self.writers)

    @property
    def finished(self) -> bool:
        """Whether every write was acknowledged."""
        return not any(writer.left or writer.under_way for writer in self.writers)


@given(HARMS, st.integers(0, 2**32))
@settings(deadline=None)
def test_the_disk_holds_what_was_acknowledged_last(harm: Harm, seed: int) -> None:
    run = Run(harm, seed, Repeats())
    assert run.finished
    assert not run.misses


def test_the_wire_is_bad_enough() -> None:
    """Everything that can happen does, and a target without a memory is harmed by it."""
    run = Run(WORST, 1, Repeats(), writes=200)
    assert not run.misses
    assert min(run.wire.seen[what] for what in ("asked again", "old copies", "kept out of the hole")) > 10
    forgetful = Run(WORST, 1, NoMemory(), writes=200)
    assert forgetful.finished
    assert forgetful.misses > 10


def test_a_sound_wire_executes_each_write_once() -> None:
    run = Run(Harm(drop=0, repeat=0, late=0, patience=60, slowness=0.01), 1, Repeats())
    assert run.target.executed == 60
    assert not run.misses
    assert not run.wire.seen["asked again"]


def test_a_write_in_progress_is_not_executed_again() -> None:
    """The disk takes longer than the writers wait, and nothing is lost: each write is asked for several times, done once."""
    run = Run(Harm(drop=0, repeat=0, late=0, patience=0.3, slowness=2), 1, Repeats())
    assert run.finished
    assert run.wire.seen["asked again"] > 60
    assert run.target.executed == 60


def test_the_hole_that_no_target_can_close() -> None:
    """A write that nobody answered is held back; its retransmission is answered, a newer write too; then it arrives."""
    old, new = b"\1" * 512, b"\2" * 512
    clock = Clock()
    target = Target(clock, export(), Repeats(), lambda: 0.0)

    def deliver(tag: str, data: bytes) -> None:
        target.receive(patched(ata(0x34, data=data), 20, tag), lambda _: None)
        clock.run()

    deliver("00000002", old)
    deliver("00000003", new)
    assert target.disk == {0: new}
    deliver("00000003", new)
    deliver("00000002", old)
    assert target.disk == {0: new}
    deliver("00000001", old)
    assert target.disk == {0: old}
    assert isinstance(ask(patched(ata(0x34, data=old), 20, "00000004")), WriteBlocks)
