"""Debian's vblade imaged, verified and restored by `aoetui read`, `verify` and `write`, behind a good wire or one that loses.

`python -m tests.interop.copying --size 256` is more than a test has time for.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import netns
from tests.support.lossy import LossyWire, Rates
from tests.support.netns import Namespace, join
from tests.support.program import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS = ("9", "1")
OURS, THEIRS = "ours0", "theirs0"
DEADLINE = 1200.0


def fill(path: Path, mebibytes: int) -> str:
    """A file of random bytes, none of them zeros that could be left out; its sum."""
    total = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(mebibytes):
            piece = os.urandom(1 << 20)
            total.update(piece)
            file.write(piece)
    return total.hexdigest()


def sum_of(path: Path) -> str:
    """The same of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def exercise(folder: Path, *, size: int, mtu: int = 1500, rates: Rates | None = None, seed: int = 1) -> Iterator[str]:
    """Image, verify, restore and verify `size` MiB; a line for each. Raises AssertionError when a byte is wrong.

    With `rates` a wire between both does that to the frames.
    """
    disk, image, other = folder / "disk.img", folder / "image", folder / "other.img"
    original = fill(disk, size)
    with ExitStack() as stack:
        near, wire, far = (stack.enter_context(Namespace()) for _ in range(3))
        join(near, OURS, wire, "wire0", mtu=mtu)
        join(wire, "wire1", far, THEIRS, mtu=mtu)
        if rates is None:
            bridge = wire.add_link("bridge0", kind="bridge")
            for member in ("wire0", "wire1"):
                wire.set_link(member, master=bridge)
            wire.set_link("bridge0", mtu=mtu, state="up")
            between = None
        else:
            between = stack.enter_context(LossyWire(wire, ("wire0", "wire1"), disk, rates, seed))
        process = far.popen(["vblade", *ADDRESS, THEIRS, str(disk)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.kill)

        def aoetui(*words: str) -> str:
            begun = time.monotonic()
            program = [sys.executable, "-m", "aoetui", words[0], "-i", OURS, *words[1:]]
            ended = near.run(
                lambda: subprocess.run(
                    program,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    env=environment(folder),
                    timeout=DEADLINE,
                    check=False,
                )
            )
            assert ended.returncode == 0, ended.stdout + ended.stderr
            return f"{time.monotonic() - begun:6.1f} s  {ended.stdout.strip()}"

        yield aoetui("read", "9.1", str(image))
        assert sum_of(image) == original
        yield aoetui("verify", "9.1", str(image))
        changed = fill(other, size)
        yield aoetui("write", "--yes", str(other), "9.1")
        yield aoetui("verify", "9.1", str(other))
        assert sum_of(disk) == changed
        yield aoetui("write", "--yes", str(image), "9.1")
        assert sum_of(disk) == original
        if between is not None:
            for name, way in (("requests", between.requests), ("answers", between.replies)):
                yield f"{name}: {way.counts}, {way.accidents()}"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="MiB")
    parser.add_argument("--mtu", type=int, default=1500)
    parser.add_argument("--loss", type=float, default=None, help="share of frames that is lost, as 0.02")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if refusal := netns.enter():
        sys.exit(refusal)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    rates = None if asked.loss is None else Rates(drop=asked.loss)
    with tempfile.TemporaryDirectory() as folder:
        for line in exercise(Path(folder), size=asked.size, mtu=asked.mtu, rates=rates, seed=asked.seed):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
