"""Who uses a device of the driver: mounts and holders from tables, and, when asked, the programs that have it open."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.block_devices import mount_table
from aoetui.engine.kernel.host import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from aoetui.engine.commands.kernel import KernelDevice
    from aoetui.engine.kernel.host import Host

_MOST_NAMED = 5
_ANSWERED = 0.3
"""Seconds. When a device is closed the driver asks its target who it is (aoeblk.c); the answer to a question before a flush must
not come after it, for it would make the device anew."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Mounts and swap space of the host, read once for all devices."""

    mounts: dict[str, tuple[str, ...]]
    """Mount points by device number, and by source."""
    swaps: frozenset[str]
    """Nodes."""


def read_tables(host: Host) -> Tables:
    """As /proc tells them to this process."""
    mounts: dict[str, tuple[str, ...]] = {}
    for mount in mount_table(host.proc):
        for key in (mount.number, mount.source):
            mounts[key] = (*mounts.get(key, ()), mount.point)
    lines = (read(host.proc / "swaps") or "").splitlines()[1:]
    return Tables(mounts, frozenset(line.split()[0] for line in lines if line.split()))


def mounted_on(tables: Tables, keys: Iterable[str]) -> tuple[str, ...]:
    """The mount points of a device's numbers and nodes."""
    return tuple(dict.fromkeys(point for key in keys for point in tables.mounts.get(key, ())))


def holders(host: Host, folders: Iterable[Path]) -> tuple[str, ...]:
    """What stands on these sysfs folders (a disk and its partitions)."""
    names = {holder.name for folder in folders for holder in (folder / "holders").glob("*")}
    return tuple(_holder(host, name) for name in sorted(names))


def _holder(host: Host, name: str) -> str:
    pretty = read(host.block / name / "dm/name")
    return f"/dev/mapper/{pretty}" if pretty else f"/dev/{name.replace('!', '/')}"


def users_of(host: Host, device: KernelDevice) -> tuple[str, ...]:
    """Everyone who is known to use it. Looks through every process, and asks the kernel for the device alone.

    Empty: nobody does, as far as this user may know. A device that is down and not in `closewait` is not open (aoeblk.c).
    """
    if not device.up and not device.closewait:
        return ()
    programs = list(_programs(host, device))
    shown = programs[:_MOST_NAMED]
    if len(programs) > _MOST_NAMED:
        shown.append(f"open in {len(programs) - _MOST_NAMED} more programs")
    known = (*device.uses, *shown)
    if known:
        return known
    if device.closewait or _refused_alone(host.nodes / str(device.address)):
        return ("open in a program, or held by the kernel",)
    return ()


def _programs(host: Host, device: KernelDevice) -> Iterator[str]:
    names = [str(device.address), *device.partitions]
    numbers = {status.st_rdev for name in names if (status := _status(host.nodes / name)) is not None}
    for process in sorted(host.proc.glob("[0-9]*")):
        if _has_open(process, numbers):
            yield f"open in {read(process / 'comm') or 'a program'} (pid {process.name})"


def _has_open(process: Path, numbers: set[int]) -> bool:
    try:
        files = list((process / "fd").iterdir())
    except OSError:  # it has ended, or is not ours to look into
        return False
    return any((status := _status(file)) is not None and status.st_rdev in numbers for file in files)


def _status(path: Path) -> os.stat_result | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status if status.st_rdev else None


def _refused_alone(node: Path) -> bool:
    """Whether the kernel refuses the device to one who wants it alone: a mount elsewhere, a volume, an exported disk."""
    try:
        descriptor = os.open(node, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return error.errno == errno.EBUSY
    os.close(descriptor)
    time.sleep(_ANSWERED)
    return False
