"""`aoetui cfg`, `mask`, `reserve`, `identify` and `ping`, beside an engine of ours or a target that does as told."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from aoetui import cli
from aoetui.engine.api import ExitCode
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.frames import AtaArgument
from aoetui.engine.protocol.smart import SMART
from tests.support.bad_target import bad_target
from tests.support.engines import add, disk, spec, the_export
from tests.support.program import Program, environment, run
from tests.support.smart import SECTOR, answers_smart

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from aoetui.engine.protocol.frames import Frame
    from tests.support.bad_target import Answer
    from tests.support.netns import VethPair

ME = "02:00:00:00:00:02"
STRANGER = "02:00:00:00:00:77"


class Shell:
    """Runs commands at the far end."""

    def __init__(self, pair: VethPair, folder: Path, printed: pytest.CaptureFixture[str]) -> None:
        self.pair = pair
        self.folder = folder
        self._printed = printed

    def run(self, verb: str, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
        """One command as a process of its own, to its end."""
        return run(self.pair.far, self.folder, verb, "-i", "far0", *arguments, stdin=stdin)

    def __call__(self, verb: str, *arguments: str) -> tuple[str, int]:
        """What it prints, stderr after stdout, and its exit code."""
        code = self.pair.far.run(lambda: cli.run([verb, "-i", "far0", *arguments]))
        printed = self._printed.readouterr()
        return printed.out + printed.err, code


@pytest.fixture
def aoetui(veth_pair: VethPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs commands at the far end."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return Shell(veth_pair, tmp_path, capsys)


@pytest.fixture
def served(near: LocalEngine, tmp_path: Path) -> LocalEngine:
    """An engine at the near end that serves e9.1."""
    add(near, spec(disk(tmp_path)))
    return near


def test_cfg_sets_reads_and_compares(served: LocalEngine, aoetui: Shell, tmp_path: Path) -> None:
    assert aoetui("cfg", "e9.1", "--set", r"web\x00") == ("web\\x00\n", 0)
    assert the_export(served).config_string == b"web\x00"
    complaint = "aoetui: e9.1 has the config string 'web\\x00' already: set it by force to replace it\n"
    assert aoetui("cfg", "9.1", "--set", "other") == (complaint, ExitCode.NO)
    (tmp_path / "string").write_bytes(b"a\tb")
    assert aoetui("cfg", "9.1", "--force", f"@{tmp_path / 'string'}") == ("a\\x09b\n", 0)
    assert aoetui("cfg", "9.1", "--hex") == ("610962\n", 0)
    assert aoetui("cfg", "9.1", "--hex", "--test", "610962") == ("610962\n", 0)
    complaint = "aoetui: e9.1 does not match: its config string is a\\x09b\n"
    assert aoetui("cfg", "9.1", "--prefix", "b") == (complaint, ExitCode.NO)
    printed = json.loads(aoetui("cfg", "9.1", "--json")[0])
    assert (printed["version"], printed["device"]["targets"][0]["config_string"]) == (1, "a\tb")


def test_cfg_without_an_address_asks_everybody(served: LocalEngine, aoetui: Shell, tmp_path: Path) -> None:
    add(served, spec(disk(tmp_path, "other.img"), address=Address(10, 3)))
    aoetui("cfg", "9.1", "--set", "web01")
    assert aoetui("cfg") == ("9.1\tweb01\n10.3\t\n", 0)
    assert aoetui("cfg", "--prefix", "we") == ("9.1\tweb01\n", 0)
    said, code = aoetui("cfg", "--test", "web", "--wait", "0.2")
    assert (code, said.startswith("aoetui: no device answered")) == (ExitCode.NO, True)


@pytest.mark.parametrize("arguments", [["cfg"], ["cfg", "9.1"], ["mask", "9.1"], ["reserve", "9.1"], ["identify", "9.1"]])
def test_nobody_there_is_exit_code_4(aoetui: Shell, arguments: list[str]) -> None:
    said, code = aoetui(*arguments)
    assert code == ExitCode.NO_ANSWER
    assert said.startswith("aoetui: ")
    assert said.count("\n") == 1


def test_mask_adds_deletes_and_names_this_host(served: LocalEngine, aoetui: Shell) -> None:
    assert aoetui("mask", "9.1") == ("e9.1 answers every initiator: its mask list is empty\n", 0)
    said, code = aoetui("mask", "9.1", "--add", STRANGER)
    assert (code, "no more, not even to undo it; put one of these on the list" in said, ME in said) == (ExitCode.NO, True, True)
    listed = f"e9.1 answers only 2 MACs:\n    {ME}  this host, far0\n    {STRANGER}\n"
    assert aoetui("mask", "9.1", "--add", f"{ME},{STRANGER}") == (listed, 0)
    assert aoetui("mask", "9.1") == (listed, 0)
    assert aoetui("mask", "9.1", "--delete", STRANGER)[1] == 0
    assert the_export(served).mask == (Mac.parse(ME),)
    assert aoetui("mask", "9.1", "--clear") == ("e9.1 answers every initiator: its mask list is empty\n", 0)
    assert aoetui("mask", "9.1", "--set", STRANGER, "--force") == (f"e9.1 answers only 1 MAC:\n    {STRANGER}\n", 0)
    assert aoetui("mask", "9.1")[1] == ExitCode.NO_ANSWER


def test_reserve_takes_names_and_releases(served: LocalEngine, aoetui: Shell) -> None:
    assert aoetui("reserve", "9.1") == ("e9.1 is reserved for nobody: all may read and write\n", 0)
    assert aoetui("reserve", "9.1", "--set") == (f"e9.1 is reserved for 1 MAC:\n    {ME}  this host, far0\n", 0)
    assert aoetui("reserve", "9.1", "--for", STRANGER) == (f"e9.1 is reserved for 1 MAC:\n    {STRANGER}\n", 0)
    complaint = f"aoetui: e9.1 is reserved for {STRANGER}: have it released there, or take it by force\n"
    assert aoetui("reserve", "9.1", "--set") == (complaint, ExitCode.NO)
    assert aoetui("reserve", "9.1", "--release") == (complaint, ExitCode.NO)
    assert aoetui("reserve", "9.1", "--release", "--force") == ("e9.1 is reserved for nobody: all may read and write\n", 0)
    assert the_export(served).reservation == ()


@pytest.mark.usefixtures("served")
def test_identify_tells_all_fields_some_or_the_words(aoetui: Shell, tmp_path: Path) -> None:
    said, code = aoetui("identify", "9.1")
    assert code == 0
    assert "  48-bit addresses         enabled\n" in said
    assert aoetui("identify", "9.1", "--fields", "model,bytes") == ("model: aoetui\nbytes: 1048576\n", 0)
    said, code = aoetui("identify", "9.1", "--fields", "rotation")
    assert (code, "says nothing of rotation" in said) == (ExitCode.NO, True)
    words, code = aoetui("identify", "9.1", "--words")
    assert (code, words.startswith("  0: 0040 ")) == (0, True)
    (tmp_path / "page").write_text(words)
    ended = run(aoetui.pair.far, tmp_path, "identify", "--from-hex", str(tmp_path / "page"), "--fields", "model,bytes")
    assert (ended.stdout, ended.returncode) == ("model: aoetui\nbytes: 1048576\n", 0)
    (page,) = json.loads(aoetui("identify", "9.1", "--json")[0])["pages"]
    assert (len(page["words"]), page["fields"][0]) == (
        256,
        {"group": "disk", "key": "model", "name": "model", "value": "aoetui"},
    )


@pytest.mark.usefixtures("served")
def test_ping_tells_round_trips_of_each_path(aoetui: Shell) -> None:
    said, code = aoetui("ping", "9.1", "-c", "2", "--interval", "0", "-v", "--tag", "7")
    first, second, sums, figures = said.splitlines()
    assert code == 0
    assert first.startswith("e9.1  02:00:00:00:00:01 far0  1  ")
    assert re.search(r"  tag 0x[c-f]\w{2}00007  buffers 64  firmware 0x0001  sectors 2", first)
    assert re.search(r"  tag 0x[c-f]\w{2}00008  ", second)
    assert sums == "e9.1  02:00:00:00:00:01 far0  2 sent, 2 answered, 0% lost"
    assert figures.startswith("    min/avg/max/stddev ")
    one, summary = map(json.loads, aoetui("ping", "9.1", "-c", "1", "--json")[0].splitlines())
    assert (one["version"], one["sequence"], one["pong"]["path"]) == (1, 1, {"interface": "far0", "mac": "02:00:00:00:00:01"})
    assert summary["summary"][0]["answered"] == 1


def test_ping_counts_what_is_lost(aoetui: Shell, veth_pair: VethPair) -> None:
    with bad_target(veth_pair.near, "near0") as target:
        lost: list[Frame] = []

        def second_is_lost(request: Frame, answer: Answer) -> Answer:
            """The first one that is asked of it alone: the scanner asks for config strings by broadcast."""
            if lost or isinstance(request.argument, AtaArgument) or request.header.destination != target.mac:
                return answer
            lost.append(request)
            return None

        target.rules.append(second_is_lost)
        said, code = aoetui("ping", "9.1", "-c", "3", "--interval", "0", "--wait", "0.5")
    lines = said.splitlines()
    assert code == 0
    assert lines[1] == "e9.1  02:00:00:00:00:01 far0  2  no answer within 0.5 s"
    assert lines[3] == "e9.1  02:00:00:00:00:01 far0  3 sent, 2 answered, 33.3333% lost"


def test_ping_without_an_answer_is_exit_code_4(aoetui: Shell) -> None:
    said, code = aoetui("ping", "9.1", "-c", "1", "--wait", "0.1")
    assert code == ExitCode.NO_ANSWER
    assert said.startswith("e9.1  1  no answer within 0.1 s\naoetui: e9.1 did not answer")


@pytest.mark.usefixtures("served")
def test_ping_ends_at_ctrl_c_with_its_sums(veth_pair: VethPair, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    with Program(veth_pair.far, tmp_path / "far", "ping", "-i", "far0", "9.1", "--interval", "3600") as program:
        program.says(" far0  1  ")
        program.process.send_signal(signal.SIGINT)
        assert program.ends() == 0
        assert "1 sent, 1 answered, 0% lost" in program.stdout


# ---- SMART, which no target of ours has


def aborts(request: Frame, answer: Answer) -> Answer:
    """As a disk does whose SMART is disabled."""
    if answer is None or getattr(request.argument, "op_or_status", None) != SMART:
        return answer
    return replace(answer, argument=AtaArgument(0, 4, 0, 0x51, 0xC24F00, b""))


def test_smart_is_carried_there_and_back(aoetui: Shell, veth_pair: VethPair, tmp_path: Path) -> None:
    with bad_target(veth_pair.near, "near0") as target:
        answers_smart(target)
        said, code = aoetui("ping", "9.1", "--smart", "read_log:6")
        assert code == 0
        lines = said.splitlines()
        assert lines[:6] == [
            "      Features: 0x00",
            "  Sector Count: 0x00",
            "       LBA Low: 0x06",
            "       LBA Mid: 0x4f",
            "      LBA High: 0xc2",
            "        Status: 0x50",
        ]
        assert lines[6:8] == ["SMART data:", "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f"]
        assert len(lines) == 7 + 32
        (tmp_path / "log").write_bytes(SECTOR)
        with (tmp_path / "log").open("rb") as log:
            assert aoetui.run("ping", "9.1", "--smart", "write_log:9", stdin=log.fileno()).returncode == 0
        written = [each for each in target.asked if getattr(each.argument, "op_or_status", None) == SMART][-1].argument
        assert written == AtaArgument(1, 0xD6, 1, SMART, 0xC24F09, SECTOR)
        assert aoetui("ping", "9.1", "--smart", "return_status")[1] == 0
        target.rules.append(aborts)
        said, code = aoetui("ping", "9.1", "--smart", "enable")
        assert (code, "aborts SMART enable (status 0x51, error 0x04)" in said) == (ExitCode.NO, True)


def test_a_disk_that_says_that_it_fails_is_exit_code_1(aoetui: Shell, veth_pair: VethPair) -> None:
    with bad_target(veth_pair.near, "near0") as target:
        answers_smart(target, 0x2CF400)
        said, code = aoetui("ping", "9.1", "--smart", "return_status")
    assert code == ExitCode.NO
    assert said.endswith("aoetui: e9.1 says that it exceeds a threshold: it fails; copy it while it can be read\n")


@pytest.mark.usefixtures("served")
def test_a_target_without_smart_is_told_in_one_sentence(aoetui: Shell) -> None:
    said = "aoetui: e9.1 has no SMART: what it serves is no disk of its own, or hides it\n"
    assert aoetui("ping", "9.1", "--smart", "read_data") == (said, ExitCode.NO)
