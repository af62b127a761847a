"""Static device nodes, as aoe-mkdevs and aoe-mkshelf make them, for a host that has no udev and a driver with static numbers."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, NoPermissionError, UsageError
from aoetui.engine.kernel.host import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.commands.kernel import MakeNodes
    from aoetui.engine.kernel.host import Host

MAJOR = 152
SLOTS = 16
"""Of each shelf: static numbers have room for no more (NPERSHELF)."""
_MOST_MINOR = (1 << 20) - 1
_CONTROLS = (("err", 2, 0o400), ("discover", 3, 0o200), ("interfaces", 4, 0o200), ("revalidate", 5, 0o200), ("flush", 6, 0o200))


def make_nodes(host: Host, command: MakeNodes) -> int:
    """Make them; one that is there is replaced. Returns how many. Raises EngineError where they would be wrong."""
    _refuse(host)
    wanted = list(_wanted(command))
    if any(minor > _MOST_MINOR for _, _, minor in wanted):
        last = _MOST_MINOR // (SLOTS * command.partitions)
        raise UsageError(f"Linux has no device numbers for so high a shelf: {last} is the last", field="address")
    try:
        command.folder.mkdir(parents=True, exist_ok=True)
        for name, mode, minor in wanted:
            _make(command.folder / name, mode, minor)
    except PermissionError as error:
        raise NoPermissionError(f"no permission to make device nodes in {command.folder}: run it as root, on the host") from error
    except OSError as error:
        raise EngineError(f"device nodes cannot be made in {command.folder}: {error.strerror}") from error
    return len(wanted)


def _wanted(command: MakeNodes) -> Iterator[tuple[str, int, int]]:
    """Name, mode and minor number of each."""
    if command.controls:
        yield from ((name, stat.S_IFCHR | mode, minor) for name, minor, mode in _CONTROLS)
    for shelf in command.shelves:
        for slot in range(SLOTS):
            for part in range(command.partitions):
                minor = (SLOTS * shelf + slot) * command.partitions + part
                yield f"e{shelf}.{slot}" + (f"p{part}" if part else ""), stat.S_IFBLK | 0o660, minor


def _make(path: Path, mode: int, minor: int) -> None:
    path.unlink(missing_ok=True)
    os.mknod(path, mode, os.makedev(MAJOR, minor))
    path.chmod(stat.S_IMODE(mode))


def _refuse(host: Host) -> None:
    if read(host.module / "parameters/aoe_dyndevs") == "1":
        raise EngineError(
            "the driver gives out device numbers as devices come (aoe_dyndevs=1), so static nodes would be of the wrong"
            " devices: leave them to udev, or load the module with aoe_dyndevs=0"
        )
    if (host.root / "run/udev").is_dir() or (host.root / "dev/.udev").is_dir() or _udev_runs(host):
        raise EngineError("udev runs on this host and makes the nodes itself: static ones are not needed, and may be wrong")


def _udev_runs(host: Host) -> bool:
    return any("udevd" in (read(process / "comm") or "") for process in host.proc.glob("[0-9]*"))
