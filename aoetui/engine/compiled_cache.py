"""Where the compiled data path is kept between starts, and how it gets there: another process compiles it.

That takes seconds, in which the other threads of a process get little done: none that serves disks or draws a console does it.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from aoetui.engine import places

_HERE = Path(__file__).parent
_READY = "ready"
_TIMEOUT = 300.0
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
    if (folder / _READY).exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one compiles for all that start now
        if (folder / _READY).exists():
            return
        _remove_old(folder)
        command = [sys.executable, "-m", "aoetui.engine.fast"]
        subprocess.run(  # noqa: S603 - our own interpreter and module
            command, check=True, timeout=_TIMEOUT, stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=_be_nice
        )
        (folder / _READY).touch()


def _be_nice() -> None:
    """In the new process: it yields to others, and ends with the one that started it."""
    os.nice(_NICE)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _remove_old(folder: Path) -> None:
    """What other versions left."""
    for other in folder.parent.glob("compiled-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
