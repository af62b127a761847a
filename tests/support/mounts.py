"""File systems and block devices of a test's own. They need root: where they cannot be had the test skips, and says why."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


def _try(*command: str | Path) -> str:
    """What a command printed. Skips where it is missing or refused."""
    program = shutil.which(str(command[0]), path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if os.geteuid() or program is None:
        pytest.skip(f"needs root and {command[0]}")
    done = subprocess.run([program, *command[1:]], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{command[0]} is refused here: {done.stderr.strip()}")
    return done.stdout.strip()


@contextlib.contextmanager
def small_file_system(folder: Path, size: str) -> Iterator[Path]:
    """A tmpfs of this size at `folder`."""
    folder.mkdir()
    _try("mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder)
    try:
        yield folder
    finally:
        _try("umount", "-l", folder)


@contextlib.contextmanager
def loop_device(image: Path) -> Iterator[Path]:
    """A loop device on a file."""
    device = Path(_try("losetup", "--find", "--show", image))
    try:
        yield device
    finally:
        _try("losetup", "-d", device)
