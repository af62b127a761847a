"""Requests that wait for a slow disk are judged when their turn comes, and one that comes twice is carried out once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import SetMask, SetReservation
from aoetui.engine.clock import Clock
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.frames import AtaArgument, ReserveArgument
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.wire import SECTOR, AoeError, AtaOp, AtaStatus, Command, ReserveOp
from aoetui.engine.spec import Durability
from tests.support.engines import E91, PATIENCE, add, at_work, disk, engine_in, knows, spec, the_export
from tests.support.initiator import Initiator, initiator
from tests.support.netns import join
from tests.support.stalled import queued, stalled
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from aoetui.engine.protocol.frames import Frame
    from tests.support.netns import VethPair

NEW = b"\xa5" * SECTOR
FRIEND = Mac.parse("02:00:00:00:00:77")


@pytest.fixture
def other(near: LocalEngine, veth_pair: VethPair) -> Iterator[Initiator]:
    """A second initiator, on a cable of its own."""
    join(veth_pair.near, "near1", veth_pair.far, "far1")
    knows(near, "near1")
    with initiator(veth_pair.far, "far1") as made:
        yield made


def write(ini: Initiator, lba: int, data: bytes, tag: int) -> bytes:
    """A write of whole sectors."""
    return ini.request(AtaOp.WRITE_EXT, lba, len(data) // SECTOR, data, tag)


def errors(frames: list[Frame]) -> dict[int, int | None]:
    """The AoE error of each answer, by tag."""
    return {frame.header.tag: frame.header.error for frame in frames}


def sector(path: Path, lba: int) -> bytes:
    """What the file holds."""
    return path.read_bytes()[lba * SECTOR : (lba + 1) * SECTOR]


@pytest.fixture(params=Durability)
def shared(request: pytest.FixtureRequest, near: LocalEngine, other: Initiator, tmp_path: Path) -> Path:  # noqa: ARG001  # its link first
    """The backing of an export on both cables."""
    path = disk(tmp_path)
    add(near, spec(path, interfaces=("near0", "near1"), durability=request.param))
    return path


def test_after_the_reply_to_a_reservation_nothing_of_another_is_carried_out(
    near: LocalEngine, ini: Initiator, other: Initiator, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, export = shared, at_work(near)
    old = path.read_bytes()
    for each in (ini, other):
        each.find()
    holder = other.wire.mac
    with stalled(export, monkeypatch) as stall:
        ini.wire.send([write(ini, 0, NEW, 10)])
        stall.reached()
        ini.wire.send([write(ini, 1, NEW, 11)])
        queued(export, 2)
        other.wire.send([other.frame(Command.RESERVE, ReserveArgument(ReserveOp.SET, (holder,)), 20), write(other, 5, NEW, 21)])
        queued(export, 4)
        late = [write(ini, 2, NEW, 12), ini.request(AtaOp.READ_EXT, 3, 1, b"", 13), ini.request(AtaOp.FLUSH_EXT, 0, 0, b"", 14)]
        ini.wire.send(late)
        queued(export, 7)
        stall.go_on()
        assert errors(other.answers([20, 21])) == {20: None, 21: None}
        refused = AoeError.TARGET_RESERVED
        assert errors(ini.answers([10, 11, 12, 13, 14])) == {10: None, 11: None, 12: refused, 13: refused, 14: refused}
    assert [sector(path, lba) for lba in (0, 1, 2, 5)] == [NEW, NEW, old[2 * SECTOR : 3 * SECTOR], NEW]
    assert the_export(near).reservation == (holder,)
    assert {each.interface: each.under_way for each in the_export(near).initiators} == {"near0": 0, "near1": 0}


def test_a_reservation_of_the_console_stands_before_what_came_after_it(
    near: LocalEngine, ini: Initiator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = disk(tmp_path)
    add(near, spec(path))
    export, old = at_work(near), path.read_bytes()
    ini.find()
    with stalled(export, monkeypatch) as stall:
        ini.wire.send([write(ini, 0, NEW, 10)])
        stall.reached()
        setting = near.submit(SetReservation(E91, (FRIEND,)))
        queued(export, 2)
        ini.wire.send([write(ini, 1, NEW, 11)])
        queued(export, 3)
        assert not setting.done(), "it has its turn like a request"
        stall.go_on()
        setting.result(PATIENCE)
        assert errors(ini.answers([10, 11])) == {10: None, 11: AoeError.TARGET_RESERVED}
    assert path.read_bytes() == NEW + old[SECTOR:]


def test_what_a_masked_out_initiator_had_asked_for_is_neither_done_nor_answered(
    near: LocalEngine, ini: Initiator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = disk(tmp_path)
    add(near, spec(path))
    export, old = at_work(near), path.read_bytes()
    ini.find()
    with stalled(export, monkeypatch) as stall:
        ini.wire.send([write(ini, 0, NEW, 10)])
        stall.reached()
        masking = near.submit(SetMask(E91, (FRIEND,)))
        queued(export, 2)
        edit = ini.frame(Command.RESERVE, ReserveArgument(ReserveOp.FORCE_SET, (ini.wire.mac,)), 12)
        ini.wire.send([write(ini, 1, NEW, 11), edit])
        queued(export, 4)
        stall.go_on()
        masking.result(PATIENCE)
        wait_until(lambda: the_export(near).refused_frames == 2, "both are refused")
    near.submit(SetMask(E91, ())).result(PATIENCE)
    assert [frame.header.tag for frame in ini.meanwhile()] == [10]
    assert path.read_bytes() == NEW + old[SECTOR:]
    assert the_export(near).reservation == ()
    assert [each.why for each in the_export(near).refused] == [Silence.MASKED]


@pytest.mark.parametrize("durability", Durability)
def test_a_frame_that_the_network_repeats_is_answered_again_and_not_done_again(
    near: LocalEngine, ini: Initiator, tmp_path: Path, durability: Durability
) -> None:
    path = disk(tmp_path)
    add(near, spec(path, durability=durability))
    ini.find()
    first, second = write(ini, 4, NEW, 10), write(ini, 4, bytes(SECTOR), 11)
    for frame, tag in ((first, 10), (second, 11), (first, 10)):
        ini.wire.send([frame])
        (answer,) = ini.answers([tag])
        assert isinstance(answer.argument, AtaArgument)
        assert answer.argument.op_or_status == AtaStatus.DRDY
    assert sector(path, 4) == bytes(SECTOR), "the newer write stays"
    (one,) = the_export(near).initiators
    assert (one.counters.writes, one.counters.retransmits) == (2, 1)


@pytest.mark.parametrize("durability", Durability)
def test_repeats_that_wait_together_are_done_once(
    near: LocalEngine, ini: Initiator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability
) -> None:
    """The frame of tag 10 comes again before and after a newer write of the same sector has had its turn."""
    path = disk(tmp_path)
    add(near, spec(path, durability=durability))
    export = at_work(near)
    ini.find()
    first, second = write(ini, 4, NEW, 10), write(ini, 4, bytes(SECTOR), 11)
    with stalled(export, monkeypatch) as stall:
        ini.wire.send([ini.request(AtaOp.READ_EXT, 0, 1, b"", 9)])
        stall.reached()
        ini.wire.send([first, first, second, first])
        queued(export, 5)
        stall.go_on()
        ini.answers([9, 10, 10, 10, 11])
        assert stall.begun.count("write") == 2
    assert sector(path, 4) == bytes(SECTOR)
    assert the_export(near).counters.writes == 2


def test_a_write_asked_for_again_while_it_waits_is_done_once(
    near: LocalEngine, ini: Initiator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Linux asks again: the same write with another tag."""
    path = disk(tmp_path)
    add(near, spec(path))
    export = at_work(near)
    ini.find()
    with stalled(export, monkeypatch) as stall:
        ini.wire.send([write(ini, 4, NEW, 10)])
        stall.reached()
        ini.wire.send([write(ini, 4, NEW, 11)])
        queued(export, 2)
        stall.go_on()
        ini.answers([10, 11])
        assert stall.begun == ["write"]
    ini.wire.send([write(ini, 4, NEW, 12)])
    ini.answers([12])
    assert the_export(near).counters.writes == 2, "one that comes after the answer is a write of its own"


def test_retransmissions_are_guessed(veth_pair: VethPair, tmp_path: Path) -> None:
    now = 1000.0
    with (
        engine_in(veth_pair.near, clock=Clock(monotonic=lambda: now)) as engine,
        initiator(veth_pair.far, "far0") as ini,
    ):
        add(engine, spec(disk(tmp_path)))
        ini.find()
        for count, later in enumerate((0.02, 0.05, 0.2)):
            for _ in range(2):
                ini.read(8 * count, 1)
                now += later
        counters = the_export(engine).counters
        assert (counters.reads, counters.retransmits) == (6, 3)
        for later in (0.0, 10.0):  # at once, as a program may; and after so long that nothing was lost
            now += later
            ini.read(100, 1)
            ini.read(101, 1)
            ini.read(100, 1)
        assert the_export(engine).counters.retransmits == 3
        (one,) = the_export(engine).initiators
        assert one.counters.retransmits == 3


def test_latencies_count_every_reply(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    held = near._core.serving.get(E91)
    assert held is not None
    meter = held.latency
    wait_until(lambda: bool(meter._samples), "the first sample, from which recent figures count")
    ini.find()
    for lba in range(20):
        ini.read(lba, 1)
    for lba in range(10):
        ini.write(lba, NEW)
    wait_until(lambda: the_export(near).latency.count == 30, "the recent figures have all")
    shown = the_export(near)
    (one,) = shown.initiators
    assert (shown.read_latency.count, shown.write_latency.count, one.latency.count) == (20, 10, 30)
    assert near.snapshot().latency == shown.latency
    for latency in (shown.latency, shown.read_latency, shown.write_latency, one.latency):
        assert sum(count for _, count in latency.buckets) == latency.count
        assert latency.p50_us is not None
        assert latency.p99_us is not None
        assert 0 < latency.p50_us <= latency.p99_us <= latency.buckets[-1][0]
