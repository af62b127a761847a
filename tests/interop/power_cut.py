"""Cuts the power of a target under writes, and looks which answered ones its disk has lost.

`python -m tests.interop.power_cut --cuts 20` does it so often in each durability mode, and prints the figures.
"""

from __future__ import annotations

import argparse
import enum
import random
import subprocess
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support import netns

from .guest import DebianGuest, build_debian_guest
from .initiator import Initiator
from .volatile_disk import VolatileDisk
from .write_stream import SPAN_BYTES, WriteStream

if TYPE_CHECKING:
    from pathlib import Path

TAP = "tap0"
SHELF, SLOT = 9, 1
DISK_BYTES = 64 << 20
FEWEST, MOST = 100, 800
"""Answered writes before a cut."""
MOST_REQUESTS = 40
"""That the disk carries out after them."""
FILE = "/mnt/disk.img"
MAKE_FILE = f"mkfs.ext4 -q /dev/vdb && mount /dev/vdb /mnt && truncate -s {SPAN_BYTES} {FILE} && sync"


class Backing(enum.Enum):
    """What is exported in the guest."""

    DEVICE = "a block device"
    FILE = "a sparse file on ext4"


@dataclass(frozen=True, slots=True)
class Cut:
    """What one power cut did."""

    answered: int
    """Writes answered before it."""
    blocks: int
    """Blocks that they went to."""
    missing: int
    """Blocks without their last answered write."""
    forgotten: int
    """Sectors that the disk had in its write cache, and lost."""


def cut(guest: DebianGuest, namespace: netns.Namespace, backing: Backing, seed: int, *, durable: bool) -> Cut:
    """Serve a disk in the guest, whose tap is TAP in `namespace`; cut its power after a number of answered writes."""
    choice = random.Random(seed)  # noqa: S311  # no secret
    answers = choice.randint(FEWEST, MOST)
    with ExitStack() as stack:
        disk = stack.enter_context(VolatileDisk(DISK_BYTES))
        running = stack.enter_context(guest.start(namespace=namespace, taps=[TAP], disks=[disk.file]))
        if backing is Backing.FILE:
            running.check(MAKE_FILE)
        path = FILE if backing is Backing.FILE else "/dev/vdb"
        target = running.begin(f"exec aoetui export {'-s' if durable else ''} {SHELF} {SLOT} eth0 {path}")
        target.says("serving on eth0, " + ("durable" if durable else "cached"))
        stream = stack.enter_context(closing(WriteStream(namespace, TAP, _mac(namespace), SHELF, SLOT, seed=seed)))
        stream.run(lambda: stream.answers >= answers)
        if durable:  # the disk has work all the time: let the power go in the middle of it
            disk.stop_after(choice.randint(1, MOST_REQUESTS))
            stream.run(disk.stopped.is_set)
        running.power_cut()
        stream.hear_the_rest()
        forgotten = disk.power_cut(seed)
        missing = stream.missing(_held(disk.stable, backing))
        return Cut(stream.answers, stream.blocks, len(missing), forgotten)


def _mac(namespace: netns.Namespace) -> str:
    with closing(Initiator(namespace, TAP, SHELF, SLOT)) as initiator:
        initiator.find()
        return initiator.target


def _held(stable: Path, backing: Backing) -> bytes:
    """What the export holds after the cut; a file system is mended first, as the next start would."""
    if backing is Backing.DEVICE:
        return stable.read_bytes()
    mended = subprocess.run(["e2fsck", "-fy", str(stable)], capture_output=True, text=True, check=False)
    if mended.returncode not in {0, 1}:
        raise AssertionError(f"the file system did not survive the cut:\n{mended.stdout}{mended.stderr}")
    name = FILE.removeprefix("/mnt")
    return subprocess.run(["debugfs", "-R", f"cat {name}", str(stable)], capture_output=True, check=True).stdout


def _cuts(guest: DebianGuest, count: int, seed: int, *, durable: bool) -> list[Cut]:
    done = []
    mode = "durable" if durable else "cached"
    for number in range(count):
        backing = list(Backing)[number % 2]
        with netns.Namespace() as namespace:
            namespace.add_link(TAP, kind="tuntap", mode="tap")
            namespace.set_link(TAP, state="up")
            done.append(cut(guest, namespace, backing, seed + number, durable=durable))
        sys.stdout.write(f"{mode} {number + 1}, {backing.value}: {_figures(done[-1:])}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{mode}, all {count}: {_figures(done)}\n")
    return done


def _figures(cuts: list[Cut]) -> str:
    answered, blocks, missing, forgotten = (
        sum(getattr(each, name) for each in cuts) for name in ("answered", "blocks", "missing", "forgotten")
    )
    return f"{answered} writes answered to {blocks} blocks, {missing} blocks lost the last; the disk forgot {forgotten} sectors"


def main() -> int:
    """The command; 1 if `durable` lost anything, or `cached` nothing, which would prove nothing."""
    options = argparse.ArgumentParser(prog="python -m tests.interop.power_cut", description=__doc__)
    options.add_argument("--cuts", type=int, default=20, help="in each mode; every other one is of a file on ext4")
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    guest = build_debian_guest()  # while there is a network to take packages from
    if refusal := netns.enter():
        sys.exit(refusal)
    durable = _cuts(guest, chosen.cuts, chosen.seed, durable=True)
    cached = _cuts(guest, chosen.cuts, chosen.seed, durable=False)
    return 1 if any(each.missing for each in durable) or not any(each.missing for each in cached) else 0


if __name__ == "__main__":
    sys.exit(main())
