"""`aoetui read`, `write`, `verify`, `sectors` and `bench` as programs, with a device of ours over real wires."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import ExitCode
from aoetui.engine.initiator.image_file import note_path, read_note
from aoetui.engine.protocol.wire import SECTOR
from tests.support.copies import LARGE, sparse_disk
from tests.support.engines import add, spec
from tests.support.program import Program, run
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from tests.support.netns import VethPair


@pytest.fixture
def served(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> tuple[VethPair, Path]:
    """LARGE served as e9.1 at the near end."""
    backing = sparse_disk(tmp_path)
    add(near, spec(backing))
    return veth_pair, backing


def test_read_and_verify_as_commands(served: tuple[VethPair, Path], tmp_path: Path) -> None:
    pair, _ = served
    image = tmp_path / "image"
    read = run(pair.far, tmp_path, "read", "-i", "far0", "--length", "2048", "e9.1", str(image))
    assert (read.returncode, read.stderr) == (0, "")
    assert read.stdout.startswith(f"{image} holds 2048 sectors of e9.1 (1.0 MB in ")
    same = run(pair.far, tmp_path, "verify", "-i", "far0", "--length", "2048", "e9.1", str(image))
    assert (same.returncode, same.stderr) == (0, "")
    assert same.stdout.startswith(f"e9.1 and {image} hold the same in 2048 sectors (1.0 MB in ")
    other = run(pair.far, tmp_path, "verify", "-i", "far0", "e9.1", str(image))
    assert (other.returncode, other.stdout) == (ExitCode.NO, "")
    assert f"e9.1 has {LARGE - (1 << 20)} bytes more" in other.stderr
    nobody = run(pair.far, tmp_path, "read", "-i", "far0", "e9.2", str(tmp_path / "none"))
    assert nobody.returncode == ExitCode.NO_ANSWER


def test_killed_then_resumed(served: tuple[VethPair, Path], tmp_path: Path) -> None:
    pair, backing = served
    image = tmp_path / "image"
    with Program(pair.far, tmp_path, "read", "-i", "far0", "--window", "2", "e9.1", str(image)) as program:
        wait_until(lambda: note_path(image).exists() and read_note(image).next > 0, "a first claim")
        program.process.send_signal(signal.SIGKILL)
        program.ends()
    claimed = read_note(image).next
    assert 0 < claimed < LARGE // SECTOR
    again = run(pair.far, tmp_path, "read", "-i", "far0", "e9.1", str(image))
    assert again.returncode == ExitCode.NO
    assert "--resume to go on" in again.stderr
    resumed = run(pair.far, tmp_path, "read", "-i", "far0", "--resume", "--json", "e9.1", str(image))
    assert resumed.returncode == 0, resumed.stderr
    last = json.loads(resumed.stdout.splitlines()[-1])
    assert (last["version"], last["task"]["state"], last["task"]["done"]) == (1, "done", LARGE)
    assert image.read_bytes() == backing.read_bytes()
    assert not note_path(image).exists()


def test_interrupted_in_order(served: tuple[VethPair, Path], tmp_path: Path) -> None:
    pair, _ = served
    image = tmp_path / "image"
    with Program(pair.far, tmp_path, "read", "-i", "far0", "--window", "1", "e9.1", str(image)) as program:
        wait_until(lambda: note_path(image).exists(), "a begin")
        program.process.send_signal(signal.SIGINT)
        assert program.ends() == 128 + signal.SIGINT
        note = read_note(image)
        assert program.stderr == (
            f"aoetui: stopped: {note.next} of {LARGE // SECTOR} sectors are in {image};"
            f" to go on: aoetui read -i far0 --window 1 --resume e9.1 {image}\n"
        )


def test_write_asks_for_the_address(served: tuple[VethPair, Path], tmp_path: Path) -> None:
    pair, backing = served
    image = tmp_path / "image"
    image.write_bytes(b"new!" * 512)
    before = backing.read_bytes()
    refused = run(pair.far, tmp_path, "write", "-i", "far0", str(image), "e9.1")
    assert refused.returncode == ExitCode.USAGE
    assert "this overwrites 4 sectors from sector 0 on, of e9.1, 67.1 MB, aoetui, serial" in refused.stderr
    assert "nothing was written: add --yes, or type its address on a terminal" in refused.stderr
    assert backing.read_bytes() == before
    done = run(pair.far, tmp_path, "write", "-i", "far0", "--offset", "2", "--yes", str(image), "e9.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert backing.read_bytes() == before[: 2 * SECTOR] + image.read_bytes() + before[6 * SECTOR :]


def test_sectors_are_shown_and_recognised(near: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    backing = sparse_disk(tmp_path, 8 << 20)
    made = subprocess.run(["/usr/sbin/mkswap", "-L", "swap0", backing], check=False, capture_output=True)
    assert made.returncode == 0
    add(near, spec(backing))
    shown = run(veth_pair.far, tmp_path, "sectors", "-i", "far0", "e9.1", "7", "2")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("e9.1, 8.4 MB, aoetui, serial ")
    assert lines[1].startswith('swap "swap0" ')
    assert "00000ff0  00 00 00 00 00 00 53 57  41 50 53 50 41 43 45 32  ......SWAPSPACE2" in lines
    beyond = run(veth_pair.far, tmp_path, "sectors", "-i", "far0", "e9.1", "16384")
    assert beyond.returncode == ExitCode.NO
    assert beyond.stderr == "aoetui: e9.1 has 16384 sectors: choose 0 to 16383, not 16384\n"
    whole = json.loads(run(veth_pair.far, tmp_path, "sectors", "-i", "far0", "--json", "e9.1").stdout)["sectors"]
    assert len(whole["data"]) == SECTOR
    assert whole["contents"]["content"].startswith('swap "swap0"')


def test_bench_reads_unless_told_to_write(served: tuple[VethPair, Path], tmp_path: Path) -> None:
    pair, backing = served
    before = backing.read_bytes()
    words = ("bench", "-i", "far0", "--seconds", "0.3", "e9.1")
    measured = run(pair.far, tmp_path, *words, "--window", "1", "--window", "8", "--random")
    assert measured.returncode == 0, measured.stderr
    assert "e9.1: random reads of 1024 bytes, 8 under way, 0.3 s" in measured.stdout
    assert measured.stdout.count(" median ") == 2
    assert run(pair.far, tmp_path, *words, "--write").returncode == ExitCode.USAGE
    assert backing.read_bytes() == before
    assert run(pair.far, tmp_path, *words, "--write", "--yes").returncode == 0
    assert backing.read_bytes() != before
