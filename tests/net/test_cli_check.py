"""`aoetui check` as a process, beside an export of ours at the other end of a cable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import ExitCode
from aoetui.engine.protocol.wire import SECTOR
from tests.support.program import Program, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import VethPair


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


def blocks(printed: str) -> dict[str, list[list[str]]]:
    """The words of each line, by the heading above."""
    found: dict[str, list[list[str]]] = {}
    for block in printed.split("\n\n"):
        heading, *lines = block.splitlines()
        found[heading] = [line.split() for line in lines]
    return found


def test_summaries_paths_and_findings(served: VethPair, tmp_path: Path) -> None:
    ended = run(served.near, tmp_path, "check", "-i", "near0", "-n", "20", "9.1")
    said = blocks(ended.stdout)
    assert said["INTERFACE SUMMARY"] == [["Name", "Status", "MTU", "PCI", "ID"], ["near0", "UP", "1500"]]
    assert said["DEVICE SUMMARY"] == [
        ["Device", "Macs", "Payload", "Local", "Interfaces"],
        ["e9.1", "1", "1024", "near0"],
    ]
    (path,) = said["PATHS"][1:]
    assert path[:6] == ["e9.1", "near0", served.far_mac, "1024", "1024", "0/40"]
    assert ended.returncode == ExitCode.DONE, ended.stdout
    assert ended.stderr == ""


def test_what_is_wrong_is_told_with_its_remedy_and_is_exit_code_1(served: VethPair, tmp_path: Path) -> None:
    served.near.add_address("near0", "192.0.2.1", 24)
    ended = run(served.near, tmp_path, "check", "-i", "near0", "-n", "5", "-v")
    lines = ended.stdout.splitlines()
    found = lines.index("!  near0 has the IP address 192.0.2.1/24")
    assert lines[found + 1] == "     AoE needs none, `ip address del 192.0.2.1/24 dev near0` if nothing else needs it"
    assert "Driver" in ended.stdout
    assert "veth" in ended.stdout
    assert (ended.returncode, ended.stderr) == (ExitCode.NO, "")


def test_json_is_one_object(served: VethPair, tmp_path: Path) -> None:
    ended = run(served.near, tmp_path, "check", "-i", "near0", "-n", "5", "--json")
    printed = json.loads(ended.stdout)
    assert printed["version"] == 1
    (device,) = printed["check"]["devices"]
    assert (device["address"], device["size"], device["payload"], device["agreed"]) == ("e9.1", 20480 * SECTOR, 1024, 1024)
    (path,) = device["paths"]
    assert path["to_target"] == {"frame": 1514, "tried": 1514, "untested": "", "payload": 1024}
    assert path["from_target"] == {"frame": 1060, "tried": 1060, "untested": "", "payload": 1024}
    assert (path["mac"], path["short_frames"]) == (served.far_mac, {"sent": 5, "lost": 0})
    assert ended.returncode == ExitCode.DONE


@pytest.mark.parametrize("asked", [(), ("e9.7",)])
def test_no_answer_is_exit_code_4(asked: tuple[str, ...], veth_pair: VethPair, tmp_path: Path) -> None:
    ended = run(veth_pair.near, tmp_path, "check", "-i", "near0", *asked)
    who = "e9.7 did not answer" if asked else "nobody answered"
    assert ended.stderr.startswith(f"aoetui: {who} on near0: look at the cable")
    assert blocks(ended.stdout)["INTERFACE SUMMARY"][1][:2] == ["near0", "UP"]
    assert ended.returncode == ExitCode.NO_ANSWER


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("-i", "near0", "web01"), "'web01' is not an address: write shelf.slot, as e9.1"),
        (("-i", "near0", "9.255"), "slot 255 is out of range"),
        (("-i", "near0", "-n", "0"), "0 is not in the range"),
        ((), "no interface is chosen"),
    ],
)
def test_what_is_wrong_without_looking(arguments: tuple[str, ...], complaint: str, veth_pair: VethPair, tmp_path: Path) -> None:
    ended = run(veth_pair.near, tmp_path, "check", *arguments)
    assert (ended.stdout, ended.returncode) == ("", ExitCode.USAGE)
    assert complaint in ended.stderr
