"""Who else serves an address: Debian's vblade on the wire, on this host, before and after we serve; and our own other links."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from aoetui.engine import local
from aoetui.engine.api import CheckAddress, ChooseInterfaces, EngineError, StopExport
from aoetui.engine.config import ConfigFile
from aoetui.engine.protocol.address import Address
from aoetui.engine.snapshot import DeviceState, ExportState, Severity
from aoetui.engine.spec import NewFile
from tests.support.engines import E91, PATIENCE, SIZE, add, disk, engine_in, spec
from tests.support.initiator import initiator
from tests.support.netns import Namespace, join
from tests.support.program import Program
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from tests.support.netns import VethPair

VBLADE = shutil.which("vblade", path=os.environ["PATH"] + ":/usr/sbin")
needs_vblade = pytest.mark.skipif(VBLADE is None, reason="vblade is not installed")


@contextlib.contextmanager
def vblade(namespace: Namespace, link: str, path: Path, shelf: str = "9", slot: str = "1") -> Iterator[subprocess.Popen[bytes]]:
    """Another target, from when it has opened its socket."""
    assert VBLADE is not None
    process = namespace.popen(
        [VBLADE, "-b", "16", shelf, slot, link, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def refusal(engine: LocalEngine, folder: Path) -> str:
    """The sentence that CheckAddress and AddExport both give."""
    (told,) = engine.submit(CheckAddress(E91, ("near0",))).result(PATIENCE)
    with pytest.raises(EngineError) as refused:
        add(engine, spec(folder / "mine.img"), new_file=NewFile(SIZE))
    assert refused.value.field == "address"
    assert str(refused.value) == told
    assert not (folder / "mine.img").exists()
    assert engine.snapshot().exports == ()
    return told


@needs_vblade
def test_vblade_on_the_wire(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    with vblade(veth_pair.far, "far0", disk(tmp_path)):
        assert veth_pair.far_mac in refusal(near, tmp_path)


@needs_vblade
@pytest.mark.parametrize("shelf", ["9", "09"])
def test_vblade_on_our_own_link(near: LocalEngine, veth_pair: VethPair, tmp_path: Path, shelf: str) -> None:
    with vblade(veth_pair.near, "near0", disk(tmp_path), shelf) as process:
        assert f"vblade (process {process.pid})" in refusal(near, tmp_path)
    add(near, spec(tmp_path / "mine.img"), new_file=NewFile(SIZE))


@needs_vblade
@pytest.mark.parametrize("end", ["near", "far"])
def test_vblade_at_another_address_is_no_conflict(near: LocalEngine, veth_pair: VethPair, tmp_path: Path, end: str) -> None:
    with vblade(getattr(veth_pair, end), f"{end}0", disk(tmp_path), slot="2"):
        assert near.submit(CheckAddress(E91, ("near0",))).result(PATIENCE) == ()
        add(near, spec(tmp_path / "mine.img"), new_file=NewFile(SIZE))


@needs_vblade
@pytest.mark.parametrize("chosen", [True, False])
def test_vblade_that_comes_later_raises_an_alarm(near: LocalEngine, veth_pair: VethPair, tmp_path: Path, *, chosen: bool) -> None:
    add(near, spec(disk(tmp_path)))
    if chosen:
        near.submit(ChooseInterfaces(("near0",))).result(PATIENCE)

    def alarms() -> list[str]:
        return [each.text for each in near.snapshot().alarms if each.severity is Severity.ALARM and each.subject == "e9.1"]

    assert alarms() == []
    with vblade(veth_pair.far, "far0", disk(tmp_path, "theirs.img")):
        wait_until(lambda: bool(alarms()), "the conflict is an alarm")
        (text,) = alarms()
        assert veth_pair.far_mac in text
        assert veth_pair.near_mac in text
        (device,) = near.snapshot().devices
        assert device.ours
        assert [str(path.mac) for path in device.paths] == [veth_pair.far_mac]


@needs_vblade
def rivals_told(engine: LocalEngine) -> list[str]:
    """What the alarms say of others on this host."""
    return [alarm.text for alarm in engine.snapshot().alarms if "as well" in alarm.text]


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """This host's packet sockets are looked through each second, not every ten."""
    monkeypatch.setattr(local, "_RETRY_TICKS", 1)


@needs_vblade
@pytest.mark.usefixtures("looking_often")
def test_vblade_that_comes_later_on_our_own_link_raises_an_alarm(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    """On the wire neither hears the other; an initiator gets two answers from one MAC."""
    add(near, spec(disk(tmp_path)))
    other, elsewhere = disk(tmp_path, "other.img"), disk(tmp_path, "elsewhere.img")
    with vblade(veth_pair.near, "near0", elsewhere, slot="2"), vblade(veth_pair.near, "near0", other) as rival:
        wait_until(lambda: bool(rivals_told(near)), "an alarm")
        (text,) = rivals_told(near)
        assert text.startswith(f"vblade (process {rival.pid}) serves e9.1 on near0 as well")
    wait_until(lambda: not rivals_told(near), "its end")


@pytest.mark.usefixtures("looking_often")
def test_a_forced_export_of_another_process_raises_an_alarm(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    other = disk(tmp_path, "other.img")
    with Program(veth_pair.near, tmp_path, "export", "--force", "9", "1", "near0", str(other)) as rival:
        rival.says("serving on")
        wait_until(lambda: bool(rivals_told(near)), "an alarm")
        assert re.match(r"another aoetui \(process \d+\) serves e9\.1 on near0 as well", rivals_told(near)[0])
    wait_until(lambda: not rivals_told(near), "its end")


def test_an_export_that_is_not_scanned_for_lists_nobody_else(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    with vblade(veth_pair.far, "far0", disk(tmp_path, "theirs.img"), slot="2"):
        wait_until(lambda: len(near._core.scanner.devices()) == 1, "it was heard")
        assert [device.address for device in near.snapshot().devices] == [E91]
        near.submit(ChooseInterfaces(("near0",))).result(PATIENCE)
        assert [device.address for device in near.snapshot().devices] == [E91, Address(9, 2)]


@contextlib.contextmanager
def segment() -> Iterator[tuple[Namespace, Namespace]]:
    """A host with near0 and near1, and a switch that both hang on, with far0 as a third port."""
    with Namespace() as near, Namespace() as switch, Namespace() as far:
        bridge = switch.add_link("br0", kind="bridge")
        switch.set_link("br0", state="up")
        for number in (0, 1):
            join(near, f"near{number}", switch, f"port{number}")
            near.set_link(f"near{number}", address=f"02:00:00:00:01:0{number}")
        join(far, "far0", switch, "port2")
        for number in (0, 1, 2):
            switch.set_link(f"port{number}", master=bridge)
        yield near, far


@pytest.mark.usefixtures("private_network")
def test_two_links_of_ours_on_one_segment_are_no_conflict(tmp_path: Path) -> None:
    with segment() as (host, far), engine_in(host) as engine:
        add(engine, spec(disk(tmp_path), interfaces=("near0", "near1")))
        engine.submit(ChooseInterfaces(("near0", "near1"))).result(PATIENCE)

        def heard() -> list[tuple[str, bool]]:
            return [(path.interface, path.identity is not None) for each in engine._core.scanner.devices() for path in each.paths]

        wait_until(lambda: sorted(heard()) == [("near0", True), ("near1", True)], "each link heard the other")
        (device,) = engine.snapshot().devices
        assert (device.ours, device.paths, device.state) == (True, (), DeviceState.UP)
        assert [each for each in engine.snapshot().alarms if each.severity is Severity.ALARM] == []
        host.set_link("near1", state="down")
        wait_until(lambda: engine.snapshot().exports[0].state is ExportState.DEGRADED, "one link is down")
        host.set_link("near1", state="up")
        wait_until(lambda: engine.snapshot().exports[0].state is ExportState.SERVING, "both are served")
        with initiator(far, "far0") as ini:
            ini.find()
            assert ini.read(0, 1)
        engine.submit(StopExport(E91)).result(PATIENCE)


@needs_vblade
@pytest.mark.usefixtures("private_network")
def test_vblade_on_another_link_of_this_host_is_heard_on_the_wire(tmp_path: Path) -> None:
    with segment() as (host, _), engine_in(host) as engine, vblade(host, "near1", disk(tmp_path)):
        assert "02:00:00:00:01:01" in refusal(engine, tmp_path)


def test_a_forced_export_is_noticed_by_the_next_engine_of_this_host(
    near: LocalEngine, veth_pair: VethPair, tmp_path: Path
) -> None:
    add(near, spec(disk(tmp_path)), force=True)
    with engine_in(veth_pair.near) as second, pytest.raises(EngineError, match="another aoetui"):
        add(second, spec(disk(tmp_path, "other.img")))


def test_a_killed_process_leaves_no_claim(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    path = disk(tmp_path)
    with Program(veth_pair.near, tmp_path, "export", "9", "1", "near0", str(path)) as other:
        other.says("serving on near0")
        with pytest.raises(EngineError, match="another aoetui"):
            add(near, spec(disk(tmp_path, "mine.img")))
        other.process.kill()
        other.process.wait()
        add(near, spec(path))


def test_a_stopped_export_gives_its_claim_back(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    path = disk(tmp_path)
    add(near, spec(path))
    near.submit(StopExport(E91)).result(PATIENCE)
    with engine_in(veth_pair.near, tmp_path / "config.toml") as second:
        add(second, spec(path))
        assert [each.address for each in ConfigFile(tmp_path / "config.toml").load().exports] == [E91]
