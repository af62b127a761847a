"""What the driver is told through the nodes in /dev/etherd (aoechr.c): major 152, and a name for each."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, NoPermissionError
from aoetui.engine.permission import own_command

if TYPE_CHECKING:
    from aoetui.engine.kernel.host import Host
    from aoetui.engine.protocol.address import Address

DISCOVER, REVALIDATE, FLUSH, INTERFACES, ERRORS = "discover", "revalidate", "flush", "interfaces", "err"
NOT_LOADED = "the aoe module is not loaded: `sudo aoetui kernel load`, or `sudo modprobe aoe` for every interface"
MOST_NAMES = 1023
"""Bytes of the list of interfaces (IFLISTSZ in aoenet.c)."""
_MOST_MESSAGE = 4096
_RING = 100
"""Messages that the driver keeps (NMSG in aoechr.c)."""


def refusal(host: Host) -> str:
    """Why the driver cannot be told anything by this process; empty if it can."""
    try:
        _check(host, DISCOVER, os.W_OK)
    except EngineError as error:
        return str(error)
    return ""


def tell_discover(host: Host) -> None:
    """Any write will do."""
    _write(host, DISCOVER, b"\n")


def tell_revalidate(host: Host, address: Address) -> None:
    """Ask the device again what it is. Waits while the driver has no frame to spare for the question."""
    try:
        _write(host, REVALIDATE, str(address).encode())
    except EngineError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EINVAL:
            raise EngineError(f"the driver has no {address}: `aoetui kernel discover` finds what answers") from error
        raise


def tell_flush(host: Host, address: Address) -> None:
    """Forget one device, open or not.

    The driver compares as many bytes as it is given, so that `e1.1` would take e1.10 and e1.11 too. The NUL that its own
    names end with makes the comparison exact (user_req in aoedev.c).
    """
    _write(host, FLUSH, str(address).encode() + b"\0")


def tell_flush_down(host: Host) -> None:
    """Forget what is down and not open: less than three bytes mean that."""
    _write(host, FLUSH, b"\n")


def tell_flush_all(host: Host) -> None:
    """Forget whatever is not open."""
    _write(host, FLUSH, b"all")


def tell_interfaces(host: Host, names: tuple[str, ...]) -> None:
    """Use these alone; none: every one."""
    text = " ".join(names).encode()
    if len(text) >= MOST_NAMES:
        raise EngineError(f"the driver keeps {MOST_NAMES} characters of interface names: name fewer", field="interfaces")
    _write(host, INTERFACES, text + b"\0")


def take_errors(host: Host) -> tuple[str, ...]:
    """Take the kept messages out of the driver, oldest first. Does not wait for more."""
    descriptor = _open(host, ERRORS, os.O_RDONLY)
    lines: list[str] = []
    try:
        with suppress(BlockingIOError):
            # Bounded: a driver that retransmits all the time would keep us here for ever.
            for _ in range(_RING):
                message = os.read(descriptor, _MOST_MESSAGE)
                if not message:
                    break
                lines += message.decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise EngineError(f"{host.nodes / ERRORS} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    return tuple(lines)


def _write(host: Host, name: str, data: bytes) -> None:
    descriptor = _open(host, name, os.O_WRONLY)
    try:
        os.write(descriptor, data)
    except OSError as error:
        raise EngineError(f"the driver refuses {data!r} on {host.nodes / name}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _open(host: Host, name: str, flags: int) -> int:
    _check(host, name, os.R_OK if flags == os.O_RDONLY else os.W_OK)
    path = host.nodes / name
    try:
        return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise EngineError(f"{path} cannot be opened: {error.strerror}") from error


def _check(host: Host, name: str, access: int) -> None:
    """Raise EngineError with what helps, if this process cannot use a control node."""
    if not host.has_driver:
        raise EngineError(NOT_LOADED)
    path = host.nodes / name
    try:
        mode = path.stat().st_mode
    except PermissionError as error:
        raise _no_permission(str(path)) from error
    except OSError as error:
        raise EngineError(
            f"there is no {path} although the aoe module is loaded: udev or devtmpfs makes it (`udevadm trigger`); in a"
            " container, give it the host's /dev/etherd; without udev, `aoetui kernel nodes /dev/etherd`"
        ) from error
    if not stat.S_ISCHR(mode):
        raise EngineError(
            f"{path} is a file and no device, so the driver would hear nothing: remove it, then `udevadm trigger`, or load the"
            " module again"
        )
    if not os.access(path, access, effective_ids=True):
        raise _no_permission(str(path))


def _no_permission(path: str) -> NoPermissionError:
    if os.geteuid() == 0:
        return NoPermissionError(f"no permission to use {path} although root: this container or service has no right to devices")
    return NoPermissionError(f"no permission to use {path}: run `sudo {own_command()}`, or join the group that owns it")
