"""The slow disk that other tests stand on: as late as it is told, it holds what it is told to hold, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.slow_disk.skipping import slow_disk
from tests.support.waiting import DEADLINE, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.slow_disk import SlowDisk

PAGE = 4096
PAGES = 256
SIZE = PAGES * PAGE
LATE = 0.02


def page(number: int) -> bytes:
    """What the disk holds there at first."""
    return number.to_bytes(4, "big") * (PAGE // 4)


@pytest.fixture(params=["cached", "direct"])
def slow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SlowDisk]:
    """A disk of which no two pages are alike."""
    with slow_disk(tmp_path, SIZE, LATE, direct_io=request.param == "direct") as disk:
        disk.medium.write_bytes(b"".join(map(page, range(PAGES))))
        yield disk


@pytest.fixture
def descriptor(slow: SlowDisk) -> Iterator[int]:
    """The disk, open."""
    opened = os.open(slow.path, os.O_RDWR)
    try:
        yield opened
    finally:
        os.close(opened)


def mounted(path: Path) -> bool:
    """Whether a disk is there."""
    return f" {path} " in Path("/proc/self/mountinfo").read_text()


def test_each_answer_takes_its_time(descriptor: int, slow: SlowDisk) -> None:
    for call in (
        lambda: os.pread(descriptor, PAGE, 3 * PAGE),
        lambda: os.pwrite(descriptor, page(1000), 5 * PAGE),
        lambda: os.fdatasync(descriptor),
    ):
        begun = time.monotonic()
        call()
        assert time.monotonic() - begun >= LATE
    counts = slow.counts()
    assert (counts.reads, counts.writes, counts.fsyncs, counts.under_way) == (1, 1, 1, 0)
    assert slow.medium.read_bytes()[5 * PAGE : 6 * PAGE] == page(1000)


def test_the_kernel_caches_what_was_read_unless_it_is_told_not_to(
    request: pytest.FixtureRequest, descriptor: int, slow: SlowDisk
) -> None:
    cached = "cached" in request.node.name
    for _ in range(2):
        assert os.pread(descriptor, PAGE, 7 * PAGE) == page(7)
    assert slow.counts().reads == (1 if cached else 2), "nothing else was read ahead"
    slow.forget()
    assert os.pread(descriptor, PAGE, 7 * PAGE) == page(7)
    assert slow.counts().reads == (2 if cached else 3)


def test_a_stalled_disk_has_many_requests_at_once_and_answers_them_when_it_goes_on(descriptor: int, slow: SlowDisk) -> None:
    slow.stall()
    with ThreadPoolExecutor(64) as readers:
        reads = [readers.submit(os.pread, descriptor, PAGE, number * PAGE) for number in range(64)]
        try:
            wait_until(lambda: slow.counts().under_way == 64, "64 reads at the disk")
            assert slow.counts().reads == 0
            assert not any(read.done() for read in reads)
        finally:
            slow.go()
        assert [read.result(DEADLINE) for read in reads] == [page(number) for number in range(64)]
    assert slow.counts().most_under_way == 64


def test_one_kind_of_request_can_stall_alone(descriptor: int, slow: SlowDisk) -> None:
    slow.stall("fsync")
    with ThreadPoolExecutor(1) as other:
        flush = other.submit(os.fdatasync, descriptor)
        wait_until(lambda: slow.counts().under_way == 1, "the flush is at the disk")
        assert os.pread(descriptor, PAGE, PAGE) == page(1)
        assert not flush.done()
        slow.go("fsync")
        flush.result(DEADLINE)


def test_a_disk_that_turns_does_the_newest_first(tmp_path: Path) -> None:
    with slow_disk(tmp_path, SIZE, direct_io=True) as slow, ThreadPoolExecutor(3) as others:
        descriptor = os.open(slow.path, os.O_RDWR)
        slow.stall()
        first = others.submit(os.pwrite, descriptor, page(1), 0)
        wait_until(lambda: slow.counts().under_way == 1, "the first is at the disk")
        read = others.submit(os.pread, descriptor, PAGE, 0)
        wait_until(lambda: slow.counts().under_way == 2, "the read is there")
        second = others.submit(os.pwrite, descriptor, page(2), 0)
        wait_until(lambda: slow.counts().under_way == 3, "the second is there too")
        slow.turn()
        assert (first.result(DEADLINE), second.result(DEADLINE), read.result(DEADLINE)) == (PAGE, PAGE, page(2))
        assert slow.medium.read_bytes()[:PAGE] == page(1)
        os.close(descriptor)


def test_writes_wait_in_the_cache_where_the_kernel_writes_back(tmp_path: Path) -> None:
    with slow_disk(tmp_path, SIZE, writeback=True) as slow:
        descriptor = os.open(slow.path, os.O_RDWR)
        slow.stall()
        for number in range(0, 64, 2):
            os.pwrite(descriptor, page(number), number * PAGE)
        with ThreadPoolExecutor(1) as other:
            flush = other.submit(os.fdatasync, descriptor)
            wait_until(lambda: slow.counts().under_way == 32, "all are written at once")
            slow.go()
            flush.result(DEADLINE)
        assert slow.counts().writes == 32
        assert slow.medium.read_bytes()[62 * PAGE : 63 * PAGE] == page(62)
        os.close(descriptor)


def test_a_disk_that_fails_does_nothing(descriptor: int, slow: SlowDisk) -> None:
    slow.fail(errno.EIO, 1, "write")
    with pytest.raises(OSError, match="Input/output error"):
        os.pwrite(descriptor, page(1000), 0)
    assert slow.medium.read_bytes()[:PAGE] == page(0)
    assert os.pwrite(descriptor, page(1000), 0) == PAGE


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGALRM])
def test_who_waits_for_a_disk_that_is_ended_gets_an_error(descriptor: int, slow: SlowDisk, end: signal.Signals) -> None:
    """SIGALRM ends one whose stall lasts too long."""
    slow.stall()
    with ThreadPoolExecutor(8) as others:
        reads = [others.submit(os.pread, descriptor, PAGE, number * PAGE) for number in range(8)]
        wait_until(lambda: slow.counts().under_way == 8, "all wait")
        slow.process.send_signal(end)
        failures = [read.exception(DEADLINE) for read in reads]
    assert all(isinstance(failure, OSError) for failure in failures)
    with pytest.raises(OSError, match=r"not connected|abort"):
        os.pwrite(descriptor, b"x", 0)


@pytest.mark.parametrize("killed", [False, True])
def test_nothing_is_left_mounted(tmp_path: Path, *, killed: bool) -> None:
    with slow_disk(tmp_path, SIZE) as slow:
        assert mounted(slow.path)
        assert slow.path.stat().st_size == SIZE
        if killed:
            slow.kill()
    assert not mounted(slow.path)
    assert slow.path.stat().st_size == 0


def test_a_disk_ends_with_whoever_made_it(tmp_path: Path) -> None:
    with slow_disk(tmp_path, SIZE):
        pass  # one can be had
    program = (
        "import os, pathlib, sys; from tests.support.slow_disk import SlowDisk\n"
        "with SlowDisk(pathlib.Path(sys.argv[1]), 1 << 20) as slow:\n"
        "    slow.stall(); print(flush=True); sys.stdin.read(1); os.kill(os.getpid(), 9)"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as maker:
        assert maker.stdout is not None
        assert maker.stdout.read(1) == b"\n"
        path = tmp_path / "slow.img"
        assert mounted(path)
        maker.communicate(b"x")
    wait_until(lambda: not mounted(path), "it has unmounted itself")
