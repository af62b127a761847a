"""Whether another program has a file open for writing, and which one.

A read lease (F_SETLEASE, fcntl(2)) is refused while anyone has the file open for writing: one system call that sees every
program, the kernel's own loop devices too. /proc names the program, and stands in where leases cannot be had.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from pathlib import Path

_PROC = Path("/proc")
_ACCESS = os.O_WRONLY | os.O_RDWR


def writer_of(path: Path, descriptor: int) -> str:
    """Name who writes to the file open (for reading only) as `descriptor`: `qemu (pid 12)`, or `a program`. Empty: nobody.

    A writer that holds a byte-range lock of its own (another export, serving a window) is left to that lock to judge.
    """
    leased = _lease_refused(descriptor)
    if leased is False:
        return ""
    names, locked = _writers_in_proc(os.fstat(descriptor))
    if names:
        return names[0]
    if leased and not locked:
        return f"a program that {path.name}'s owner or root could name (`fuser -v {path}`)"
    return ""


def _lease_refused(descriptor: int) -> bool | None:
    """True: someone writes. False: nobody does. None: leases are not to be had here (file system, or not our file)."""
    try:
        # Should a writer open the file while the lease lasts, the kernel sends this signal, and SIGIO would end the process.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def _writers_in_proc(file: os.stat_result) -> tuple[list[str], bool]:
    """Names of the writers that hold no byte-range lock, and whether there are any that do. Sees what this user may see."""
    names: list[str] = []
    locked = False
    for process in _PROC.iterdir():
        files = _open_files(process, file) if process.name.isdigit() else []
        if not any(flags & _ACCESS for flags, _ in files):
            continue
        if any(has_lock for _, has_lock in files):
            locked = True
        else:
            names.append(f"{_name(process)} (pid {process.name})")
    return names, locked


def _open_files(process: Path, file: os.stat_result) -> list[tuple[int, bool]]:
    """Open flags of each descriptor of `process` on `file`, and whether it holds an exclusive byte-range lock."""
    try:
        links = list((process / "fd").iterdir())
    except OSError:  # The process has ended, or is not ours to look into.
        return []
    return [_read_info(process / "fdinfo" / link.name) for link in links if _is_same(link, file)]


def _is_same(link: Path, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(link.stat(), file)
    except OSError:  # Closed meanwhile, or a socket's or pipe's name that leads nowhere.
        return False


def _read_info(path: Path) -> tuple[int, bool]:
    flags, has_lock = 0, False
    try:
        lines = path.read_text().splitlines()
    except OSError:  # Closed meanwhile.
        return flags, has_lock
    for line in lines:
        match line.split():
            case ["flags:", octal]:
                flags = int(octal, 8)
            case ["lock:", _, "OFDLCK", _, "WRITE", *_]:
                has_lock = True
    return flags, has_lock


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "a program"
