"""`aoetui kernel` on a made tree: aoe-stat's columns to the byte, and every verb."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from aoetui import cli
from tests.support.driver_tree import DriverTree
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.commands.kernel import MakeNodes


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No config and no state of whoever runs the tests."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[DriverTree]:
    """A host whose driver has a few devices."""
    (tmp_path / "host").mkdir()
    made = DriverTree(tmp_path / "host")
    made.load(aoe_iflist="eth1 eth2")
    made.link("eth1", "eth2")
    made.device("e9.10", state="down,closewait", sectors=0, payload="0", netif="none", dev="152:32")
    made.device("e9.1", netif="eth1,eth2")
    made.device("e20.3", sectors=1, netif="eth1.100", dev="152:48")
    with made:
        yield made


def run(tree: DriverTree, *words: str) -> int:
    """One command line."""
    return cli.run(["kernel", "--root", str(tree.root), *words])


@pytest.mark.parametrize("words", [(), ("--match", "up")])
def test_the_columns_are_those_of_aoe_stat(tree: DriverTree, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    (tree.root / "sys/block/etherd!e30.1").mkdir()  # one that is being set up tells nothing
    assert run(tree, *words) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[1] == "     e20.3         0.000GB   eth1.100 8704  up            "
    program = shutil.which("aoe-stat", path="/usr/sbin:/sbin")
    if program is not None:
        theirs = subprocess.run(
            [program, *words[1:]],
            capture_output=True,
            text=True,
            check=True,
            cwd=tree.root,  # it passes over every path with a p in it
            env={"sysfs_dir": "sys", "PATH": "/bin:/usr/bin"},
        )
        assert printed == theirs.stdout


def test_a_driver_that_tells_no_payload_has_no_such_column(tree: DriverTree, capsys: pytest.CaptureFixture[str]) -> None:
    for path in tree.root.glob("sys/block/*/payload"):
        path.unlink()
    assert run(tree) == 0
    assert capsys.readouterr().out.splitlines()[1] == "     e20.3         0.000GB eth1.100 up            "


def test_what_differs_is_said_beside_it(tree: DriverTree, capsys: pytest.CaptureFixture[str]) -> None:
    run(tree)
    assert "e9.10: closewait: the Linux driver gave it up while it was open" in capsys.readouterr().err


def test_the_whole_as_json(tree: DriverTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["version"] == 1
    assert [device["address"] for device in told["kernel"]["devices"]] == ["e9.1", "e9.10", "e20.3"]
    assert told["kernel"]["devices"][0]["figures"]["paths"][0]["interfaces"] == ["eth1", "eth2"]
    assert told["kernel"]["remarks"][0]["difference"] == "closewait"


def test_no_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bare").mkdir()
    assert run(DriverTree(tmp_path / "bare")) == 1
    assert "the aoe module is not loaded: `sudo aoetui kernel load`" in capsys.readouterr().err


def test_no_device_and_no_match(tree: DriverTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "--match", "nothing") == 1
    assert "has 3, and none matches 'nothing'" in capsys.readouterr().err
    for folder in tree.root.glob("sys/block/*"):
        shutil.rmtree(folder)
    assert run(tree) == 1
    assert "the Linux driver has no device: `aoetui kernel discover`" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("--match", "("),
        ("--json", "version"),
        ("-i", "eth1", "discover"),
        ("flush", "e9.1", "--all"),
        ("flush", "--down", "--all"),
        ("flush", "e9"),
        ("revalidate", "all"),
        ("revalidate",),
        ("interfaces", "--clear", "eth1"),
        ("load",),
        ("load", "-i", "eth1", "--all-interfaces"),
        ("nodes", "/nowhere", "65536"),
    ],
)
def test_wrong_without_looking(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "bare").mkdir()
    assert run(DriverTree(tmp_path / "bare"), *words) == 2


def test_flush_names_what_is_gone(tree: DriverTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "flush", "e9.1") == 0
    assert capsys.readouterr().out.startswith("e9.1 is forgotten; it comes back with the next discovery")
    assert tree.heard[-1] == ("flush", b"e9.1\0")
    assert run(tree, "flush", "e20.3", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"version": 1, "flushed": ["e20.3"]}


def test_flush_of_one_that_is_not_there_flushes_none(tree: DriverTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "flush", "e9.1", "e9.9", "e9.8") == 1
    assert "the Linux driver has no e9.9, e9.8: nothing is flushed" in capsys.readouterr().err
    assert not tree.heard


def test_flush_of_what_is_open_is_refused(tree: DriverTree, capsys: pytest.CaptureFixture[str]) -> None:
    """And what is not open is flushed."""
    assert run(tree, "flush", "e9.10", "e9.1") == 1
    told = capsys.readouterr()
    assert "e9.10 is in use (open in a program, or held by the kernel)" in told.err
    assert "e9.1 is forgotten" in told.out
    assert run(tree, "flush", "--force", "e9.10") == 0


@pytest.mark.parametrize(("words", "told"), [((), b"\n"), (("--down",), b"\n"), (("--all",), b"all"), (("-a",), b"all")])
def test_flush_of_some(tree: DriverTree, words: tuple[str, ...], told: bytes) -> None:
    assert run(tree, "flush", *words) == 0
    wait_until(lambda: ("flush", told) in tree.heard, "the driver is told")


def test_discover_and_revalidate_print_nothing(tree: DriverTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "discover") == run(tree, "revalidate", "e9.1") == 0
    wait_until(lambda: len(tree.heard) == 2, "the driver is told")
    assert tuple(capsys.readouterr()) == ("", "")


def test_interfaces(tree: DriverTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "interfaces") == 0
    assert capsys.readouterr().out == "eth1 eth2\n"
    assert run(tree, "interfaces", "--json") == 0
    assert json.loads(capsys.readouterr().out)["interfaces"] == ["eth1", "eth2"]
    assert run(tree, "interfaces", "eth2") == run(tree, "interfaces", "-c") == 0
    wait_until(lambda: len(tree.heard) == 2, "the driver is told")
    assert tree.heard == [("interfaces", b"eth2\0"), ("interfaces", b"\0")]
    (tree.root / "sys/module/aoe/parameters/aoe_iflist").unlink()
    assert run(tree, "interfaces") == 3


def test_errors(tree: DriverTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.complain("     retransmit e9.1 oldtag=1\n\x1b[2J\n")
    assert run(tree, "errors") == 0
    assert capsys.readouterr().out == "     retransmit e9.1 oldtag=1\n·[2J\n"
    assert run(tree, "errors", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"version": 1, "errors": []}


def test_errors_that_come_are_followed_until_ctrl_c(
    tree: DriverTree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_seconds: float) -> None:
        if "second" in capsys_text():
            raise KeyboardInterrupt
        tree.complain("second\n")

    printed: list[str] = []

    def capsys_text() -> str:
        printed.append(capsys.readouterr().out)
        return "".join(printed)

    tree.complain("first\n")
    monkeypatch.setattr(time, "sleep", sleep)
    assert run(tree, "errors", "--follow", "--json") == 130
    lines = [json.loads(line) for line in capsys_text().splitlines()]
    assert lines[0] == {"version": 1, "line": "first"}
    assert {"version": 1, "line": "second"} in lines


def test_version(tree: DriverTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "version") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":\t")[0] for line in lines] == [
        "                aoetui",
        "  installed aoe driver",
        "    running aoe driver",
    ]
    assert lines[2] == "    running aoe driver:\t85"
    assert run(tree, "version", "--json") == 0
    assert json.loads(capsys.readouterr().out)["versions"]["running"] == "85"


def test_nothing_is_loaded_below_a_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bare").mkdir()
    assert run(DriverTree(tmp_path / "bare"), "load", "--all-interfaces") == 1
    assert "leave --root out" in capsys.readouterr().err


def test_load_of_what_is_loaded(tree: DriverTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "load", "-i", "eth1", "--persist", "--json") == 0
    assert json.loads(capsys.readouterr().out)["loaded"][0] == "the aoe module is loaded already"
    assert (tree.root / "etc/modules-load.d/aoe.conf").exists()


def test_the_environment_of_aoe_mkdevs_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And an option counts more."""
    wanted: list[MakeNodes] = []
    monkeypatch.setattr("aoetui.engine.kernel.nodes.make_nodes", lambda _host, command: wanted.append(command))
    monkeypatch.setenv("n_shelves", "2")
    monkeypatch.setenv("n_partitions", "1")
    (tmp_path / "bare").mkdir()
    tree = DriverTree(tmp_path / "bare")
    assert run(tree, "nodes", "/nowhere") == run(tree, "nodes", "--partitions", "4", "/nowhere", "9") == 0
    assert [(each.shelves, each.partitions, each.controls) for each in wanted] == [((0, 1), 1, True), ((9,), 4, False)]


def test_nodes_where_the_driver_makes_them(tree: DriverTree, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(tree, "nodes", str(tmp_path / "etherd"), "3") == 1
    assert "aoe_dyndevs=1" in capsys.readouterr().err
