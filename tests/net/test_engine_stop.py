"""The end of an engine: what was answered is on the disk, nothing is half done, and nobody waits for ever."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import AddExport, Discover, EngineError, InspectBacking, StopExport
from aoetui.engine.backing import Backing
from aoetui.engine.config import ConfigFile
from aoetui.engine.local import LocalEngine
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.wire import SECTOR, AtaOp
from aoetui.engine.snapshot import ExportState
from aoetui.engine.spec import Durability, NewFile
from tests.support.engines import E91, PATIENCE, SIZE, add, disk, engine_in, spec
from tests.support.initiator import initiator
from tests.support.waiting import wait_until
from tests.support.writer import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import VethPair


@pytest.fixture
def stopped(veth_pair: VethPair) -> LocalEngine:
    """An engine that has ended."""
    with engine_in(veth_pair.near) as engine:
        pass
    return engine


@pytest.mark.parametrize("durability", Durability)
def test_what_was_answered_is_in_the_file_and_nothing_is_answered_after(
    veth_pair: VethPair, tmp_path: Path, durability: Durability
) -> None:
    path = tmp_path / "disk.img"
    with engine_in(veth_pair.near) as engine:
        add(engine, spec(path, durability=durability), new_file=NewFile(64 << 20))
        with Writer(veth_pair.far, "far0", Mac.parse(veth_pair.near_mac), E91) as writer:
            writer.until_answered(500)
            assert engine.stop()
            content = path.read_bytes()
    assert len(writer.answered) >= 500
    wrong = [at for at in writer.answered if content[at * SECTOR : (at + 1) * SECTOR] != Writer.content(at)]
    assert wrong == []
    assert path.read_bytes() == content
    Backing.open(path, read_only=False).close()  # no lock is left


def test_a_stop_while_an_address_is_asked_for_serves_nothing(veth_pair: VethPair, tmp_path: Path) -> None:
    path, config = tmp_path / "new.img", tmp_path / "config.toml"
    with initiator(veth_pair.far, "far0") as ini, engine_in(veth_pair.near, config) as engine:
        adding = engine.submit(AddExport(spec(path), NewFile(SIZE)))
        heard = ini.heard()
        assert not any(frame.header.response for frame in heard)
        assert engine.stop()
        with pytest.raises(EngineError, match="ending"):
            adding.result(PATIENCE)
        while frames := ini.wire.receive(0):
            heard += ini.decoded(frames)
    assert not any(frame.header.response for frame in heard), "an address that was not found free was advertised"
    assert not path.exists()
    assert ConfigFile(config).load().exports == ()
    assert engine.snapshot().exports == ()


def test_a_command_after_the_end_is_refused(stopped: LocalEngine, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="ending"):
        stopped.submit(Discover()).result(PATIENCE)
    with pytest.raises(EngineError, match="ending"):
        stopped.submit(InspectBacking(tmp_path)).result(PATIENCE)


def test_a_command_that_waits_for_its_turn_is_refused_by_the_end(veth_pair: VethPair, tmp_path: Path) -> None:
    with engine_in(veth_pair.near) as engine:
        first = engine.submit(AddExport(spec(disk(tmp_path))))
        waiting = [engine.submit(Discover()) for _ in range(3)]
        engine.stop()
        with pytest.raises(EngineError):
            first.result(PATIENCE)
        for future in waiting:
            with pytest.raises(EngineError):
                future.result(PATIENCE)


def test_a_second_stop_says_the_same(veth_pair: VethPair, tmp_path: Path) -> None:
    with engine_in(veth_pair.near) as engine:
        add(engine, spec(disk(tmp_path)))
        answers: list[bool] = []
        stops = [threading.Thread(target=lambda: answers.append(engine.stop())) for _ in range(3)]
        for each in stops:
            each.start()
        for each in stops:
            each.join()
    assert answers == [True, True, True]


def test_an_engine_that_never_began_ends(tmp_path: Path) -> None:
    broken = tmp_path / "config.toml"
    broken.write_text("[[export]\n")
    engine = LocalEngine(config=ConfigFile(broken))
    with pytest.raises(EngineError, match=r"config\.toml:1"):
        engine.start()
    assert engine.stop()


def test_no_thread_is_left(veth_pair: VethPair, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with engine_in(veth_pair.near) as engine:
        add(engine, spec(disk(tmp_path)))
        engine.submit(InspectBacking(tmp_path)).result(PATIENCE)
    wait_until(lambda: set(threading.enumerate()) <= before, "every thread ended")


def test_a_disk_that_hangs_holds_up_neither_the_end_nor_another_disk(veth_pair: VethPair, tmp_path: Path, freezer: Path) -> None:
    engine = LocalEngine()
    veth_pair.near.run(engine.start)
    good, hanging = disk(tmp_path, "good.img"), disk(freezer, "hanging.img")
    add(engine, spec(hanging))
    add(engine, spec(good, address=Address(9, 2)))
    with initiator(veth_pair.far, "far0") as ini, initiator(veth_pair.far, "far0", "e9.2") as other:
        ini.find()
        other.find()
        subprocess.run(["fsfreeze", "-f", freezer], check=True)
        try:
            ini.wire.send([ini.request(AtaOp.WRITE_EXT, 0, 1, b"\xa5" * SECTOR, 77)])
            hung = engine._core.serving.get(E91)
            assert hung is not None
            assert hung.export is not None
            export = hung.export
            wait_until(lambda: export._disk.trouble.owes() > 0, "the write has reached the disk")
            other.write(3, b"\x5a" * SECTOR)
            stopping = engine.submit(StopExport(E91))
            assert not engine.stop(), "the end said that everything was flushed"
            assert good.read_bytes()[3 * SECTOR : 4 * SECTOR] == b"\x5a" * SECTOR
            Backing.open(good, read_only=False).close()
            assert engine.snapshot().exports[0].state is not ExportState.SERVING
        finally:
            subprocess.run(["fsfreeze", "-u", freezer], check=True)
        stopping.result(PATIENCE)
        assert export.close(PATIENCE), "the threads end with their disk's answer"
        assert not [frame for frame in ini.decoded(ini.wire.receive(0)) if frame.header.tag == 77]
