"""`aoetui discover` and `stat` as processes, beside an export of ours at the other end of a cable."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import ExitCode
from aoetui.engine.protocol.wire import SECTOR
from tests.support.program import Program, run, unprivileged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import VethPair

LINE = "      e9.1         0.010GB      near0 1024  up            \n"


@pytest.fixture
def served(veth_pair: VethPair, tmp_path: Path) -> Iterator[VethPair]:
    """10 MiB served as e9.1 on the far side."""
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate(20480 * SECTOR)
    (tmp_path / "far").mkdir()
    with Program(veth_pair.far, tmp_path / "far", "export", "9", "1", "far0", str(disk)) as program:
        program.says("serving on")
        yield veth_pair


def test_stat_prints_the_columns_of_aoe_stat(served: VethPair, tmp_path: Path) -> None:
    ended = run(served.near, tmp_path, "stat", "-i", "near0", "--wait", "2")
    assert (ended.stdout, ended.stderr, ended.returncode) == (LINE, "", 0)


def test_stat_shows_what_matches(served: VethPair, tmp_path: Path) -> None:
    matching = run(served.near, tmp_path, "stat", "-i", "near0", "--wait", "2", r"e9\.")
    assert (matching.stdout, matching.returncode) == (LINE, 0)
    other = run(served.near, tmp_path, "stat", "-i", "near0", "--wait", "2", "e10")
    assert (other.stdout, other.returncode) == ("", ExitCode.NO)
    assert other.stderr == "aoetui: 1 answered, and none matches 'e10'\n"


def test_discover_tells_each_path(served: VethPair, tmp_path: Path) -> None:
    ended = run(served.near, tmp_path, "discover", "-i", "near0", "--wait", "2")
    device, path = ended.stdout.splitlines()
    assert device.startswith("e9.1  10.5 MB  up  aoetui  serial ")
    assert path.split()[:2] == [served.far_mac, "near0"]
    assert ended.returncode == 0


def test_json_is_one_object(served: VethPair, tmp_path: Path) -> None:
    ended = run(served.near, tmp_path, "discover", "-i", "near0", "--wait", "2", "--json")
    printed = json.loads(ended.stdout)
    assert printed["version"] == 1
    (device,) = printed["devices"]
    assert (device["address"], device["size"], device["model"]) == ("e9.1", 20480 * SECTOR, "aoetui")
    assert device["paths"][0]["mac"] == served.far_mac


def test_the_config_names_the_interfaces(served: VethPair, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[engine]\ninterfaces = ["near0"]\n')
    ended = run(served.near, tmp_path, "--config", str(config), "stat", "--wait", "2")
    assert ended.stdout == LINE


@pytest.mark.parametrize("verb", ["discover", "stat"])
def test_no_answer_is_exit_code_4(verb: str, veth_pair: VethPair, tmp_path: Path) -> None:
    ended = run(veth_pair.near, tmp_path, verb, "-i", "near0", "--wait", "0.1")
    assert (ended.stdout, ended.returncode) == ("", ExitCode.NO_ANSWER)
    assert ended.stderr.startswith("aoetui: nobody answered on near0")
    as_json = run(veth_pair.near, tmp_path, verb, "-i", "near0", "--wait", "0.1", "--json")
    assert json.loads(as_json.stdout) == {"version": 1, "devices": []}
    assert as_json.returncode == ExitCode.NO_ANSWER


@pytest.mark.parametrize("verb", ["discover", "stat"])
def test_without_an_interface_the_candidates_are_listed(verb: str, veth_pair: VethPair, tmp_path: Path) -> None:
    ended = run(veth_pair.near, tmp_path, verb)
    assert (ended.stdout, ended.returncode) == ("", ExitCode.USAGE)
    assert "near0" in ended.stderr


def test_interfaces_that_cannot_carry_aoe_are_refused(veth_pair: VethPair, tmp_path: Path) -> None:
    missing = run(veth_pair.near, tmp_path, "stat", "-i", "nope")
    assert (missing.returncode, "near0" in missing.stderr) == (ExitCode.NO, True)
    bridge = veth_pair.near.add_link("br0", kind="bridge")
    veth_pair.near.set_link("br0", state="up")
    veth_pair.near.set_link("near0", master=bridge)
    port = run(veth_pair.near, tmp_path, "stat", "-i", "near0")
    assert (port.returncode, "br0" in port.stderr) == (ExitCode.NO, True)
    veth_pair.near.set_link("br0", state="down")
    down = run(veth_pair.near, tmp_path, "stat", "-i", "br0")
    assert (down.returncode, "br0" in down.stderr) == (ExitCode.NO, True)


def test_without_permission_it_says_what_is_missing(veth_pair: VethPair, tmp_path: Path) -> None:
    ended = run(veth_pair.near, tmp_path, program=[sys.executable, "-c", unprivileged("stat", "-i", "near0")])
    assert ended.returncode == ExitCode.NO_PERMISSION
    assert "CAP_NET_RAW" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_reader_that_leaves_early_is_no_error(served: VethPair, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        ended = run(served.near, tmp_path, "stat", "-i", "near0", "--wait", "2", stdout=pipe.fileno())
    assert (ended.returncode, ended.stderr) == (0, "")
