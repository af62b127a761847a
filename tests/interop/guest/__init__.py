"""A tiny Linux guest: Debian's kernel with its aoe driver, busybox and e2fsprogs, run by qemu without KVM."""

from __future__ import annotations

from .build import HOST_TOOLS, build_guest, built_guest
from .kernel import NoKernelError
from .machine import Guest, GuestError, GuestResult

__all__ = ["HOST_TOOLS", "Guest", "GuestError", "GuestResult", "NoKernelError", "build_guest", "built_guest"]
