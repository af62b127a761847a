"""Static device nodes: names, modes and numbers as aoe-mkdevs and aoe-mkshelf make them, and where they are refused."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import EngineError, UsageError
from aoetui.engine.commands.kernel import MakeNodes
from aoetui.engine.kernel import nodes
from tests.support.driver_tree import DriverTree

if TYPE_CHECKING:
    from pathlib import Path

Made = dict[str, tuple[int, tuple[int, int]]]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """What was made: name, mode, and major and minor number. Only root may make the real ones; see the guest's test."""
    found: Made = {}

    def mknod(path: Path, mode: int, device: int) -> None:
        path.touch()
        found[path.name] = (mode, (os.major(device), os.minor(device)))

    monkeypatch.setattr(os, "mknod", mknod)
    return found


def test_everything(tmp_path: Path, made: Made) -> None:
    """The figures are those of aoe-mkdevs."""
    count = nodes.make_nodes(DriverTree(tmp_path).host, MakeNodes(tmp_path / "etherd", tuple(range(10))))
    assert count == len(made) == 5 + 10 * 16 * 16
    assert made["err"] == (stat.S_IFCHR | 0o400, (152, 2))
    assert made["flush"] == (stat.S_IFCHR | 0o200, (152, 6))
    assert made["e0.0"] == (stat.S_IFBLK | 0o660, (152, 0))
    assert made["e1.2p3"] == (stat.S_IFBLK | 0o660, (152, 16 * 16 + 2 * 16 + 3))


def test_a_shelf(tmp_path: Path, made: Made) -> None:
    """As aoe-mkshelf with n_partitions=1."""
    nodes.make_nodes(DriverTree(tmp_path).host, MakeNodes(tmp_path / "etherd", (7,), partitions=1, controls=False))
    assert sorted(made) == sorted(f"e7.{slot}" for slot in range(16))
    assert made["e7.15"] == (stat.S_IFBLK | 0o660, (152, 127))


def test_no_number_is_left(tmp_path: Path, made: Made) -> None:
    with pytest.raises(UsageError, match="no device numbers for so high a shelf: 4095 is the last"):
        nodes.make_nodes(DriverTree(tmp_path).host, MakeNodes(tmp_path / "etherd", (4096,)))
    assert not made


def test_dynamic_numbers_are_refused(tmp_path: Path, made: Made) -> None:
    tree = DriverTree(tmp_path)
    tree.load(aoe_dyndevs="1")
    with pytest.raises(EngineError, match="aoe_dyndevs=1"):
        nodes.make_nodes(tree.host, MakeNodes(tmp_path / "etherd", (0,)))
    tree.load(aoe_dyndevs="0")
    assert nodes.make_nodes(tree.host, MakeNodes(tmp_path / "etherd", (0,))) == len(made)


@pytest.mark.parametrize("sign", ["run/udev/data", "dev/.udev/db", "proc/12/comm"])
def test_udev_is_refused(tmp_path: Path, made: Made, sign: str) -> None:
    tree = DriverTree(tmp_path)
    tree.write(sign, "systemd-udevd")
    with pytest.raises(EngineError, match="udev runs on this host"):
        nodes.make_nodes(tree.host, MakeNodes(tmp_path / "etherd", (0,)))
    assert not made
