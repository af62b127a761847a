"""How much may wait for a disk: the buffer count of each initiator on each interface, and the engine's memory behind it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.memory import REQUEST, MemoryBudget
from aoetui.engine.protocol.wire import SECTOR, AtaOp
from aoetui.engine.snapshot import Severity
from aoetui.engine.spec import Durability
from tests.support.engines import add, at_work, disk, engine_in, knows, spec, the_export
from tests.support.initiator import initiator
from tests.support.netns import join
from tests.support.stalled import stalled
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from tests.support.initiator import Initiator
    from tests.support.netns import VethPair

BUFFERS = 16


@pytest.fixture
def two(near: LocalEngine, veth_pair: VethPair) -> Iterator[tuple[Initiator, Initiator]]:
    """Two initiators, each on a cable of its own: near0 and near1."""
    join(veth_pair.near, "near1", veth_pair.far, "far1")
    knows(near, "near1")
    with ExitStack() as stack:
        yield (
            stack.enter_context(initiator(veth_pair.far, "far0")),
            stack.enter_context(initiator(veth_pair.far, "far1")),
        )


def reads(ini: Initiator, tags: range) -> list[bytes]:
    """A read for each tag, none of a sector that another reads."""
    return [ini.request(AtaOp.READ_EXT, tag, 1, b"", tag) for tag in tags]


def writes(ini: Initiator, tags: range) -> list[bytes]:
    """A write for each tag, to a sector of its own."""
    return [ini.request(AtaOp.WRITE_EXT, tag, 1, bytes(SECTOR), tag) for tag in tags]


def figures(engine: LocalEngine) -> dict[str, tuple[int, int]]:
    """By interface: what waits, and what was dropped."""
    return {each.interface: (each.under_way, each.dropped) for each in the_export(engine).initiators}


def become(engine: LocalEngine, under_way: int, dropped: int) -> None:
    """Wait until so many requests of near0 wait, and so many were dropped."""
    wait_until(lambda: figures(engine)["near0"] == (under_way, dropped), f"{under_way} wait and {dropped} were dropped")


def test_each_initiator_on_each_interface_has_its_own_buffers(
    near: LocalEngine, two: tuple[Initiator, Initiator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(near, spec(disk(tmp_path), interfaces=("near0", "near1"), buffer_count=BUFFERS))
    for each in two:
        each.find()
    tags = range(100, 100 + BUFFERS + 10)
    with stalled(at_work(near), monkeypatch) as stall:
        two[0].wire.send(reads(two[0], tags))
        wait_until(lambda: figures(near)["near0"] == (BUFFERS, 10), "what is beyond the buffer count is dropped")
        two[1].wire.send(reads(two[1], tags[:BUFFERS]))
        wait_until(lambda: figures(near)["near1"] == (BUFFERS, 0), "another initiator has buffers of its own")
        two[0].find()
        stall.go_on()
        assert len(two[0].answers(tags[:BUFFERS])) == BUFFERS
        assert len(two[1].answers(tags[:BUFFERS])) == BUFFERS
    assert two[0].meanwhile() == [], "what was dropped is not answered"
    wait_until(lambda: figures(near) == {"near0": (0, 10), "near1": (0, 0)}, "the buffers are free again")
    two[0].wire.send(reads(two[0], tags[BUFFERS:]))
    assert len(two[0].answers(tags[BUFFERS:])) == 10
    counters = the_export(near).counters
    assert (counters.reads, counters.errors) == (2 * BUFFERS + 10, 0)


def test_a_buffer_is_free_as_soon_as_its_request_is_answered(
    near: LocalEngine, ini: Initiator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux fills the buffer count, and sends the next request when a reply comes: it must not wait for others' flush."""
    add(near, spec(disk(tmp_path), buffer_count=3, durability=Durability.DURABLE))
    export = at_work(near)
    ini.find()
    with stalled(export, monkeypatch, "flush") as flushing:
        ini.wire.send([*writes(ini, range(10, 11)), *reads(ini, range(11, 13))])
        ini.answers([11, 12])
        flushing.reached()
        ini.wire.send(writes(ini, range(13, 15)))
        become(near, 3, 0)
        ini.wire.send([*reads(ini, range(15, 16)), *writes(ini, range(16, 17))])
        become(near, 3, 2)
        flushing.go_on()
        ini.answers([10, 13, 14])
        assert ini.read(15, 1)


@pytest.mark.usefixtures("interpreted")  # a write that a loop is kept by waits in no queue
def test_the_memory_of_all_exports_is_bounded(veth_pair: VethPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with engine_in(veth_pair.near) as engine, initiator(veth_pair.far, "far0") as ini:
        budget = MemoryBudget(8 * REQUEST)
        engine._core.serving._memory = budget  # so that a few frames fill it
        add(engine, spec(disk(tmp_path)))
        ini.find()
        tags = range(100, 120)
        for number in (1, 2):
            with stalled(at_work(engine), monkeypatch) as stall:
                ini.wire.send([*reads(ini, tags), ini.request(AtaOp.WRITE_EXT, 1, 1, bytes(SECTOR), 99)])
                become(engine, 8, 13 * number)
                assert budget.free == 0
                stall.go_on()
                assert len(ini.answers(tags[:8])) == 8
            wait_until(lambda: budget.free == 8 * REQUEST, "the memory is given back")
            assert ini.read(1, 1)
            wait_until(lambda: budget.free == 8 * REQUEST, "that of the read too")
            told = [event for event in engine.events(0) if "requests are dropped" in event.text]
            assert [event.severity for event in told] == [Severity.WARNING] * number, "once for each shortage"
