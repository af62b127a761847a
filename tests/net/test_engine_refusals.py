"""What is refused leaves nothing behind: no file, no entry, no open port, no lock, no claim."""

from __future__ import annotations

import fcntl
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import DeleteExport, EngineError, StartExport, StopExport
from aoetui.engine.backing import Backing
from aoetui.engine.config import ConfigFile
from aoetui.engine.conflicts import Claims
from aoetui.engine.protocol.address import Address
from aoetui.engine.snapshot import ExportState
from aoetui.engine.spec import NewFile
from tests.support.engines import E91, PATIENCE, SIZE, add, disk, engine_in, spec
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from aoetui.engine.spec import ExportSpec
    from tests.support.netns import Namespace, VethPair


@dataclass(frozen=True, slots=True)
class Site:
    """An engine with a config file in a folder of its own."""

    engine: LocalEngine
    config: Path
    folder: Path
    near: Namespace

    def entries(self) -> list[Address]:
        """What the config file holds."""
        return [each.address for each in ConfigFile(self.config).load().exports]

    def open_ports(self) -> set[str]:
        """The interfaces that AoE is spoken on."""
        return set(self.engine._core.ports.all())

    def leaves_nothing(self) -> None:
        """No export, port or claim of e9.1 is there."""
        assert self.engine.snapshot().exports == ()
        assert self.entries() == []
        assert self.open_ports() == set()
        assert not [each.name for each in threading.enumerate() if each.name.startswith("export-")]

        def claim() -> bool:
            claims = Claims()
            try:
                return claims.claim("near0", E91)
            finally:
                claims.close()

        assert self.near.run(claim)


@pytest.fixture
def site(veth_pair: VethPair, tmp_path: Path) -> Iterator[Site]:
    """At the near end."""
    config = tmp_path / "etc" / "config.toml"
    with engine_in(veth_pair.near, config) as engine:
        yield Site(engine, config, tmp_path, veth_pair.near)


def _missing(folder: Path) -> ExportSpec:
    return spec(folder / "missing.img")


def _empty(folder: Path) -> ExportSpec:
    (folder / "empty.img").touch()
    return spec(folder / "empty.img")


def _odd(folder: Path) -> ExportSpec:
    (folder / "odd.img").write_bytes(bytes(513))
    return spec(folder / "odd.img")


def _folder(folder: Path) -> ExportSpec:
    return spec(folder)


def _no_interface(folder: Path) -> ExportSpec:
    return spec(disk(folder), interfaces=("eth7",))


def _loopback(folder: Path) -> ExportSpec:
    return spec(disk(folder), interfaces=("near0", "lo"))


def _no_match(folder: Path) -> ExportSpec:
    return spec(disk(folder), interfaces=("eth*",))


REFUSED: list[tuple[Callable[[Path], ExportSpec], str]] = [
    (_missing, "path"),
    (_empty, "path"),
    (_odd, "path"),
    (_folder, "path"),
    (_no_interface, "interfaces"),
    (_loopback, "interfaces"),
    (_no_match, "interfaces"),
]


@pytest.mark.parametrize(("wanted", "field"), REFUSED)
def test_what_cannot_be_served(site: Site, wanted: Callable[[Path], ExportSpec], field: str) -> None:
    asked = wanted(site.folder)
    with pytest.raises(EngineError) as refused:
        add(site.engine, asked)
    assert refused.value.field == field
    site.leaves_nothing()
    if asked.path.is_file() and asked.path.stat().st_size == SIZE:
        Backing.open(asked.path, read_only=False).close()


def test_a_new_file_on_an_interface_that_is_down(site: Site) -> None:
    site.near.set_link("near0", state="down")
    wait_until(lambda: not site.engine._core.links.current()["near0"].admin_up, "the link is down")
    with pytest.raises(EngineError, match="ip link set near0 up"):
        add(site.engine, spec(site.folder / "new.img"), new_file=NewFile(SIZE))
    assert not (site.folder / "new.img").exists()
    site.leaves_nothing()


def test_a_port_of_a_bridge_names_its_bridge(site: Site) -> None:
    bridge = site.near.add_link("br0", kind="bridge")
    site.near.set_link("near0", master=bridge)
    wait_until(lambda: site.engine._core.links.current()["near0"].bridge == "br0", "it is a port")
    with pytest.raises(EngineError, match="use br0"):
        add(site.engine, spec(disk(site.folder)))
    site.leaves_nothing()


def test_a_file_that_another_program_locks(site: Site) -> None:
    path = disk(site.folder)
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(EngineError, match="locked by another"):
            add(site.engine, spec(path))
    site.leaves_nothing()


def test_a_config_that_cannot_be_written(site: Site) -> None:
    site.config.parent.write_text("a file where the folder should be")
    with pytest.raises(EngineError, match="etc"):
        add(site.engine, spec(site.folder / "new.img"), new_file=NewFile(SIZE))
    assert not (site.folder / "new.img").exists()
    site.config.parent.unlink()
    site.leaves_nothing()


def test_a_backing_that_we_serve_already_by_any_name(site: Site) -> None:
    path = disk(site.folder)
    add(site.engine, spec(path))
    link, hard = site.folder / "link.img", site.folder / "hard.img"
    link.symlink_to(path)
    hard.hardlink_to(path)
    for name in (path, link, hard):
        with pytest.raises(EngineError) as refused:
            add(site.engine, spec(name, address=Address(9, 2)))
        assert refused.value.field == "path"
    with pytest.raises(EngineError, match="one of our exports already"):
        add(site.engine, spec(site.folder / "new.img"), new_file=NewFile(SIZE))
    assert not (site.folder / "new.img").exists()
    assert site.entries() == [E91]
    assert site.engine.snapshot().exports[0].state is ExportState.SERVING


def test_shelf_4095_is_served_with_a_warning(site: Site) -> None:
    add(site.engine, spec(disk(site.folder), address=Address(4095, 1)))
    assert any("Linux refuses shelf 4095" in event.text for event in site.engine.events(0))
    assert site.engine.snapshot().exports[0].state is ExportState.SERVING


def test_a_config_that_is_edited_by_hand_meanwhile_keeps_its_edits(site: Site) -> None:
    add(site.engine, spec(disk(site.folder)))
    site.config.write_text("# by hand\n" + site.config.read_text())
    add(site.engine, spec(disk(site.folder, "second.img"), address=Address(9, 2)))
    site.engine.submit(StopExport(E91)).result(PATIENCE)
    assert site.config.read_text().startswith("# by hand\n")
    assert [(each.address, each.enabled) for each in ConfigFile(site.config).load().exports] == [
        (E91, False),
        (Address(9, 2), True),
    ]


def test_a_config_that_is_broken_meanwhile_gives_one_error_and_serves_nothing_new(site: Site) -> None:
    add(site.engine, spec(disk(site.folder)))
    good = site.config.read_text()
    site.config.write_text(good + "[[export\n")
    with pytest.raises(EngineError, match=r"config\.toml:"):
        add(site.engine, spec(site.folder / "new.img", address=Address(9, 2)), new_file=NewFile(SIZE))
    assert not (site.folder / "new.img").exists()
    (export,) = site.engine.snapshot().exports
    assert export.state is ExportState.SERVING
    site.config.write_text(good)


@pytest.mark.parametrize("command", [StopExport(E91), DeleteExport(E91)])
def test_an_export_that_was_taken_out_of_the_config_by_hand_can_be_ended(site: Site, command: StopExport | DeleteExport) -> None:
    add(site.engine, spec(disk(site.folder)))
    site.config.write_text("")
    site.engine.submit(command).result(PATIENCE)
    assert [each.state for each in site.engine.snapshot().exports] in ([], [ExportState.STOPPED])
    assert site.open_ports() == set()
    Backing.open(site.folder / "disk.img", read_only=False).close()


def test_every_command_in_every_state(site: Site) -> None:
    path = disk(site.folder)
    add(site.engine, spec(path))
    site.engine.submit(StartExport(E91)).result(PATIENCE)
    for _ in range(2):
        site.engine.submit(StopExport(E91)).result(PATIENCE)
    assert site.open_ports() == set()
    path.rename(site.folder / "away.img")
    with pytest.raises(EngineError, match=r"disk\.img"):
        site.engine.submit(StartExport(E91)).result(PATIENCE)
    (export,) = site.engine.snapshot().exports
    assert (export.state, export.size, export.rates.requests) == (ExportState.STOPPED, 0, 0)
    assert not ConfigFile(site.config).load().exports[0].enabled
    (site.folder / "away.img").rename(path)
    site.engine.submit(StartExport(E91)).result(PATIENCE)
    os.unlink(path)  # noqa: PTH108  # while it is served
    site.engine.submit(DeleteExport(E91)).result(PATIENCE)
    site.leaves_nothing()
    with pytest.raises(EngineError, match="none of our exports"):
        site.engine.submit(StartExport(E91)).result(PATIENCE)
    for command in (StopExport(E91), DeleteExport(E91)):
        with pytest.raises(EngineError, match="none of our exports"):
            site.engine.submit(command).result(PATIENCE)
