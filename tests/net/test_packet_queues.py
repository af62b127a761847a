"""Several receive queues of one interface: an initiator's frames come by one of them, once and in order; all serve exports."""

from __future__ import annotations

import errno
import sys
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.engine import packet
from aoetui.engine.api import CheckAddress, ChooseInterfaces, EngineError
from aoetui.engine.fanout import queue_of
from aoetui.engine.fast_path import fast_path
from aoetui.engine.packet import PacketSocket
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.wire import SECTOR, AtaOp, AtaStatus
from aoetui.engine.snapshot import ExportState
from tests.support.engines import E91, PATIENCE, PREPARING, Held, add, at_work, disk, engine_in, knows, spec, the_export
from tests.support.initiator import Initiator
from tests.support.program import environment
from tests.support.tap import Tap, tap, with_tag
from tests.support.waiting import wait_until
from tests.support.wires import next_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aoetui.engine.local import LocalEngine
    from aoetui.engine.ports import Port
    from tests.support.netns import VethPair

QUEUES = 3
SOURCES = [Mac(bytes.fromhex(f"0200{number:08x}")) for number in range(QUEUES * 4)]


def frame_of(source: Mac, number: int) -> bytes:
    """The `number`th that this source sends to all."""
    return b"\xff" * 6 + source.raw + b"\x88\xa2" + number.to_bytes(46, "big")


@pytest.mark.parametrize(("name", "tag"), [("near0", b""), ("near0 vlan 100", b"\x81\x00\x00\x64")])
@pytest.mark.usefixtures("interpreted")
def test_each_sources_frames_come_once_and_in_order_by_one_queue(veth_pair: VethPair, name: str, tag: bytes) -> None:
    with closing(veth_pair.near.run(lambda: PacketSocket(name, QUEUES))) as wire, tap(veth_pair.far, "far0") as sender:
        sent = [frame_of(source, number) for number in range(20) for source in SOURCES]
        for frame in sent:
            sender.send(with_tag(frame, tag))
        heard: list[bytes] = []
        while len(heard) < len(sent):
            heard += next_frames(wire)
        assert sorted(heard) == sorted(sent)
        for source in SOURCES:
            assert [frame for frame in heard if frame[6:12] == source.raw] == [frame_of(source, number) for number in range(20)]
        shares = [sum(queue_of(source, QUEUES) == number for source in SOURCES) * 20 for number in range(QUEUES)]
        assert [queue.ring.received for queue in wire._queues] == shares
        assert wire.receive(0) == [], "none came a second time"


@pytest.mark.usefixtures("interpreted")
def test_what_is_sent_is_not_heard_by_another_queue(veth_pair: VethPair) -> None:
    with (
        closing(veth_pair.near.run(lambda: PacketSocket("near0", QUEUES))) as wire,
        tap(veth_pair.near, "near0"),  # with one who listens, what is sent is shown to packet sockets of this end
        tap(veth_pair.far, "far0") as other,
    ):
        wire.let_hear(others=True)
        assert wire.send([frame_of(source, 0) for source in SOURCES]) == len(SOURCES)
        last = frame_of(Mac(bytes.fromhex("0200000000ff")), 1)
        other.send(last)
        assert next_frames(wire) == [last]
        assert sum(queue.ring.head for queue in wire._queues) == 1, "the kernel gave them no slot either"


@pytest.mark.parametrize("apart", [1, 2, 4, 256])
@pytest.mark.parametrize("queues", [2, 3, 4, 8])
def test_every_queue_has_its_share_however_macs_are_given_out(apart: int, queues: int) -> None:
    macs = (Mac(b"\x52\x54" + (0xA0E00000 + number * apart).to_bytes(4, "big")) for number in range(400))
    share = Counter(queue_of(mac, queues) for mac in macs)
    assert len(share) == queues
    assert max(share.values()) <= 2 * 400 // queues


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("queues", [1, QUEUES])
def test_several_queues_are_opened_anew_after_the_link_was_down(veth_pair: VethPair, queues: int) -> None:
    """The kernel may have put the sockets into another order."""
    with closing(veth_pair.near.run(lambda: PacketSocket("near0", queues))) as wire:
        veth_pair.near.set_link("near0", state="down")
        with pytest.raises(OSError, match="down"):
            next_frames(wire)
        veth_pair.near.set_link("near0", state="up")
        assert wire.needs_reopen == (queues > 1)


def test_a_port_that_cannot_be_opened_leaves_nothing_open(veth_pair: VethPair, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_sockets: object) -> None:
        raise OSError(errno.ENOMEM, "no memory")

    monkeypatch.setattr(packet, "share", refuse)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(EngineError, match="cannot open a packet socket on near0: no memory"):
            veth_pair.near.run(lambda: PacketSocket("near0", QUEUES))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


class SharedWire:
    """One of several initiators at one end of a cable."""

    def __init__(self, ear: Tap, mac: Mac) -> None:
        self._ear = ear
        self.mac = mac

    def send(self, frames: Sequence[bytes]) -> int:
        """Send in order."""
        for frame in frames:
            self._ear.send(frame)
        return len(frames)

    def receive(self, timeout: float) -> list[bytes]:
        """The next frame to this initiator; none if another's came, or nothing in time."""
        try:
            seen = self._ear.next(timeout)
        except TimeoutError:
            return []
        return [seen.frame] if not seen.outgoing and seen.frame[:6] == self.mac.raw else []


@pytest.fixture
def crowd(veth_pair: VethPair) -> Iterator[list[Initiator]]:
    """Initiators of every queue."""
    with ExitStack() as stack:
        yield [Initiator(SharedWire(stack.enter_context(tap(veth_pair.far, "far0")), mac), E91) for mac in SOURCES]


@pytest.fixture
def served(veth_pair: VethPair, tmp_path: Path) -> Iterator[LocalEngine]:
    """An engine of several queues that serves a disk as e9.1."""
    config = tmp_path / "config.toml"
    config.write_text(f"[engine]\nqueues = {QUEUES}\n")
    with engine_in(veth_pair.near, config) as engine:
        add(engine, spec(disk(tmp_path)))
        yield engine


def use(engine: LocalEngine, crowd: Sequence[Initiator]) -> None:
    """Each writes a sector of its own and reads it back."""
    for number, ini in enumerate(crowd):
        assert ini.write(number, bytes([number + 1]) * SECTOR) == AtaStatus.DRDY
    for number, ini in enumerate(crowd):
        assert ini.read(number, 1) == bytes([number + 1]) * SECTOR
    assert the_export(engine).problem == ""


def test_all_initiators_are_served_and_counted(served: LocalEngine, crowd: list[Initiator]) -> None:
    for ini in crowd:
        ini.find()
    use(served, crowd)
    counters = the_export(served).counters
    assert (counters.reads, counters.writes, counters.others, counters.errors) == (len(crowd), len(crowd), len(crowd), 0)
    assert {each.mac for each in the_export(served).initiators} == set(SOURCES)


def in_the_loops(engine: LocalEngine) -> Port:
    """The port, once a loop of each queue serves e9.1."""
    if not fast_path.wait(PREPARING):
        pytest.skip(fast_path.why_not)
    port = engine._core.ports.require("near0")
    wait_until(lambda: len(set(port.lanes) & set(at_work(engine).fast.lanes)) == QUEUES, "a loop of each queue")
    return port


def loop_of(port: Port, ini: Initiator) -> Callable[[], int]:
    """What the loop of an initiator's queue has answered."""
    from aoetui.engine.fast.tables import SERVED

    lane = port.lane_of(ini.wire.mac)
    assert lane is not None
    return lambda: int(lane.tables.port[SERVED])


def test_each_is_answered_by_the_loop_of_its_queue(served: LocalEngine, crowd: list[Initiator]) -> None:
    port = in_the_loops(served)
    for ini in crowd:
        ini.find()
        answered = loop_of(port, ini)

        def by_the_loop(ini: Initiator = ini, answered: Callable[[], int] = answered) -> bool:
            before = answered()
            ini.read(0, 1)
            return answered() > before

        wait_until(by_the_loop, "an answer of the loop")
    use(served, crowd)


def test_loops_end_and_begin_together(served: LocalEngine, crowd: list[Initiator]) -> None:
    port = in_the_loops(served)
    for ini in crowd:
        ini.find()
    wire: PacketSocket = port._wire  # type: ignore[assignment]  # the real one
    wire.interpret("a test")
    wait_until(lambda: not port.lanes, "everything is interpreted")
    use(served, crowd)
    wire.interpret("")
    in_the_loops(served)
    use(served, crowd)


def test_a_copy_of_a_write_is_known(served: LocalEngine, crowd: list[Initiator]) -> None:
    in_the_loops(served)
    for ini in crowd:
        ini.find()
        copy, newer = (ini.request(AtaOp.WRITE_EXT, 5, 1, data * SECTOR, tag) for data, tag in ((b"o", 0x7777), (b"n", 0x7778)))
        for frame, tag in ((copy, 0x7777), (newer, 0x7778), (copy, 0x7777)):
            ini.wire.send([frame])
            ini.answers([tag])
        assert ini.read(5, 1) == b"n" * SECTOR


def is_open(engine: LocalEngine, ini: Initiator) -> bool:
    """Whether the loop that has this initiator may serve e9.1: what was routed has been dealt with."""
    from aoetui.engine.fast.tables import X_GATE

    lane = engine._core.ports.require("near0").lane_of(ini.wire.mac)
    return lane is not None and not lane.tables.exports[at_work(engine).fast._rows[lane], X_GATE]


def test_a_write_whose_tag_another_has_had_since_is_no_copy_though_another_loop_has_not_heard_of_that(
    served: LocalEngine, crowd: list[Initiator]
) -> None:
    """The queue tells every loop what it executes; a loop tells none."""
    port, ini = in_the_loops(served), crowd[0]
    ini.find()
    begins_alike = b"s" * 24  # or the tag would be known as one that is used again
    first, second = (
        ini.request(AtaOp.WRITE_EXT, 5, 1, begins_alike + data * (SECTOR - len(begins_alike)), 0x7777) for data in (b"f", b"s")
    )
    with_first = first[-SECTOR:]
    ini.wire.send([first])
    ini.answers([0x7777])  # by the queue: it is the first of all
    wait_until(lambda: is_open(served, ini), "nothing waits")
    answered = loop_of(port, ini)
    before = answered()
    ini.wire.send([second])
    ini.answers([0x7777])
    assert answered() == before + 1
    held = Held(served)
    ini.wire.send([first])
    held.waits_for(ini, 1)
    held.go()
    ini.answers([0x7777])
    assert ini.read(5, 1) == with_first


def test_a_link_that_was_down_is_served_anew(served: LocalEngine, crowd: list[Initiator], veth_pair: VethPair) -> None:
    for ini in crowd:
        ini.find()
    use(served, crowd)
    before = served._core.ports.require("near0")
    veth_pair.near.set_link("near0", state="down")
    wait_until(lambda: served._core.ports.get("near0") is not before, "it was noticed")
    veth_pair.near.set_link("near0", state="up")
    knows(served, "near0")
    wait_until(lambda: the_export(served).state is ExportState.SERVING, "it is served again")
    for ini in crowd:
        ini.find()
    use(served, crowd)


def test_another_aoetui_of_many_sockets_is_told_once(veth_pair: VethPair, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench.engine", "near0", str(QUEUES), str(disk(tmp_path, "theirs.img"))]
    surroundings = environment(tmp_path) | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with ExitStack() as stack:
        engine = stack.enter_context(engine_in(veth_pair.near))
        said = tmp_path / "said"
        other = stack.enter_context(veth_pair.near.popen(command, stdout=stack.enter_context(said.open("w")), env=surroundings))
        stack.callback(other.kill)
        wait_until(lambda: said.read_text() == "serving\n", "it serves")
        told = f"e9.0 is served on near0 by another aoetui (process {other.pid}): choose another address"
        assert engine.submit(CheckAddress(Address(9, 0), ("near0",))).result(PATIENCE) == (told,)


def test_the_host_and_the_console_see_one_port(served: LocalEngine, veth_pair: VethPair) -> None:
    served.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
    served._core.serving.look_for_rivals()
    assert the_export(served).problem == "", "its own sockets are no rival"
    (link,) = (link for link in served.snapshot().links if link.name == "near0")
    with closing(veth_pair.near.run(lambda: PacketSocket("near0"))) as one:
        assert link.memory >= QUEUES * one.memory
