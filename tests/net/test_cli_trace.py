"""`aoetui trace` as a process: live frames, files, and how it ends."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import ExitCode
from aoetui.engine.protocol.captured import Captured, Direction
from aoetui.engine.protocol.pcap import PcapngWriter, PcapWriter, file_bytes, read_frames
from aoetui.engine.protocol.wire import SECTOR, AtaOp
from tests.support.engines import add, disk, engine_in, spec
from tests.support.initiator import initiator
from tests.support.program import Program, run, unprivileged
from tests.support.waiting import wait_until
from tests.unit.protocol import golden

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.initiator import Initiator
    from tests.support.netns import VethPair

READ = golden.READ_48
REPLY = golden.READ_28_REPLY
AT = 1_800_000_000_000_123_456


@contextmanager
def tracing(pair: VethPair, home: Path, *arguments: str) -> Iterator[Program]:
    """The program on the near side, once it hears: its tap is in the kernel's list."""
    with Program(pair.near, home, "trace", "-i", "near0", *arguments) as program:

        def hears() -> bool:
            assert program.process.poll() is None, program.stderr
            rows = pair.near.run(lambda: open("/proc/thread-self/net/packet").read())  # noqa: PTH123, SIM115  # a few bytes
            return any(line.split()[3] == "0003" for line in rows.splitlines()[1:])

        wait_until(hears, "the tap")
        yield program


@pytest.fixture
def asking(veth_pair: VethPair, tmp_path: Path) -> Iterator[Initiator]:
    """An initiator of e9.1, which another process (this one) serves on the near side."""
    with engine_in(veth_pair.near) as engine, initiator(veth_pair.far, "far0") as ini:
        add(engine, spec(disk(tmp_path)))
        ini.find()
        yield ini


def saved(path: Path, *frames: Captured) -> Path:
    """A capture file."""
    writer = PcapngWriter() if path.suffix == ".pcapng" else PcapWriter()
    path.write_bytes(b"".join(file_bytes(frames, writer)))
    return path


def test_each_frame_is_a_line_and_answers_of_another_process_are_there(
    asking: Initiator, veth_pair: VethPair, tmp_path: Path
) -> None:
    with tracing(veth_pair, tmp_path) as program:

        def answered() -> bool:
            asking.ata(AtaOp.READ_EXT, 1 << 30)
            return "IDNF" in program.stdout

        wait_until(answered, "the target's process lets itself be heard")
        program.process.send_signal(signal.SIGINT)
        assert program.ends() == ExitCode.DONE
    question = next(line for line in program.stdout.splitlines() if "READ 1 at 0x40000000  60 bytes" in line)
    answer = next(line for line in program.stdout.splitlines() if "READ 1 at 0x40000000: IDNF" in line)
    assert f"near0  in   {veth_pair.far_mac} > {veth_pair.near_mac}  e9.1" in question
    assert f"near0  out  {veth_pair.near_mac} > {veth_pair.far_mac}  e9.1" in answer
    assert answer.endswith("  ERROR")
    assert program.stderr == ""


def test_it_ends_after_so_many_frames_that_pass_and_writes_them(asking: Initiator, veth_pair: VethPair, tmp_path: Path) -> None:
    path = tmp_path / "out.pcapng"
    with tracing(veth_pair, tmp_path, "--filter", "write request", "--count", "2", "--whole", "--write", str(path)) as program:
        for at in range(3):
            asking.write(at, bytes([at]) * SECTOR)
        assert program.ends() == ExitCode.DONE
    assert [line.partition("WRITE")[2][:9] for line in program.stdout.splitlines()] == [" 1 at 0x0", " 1 at 0x1"]
    assert program.stderr == f"aoetui: 2 frames written to {path}\n"
    with path.open("rb") as file:
        frames = list(read_frames(file))
    assert [(each.interface, each.direction, each.frame[36:]) for each in frames] == [
        ("near0", Direction.IN, bytes([at]) * SECTOR) for at in range(2)
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_ends_after_so_many_seconds_with_all_that_passed(veth_pair: VethPair, tmp_path: Path) -> None:
    ended = run(veth_pair.near, tmp_path, "trace", "-i", "near0", "--seconds", "0.2")
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", ExitCode.DONE)


def test_a_file_is_shown_without_any_permission(veth_pair: VethPair, tmp_path: Path) -> None:
    path = saved(
        tmp_path / "a.pcap",
        Captured(AT, "", Direction.UNKNOWN, READ, len(READ)),
        Captured(AT + 250_000, "", Direction.UNKNOWN, REPLY[:104], len(REPLY)),
    )
    script = unprivileged("trace", "--read", str(path))
    ended = run(veth_pair.near, tmp_path, program=(sys.executable, "-c", script))
    assert ended.stderr == ""
    question, answer = ended.stdout.splitlines()
    assert question.endswith("-  -    02:00:00:00:00:01 > 02:00:00:00:00:09  e9.1   READ 2 at 0x10203040506  36 bytes")
    assert answer.endswith("READ 2 at 0x10203040506: ok  1060 bytes  0.25ms")


def test_without_permission_the_command_that_helps_is_told(veth_pair: VethPair, tmp_path: Path) -> None:
    ended = run(veth_pair.near, tmp_path, program=(sys.executable, "-c", unprivileged("trace", "-i", "near0")))
    assert (ended.stdout, ended.returncode) == ("", ExitCode.NO_PERMISSION)
    assert ended.stderr.startswith("aoetui: no permission to send and receive frames on near0")


def test_a_file_that_takes_no_more_ends_it(asking: Initiator, veth_pair: VethPair, tmp_path: Path) -> None:
    with tracing(veth_pair, tmp_path, "--write", "/dev/full", "--overwrite") as program:
        assert program.ends() == ExitCode.NO
    assert asking.target
    assert program.stderr == "aoetui: /dev/full cannot be written any more: No space left on device; 0 frames are in it\n"
