"""The files of a bundle that tell of the host: read from /proc and /sys, never from the environment or a command line."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui import __version__
from aoetui.engine import places
from aoetui.engine.api import EngineError
from aoetui.engine.config import ConfigFile
from aoetui.engine.doctor import card
from aoetui.engine.fast_path import fast_path
from aoetui.engine.link_hardware import hardware_of
from aoetui.engine.snapshot import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aoetui.engine.core import Core
    from aoetui.engine.link_facts import LinkFacts
    from aoetui.engine.snapshot import Event

TAIL = 256 << 10
"""Bytes of the log."""
_LONGEST = 1 << 20
"""Bytes of any other file."""
_OF_AOE = re.compile(rb"\baoe|etherd", re.IGNORECASE)
_PLACE = re.compile(r"\S+:\d+")
_DRIVER_FILES = ("/sys/module/aoe", "/sys/kernel/debug/aoe")
_PACKAGES = ("textual", "rich", "pyroute2", "click", "tomlkit", "humanize", "platformdirs", "numba", "numpy")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a bundle."""

    name: str
    why: str
    """What it is, for the MANIFEST."""
    content: Callable[[], str]
    """May raise OSError or EngineError: then the file says so."""


def of_host(links: Sequence[LinkFacts]) -> Iterable[Part]:
    """What the host says."""
    read: tuple[tuple[str, str, Callable[[], str]], ...] = (
        ("versions.txt", "aoetui, Python, kernel and libraries", versions),
        ("cards.json", "speed, duplex, flow control and counters of each network card", lambda: cards(links)),
        ("net-dev.txt", "/proc/net/dev: frames of each interface", lambda: whole("/proc/thread-self/net/dev")),
        ("packet.txt", "/proc/net/packet: who has packet sockets", lambda: whole("/proc/thread-self/net/packet")),
        ("ptype.txt", "/proc/net/ptype: who takes which kind of frame", lambda: whole("/proc/thread-self/net/ptype")),
        ("driver.txt", "what the driver shows in /sys, with its debugfs figures", driver_files),
        ("dmesg.txt", "lines of the kernel's log that speak of aoe", kernel_log),
        ("mdstat.txt", "/proc/mdstat: software RAID", lambda: whole("/proc/mdstat")),
        ("partitions.txt", "/proc/partitions: disks and their sizes", lambda: whole("/proc/partitions")),
    )
    return [Part(*each) for each in read]


def events(kept: Iterable[Event]) -> str:
    """One line each."""
    return "".join(
        f"{each.time.isoformat(timespec='milliseconds')} {each.severity:<8} {each.subject}: {each.text}\n" for each in kept
    )


def config(named: Path | None, core: Core) -> str:
    """What the file says, as values: comments stay out, and of a bad one all but where it is bad."""
    path = named or core.config_path
    try:
        read = ConfigFile(path).load()
    except EngineError as bad:
        where = _PLACE.match(str(bad))
        return f"refused: {where[0] if where else path}; `aoetui` says why, and the text is left out here\n"
    groups = {name: sorted(macs) for name, macs in read.groups.items()}
    return json.dumps(to_json({"interfaces": read.interfaces, "exports": read.exports, "groups": groups}), indent=1)


def whole(name: str) -> str:
    """A small file."""
    with Path(name).open("rb") as file:
        return file.read(_LONGEST).decode("utf-8", "replace")


def tail(path: Path) -> str:
    """The end of the log, from the start of a line."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        text = file.read(TAIL)
    return (text if size <= TAIL else text.partition(b"\n")[2]).decode("utf-8", "replace")


def versions() -> str:
    """A line each."""
    said = os.uname()
    lines = [
        f"aoetui {__version__}",
        f"python {platform.python_version()} ({sys.implementation.name})",
        f"kernel {said.sysname} {said.release} {said.version} {said.machine}",
        f"system {platform.freedesktop_os_release().get('PRETTY_NAME', 'unknown')}",
        f"data path {'compiled' if fast_path.lane is not None else f'interpreted: {fast_path.why_not}'}",
        f"state {places.state_dir()}",
        *(f"{name} {_version(name)}" for name in _PACKAGES),
    ]
    return "\n".join(lines) + "\n"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def cards(links: Sequence[LinkFacts]) -> str:
    """What each network card says of itself."""
    found = {
        link.name: {
            **asdict(hardware_of(link)),
            **asdict(card.settings(link.name)),
            "statistics": card.statistics(link.name),
        }
        for link in links
    }
    return json.dumps(found, indent=1)


def driver_files() -> str:
    """Every small file of the driver, with its name before it."""
    found = []
    for root in _DRIVER_FILES:
        for path in sorted(each for each in Path(root).rglob("*") if each.is_file() and not each.is_symlink()):
            try:
                found.append(f"== {path}\n{whole(str(path)).rstrip()}\n")
            except OSError as failed:
                found.append(f"== {path}: {failed.strerror}\n")
    return "".join(found) or "the driver is not loaded\n"


def kernel_log() -> str:
    """Its lines that speak of aoe. Raises OSError where this user may not read it."""
    descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        lines = list(_records(descriptor))
    finally:
        os.close(descriptor)
    return b"".join(line for line in lines if _OF_AOE.search(line)).decode("utf-8", "replace") or "none\n"


def _records(descriptor: int) -> Iterable[bytes]:
    """Every record (Documentation/ABI/testing/dev-kmsg): `priority,number,microseconds,flags;text`."""
    while True:
        try:
            record = os.read(descriptor, 8192)
        except BrokenPipeError:
            continue  # the oldest were overwritten meanwhile
        except BlockingIOError:
            return
        head, _, text = record.partition(b";")
        yield head.split(b",")[2] + b" us: " + text.splitlines()[0] + b"\n"
