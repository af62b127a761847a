"""A live trace: frames in and out, answers of ours among them, in VLANs and outside; and what it may not do."""

from __future__ import annotations

import itertools
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import ChooseInterfaces, EngineError
from aoetui.engine.commands.trace import (
    ClearTrace,
    Direction,
    Mark,
    OpenTrace,
    PauseTrace,
    ReadTrace,
    SaveTrace,
    ShowFrame,
    StartTrace,
    StopTrace,
)
from aoetui.engine.packet_ring import SOL_PACKET, PacketOption
from aoetui.engine.protocol.frames import ReserveArgument
from aoetui.engine.protocol.wire import SECTOR, AtaOp, Command, ReserveOp
from aoetui.engine.tracing import tap as tapping
from aoetui.engine.tracing.tap import Tap
from tests.net.test_data_path import compiled, reads_and_writes  # noqa: F401  # a fixture
from tests.support.engines import PATIENCE, add, disk, engine_in, knows, spec
from tests.support.initiator import initiator
from tests.support.netns import join
from tests.support.tap import initiator_in, tap
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.commands.trace import TraceLine
    from aoetui.engine.local import LocalEngine
    from aoetui.engine.packet import PacketSocket
    from aoetui.engine.snapshot import TraceSnapshot
    from tests.support.initiator import Initiator
    from tests.support.netns import VethPair


def start(engine: LocalEngine, *interfaces: str, whole: bool = False) -> None:
    """Trace these; near0 unless told."""
    engine.submit(StartTrace(interfaces or ("near0",), whole)).result(PATIENCE)


def lines(engine: LocalEngine, words: str = "") -> list[TraceLine]:
    """The newest lines."""
    return list(engine.submit(ReadTrace(words, count=1000)).result(PATIENCE).lines)


def facts(engine: LocalEngine) -> TraceSnapshot:
    """The small ones."""
    trace = engine.snapshot().trace
    assert trace is not None
    return trace


def traced(engine: LocalEngine, count: int, words: str = "") -> list[TraceLine]:
    """Wait until so many lines are there, and return them."""
    wait_until(lambda: len(lines(engine, words)) >= count, f"{count} lines of {words or 'all frames'}")
    return lines(engine, words)


def ways(found: list[TraceLine]) -> list[tuple[Direction, str]]:
    """Direction and words."""
    return [(line.direction, line.what) for line in found]


def bypasses(engine: LocalEngine, port: str = "near0") -> bool:
    """Whether a port sends past the queue, and so past everybody who listens."""
    wire: PacketSocket = engine._core.ports.require(port)._wire  # type: ignore[assignment]
    return bool(wire._socket.getsockopt(SOL_PACKET, PacketOption.QDISC_BYPASS))


def test_questions_come_in_and_answers_go_out(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    assert near.snapshot().trace is None
    start(near)
    ini.find()
    ini.write(1, b"x" * SECTOR)
    ini.ata(AtaOp.READ_EXT, 1 << 30)
    ini.reserve(ReserveOp.READ)
    found = traced(near, 8)
    assert [line.number for line in found] == list(range(1, 9))
    assert ways(found)[2:] == [
        (Direction.IN, "WRITE 1 at 0x1"),
        (Direction.OUT, "WRITE 1 at 0x1: ok"),
        (Direction.IN, "READ 1 at 0x40000000"),
        (Direction.OUT, "READ 1 at 0x40000000: IDNF"),
        (Direction.IN, "reserve read"),
        (Direction.OUT, "not reserved"),
    ]
    assert [line.peer for line in found] == [2, 1, 4, 3, 6, 5, 8, 7]
    assert found[5].marks == (Mark.ERROR,)
    assert (found[2].length, found[2].kept, found[2].source) == (36 + SECTOR, 104, ini.wire.mac)
    assert all(a.time_ns <= b.time_ns for a, b in itertools.pairwise(found))
    assert (facts(near).seen, facts(near).kept, facts(near).dropped) == (8, 8, 0)


@pytest.mark.parametrize("path", ["compiled", "interpreted"])
def test_both_data_paths_are_heard(request: pytest.FixtureRequest, veth_pair: VethPair, tmp_path: Path, path: str) -> None:
    request.getfixturevalue(path)
    with engine_in(veth_pair.near) as engine, initiator(veth_pair.far, "far0") as ini:
        add(engine, spec(disk(tmp_path)))
        ini.find()
        if path == "compiled":
            wait_until(lambda: bool(engine._core.ports.require("near0").lanes), "the compiled loop")
        reads_and_writes(ini)
        start(engine, whole=True)
        reads_and_writes(ini)
        assert [line.what for line in traced(engine, 9, "out")] == [
            "READ 1 at 0x3: ok",
            "WRITE 1 at 0x1: ok",
            "READ 1 at 0x1: ok",
        ] * 3
        assert all(line.kept == line.length for line in lines(engine))


def test_a_port_sends_past_the_queue_but_while_somebody_listens(near: LocalEngine, veth_pair: VethPair) -> None:
    """Ours, or of another program; on ports that are there, and on those that come."""
    near.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
    wait_until(lambda: bypasses(near), "the quick way")
    start(near)
    assert not bypasses(near)
    near.submit(ChooseInterfaces(())).result(PATIENCE)
    near.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
    wait_until(lambda: not bypasses(near), "the new port lets itself be heard")
    near.submit(StopTrace()).result(PATIENCE)
    assert bypasses(near)
    with tap(veth_pair.near, "near0"):
        wait_until(lambda: not bypasses(near), "another program hears")
    wait_until(lambda: bypasses(near), "the quick way again")


def test_our_own_sockets_for_vlans_are_no_listeners(near: LocalEngine, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path), vlan=7))
    near.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
    near._core.settle()
    assert bypasses(near)
    assert bypasses(near, "near0 vlan 7")


def test_tags_are_there_both_ways(veth_pair: VethPair, tmp_path: Path) -> None:
    with engine_in(veth_pair.near) as engine, initiator_in(veth_pair.far, "far0", 100) as ini:
        add(engine, spec(disk(tmp_path), vlan=100))
        start(engine)
        ini.find()
        ini.write(1, b"x" * SECTOR)
        found = traced(engine, 4, "vlan 100")
        assert [line.what for line in found][2:] == ["WRITE 1 at 0x1", "WRITE 1 at 0x1: ok"]
        assert [(line.vlan, line.length, line.kept) for line in found][2:] == [(100, 40 + SECTOR, 108), (100, 64, 64)]
        assert [line.peer is not None for line in found] == [True] * 4
        fields = engine.submit(ShowFrame(found[2].number)).result(PATIENCE).fields
        assert ("802.1Q", "VLAN", "100") in [(each.section, each.name, each.value) for each in fields]


def test_only_counted_while_paused(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    start(near)
    ini.find()
    traced(near, 2)
    near.submit(PauseTrace(paused=True)).result(PATIENCE)
    ini.find()
    wait_until(lambda: facts(near).passed_over == 2, "two frames that are counted")
    assert (facts(near).paused, facts(near).seen, facts(near).newest) == (True, 4, 2)
    near.submit(PauseTrace(paused=False)).result(PATIENCE)
    ini.find()
    assert [line.number for line in traced(near, 4)] == [1, 2, 3, 4]


def test_what_was_kept_outlives_the_trace_and_goes_when_cleared(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    start(near)
    ini.find()
    near.submit(StopTrace()).result(PATIENCE)
    assert (facts(near).interfaces, len(lines(near))) == ((), 2)
    ini.find()
    start(near)
    ini.find()
    assert len(traced(near, 4)) == 4, "none of those that passed meanwhile"
    near.submit(ClearTrace()).result(PATIENCE)
    assert (facts(near).seen, facts(near).newest, lines(near)) == (0, 0, [])
    ini.find()
    assert [line.number for line in traced(near, 2)] == [1, 2]


def test_two_interfaces_in_the_order_of_time(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    join(veth_pair.near, "near1", veth_pair.far, "far1")
    knows(near, "near1")
    add(near, spec(disk(tmp_path), interfaces=("near0", "near1")))
    start(near, "near0", "near1")
    with initiator(veth_pair.far, "far0") as one, initiator(veth_pair.far, "far1") as two:
        for _ in range(5):
            one.find()
            two.find()
    found = traced(near, 20)
    assert [line.interface for line in found] == ["near0", "near0", "near1", "near1"] * 5
    assert len(lines(near, "on near1")) == 10
    near.submit(StopTrace()).result(PATIENCE)
    assert len(lines(near)) == 20, "nothing is held back for ever"


def test_it_never_transmits(veth_pair: VethPair) -> None:
    with tap(veth_pair.far, "far0") as far, engine_in(veth_pair.near) as engine:
        start(engine)
        with tap(veth_pair.near, "near0") as marker:
            marker.send(b"\xff" * 6 + b"\x02" * 6 + b"\x88\xa2" + bytes(46))
        seen = far.next()
        assert seen.frame[6:12] == b"\x02" * 6, "the first frame that leaves is the marker"
        traced(engine, 1)


def test_an_interface_that_goes_is_traced_again_when_it_is_back(near: LocalEngine, veth_pair: VethPair) -> None:
    start(near)
    veth_pair.near.delete_link("near0")
    wait_until(lambda: facts(near).problems == ("near0 is gone: it is traced again once it is back",), "it is told")
    join(veth_pair.near, "near0", veth_pair.far, "far0")
    wait_until(lambda: facts(near).problems == (), "it is back")
    with initiator(veth_pair.far, "far0") as ini:
        ini.wire.send([ini.frame(Command.RESERVE, ReserveArgument(ReserveOp.READ, ()), 1)])
    assert traced(near, 1)[0].what == "reserve read"


def test_a_link_that_was_down_is_heard_again(near: LocalEngine, ini: Initiator, veth_pair: VethPair, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    start(near)
    veth_pair.near.set_link("near0", state="down")
    veth_pair.near.set_link("near0", state="up")
    wait_until(lambda: near.snapshot().exports[0].ports[0].serving, "served again")
    before = facts(near).newest
    ini.find()
    wait_until(lambda: facts(near).newest > before, "frames again")


@pytest.mark.parametrize(
    ("interfaces", "why"),
    [((), "no interface is named"), (("near9",), "there is no interface near9"), (("near0", "near9"), "no interface near9")],
)
def test_what_cannot_be_traced_is_told_and_changes_nothing(near: LocalEngine, interfaces: tuple[str, ...], why: str) -> None:
    with pytest.raises(EngineError, match=why):
        near.submit(StartTrace(interfaces)).result(PATIENCE)
    assert near.snapshot().trace is None


def test_saved_and_opened_instead(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    start(near)
    ini.find()
    live = traced(near, 2)
    saved = near.submit(SaveTrace(tmp_path / "a.pcapng")).result(PATIENCE)
    assert saved.frames == 2
    opened = near.submit(OpenTrace(tmp_path / "a.pcapng")).result(PATIENCE)
    assert opened.frames == 2
    assert (facts(near).interfaces, facts(near).file) == ((), str(tmp_path / "a.pcapng"))
    assert lines(near) == live
    start(near)
    assert (facts(near).file, lines(near)) == ("", [])


# ---- the tap itself


def test_drops_are_counted_and_nothing_else_is_lost(veth_pair: VethPair) -> None:
    frame = b"\xff" * 6 + b"\x02" * 6 + b"\x88\xa2\x10" + bytes(45)
    with closing(veth_pair.near.run(lambda: Tap("near0", whole=False))) as listener, tap(veth_pair.far, "far0") as far:
        sent = 0
        dropped = 0
        while not dropped:
            far.send(frame)
            sent += 1
            if sent % 1000 == 0:
                dropped = listener.dropped()
        dropped += listener.dropped()
        taken: list[int] = []

        def all_there() -> bool:
            taken.extend(block.frames for block in listener.take())
            return sum(taken) + dropped == sent

        wait_until(all_there, "each frame is handed over or counted as dropped")


def test_only_aoe_is_heard_and_of_ata_the_beginning(veth_pair: VethPair) -> None:
    macs = b"\xff" * 6 + b"\x02" * 6
    aoe = [
        macs + b"\x88\xa2\x10\0\0\x09\x01\x00" + bytes(1000),
        macs + b"\x88\xa2\x10\0\0\x09\x01\x01" + bytes(1000),
        macs + b"\x81\0\0\x64\x88\xa2\x10\0\0\x09\x01\x00" + bytes(1000),
        macs + b"\x88\xa8\0\x64\x81\0\0\x07\x88\xa2\x10\0\0\x09\x01\x00" + bytes(1000),
    ]
    others = [macs + b"\x08\0" + bytes(46), macs + b"\x81\0\0\x64\x08\0" + bytes(46), macs + b"\x88\xa8\0\x64\x08\0" + bytes(46)]
    with closing(veth_pair.near.run(lambda: Tap("near0", whole=False))) as listener, tap(veth_pair.far, "far0") as far:
        for frame in [*others, *aoe]:
            far.send(frame)
        found: list[bytes] = []
        lengths: list[int] = []

        def all_there() -> bool:
            for block in listener.take():
                for at in tapping.offsets_in(block.data, block.frames):
                    captured = tapping.frame_at(block.data, at, "near0")
                    found.append(captured.frame)
                    lengths.append(captured.length)
            return len(found) >= len(aoe)

        wait_until(all_there, "the AoE frames")
        assert found == [aoe[0][:104], aoe[1], aoe[2][:108], aoe[3][:108]]
        assert lengths == [len(frame) for frame in aoe]
