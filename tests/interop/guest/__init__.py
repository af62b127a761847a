"""A tiny Linux guest: Debian's kernel with its aoe driver, busybox and e2fsprogs, run by qemu without KVM."""

from __future__ import annotations

from .build import build_guest
from .machine import Guest, GuestError, GuestResult

__all__ = ["Guest", "GuestError", "GuestResult", "build_guest"]
