"""The driver's devices out of sysfs, debugfs and /proc: a made tree."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.kernel import reading
from aoetui.engine.kernel.reading import LOOKED_THROUGH, Reader
from aoetui.engine.protocol.address import Address, Mac
from tests.support.driver_tree import FIGURES, DriverTree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aoetui.engine.commands.kernel import KernelDevice, KernelSnapshot


@pytest.fixture
def tree(tmp_path: Path) -> DriverTree:
    """A host with the driver and no device."""
    made = DriverTree(tmp_path)
    made.load()
    return made


def look(tree: DriverTree) -> KernelSnapshot:
    """One look at everything."""
    found = Reader(tree.host).look(whole=True)
    assert found is not None
    return found


def the_device(tree: DriverTree) -> KernelDevice:
    """The only one."""
    (device,) = look(tree).devices
    return device


def test_without_the_module_there_is_nothing(tmp_path: Path) -> None:
    tree = DriverTree(tmp_path)
    tree.device("e9.1")
    assert Reader(tree.host).look() is None


def test_the_module(tree: DriverTree) -> None:
    found = look(tree)
    assert (found.version, found.dead_seconds, found.max_requests, found.dynamic_numbers) == ("85", 180, 64, True)
    assert (found.interfaces, found.here, found.devices) == ((), True, ())


@pytest.mark.parametrize(
    ("written", "names"), [("", ()), ("eth1 eth2", ("eth1", "eth2")), ("eth1,eth2", ("eth1", "eth2")), ("eth1\0", ("eth1",))]
)
def test_the_interfaces_of_the_module(tree: DriverTree, written: str, names: tuple[str, ...]) -> None:
    tree.load(aoe_iflist=written)
    assert look(tree).interfaces == names


def test_who_may_not_read_the_list_does_not_know_it(tree: DriverTree) -> None:
    (tree.root / "sys/module/aoe/parameters/aoe_iflist").unlink()
    assert look(tree).interfaces is None


def test_a_standalone_driver_has_its_version_in_a_parameter(tree: DriverTree) -> None:
    (tree.root / "sys/module/aoe/version").unlink()
    tree.write("sys/module/aoe/parameters/version", "6-87")
    assert look(tree).version == "6-87"


def test_another_network_namespace_is_noticed(tree: DriverTree) -> None:
    (tree.root / "proc/sys/net/core/dev_weight").unlink()
    assert not look(tree).here


def test_a_device(tree: DriverTree) -> None:
    tree.device("e9.1", netif="eth1,eth2", figures=FIGURES)
    device = the_device(tree)
    assert (device.address, device.state, device.size) == (Address(9, 1), "up", 16 << 20)
    assert (device.macs, device.interfaces) == ((Mac.parse("52:54:00:a0:e0:01"),), ("eth1", "eth2"))
    assert (device.payload, device.firmware_version, device.number) == (8704, 1, "152:16")
    assert device.figures is not None
    assert device.figures.paths[0].interfaces == ("eth1", "eth2")


@pytest.mark.parametrize(
    ("state", "up", "kickme", "closewait"),
    [
        ("up", True, False, False),
        ("up,kickme", True, True, False),
        ("down", False, False, False),
        ("down,kickme", False, True, False),
        ("down,closewait", False, False, True),
        ("", False, False, False),
    ],
)
def test_the_words_of_a_state(tree: DriverTree, state: str, up: bool, kickme: bool, closewait: bool) -> None:
    tree.device("e9.1", state=state)
    device = the_device(tree)
    assert (device.up, device.kickme, device.closewait) == (up, kickme, closewait)


def test_what_a_device_does_not_tell_is_unknown(tree: DriverTree) -> None:
    """A driver without payload and debugfs; a target that was never ready."""
    tree.device("e9.1", payload=None, figures=None, mac="none", netif="none")
    device = the_device(tree)
    assert (device.payload, device.figures, device.macs, device.interfaces) == (None, None, (), ())


def test_devices_stand_by_address_and_others_not_at_all(tree: DriverTree) -> None:
    for name in ("e10.0", "e9.10", "e9.2"):
        tree.device(name)
    for name in ("etherd!what", "etherd!e70000.1", "sda", "etherd!e9.2p1"):
        (tree.root / "sys/block" / name).mkdir()
    assert [str(device.address) for device in look(tree).devices] == ["e9.2", "e9.10", "e10.0"]


def test_mounts_of_a_device_and_its_partitions(tree: DriverTree) -> None:
    tree.device("e9.1", dev="152:16")
    tree.partition("e9.1", 1, "152:17")
    tree.mounts(
        r"29 24 152:16 / /srv/a\040b rw,relatime - ext4 /dev/etherd/e9.1 rw",
        "30 24 152:17 / /mnt rw - ext4 /dev/etherd/e9.1p1 rw",
        "31 24 0:40 / /btr rw - btrfs /dev/etherd/e9.1p1 rw",
        "32 24 152:160 / /other rw - ext4 /dev/etherd/e9.10 rw",
    )
    device = the_device(tree)
    assert device.partitions == ("e9.1p1",)
    assert device.mounted_on == ("/srv/a b", "/mnt", "/btr")
    assert device.uses == ("mounted on /srv/a b", "mounted on /mnt", "mounted on /btr")


def test_what_stands_on_a_device(tree: DriverTree) -> None:
    tree.device("e9.1")
    tree.partition("e9.1", 2, "152:18")
    (tree.root / "sys/block/etherd!e9.1/holders/md0").mkdir()
    (tree.root / "sys/block/etherd!e9.1/etherd!e9.1p2/holders/dm-3").mkdir()
    tree.write("sys/block/dm-3/dm/name", "vg0-data")
    tree.write("proc/swaps", "Filename Type Size Used Priority\n/dev/etherd/e9.1p2 partition 1 0 -2")
    assert the_device(tree).uses == ("part of /dev/mapper/vg0-data", "part of /dev/md0", "swap space")


def test_a_swap_that_ended_is_no_holder_any_more(tree: DriverTree) -> None:
    tree.device("e9.1")
    tree.write("proc/swaps", "Filename Type Size Used Priority\n/dev/etherd/e9.1 partition 1 0 -2")
    reader = Reader(tree.host)
    assert [device.holders for device in (reader.look() or look(tree)).devices] == [("swap space",)]
    tree.write("proc/swaps", "Filename Type Size Used Priority")
    assert [device.holders for device in (reader.look() or look(tree)).devices] == [()]


def test_the_node_of_another_device_is_noticed(tree: DriverTree) -> None:
    tree.device("e9.1", dev="152:16")
    (tree.root / "dev/etherd").mkdir()
    (tree.root / "dev/etherd/e9.1").symlink_to("/dev/null")
    assert the_device(tree).wrong_node
    tree.write("sys/block/etherd!e9.1/dev", "1:3")
    assert not the_device(tree).wrong_node


class Counted:
    """Counts the files that are opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = 0
        self._open: Callable[..., int] = os.open
        monkeypatch.setattr(os, "open", self._counted)

    def _counted(self, path: str, flags: int, mode: int = 0o777) -> int:
        self.opened += 1
        return self._open(path, flags, mode)


def test_a_look_at_many_devices_reads_two_files_of_each(tree: DriverTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of 64 of them in turn all; everything that is read once a second costs."""
    count = 300
    for number in range(count):
        tree.device(f"e{number}.1", dev=f"152:{16 * number}")
    reader = Reader(tree.host)
    reader.look(whole=True)
    monkeypatch.setattr(reading, "_ABOUT_MODULE", 10**9)
    counted = Counted(monkeypatch)
    found = reader.look()
    assert found is not None
    assert len(found.devices) == count
    assert counted.opened <= 2 * count + 10 * LOOKED_THROUGH + 10


def test_every_device_has_its_turn(tree: DriverTree) -> None:
    count = 2 * LOOKED_THROUGH + 1
    for number in range(count):
        tree.device(f"e{number}.1", netif="eth1")
    reader = Reader(tree.host)
    reader.look(whole=True)
    for number in range(count):
        tree.write(f"sys/block/etherd!e{number}.1/netif", "eth2")
    found = [reader.look() for _ in range(3)][-1]
    assert found is not None
    assert {device.interfaces for device in found.devices} == {("eth2",)}


def test_a_change_of_state_is_looked_through_at_once(tree: DriverTree) -> None:
    for number in range(2 * LOOKED_THROUGH):
        tree.device(f"e{number}.1")
    reader = Reader(tree.host)
    reader.look(whole=True)
    tree.device("e0.1", state="down", netif="eth9")
    tree.device(f"e{2 * LOOKED_THROUGH - 1}.1", state="down", netif="eth9")
    found = reader.look()
    assert found is not None
    assert [device.interfaces for device in found.devices if not device.up] == [("eth9",), ("eth9",)]


def test_without_a_module_a_look_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(DriverTree(tmp_path).host)
    counted = Counted(monkeypatch)
    assert reader.look() is None
    assert counted.opened == 0
