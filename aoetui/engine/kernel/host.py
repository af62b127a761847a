"""The files of a host that this package reads and writes, below any root: `/`, or a tree that a test or a container has."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Runner = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]

_MOST = 1 << 20
"""Bytes of a file; /proc/self/mountinfo may have thousands of lines."""
_PATIENCE = 60.0
"""Seconds that modprobe may take: the module broadcasts, and udev runs."""


def run_program(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end. Raises EngineError where it is not installed, or does not end."""
    path = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    try:
        return subprocess.run(  # noqa: S603 - modprobe and modinfo, with words of ours
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
            cwd="/",  # modinfo takes a file of that name in the folder it is in for the module
            env={"PATH": path, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{command[0]} did not end within {_PATIENCE:.0f} s: look at the kernel's log (`dmesg`)") from error
    except OSError as error:  # also "permission denied", where a folder of PATH is not this user's to look into
        if shutil.which(command[0], path=path) is None:
            raise EngineError(f"there is no {command[0]} on this host: install the package kmod") from error
        raise EngineError(f"{command[0]} cannot be run: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Host:
    """Where everything is. `run` runs modprobe and modinfo, and nothing else."""

    root: Path = Path("/")
    run: Runner = run_program
    no_modules: str = ""
    """Why no module is to be loaded from here; empty where it may be."""

    @property
    def block(self) -> Path:
        """Block devices."""
        return self.root / "sys/block"

    @property
    def module(self) -> Path:
        """There while the module is loaded, or built into the kernel."""
        return self.root / "sys/module/aoe"

    @property
    def links(self) -> Path:
        """Network interfaces, those of the network namespace that this /sys is of."""
        return self.root / "sys/class/net"

    @property
    def figures(self) -> Path:
        """A file for each device, for root alone."""
        return self.root / "sys/kernel/debug/aoe"

    @property
    def nodes(self) -> Path:
        """The control nodes, and the devices' own."""
        return self.root / "dev/etherd"

    @property
    def proc(self) -> Path:
        """Processes and mounts."""
        return self.root / "proc"

    @property
    def etc(self) -> Path:
        """Where persistence is."""
        return self.root / "etc"

    @property
    def has_driver(self) -> bool:
        """Whether the driver is there."""
        return os.path.isdir(self.module)  # noqa: PTH112 - false too where this user may not look

    @property
    def in_first_network(self) -> bool:
        """Whether this thread is in the initial network namespace, the only one that the driver hears (aoenet.c).

        `net/core/dev_weight` is a setting of the whole kernel, and stands in that namespace alone (sysctl_net_core.c).
        """
        return os.path.exists(self.proc / "sys/net/core/dev_weight")  # noqa: PTH110 - as above


def read(path: Path | str) -> str | None:
    """The text of a small file, stripped; None if there is none to be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        parts = []
        while part := os.read(descriptor, _MOST):
            parts.append(part)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return b"".join(parts).decode("utf-8", "replace").strip("\0\n ")


def number(text: str | None, base: int = 10) -> int | None:
    """A number that the kernel wrote; None for anything else."""
    try:
        return int(text or "", base)
    except ValueError:
        return None
