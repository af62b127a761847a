"""Linux guests, run by qemu without KVM: a tiny one with the aoe driver, busybox and e2fsprogs, and Debian with aoetui in it."""

from __future__ import annotations

from .booting import DebianGuest
from .build import HOST_TOOLS, build_guest, built_guest
from .debian import HOST_TOOLS as DEBIAN_HOST_TOOLS
from .debian import build_debian_guest, built_debian_guest
from .kernel import NoKernelError
from .machine import Guest, GuestError, GuestResult
from .running import Command, RunningGuest

__all__ = [
    "DEBIAN_HOST_TOOLS",
    "HOST_TOOLS",
    "Command",
    "DebianGuest",
    "Guest",
    "GuestError",
    "GuestResult",
    "NoKernelError",
    "RunningGuest",
    "build_debian_guest",
    "build_guest",
    "built_debian_guest",
    "built_guest",
]
