"""What is told of the data path: compiled, or interpreted and why; the memory it may take; and that it failed."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from aoetui.engine.api import ChooseInterfaces, StopExport
from aoetui.engine.fast_path import fast_path
from aoetui.engine.packet_ring import RING_BYTES
from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.snapshot import Alarm, Severity
from tests.support.engines import E91, PREPARING, add, disk, engine_in, spec
from tests.support.initiator import initiator
from tests.support.program import Program
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.fast.lane import Lane
    from aoetui.engine.local import LocalEngine
    from aoetui.engine.snapshot import LinkSnapshot
    from tests.support.initiator import Initiator
    from tests.support.netns import VethPair

THIRD = (3).to_bytes(4, "big") * (SECTOR // 4)
WITHOUT_NUMBA = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        hidden = name.partition(".")[0] in ("numba", "numpy", "llvmlite")
        return None if hidden else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
"""
"""As where it is not installed: nothing finds it."""
WITHOUT_CACHE = """
import os
os.environ["XDG_CACHE_HOME"] = "/dev/null"
"""
SERVE = """
import signal, sys

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

from pathlib import Path
from aoetui.engine.fast_path import fast_path
from aoetui.engine.local import LocalEngine
from aoetui.engine.protocol.address import Address
from aoetui.engine.spec import ExportSpec

engine = LocalEngine()
engine.start()
engine.serve(ExportSpec(address=Address(9, 1), path=Path(sys.argv[1]), interfaces=("near0",)))
fast_path.wait(60)
print([link.data_path for link in engine.snapshot().links if link.chosen], flush=True)
signal.sigwait({signal.SIGTERM})
print("saved", engine.stop(), flush=True)
"""


@pytest.fixture
def compiled() -> None:
    """Skip, with the reason, where there is no compiled data path."""
    if not fast_path.wait(PREPARING):
        pytest.skip(fast_path.why_not)


def near0(engine: LocalEngine) -> LinkSnapshot:
    """The near link as it is shown."""
    return next(link for link in engine.snapshot().links if link.name == "near0")


def lane_of(engine: LocalEngine) -> Lane | None:
    """The compiled loop of the near link."""
    port = engine._core.ports.get("near0")
    return port.lanes[0] if port is not None and port.lanes else None


@contextmanager
def used(pair: VethPair) -> Iterator[Initiator]:
    """An initiator that has found the export, and has read and written it."""
    with initiator(pair.far, "far0") as ini:
        ini.find()
        reads_and_writes(ini)
        yield ini


def reads_and_writes(ini: Initiator) -> None:
    """All goes well, three times: the first requests of an initiator take the reference path."""
    for n in range(3):
        assert ini.read(3, 1) == THIRD
        ini.write(1, bytes([n]) * SECTOR)
        assert ini.read(1, 1) == bytes([n]) * SECTOR


@pytest.mark.usefixtures("compiled")
def test_a_compiled_port_says_so_and_what_memory_it_may_take(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    assert (near0(near).data_path, near0(near).memory) == ("", 0)
    add(near, spec(disk(tmp_path)))
    wait_until(lambda: lane_of(near) is not None, "the compiled loop is there")
    with used(veth_pair):
        lane = lane_of(near)
        assert lane is not None
        assert near0(near).data_path == "compiled"
        assert near0(near).memory == RING_BYTES + lane.memory
    near.submit(ChooseInterfaces(("near0",))).result()
    near.submit(StopExport(E91)).result()
    assert near0(near).data_path == "compiled"


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize(
    ("why_not", "told"), [("numba is not installed", "numba is not installed"), ("", "the compiled one takes over")]
)
def test_an_interpreted_port_says_why(near: LocalEngine, monkeypatch: pytest.MonkeyPatch, why_not: str, told: str) -> None:
    """Until the port's thread has taken it up, a compiled loop that is there serves nothing."""
    monkeypatch.setattr(fast_path, "why_not", why_not)
    near.submit(ChooseInterfaces(("near0",))).result()
    wait_until(lambda: near0(near).data_path == f"interpreted: {told}", "it says why")
    assert near0(near).memory == RING_BYTES


@pytest.mark.usefixtures("compiled")
def test_ports_of_an_interface_are_told_together(near: LocalEngine, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path), vlan=7))
    near.submit(ChooseInterfaces(("near0",))).result()
    wait_until(lambda: near0(near).memory > 4 * RING_BYTES, "two rings and two loops' tables")
    port = near._core.ports.all()["near0 vlan 7"]
    port._wire.interpret("to see what is told")  # type: ignore[attr-defined]  # it is a PacketSocket
    wait_until(lambda: near0(near).data_path == "interpreted: to see what is told", "the worse of two is told")


@pytest.mark.usefixtures("compiled")
def test_a_compiled_loop_that_fails_is_an_alarm_and_the_interpreted_path_goes_on(
    veth_pair: VethPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aoetui.engine import fastpath
    from aoetui.engine.fast.tables import SERVED, STOP

    serve = fastpath.serve

    def serve_and_fail(tables: Any) -> None:  # noqa: ANN401 - as fastpath.serve
        serve(tables)
        raise ZeroDivisionError("a fault of the test")

    monkeypatch.setattr(fastpath, "serve", serve_and_fail)
    with engine_in(veth_pair.near) as engine:
        add(engine, spec(disk(tmp_path)))
        wait_until(lambda: lane_of(engine) is not None, "the compiled loop is there")
        lane = lane_of(engine)
        assert lane is not None
        with used(veth_pair) as ini:
            assert lane.tables.port[SERVED] > 0
            lane.tables.port[STOP] = 1
            os.eventfd_write(lane._stop, 1)
            wait_until(lambda: lane_of(engine) is None, "the loop is given up")
            shown = near0(engine)
            assert (shown.data_path, shown.memory) == ("interpreted: the compiled loop failed, and the log says why", RING_BYTES)
            text = (
                "the compiled data path of near0 failed, and the slower interpreted one serves instead:"
                " the log says why (`aoetui locate` names it); start aoetui again to have it back"
            )
            assert Alarm(Severity.WARNING, "near0", text) in engine.snapshot().alarms
            wait_until(lambda: told(engine, text) == [(Severity.WARNING, "near0")], "it is told")
            before = lane.tables.port[SERVED]
            reads_and_writes(ini)
            assert lane.tables.port[SERVED] == before
        assert told(engine, text) == [(Severity.WARNING, "near0")]


def told(engine: LocalEngine, text: str) -> list[tuple[Severity, str]]:
    """The events of this text."""
    return [(event.severity, event.subject) for event in engine.events(0) if event.text == text]


def serves_interpreted(pair: VethPair, folder: Path, conditions: str, why: str) -> str:
    """An engine in a process of its own serves under these conditions, and says why it is interpreted; its stderr."""
    with Program(pair.near, folder, str(disk(folder)), program=("-c", conditions + SERVE)) as program:
        program.says(f"['interpreted: {why}']")
        with used(pair):
            pass
        program.process.send_signal(signal.SIGTERM)
        program.says("saved True")
        return program.stderr


def test_without_numba_everything_is_served_and_it_says_why(veth_pair: VethPair, tmp_path: Path) -> None:
    assert serves_interpreted(veth_pair, tmp_path, WITHOUT_NUMBA, "numba is not installed") == ""


def test_where_nothing_can_be_kept_everything_is_served_and_it_says_why(veth_pair: VethPair, tmp_path: Path) -> None:
    pytest.importorskip("numba")
    why = "the compiled one cannot be made here (NotADirectoryError), and the log says why"
    logged = serves_interpreted(veth_pair, tmp_path, WITHOUT_CACHE, why)
    assert "cannot be kept in /dev/null/aoetui/compiled-" in logged
