"""A real slow disk: a file whose reads, writes and flushes take as long as a test says, or as long as it likes.

The kernel asks `slow_disk.c` for its content through FUSE, so whoever uses the file waits for the kernel, as for a disk. It needs
root, /dev/fuse and a C compiler.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from tests.support.c_program import compiled_c, no_compiler

Kind = Literal["read", "write", "fsync", "open"]

_SOURCE = Path(__file__).parent / "slow_disk.c"
_PATIENCE = 20.0
"""Seconds after which a server that does not answer is taken for hung."""
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


class NoSlowDiskError(Exception):
    """None can be had here; its text says why."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a disk has answered so far, and what it has at hand."""

    reads: int
    writes: int
    fsyncs: int
    under_way: int
    """Requests that are not answered."""
    most_under_way: int
    """The most of them at once so far."""


class SlowDisk:
    """The disk from `__enter__` to `__exit__`. Safe to use from any thread.

    With `direct_io` nothing is cached and writes run side by side; otherwise the kernel caches what was read, and has one write
    of the file under way at a time. With `writeback` writes stay in the cache until they are flushed. A request that is under
    way at the end fails (ECONNABORTED, ENOTCONN).
    """

    def __init__(
        self,
        folder: Path,
        size: int,
        latency: float = 0.001,
        *,
        direct_io: bool = False,
        writeback: bool = False,
        read_ahead: int = 0,
    ) -> None:
        """A disk of `size` bytes in an existing `folder`, each answer `latency` seconds late. `read_ahead` is in bytes."""
        self.path = folder / "slow.img"
        """The file to use."""
        self.medium = folder / "medium.img"
        """What the disk holds, with no cache before it; sparse. It may be written too, before that place is read."""
        self._size = size
        self._latency = latency
        self._mode = "direct" if direct_io else "writeback" if writeback else "cached"
        self._read_ahead = read_ahead
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Mount it. Raises NoSlowDiskError."""
        if refusal := _refusal():
            raise NoSlowDiskError(refusal)
        self.path.touch()
        with self.medium.open("ab") as medium:
            medium.truncate(self._size)
        command: list[Path | str] = [compiled_c(_SOURCE), self.path, self.medium, self._mode, str(self._read_ahead)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe)
        try:
            self._began()
            self.latency(self._latency)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):  # it may have been killed
            self.go()
        self._end()

    def latency(self, seconds: float, *kinds: Kind) -> None:
        """Let what comes from now on take so long; of these kinds, or all but open."""
        self._ask("latency", round(seconds * 1e9), *kinds)

    def stall(self, *kinds: Kind) -> None:
        """Answer nothing of these kinds, or no read, write and flush, until `go`."""
        self._ask("stall", *kinds)

    def go(self, *kinds: Kind) -> None:
        """Answer again, first what was held, in order of arrival."""
        self._ask("go", *kinds)

    def turn(self) -> None:
        """Do and answer now all that is under way, the newest first: a disk may do in any order what it has at once."""
        self._ask("turn")

    def fail(self, error: int, count: int, *kinds: Kind) -> None:
        """Let the next `count` answers be this errno."""
        self._ask("fail", error, count, *kinds)

    def counts(self) -> Counts:
        """What was done so far."""
        return self._ask("counts")

    def forget(self) -> None:
        """Drop what the kernel has cached, unless somebody has mapped it."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)

    def kill(self) -> None:
        """End it as a disk that is pulled out; whoever waits for it gets an error."""
        self.process.kill()
        self.process.wait()

    def _began(self) -> None:
        assert self.process.stderr is not None
        if self._line() != b"ready\n":
            raise NoSlowDiskError(f"no slow disk can be mounted here: {self.process.stderr.read().decode().strip()}")
        os.truncate(self.path, self._size)  # a kernel that writes back takes the size from nobody else

    def _ask(self, *words: object) -> Counts:
        assert self.process.stdin is not None
        with self._lock:
            self.process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
            answer = self._line()
        if not answer:
            raise BrokenPipeError("the slow disk has ended")
        return Counts(*map(int, answer.split()))

    def _line(self) -> bytes:
        """What the server says; nothing if it has ended."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], _PATIENCE)[0]:
            raise TimeoutError("the slow disk does not answer")
        return self.process.stdout.readline()

    def _end(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.communicate(timeout=_PATIENCE)  # the end of its stdin: it unmounts
        if self.process.poll() is None:
            self.kill()
        _libc.umount2(os.fsencode(self.path), _MNT_DETACH)  # EINVAL unless it was killed


def _refusal() -> str:
    if os.geteuid() or not Path("/dev/fuse").exists():
        return "a slow disk needs root and /dev/fuse"
    return no_compiler()
