"""Block devices as the kernel tells them: /sys/dev/block, /proc/self/mountinfo, /proc/swaps. Needs no privilege."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from aoetui.engine.protocol.wire import SECTOR

_NUMBERS = Path("/sys/dev/block")
_BLOCK = Path("/sys/block")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system that is mounted somewhere this process can see."""

    number: str
    """major:minor of its device; of no block device for btrfs and the like, whose `source` then tells."""
    source: str
    point: str
    read_only: bool


def number_of(rdev: int) -> str:
    """`8:1` for a device number."""
    return f"{os.major(rdev)}:{os.minor(rdev)}"


def folder_of(number: str) -> Path:
    """Its folder under /sys/devices."""
    return (_NUMBERS / number).resolve()


def device_path(folder: Path) -> Path:
    """The node under /dev of a sysfs folder (`!` there stands for `/`)."""
    return Path("/dev") / folder.name.replace("!", "/")


def read(path: Path) -> str:
    """The text of a sysfs file; empty if there is none."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def size_of(folder: Path) -> int:
    """Bytes."""
    return int(read(folder / "size") or 0) * SECTOR


def model_of(folder: Path) -> str:
    """Of the disk, also for its partitions."""
    disk = folder.parent if (folder / "partition").exists() else folder
    vendor = read(disk / "device/vendor")  # A number on virtio: the PCI vendor, of no use to a reader.
    return " ".join(part for part in ("" if vendor.startswith("0x") else vendor, read(disk / "device/model")) if part)


def lasting_name(folder: Path) -> str:
    """What a device is called whatever its number: UUID, WWID or serial, with the partition's number; empty if it has none."""
    part = read(folder / "partition")
    disk = folder.parent if part else folder
    names = (read(disk / name) for name in ("dm/uuid", "md/uuid", "wwid", "device/wwid", "serial", "device/serial"))
    name = next((each for each in names if each), "")
    return f"{name}-part{part}" if name and part else name


def partitions(folder: Path) -> list[Path]:
    """Sysfs folders of a disk's partitions."""
    return sorted(each.parent for each in folder.glob("*/partition"))


def relatives(folder: Path) -> list[Path]:
    """What shares sectors with a device: the disk of a partition, the partitions of a disk."""
    return [folder.parent] if (folder / "partition").exists() else partitions(folder)


def every_device() -> list[Path]:
    """Sysfs folders of disks and partitions that have a size; without ram disks and loop devices that hold nothing."""
    disks = [each.resolve() for each in sorted(_BLOCK.iterdir()) if not each.name.startswith("ram")] if _BLOCK.exists() else []
    return [device for disk in disks if size_of(disk) for device in (disk, *partitions(disk))]


def use_of(folder: Path, *, read_only: bool) -> str:
    """How the device, or a relative, is used: `mounted on /srv`. Empty: not. With `read_only`, read-only mounts are no use."""
    mounts, swaps = mount_table(), swap_table()
    for each in (folder, *relatives(folder)):
        use = _use_of_one(each, mounts, swaps, read_only=read_only)
        if use:
            return use if each == folder else f"in use: {device_path(each)} is {use}"
    return ""


def _use_of_one(folder: Path, mounts: list[Mount], swaps: list[os.stat_result], *, read_only: bool) -> str:
    number = read(folder / "dev")
    for mount in mounts:
        if not (read_only and mount.read_only) and number in {mount.number, _number_of_source(mount.source)}:
            return f"mounted on {mount.point}"
    for swap in swaps:
        if stat.S_ISBLK(swap.st_mode) and number_of(swap.st_rdev) == number:
            return "swap space"
    holders = sorted(each.name for each in (folder / "holders").glob("*"))
    return f"part of {_holder(holders[0])}" if holders else ""


def _holder(name: str) -> str:
    pretty = read(_BLOCK / name / "dm/name")
    return f"/dev/mapper/{pretty}" if pretty else f"/dev/{name}"


def _number_of_source(source: str) -> str:
    if not source.startswith("/"):
        return ""
    try:
        status = Path(source).stat()
    except OSError:
        return ""
    return number_of(status.st_rdev) if stat.S_ISBLK(status.st_mode) else ""


def mount_table(proc: Path = Path("/proc")) -> list[Mount]:
    """Everything mounted (proc(5), mountinfo)."""
    mounts = []
    for line in read(proc / "self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, tail = before.split(" "), after.split(" ")
        # The last field is the super block's options: a bind mount may be read-only while the file system is written elsewhere.
        mounts.append(Mount(fields[2], _unescape(tail[1]), _unescape(fields[4]), "ro" in tail[-1].split(",")))
    return mounts


def swap_table() -> list[os.stat_result]:
    """What this host swaps to, files and devices."""
    found = []
    for line in read(Path("/proc/swaps")).splitlines()[1:]:
        try:
            found.append(Path(_unescape(line.split()[0])).stat())
        except OSError:  # A swap file of another mount namespace.
            continue
    return found


def loop_on(file: os.stat_result) -> Path | None:
    """The loop device that stands on this file, or None."""
    for backing in _BLOCK.glob("loop*/loop/backing_file"):
        name = read(backing)
        try:
            if name and os.path.samestat(Path(name).stat(), file):
                return device_path(backing.parent.parent)
        except OSError:  # The file was deleted or is in another mount namespace.
            continue
    return None


def _unescape(text: str) -> str:
    """Spaces and the like stand as octal in /proc (`\\040`)."""
    for code, plain in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, plain)
    return text
