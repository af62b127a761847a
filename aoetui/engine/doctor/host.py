"""Gathers the facts of this host and this process: what the kernel allows, where it runs, the Linux aoe driver."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from pathlib import Path

from aoetui.engine.doctor.facts import DriverFacts, HostFacts
from aoetui.engine.permission import raw_sockets_refused

_MODULE = Path("/sys/module/aoe")
_DISK = re.compile(r"etherd!(e\d+\.\d+)")
_WHOLE_RANGE = 0xFFFF_FFFF
"""What the host's own user namespace maps."""


def host_facts(interface: str) -> HostFacts:
    """Everything; `interface` is one that a remedy can name."""
    refused, remedy = _raw_sockets(interface)
    return HostFacts(
        refused=refused,
        refused_remedy=remedy,
        surroundings=_surroundings(),
        driver=driver_facts(),
        receive_buffer=_number(Path("/proc/sys/net/core/rmem_default")),
    )


def _raw_sockets(interface: str) -> tuple[str, str]:
    """Why the kernel refuses a packet socket, and the remedy."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0).close()
    except PermissionError:
        start, _, remedy = str(raw_sockets_refused(interface)).partition(": ")
        return start, remedy
    except OSError as failed:
        return f"the kernel has no packet sockets ({failed.strerror})", "load its module with `modprobe af_packet`"
    return "", ""


def _surroundings() -> str:
    """What stands between this process and the host."""
    named = _text(Path("/run/systemd/container"))
    if named or Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return f"a container ({named})" if named else "a container"
    words = _text(Path("/proc/self/uid_map")).split()
    return "a user namespace" if words and int(words[2]) != _WHOLE_RANGE else ""


def driver_facts() -> DriverFacts:
    """What /sys and /proc tell of the Linux aoe driver, whoever loaded it."""
    devices = _names(Path("/sys/block"))
    return DriverFacts(
        loaded=_MODULE.exists(),
        version=_text(_MODULE / "version"),
        interfaces=tuple(re.split(r"[\s,]+", listed)) if (listed := _text(_MODULE / "parameters/aoe_iflist")) else (),
        devices=tuple(sorted(match[1] for name in devices if (match := _DISK.fullmatch(name)))),
        control_nodes=Path("/dev/etherd/discover").exists(),
        reaches=_in_first_network(),
    )


def _in_first_network() -> bool:
    """Whether this thread is in the network namespace of the host's first process; true where that is not told."""
    try:
        return os.stat("/proc/1/ns/net").st_ino == os.stat("/proc/thread-self/ns/net").st_ino  # noqa: PTH116  # a link of the kernel's
    except OSError:
        return True


def _names(folder: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return [each.name for each in folder.iterdir()]
    return []


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace").strip(" \0\n\t")
    return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() else None
