"""Where the compiled data path is kept between starts, and how it gets there: another process compiles it.

That takes seconds, in which the other threads of a process get little done: none that serves disks or draws a console does it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from aoetui.engine import places

_HERE = Path(__file__).parent
_READY = "ready"
_TIMEOUT = 1200.0
"""Seconds: it takes twenty, and on a slow and busy machine many times that."""
_UNUSED = 90 * 86400.0
"""Seconds after which what no start has used is another version's, and removed."""
_NICE = 10
_PR_SET_PDEATHSIG = 1


def cache_folder() -> Path:
    """The folder: another for each state of the sources, since numba looks only at the file of the outermost function."""
    sources = sorted([*(_HERE / "fast").glob("*.py"), _HERE / "fastpath.py", _HERE / "fast_disk.py"])
    digest = hashlib.blake2b(b"".join(source.read_bytes() for source in sources), digest_size=8)
    version = f"{sys.implementation.cache_tag}"
    return places.cache_dir() / f"compiled-{version}-{digest.hexdigest()}"


def fill() -> None:
    """Have everything compiled and kept, unless it is. Takes seconds; raises OSError or subprocess.SubprocessError."""
    folder = cache_folder()
    if _is_ready(folder):
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one compiles for all that start now
        if _is_ready(folder):
            return
        _remove_old(folder)
        command = [sys.executable, "-m", "aoetui.engine.fast"]
        subprocess.run(command, check=True, timeout=_TIMEOUT, stdin=subprocess.DEVNULL, capture_output=True)  # noqa: S603 - our own
        (folder / _READY).touch()


def _is_ready(folder: Path) -> bool:
    """Whether everything is there; and that it was used now."""
    with contextlib.suppress(OSError):
        os.utime(folder / _READY)
    return (folder / _READY).exists()


def be_nice() -> None:
    """In the process that compiles: yield to others, and end with the one that started it."""
    os.nice(_NICE)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _remove_old(folder: Path) -> None:
    """What other versions left, long ago."""
    for other in folder.parent.glob("compiled-*"):
        marks = [mark.stat().st_mtime for mark in (other, other / _READY) if mark.exists()]
        if other != folder and marks and time.time() - max(marks) > _UNUSED:
            shutil.rmtree(other, ignore_errors=True)
