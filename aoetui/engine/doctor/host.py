"""Gathers the facts of this host and this process: what the kernel allows, where it runs."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from aoetui.engine.doctor.facts import HostFacts
from aoetui.engine.permission import raw_sockets_refused

_WHOLE_RANGE = 0xFFFF_FFFF
"""What the host's own user namespace maps."""


def host_facts(interface: str) -> HostFacts:
    """Everything; `interface` is one that a remedy can name."""
    refused, remedy = _raw_sockets(interface)
    return HostFacts(
        refused=refused,
        refused_remedy=remedy,
        surroundings=_surroundings(),
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


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace").strip(" \0\n\t")
    return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() else None
