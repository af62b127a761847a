"""What the driver is told, to the byte, and what is said where it cannot be told: a made tree, and a model of aoedev.c."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import EngineError, NoPermissionError
from aoetui.engine.commands.kernel import (
    FlushAll,
    FlushDevice,
    FlushDown,
    KernelDiscover,
    KernelUsers,
    ReadKernelErrors,
    Revalidate,
    SetKernelInterfaces,
)
from aoetui.engine.kernel import controls
from aoetui.engine.local import LocalEngine
from aoetui.engine.protocol.address import Address
from tests.support.driver_tree import DriverTree
from tests.support.privilege import as_ordinary_user
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aoetui.engine.api import Command, Result

PATIENCE = 20.0
E11, E110 = Address(1, 1), Address(1, 10)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[DriverTree]:
    """A host whose driver has three devices whose names begin alike."""
    made = DriverTree(tmp_path)
    made.load()
    made.link("eth1", "eth2")
    for name, state in (("e1.1", "up"), ("e1.10", "up"), ("e1.11", "down")):
        made.device(name, state=state)
    with made:
        yield made


@pytest.fixture
def engine(tree: DriverTree) -> Iterator[LocalEngine]:
    """An engine of that host."""
    made = LocalEngine(compiled=False, host=tree.host)
    made.start()
    yield made
    made.stop()


def ask(engine: LocalEngine, command: Command[Result]) -> Result:
    """Have it done."""
    return engine.submit(command).result(PATIENCE)


def devices(engine: LocalEngine) -> list[str]:
    """What the driver has, as the engine's snapshot shows it."""
    kernel = engine.snapshot().kernel
    assert kernel is not None
    return [str(device.address) for device in kernel.devices]


def test_flush_of_one_leaves_those_whose_names_begin_alike(tree: DriverTree, engine: LocalEngine) -> None:
    ask(engine, FlushDevice(E11))
    assert ("flush", b"e1.1\0") in tree.heard
    assert devices(engine) == ["e1.10", "e1.11"]


def test_the_model_has_the_trap(tree: DriverTree) -> None:
    """Without the NUL the name would be taken for the beginning of names: the test above proves nothing otherwise."""
    controls._write(tree.host, controls.FLUSH, b"e1.1")
    wait_until(lambda: not list((tree.root / "sys/block").iterdir()), "all three are gone")


def test_flush_of_those_that_are_down(tree: DriverTree, engine: LocalEngine) -> None:
    """Which they were the guest's test looks at: the model acts after the write."""
    gone = ask(engine, FlushDown())
    assert set(gone) <= {Address(1, 11)}
    wait_until(lambda: ("flush", b"\n") in tree.heard, "the driver is told")
    assert sorted(each.name for each in (tree.root / "sys/block").iterdir()) == ["etherd!e1.1", "etherd!e1.10"]


def test_flush_of_all(tree: DriverTree, engine: LocalEngine) -> None:
    ask(engine, FlushAll())
    wait_until(lambda: ("flush", b"all") in tree.heard, "the driver is told")
    assert not list((tree.root / "sys/block").iterdir())


def test_flush_of_what_is_mounted_is_refused_and_names_the_mount(tree: DriverTree, engine: LocalEngine) -> None:
    tree.mounts("29 24 152:16 / /srv rw - ext4 /dev/etherd/e1.1 rw")
    with pytest.raises(EngineError, match=r"e1\.1 is in use \(mounted on /srv\): unmount or close it first"):
        ask(engine, FlushDevice(E11))
    assert not tree.heard
    ask(engine, FlushDevice(E11, force=True))
    assert devices(engine) == ["e1.10", "e1.11"]


def test_flush_of_what_a_program_has_open_names_the_program(tree: DriverTree, engine: LocalEngine) -> None:
    (tree.root / "dev/etherd/e1.1").symlink_to("/dev/full")
    tree.write("proc/77/comm", "dd")
    (tree.root / "proc/77/fd").mkdir()
    (tree.root / "proc/77/fd/3").symlink_to("/dev/full")
    assert ask(engine, KernelUsers(E11)) == ("open in dd (pid 77)",)
    with pytest.raises(EngineError, match=r"open in dd \(pid 77\)"):
        ask(engine, FlushDevice(E11))


def test_closewait_is_a_use_even_if_nobody_can_be_named(tree: DriverTree, engine: LocalEngine) -> None:
    tree.device("e1.10", state="down,closewait")
    assert ask(engine, KernelUsers(E110)) == ("open in a program, or held by the kernel",)


def test_a_device_that_is_down_is_used_by_nobody(engine: LocalEngine) -> None:
    assert ask(engine, KernelUsers(Address(1, 11))) == ()


def test_a_device_that_stays_is_an_error(tree: DriverTree, engine: LocalEngine) -> None:
    tree.keeps = True
    with pytest.raises(EngineError, match=r"the Linux driver kept e1\.1"):
        ask(engine, FlushDevice(E11))


@pytest.mark.parametrize("command", [FlushDevice(Address(9, 9)), Revalidate(Address(9, 9)), KernelUsers(Address(9, 9))])
def test_a_device_that_the_driver_has_not(engine: LocalEngine, command: Command[object]) -> None:
    with pytest.raises(EngineError, match=r"the Linux driver has no e9\.9"):
        ask(engine, command)


def test_discover_and_revalidate(tree: DriverTree, engine: LocalEngine) -> None:
    ask(engine, KernelDiscover())
    ask(engine, Revalidate(E110))
    wait_until(lambda: len(tree.heard) == 2, "the driver is told")
    assert sorted(tree.heard) == [("discover", b"\n"), ("revalidate", b"e1.10")]


@pytest.mark.parametrize(("names", "told"), [(("eth1", "eth2"), b"eth1 eth2\0"), ((), b"\0")])
def test_interfaces(tree: DriverTree, engine: LocalEngine, names: tuple[str, ...], told: bytes) -> None:
    ask(engine, SetKernelInterfaces(names))
    wait_until(lambda: tree.heard == [("interfaces", told)], "the driver is told")


@pytest.mark.parametrize("name", ["eth9", "../eth1", ""])
def test_an_interface_that_is_none(tree: DriverTree, engine: LocalEngine, name: str) -> None:
    with pytest.raises(EngineError, match="is no interface of this host"):
        ask(engine, SetKernelInterfaces((name,)))
    assert not tree.heard


def test_more_names_than_the_driver_keeps(tree: DriverTree, engine: LocalEngine) -> None:
    names = tuple(f"e{number:014}" for number in range(70))
    tree.link(*names)
    with pytest.raises(EngineError, match="the driver keeps 1023 characters"):
        ask(engine, SetKernelInterfaces(names))


def test_messages_are_taken_once(tree: DriverTree, engine: LocalEngine) -> None:
    first = "     retransmit e1.1 oldtag=0b16137a@ffff13c3 newtag=0b1713c3 s=525400a0e001 d=b6f61dd85ecb nout=1"
    tree.complain(f"{first}\n")
    assert ask(engine, ReadKernelErrors()) == (first,)
    assert ask(engine, ReadKernelErrors()) == ()


def test_without_the_module_the_command_that_loads_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"the aoe module is not loaded: .*modprobe aoe"):
        controls.tell_discover(DriverTree(tmp_path / "bare").host)


def test_without_nodes_udev_is_named(tmp_path: Path) -> None:
    tree = DriverTree(tmp_path / "bare")
    tree.load()
    with pytest.raises(EngineError, match=r"there is no .*discover although the aoe module is loaded: udev"):
        controls.tell_discover(tree.host)


def test_a_file_in_a_nodes_place_is_no_driver(tmp_path: Path) -> None:
    """`echo > /dev/etherd/discover` without a driver makes such a file, and whoever writes to it is never heard."""
    tree = DriverTree(tmp_path / "bare")
    tree.load()
    tree.write("dev/etherd/discover", "")
    with pytest.raises(EngineError, match="is a file and no device"):
        controls.tell_discover(tree.host)


def test_a_user_without_the_right_is_told_to_use_sudo() -> None:
    with tempfile.TemporaryDirectory() as folder, DriverTree(Path(folder)) as tree:
        tree.load()
        tree.root.chmod(0o755)
        (tree.root / "dev/etherd/discover").chmod(0)
        with as_ordinary_user():
            with pytest.raises(NoPermissionError, match=r"no permission to use .*discover: run `sudo"):
                controls.tell_discover(tree.host)
            assert "run `sudo" in controls.refusal(tree.host)
        (tree.root / "dev/etherd/discover").chmod(0o600)
        assert controls.refusal(tree.host) == ""
