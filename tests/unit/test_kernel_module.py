"""Loading the module, and having it loaded at each start: what modprobe is told, and the files in /etc."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import EngineError, NoPermissionError, UsageError
from aoetui.engine.commands.kernel import DriverVersions, LoadModule
from aoetui.engine.kernel import module
from aoetui.engine.kernel.host import Host, run_program
from aoetui.engine.local import LocalEngine
from tests.support.driver_tree import DriverTree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MAINLINE = "filename: /lib/aoe.ko\nversion:        85\nsrcversion:     87AF5BC\nparm:           aoe_maxout:Only (int)\n"
STANDALONE = "filename: aoe.ko\nsrcversion: 87AF\nparm:           version:aoe module version 6-87\nversion: 1\n"


class Modprobe:
    """Stands in for modprobe and modinfo: the real ones change the kernel that the tests run on."""

    def __init__(self, tree: DriverTree, *, rc: int = 0, said: str = "", told: str = "") -> None:
        self.ran: list[list[str]] = []
        self._tree, self._rc, self._said, self._told = tree, rc, said, told

    def __call__(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.ran.append(list(command))
        if self._rc == 0 and command[0] == "modprobe":
            self._tree.load()
        return subprocess.CompletedProcess(command, self._rc, self._told, self._said)


@pytest.fixture
def tree(tmp_path: Path) -> DriverTree:
    """A host without the module."""
    made = DriverTree(tmp_path)
    made.link("eth1", "eth2")
    return made


def load(
    tree: DriverTree, modprobe: Callable[[Sequence[str]], subprocess.CompletedProcess[str]], wanted: LoadModule
) -> list[str]:
    """Have an engine load it."""
    engine = LocalEngine(compiled=False, host=Host(tree.root, modprobe))
    engine.start()
    try:
        return list(engine.submit(wanted).result(20))
    finally:
        engine.stop()


def test_it_is_loaded_for_the_named_interfaces(tree: DriverTree) -> None:
    modprobe = Modprobe(tree)
    said = load(tree, modprobe, LoadModule(("eth1", "eth2")))
    assert modprobe.ran == [["modprobe", "aoe", 'aoe_iflist="eth1 eth2"']]
    assert said == ["the aoe module is loaded", "it uses eth1, eth2 alone"]


def test_nobody_named_an_interface(tree: DriverTree) -> None:
    """The driver would broadcast wherever it can."""
    modprobe = Modprobe(tree)
    with pytest.raises(UsageError, match="the driver broadcasts on every interface as soon as it is loaded"):
        load(tree, modprobe, LoadModule())
    assert not modprobe.ran
    load(tree, modprobe, LoadModule(everywhere=True))
    assert modprobe.ran == [["modprobe", "aoe"]]


def test_options_in_modprobe_d_name_them(tree: DriverTree) -> None:
    tree.write("etc/modprobe.d/san.conf", '# the SAN\noptions aoe aoe_iflist="eth1" aoe_deadsecs=30')
    modprobe = Modprobe(tree)
    said = load(tree, modprobe, LoadModule())
    assert modprobe.ran == [["modprobe", "aoe"]]
    assert said[1] == '/etc/modprobe.d/san.conf has options for it: aoe_iflist="eth1" aoe_deadsecs=30'


def test_persistence_is_written(tree: DriverTree) -> None:
    said = load(tree, Modprobe(tree), LoadModule(("eth1", "eth2"), persist=True))
    assert said[2:] == [
        "/etc/modules-load.d/aoe.conf has it loaded at each start",
        "/etc/modprobe.d/aoe.conf has it use eth1, eth2 alone",
    ]
    assert (tree.root / "etc/modules-load.d/aoe.conf").read_text().splitlines()[1:] == ["aoe"]
    assert (tree.root / "etc/modprobe.d/aoe.conf").read_text().splitlines()[1:] == ['options aoe aoe_iflist="eth1 eth2"']
    assert module.starts_with(tree.host) == "/etc/modules-load.d/aoe.conf"
    assert [module.interfaces_in(each) for each in module.options(tree.host).values()] == [("eth1", "eth2")]


def test_persistence_is_written_once(tree: DriverTree) -> None:
    load(tree, Modprobe(tree), LoadModule(("eth1",), persist=True))
    before = {path: path.read_text() for path in (tree.root / "etc").rglob("*.conf")}
    said = load(tree, Modprobe(tree), LoadModule((), persist=True))
    assert "/etc/modules-load.d/aoe.conf has it loaded at each start already" in said
    assert {path: path.read_text() for path in (tree.root / "etc").rglob("*.conf")} == before


def test_options_that_name_no_interface_stay_beside_ours(tree: DriverTree) -> None:
    tree.write("etc/modprobe.d/slow.conf", "options aoe aoe_deadsecs=30")
    load(tree, Modprobe(tree), LoadModule(("eth1",), persist=True))
    assert sorted(module.options(tree.host).values()) == ["aoe_deadsecs=30", 'aoe_iflist="eth1"']


@pytest.mark.parametrize("line", ["aoe", "  aoe", "aoe aoe_iflist=eth1"])
def test_a_line_in_etc_modules_is_recognised(tree: DriverTree, line: str) -> None:
    tree.write("etc/modules", f"# at boot\nloop\n{line}")
    said = load(tree, Modprobe(tree), LoadModule(everywhere=True, persist=True))
    assert "/etc/modules has it loaded at each start already" in said
    assert not (tree.root / "etc/modules-load.d").exists()


@pytest.mark.parametrize("text", ["# aoe", "; aoe", "aoetools", "", "loop aoe"])
def test_what_is_no_such_line(tree: DriverTree, text: str) -> None:
    tree.write("etc/modules", text)
    assert module.starts_with(tree.host) == ""


def test_what_a_package_brings_is_not_ours_to_rely_on(tree: DriverTree) -> None:
    """The package may go: our own file is written beside it."""
    tree.write("usr/lib/modules-load.d/aoetools.conf", "aoe")
    assert module.starts_with(tree.host) == "/usr/lib/modules-load.d/aoetools.conf"
    load(tree, Modprobe(tree), LoadModule(("eth1",), persist=True))
    assert module.starts_with(tree.host) == "/etc/modules-load.d/aoe.conf"


def test_a_file_in_etc_hides_the_package_s(tree: DriverTree) -> None:
    """modules-load.d(5): a link to /dev/null takes the package's file away."""
    tree.write("usr/lib/modules-load.d/aoetools.conf", "aoe")
    tree.write("etc/modules-load.d/aoetools.conf", "")
    assert module.starts_with(tree.host) == ""


def test_a_file_of_somebody_s_is_added_to(tree: DriverTree) -> None:
    (tree.root / "etc/modules-load.d").mkdir()
    (tree.root / "etc/modules-load.d/aoe.conf").write_text("# not yet")
    load(tree, Modprobe(tree), LoadModule(everywhere=True, persist=True))
    assert (tree.root / "etc/modules-load.d/aoe.conf").read_text() == "# not yet\naoe\n"


def test_other_options_are_not_overridden(tree: DriverTree) -> None:
    tree.write("etc/modprobe.d/san.conf", "options aoe aoe_iflist=eth2")
    with pytest.raises(EngineError, match=r"/etc/modprobe\.d/san\.conf has other options for aoe"):
        load(tree, Modprobe(tree), LoadModule(("eth1",), persist=True))
    assert not (tree.root / "etc/modules-load.d").exists()


def test_a_folder_that_cannot_be_written(tree: DriverTree) -> None:
    (tree.root / "etc/modules-load.d").write_text("a file")
    with pytest.raises(EngineError, match=r"etc/modules-load\.d/aoe\.conf cannot be written"):
        load(tree, Modprobe(tree), LoadModule(("eth1",), persist=True))


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        ("modprobe: FATAL: Module aoe not found in directory /lib/modules/6.1", EngineError, "has no aoe module: install"),
        ("modprobe: ERROR: could not insert 'aoe': Operation not permitted", NoPermissionError, "no permission to load"),
        ("modprobe: ERROR: could not insert 'aoe': Exec format error", EngineError, "could not load aoe: .*Exec format"),
        ("", EngineError, "could not load aoe: it ended with 1"),
    ],
)
def test_modprobe_refuses(tree: DriverTree, said: str, error: type[EngineError], text: str) -> None:
    with pytest.raises(error, match=text):
        load(tree, Modprobe(tree, rc=1, said=said), LoadModule(("eth1",)))


def test_it_is_loaded_already(tree: DriverTree) -> None:
    tree.load()
    modprobe = Modprobe(tree)
    with tree:
        said = load(tree, modprobe, LoadModule(("eth1",)))
    assert said == ["the aoe module is loaded already", "it uses eth1 alone"]
    assert not modprobe.ran
    assert tree.heard == [("interfaces", b"eth1\0")]


def test_no_module_is_loaded_below_a_root(tree: DriverTree) -> None:
    with pytest.raises(EngineError, match="this is a tree"):
        module.load(tree.host, ())


@pytest.mark.parametrize(("told", "installed"), [(MAINLINE, "85"), (STANDALONE, "6-87"), ("", "(unknown)")])
def test_versions(tree: DriverTree, told: str, installed: str) -> None:
    host = Host(tree.root, Modprobe(tree, told=told))
    assert module.versions(host) == DriverVersions(installed, "(none)")
    tree.load()
    assert module.versions(host) == DriverVersions(installed, "85")
    (tree.root / "sys/module/aoe/version").unlink()
    assert module.versions(host) == DriverVersions(installed, "(unknown)")


def test_a_program_that_is_not_installed() -> None:
    with pytest.raises(EngineError, match="there is no aoetui-no-such-program on this host"):
        run_program(["aoetui-no-such-program"])
