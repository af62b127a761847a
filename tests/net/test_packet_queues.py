"""Several receive queues of one interface: an initiator's frames come by one of them, once and in order; all serve exports."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import CheckAddress, ChooseInterfaces
from aoetui.engine.fanout import queue_of
from aoetui.engine.fast_path import fast_path
from aoetui.engine.packet import PacketSocket
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.wire import SECTOR, AtaOp, AtaStatus
from aoetui.engine.snapshot import ExportState
from tests.support.engines import E91, PATIENCE, PREPARING, add, at_work, disk, engine_in, knows, spec, the_export
from tests.support.initiator import Initiator
from tests.support.program import environment
from tests.support.tap import Tap, tap, with_tag
from tests.support.waiting import wait_until
from tests.support.wires import next_frames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aoetui.engine.local import LocalEngine
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


def test_each_is_answered_by_the_loop_of_its_queue(served: LocalEngine, crowd: list[Initiator]) -> None:
    if not fast_path.wait(PREPARING):
        pytest.skip(fast_path.why_not)
    from aoetui.engine.fast.tables import SERVED

    port = served._core.ports.require("near0")
    wait_until(lambda: len(set(port.lanes) & set(at_work(served).fast.lanes)) == QUEUES, "a loop of each queue")
    for ini in crowd:
        ini.find()
        lane = port.lane_of(ini.wire.mac)
        assert lane is not None

        def answered(ini: Initiator = ini, counts: object = lane.tables.port) -> bool:
            before = int(counts[SERVED])  # type: ignore[index]  # an array of numpy
            ini.read(0, 1)
            return int(counts[SERVED]) > before  # type: ignore[index]

        wait_until(answered, "an answer of the loop")
    use(served, crowd)


@pytest.mark.usefixtures("served")
def test_a_copy_of_a_write_is_known(crowd: list[Initiator]) -> None:
    for ini in crowd:
        ini.find()
        copy, newer = (ini.request(AtaOp.WRITE_EXT, 5, 1, data * SECTOR, tag) for data, tag in ((b"o", 0x7777), (b"n", 0x7778)))
        ini.wire.send([copy])
        ini.answers([0x7777])
        ini.wire.send([newer])
        ini.answers([0x7778])
        ini.wire.send([copy])
        ini.answers([0x7777])
        assert ini.read(5, 1) == b"n" * SECTOR


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
        other = stack.enter_context(veth_pair.near.popen(command, stdout=subprocess.PIPE, env=surroundings, text=True))
        stack.callback(other.terminate)
        assert other.stdout is not None
        assert other.stdout.readline() == "serving\n"
        told = f"e9.0 is served on near0 by another aoetui (process {other.pid}): choose another address"
        assert engine.submit(CheckAddress(Address(9, 0), ("near0",))).result(PATIENCE) == (told,)


def test_the_host_and_the_console_see_one_port(served: LocalEngine, veth_pair: VethPair) -> None:
    served.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
    served._core.serving.look_for_rivals()
    assert the_export(served).problem == "", "its own sockets are no rival"
    (link,) = (link for link in served.snapshot().links if link.name == "near0")
    with closing(veth_pair.near.run(lambda: PacketSocket("near0"))) as one:
        assert link.memory >= QUEUES * one.memory
