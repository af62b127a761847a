"""The compiled data path beside an export's queue: nothing is lost, done twice, overtaken, or done after it was forbidden."""

from __future__ import annotations

import subprocess
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.engine import fastpath
from aoetui.engine.api import DeleteExport, StartExport, StopExport
from aoetui.engine.fast_path import fast_path
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.frames import ReserveArgument
from aoetui.engine.protocol.wire import SECTOR, AtaOp, AtaStatus, Command, ReserveOp
from tests.support.engines import E91, PATIENCE, PREPARING, SIZE, add, at_work, disk, engine_in, knows, spec
from tests.support.initiator import initiator
from tests.support.netns import join
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aoetui.engine.fast.lane import Lane
    from aoetui.engine.fast.tables import Numbers, Tables
    from aoetui.engine.local import LocalEngine
    from aoetui.engine.packet import PacketSocket
    from tests.support.initiator import Initiator
    from tests.support.netns import VethPair

OLD, NEW, OTHER = (bytes([value]) * SECTOR for value in (1, 2, 3))
STRANGER = Mac.parse("02:00:00:00:00:99")


@pytest.fixture(autouse=True)
def _compiled() -> None:
    """Skip, with the reason, where there is no compiled data path."""
    if not fast_path.wait(PREPARING):
        pytest.skip(fast_path.why_not)


def lane_of(engine: LocalEngine, link: str = "near0") -> Lane:
    """The compiled loop of a link, once it serves e9.1."""

    def there() -> bool:
        port = engine._core.ports.get(link)
        return port is not None and bool(port.lanes) and set(port.lanes) <= set(at_work(engine).fast.lanes)

    wait_until(there, f"the compiled loop of {link}")
    (lane,) = engine._core.ports.require(link).lanes
    return lane


def wire_of(engine: LocalEngine) -> PacketSocket:
    """The socket of the near link."""
    return engine._core.ports.require("near0")._wire  # type: ignore[return-value]


def served(lane: Lane) -> int:
    """What the loop answered."""
    from aoetui.engine.fast.tables import SERVED

    return int(lane.tables.port[SERVED])


def by_the_loop(lane: Lane, act: Callable[[], object]) -> None:
    """Have `act` done until it is the loop that answered: an initiator's first requests take the reference path."""

    def answered() -> bool:
        before = served(lane)
        act()
        return served(lane) > before

    wait_until(answered, "an answer of the loop")


def row_of(engine: LocalEngine, lane: Lane) -> int:
    """The row of e9.1."""
    return at_work(engine).fast._rows[lane]


def idle(lane: Lane) -> None:
    """Wait until the loop waits for frames: its last reply has left before it is through with the batch."""
    status = Path(f"/proc/self/task/{lane._thread.native_id}/stat")
    wait_until(lambda: status.read_text().rpartition(")")[2].split()[0] == "S", "the loop is idle")


class InHand:
    """Makes a loop, which has nothing to do, look as if a batch with one entry of e9.1 were in its hand."""

    def __init__(self, engine: LocalEngine, lane: Lane, *, memory: int = -1) -> None:
        from aoetui.engine.fast import tables

        idle(lane)
        self.names = tables
        self.tables: Tables = lane.tables
        self.row = row_of(engine, lane)
        entry = self.tables.entries[0]
        entry[tables.E_EXPORT], entry[tables.E_KIND], entry[tables.E_MEMORY] = self.row, tables.WRITE, memory
        self.tables.port[tables.COUNT_OF_ENTRIES] = 1
        self.tables.port[tables.IN_BATCH] = 1

    @property
    def export(self) -> Numbers:
        """What the loop knows of it."""
        return self.tables.exports[self.row]

    def is_through(self) -> None:
        """End the batch."""
        self.tables.port[self.names.IN_BATCH] = 0


@pytest.fixture
def far1(near: LocalEngine, veth_pair: VethPair) -> Iterator[Initiator]:
    """An initiator on a second cable, near1."""
    join(veth_pair.near, "near1", veth_pair.far, "far1")
    knows(near, "near1")
    with initiator(veth_pair.far, "far1") as made:
        yield made


def test_a_batch_in_hand_goes_on_by_the_descriptor_that_it_began_with(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path), offset=8))
    ini.find()
    lane = lane_of(near)
    by_the_loop(lane, lambda: ini.write(0, OLD))
    hand = InHand(near, lane)
    before, names = hand.export.copy(), hand.names
    stopping = near.submit(StopExport(E91))
    wait_until(lambda: hand.export[names.X_KEY] == -1, "the loop knows the address no more")
    for word in (names.X_FD, names.X_BASE, names.X_END, names.X_MAP, names.X_WRITES):
        assert hand.export[word] == before[word]
    assert not stopping.done(), "the backing stays open for what is in hand"
    hand.is_through()
    stopping.result(PATIENCE)


@pytest.mark.parametrize("anew", [False, True])
def test_what_another_export_wrote_makes_no_write_of_this_one_a_repeat(
    near: LocalEngine, ini: Initiator, tmp_path: Path, *, anew: bool
) -> None:
    add(near, spec(disk(tmp_path, "another.img"), address=Address(9, 2)))  # keeps the port, and so its loop
    path = disk(tmp_path)
    add(near, spec(path))
    ini.find()
    lane = lane_of(near)
    by_the_loop(lane, lambda: ini.read(0, 1))
    frame = ini.request(AtaOp.WRITE_EXT, 5, 1, NEW, 0x7777)
    before = served(lane)
    ini.wire.send([frame])
    ini.answers([0x7777])
    assert served(lane) > before
    near.submit(DeleteExport(E91) if anew else StopExport(E91)).result(PATIENCE)
    path = disk(tmp_path, "other.img" if anew else path.name)
    if anew:
        add(near, spec(path))
    else:
        near.submit(StartExport(E91)).result(PATIENCE)
    assert lane_of(near) is lane
    ini.wire.send([frame])
    ini.answers([0x7777])
    assert path.read_bytes()[5 * SECTOR : 6 * SECTOR] == NEW


def test_a_write_that_an_abandoned_loop_had_in_hand_is_not_taken_for_done(
    near: LocalEngine, ini: Initiator, tmp_path: Path
) -> None:
    add(near, spec(disk(tmp_path)))
    ini.find()
    lane = lane_of(near)
    by_the_loop(lane, lambda: ini.write(0, OLD))
    fast, data = at_work(near).fast, memoryview(NEW)
    by_the_loop(lane, lambda: ini.write(0, OLD))
    wait_until(lambda: not at_work(near).is_busy, "nothing waits")
    mac, place = ini.wire.mac.raw, 5 << 8 | 1
    lane.remember_write(fast._salt, mac, 0x7777, place, data)

    def known() -> bool:
        found = lane.knows_write(fast._salt, -1, mac, 0x7777, place, data, 0.0)
        return found is not None and found.is_executed

    assert known()
    hand = InHand(near, lane, memory=int(lane.tables.port[23]))
    lane.tables.port[[hand.names.BUSY_EXPORT, hand.names.BUSY_SINCE]] = hand.row, 1
    wait_until(lambda: lane_of(near) is not lane, "the port goes on without the loop")
    assert not known()
    lane.tables.port[hand.names.BUSY_SINCE] = 0


def test_a_copy_of_a_write_does_no_harm_after_the_loop_that_executed_it_was_left(
    near: LocalEngine, ini: Initiator, tmp_path: Path
) -> None:
    path = disk(tmp_path)
    add(near, spec(path))
    ini.find()
    lane, wire = lane_of(near), wire_of(near)
    by_the_loop(lane, lambda: ini.read(0, 1))
    copy = ini.request(AtaOp.WRITE_EXT, 5, 1, OLD, 0x7777)
    before = served(lane)
    for frame in (copy, ini.request(AtaOp.WRITE_EXT, 5, 1, NEW, 0x7778)):
        ini.wire.send([frame])
        ini.answers([0x7777 if frame is copy else 0x7778])
    assert served(lane) == before + 2
    wire.interpret("a test")
    wait_until(lambda: not wire.lanes and not at_work(near).fast.lanes, "everything is interpreted")
    ini.wire.send([copy])
    ini.answers([0x7777])
    assert ini.read(5, 1) == NEW
    wire.interpret("")
    again = lane_of(near)
    assert again is not lane
    by_the_loop(again, lambda: ini.read(5, 1))
    ini.wire.send([copy])
    ini.answers([0x7777])
    assert ini.read(5, 1) == NEW


def reserved_by_a_stranger(engine: LocalEngine) -> threading.Thread:
    """Reserves e9.1 for somebody else in a thread that has begun to tell of it, or is through."""
    facts = at_work(engine)._facts

    def reserve() -> None:
        facts.change(lambda now: now.with_state(replace(now.state, reservation=(STRANGER,))))

    thread = threading.Thread(target=reserve)
    thread.start()
    wait_until(lambda: facts.now.state.reservation == (STRANGER,), "it is reserved")
    thread.join(0.2)
    return thread


def may_of(lane: Lane) -> set[int]:
    """What those may do that the loop knows."""
    from aoetui.engine.fast.tables import I_EXPORT, I_MAY

    return {int(row[I_MAY]) for row in lane.tables.initiators if row[I_EXPORT] >= 0}


@pytest.mark.parametrize("while_met", [True, False])
def test_whoever_is_met_or_told_of_while_others_reserve_is_shut_out(
    near: LocalEngine, ini: Initiator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, while_met: bool
) -> None:
    add(near, spec(disk(tmp_path)))
    ini.find()
    lane, begun, threads = lane_of(near), list[bool](), list[threading.Thread]()
    name = "add_initiator" if while_met else "let"
    if not while_met:
        by_the_loop(lane, lambda: ini.read(0, 1))
    known = getattr(lane, name)

    def meanwhile(*arguments: object) -> object:
        if begun:
            return known(*arguments)
        begun.append(True)
        thread = reserved_by_a_stranger(near)
        made = known(*arguments)
        threads.append(thread)
        return made

    with monkeypatch.context() as patched:
        patched.setattr(lane, name, meanwhile)
        if while_met:
            ini.ata(AtaOp.READ_EXT, 0, 1)
        wait_until(lambda: bool(threads), "the look, or the first request")
        threads[0].join()
    assert may_of(lane) == {0}
    ini.wire.send([ini.request(AtaOp.WRITE_EXT, 0, 1, NEW, tag) for tag in (0x7777, 0x7778)])
    assert all(answer.header.error for answer in ini.answers([0x7777, 0x7778]))


def test_a_change_waits_for_what_is_in_hand_though_the_gate_is_closed_already(
    near: LocalEngine, ini: Initiator, tmp_path: Path
) -> None:
    add(near, spec(disk(tmp_path)))
    ini.find()
    lane = lane_of(near)
    by_the_loop(lane, lambda: ini.write(0, OLD))
    wait_until(lambda: not at_work(near).is_busy, "nothing waits")
    hand = InHand(near, lane)
    hand.export[hand.names.X_GATE] = 3
    done = threading.Event()
    change: Future[None] = Future()
    change.add_done_callback(lambda _: done.set())
    threading.Thread(target=lambda: at_work(near).edit(lambda facts: facts.state, change)).start()
    assert not done.wait(0.3), "what is in hand is carried out first"
    hand.is_through()
    change.result(PATIENCE)


def test_no_reservation_is_answered_before_a_write_that_a_disk_keeps_is_through(
    freezer: Path, near: LocalEngine, ini: Initiator, far1: Initiator
) -> None:
    path = disk(freezer)
    add(near, spec(path, interfaces=("near0", "near1")))
    ini.find()
    far1.find()
    lane, other = lane_of(near), lane_of(near, "near1")
    by_the_loop(lane, lambda: ini.write(0, OLD))
    by_the_loop(other, lambda: far1.write(1, OLD))
    wait_until(lambda: not at_work(near).is_busy, "nothing waits")
    names = InHand(near, lane).names
    lane.tables.port[names.IN_BATCH] = 0
    subprocess.run(["fsfreeze", "-f", freezer], check=True)
    try:
        ini.wire.send([ini.request(AtaOp.WRITE_EXT, 0, 1, NEW, 0x7777)])
        wait_until(lambda: bool(lane.tables.port[names.BUSY_SINCE]), "the disk keeps the loop")
        far1.wire.send([far1.frame(Command.RESERVE, ReserveArgument(ReserveOp.SET, (far1.wire.mac,)), 0x8888)])
        wait_until(lambda: lane_of(near) is not lane, "the port goes on without the loop")
        assert not [frame for _ in range(5) for frame in far1.meanwhile()]
    finally:
        subprocess.run(["fsfreeze", "-u", freezer], check=True)
    far1.answers([0x8888])
    assert path.read_bytes()[:SECTOR] == NEW
    assert at_work(near).facts.state.reservation == (far1.wire.mac,)


def test_a_loop_that_fails_with_a_batch_in_hand_hangs_nobody(
    veth_pair: VethPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = threading.Event()

    def fail(tables: Tables) -> None:
        assert fails.wait(PATIENCE)
        tables.port[28] = 1
        raise MemoryError

    with monkeypatch.context() as patched, engine_in(veth_pair.near) as engine, initiator(veth_pair.far, "far0") as ini:
        patched.setattr(fastpath, "serve", fail)
        add(engine, spec(disk(tmp_path)))
        lane = lane_of(engine)
        hand = InHand(engine, lane)
        fails.set()
        wait_until(lambda: lane.failed, "the loop has failed")
        ini.find()
        assert ini.write(0, NEW) == AtaStatus.DRDY
        assert ini.read(0, 1) == NEW
        assert hand.row == 0


def test_what_one_export_has_cached_is_not_taken_for_another_s(
    near: LocalEngine, ini: Initiator, veth_pair: VethPair, tmp_path: Path
) -> None:
    from aoetui.engine.fast.disk import _note_seen, _was_seen

    add(near, spec(disk(tmp_path)))
    ini.find()
    lane = lane_of(near)
    by_the_loop(lane, lambda: ini.read(0, 1))
    with initiator(veth_pair.far, "far0", "e9.2") as other:
        add(near, spec(disk(tmp_path, "other.img"), address=other.address))
        other.find()
        by_the_loop(lane, lambda: other.read(0, 1))
    idle(lane)
    held = near._core.serving.get(other.address)
    assert held is not None
    assert held.export is not None
    _note_seen(lane.tables, 0, SIZE, at_work(near).fast._salt)
    seen = [page for page in range(1, SIZE >> 12) if _was_seen(lane.tables, page << 12, 1 << 12, held.export.fast._salt)]
    assert not seen


def test_what_was_cut_off_within_a_page_is_not_read_as_zeros(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    path = disk(tmp_path)
    add(near, spec(path))
    ini.find()
    lane, last = lane_of(near), SIZE // SECTOR - 1
    for _ in range(3):
        by_the_loop(lane, lambda: ini.read(last, 1))
    with path.open("r+b") as file:
        file.truncate(SIZE - SECTOR)
    assert ini.ata(AtaOp.READ_EXT, last, 1).op_or_status & AtaStatus.ERR
