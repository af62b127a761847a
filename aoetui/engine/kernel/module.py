"""The module aoe: which version, loading it, for which interfaces, and having it loaded whenever the host starts."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, NoPermissionError
from aoetui.engine.atomic import replace_file
from aoetui.engine.commands.kernel import DriverVersions
from aoetui.engine.kernel.host import read
from aoetui.engine.permission import own_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.kernel.host import Host

NAME = "aoe"
UNKNOWN, NONE = "(unknown)", "(none)"
_FOLDERS = ("etc", "run", "usr/local/lib", "usr/lib", "lib")
"""Where modules-load.d and modprobe.d are; a file of an earlier one hides that of the same name in a later."""
_LIST = re.compile(r"\baoe_iflist=(?:\"([^\"]*)\"|(\S+))")
_HEAD = "# Written by `aoetui kernel load --persist`.\n"


def version_of(host: Host) -> str:
    """Of the running driver: mainline has a version file, standalone drivers a parameter; empty if neither."""
    return read(host.module / "version") or read(host.module / "parameters/version") or ""


def versions(host: Host) -> DriverVersions:
    """Of the installed module and of the running one, as aoe-version tells them."""
    running = (version_of(host) or UNKNOWN) if host.has_driver else NONE
    try:
        told = host.run(["modinfo", NAME]).stdout
    except EngineError:
        told = ""
    found = re.search(r"^parm:\s+version:aoe module\s.*?(\S+)$", told, re.MULTILINE) or re.search(
        r"^version:\s*(\S+)$", told, re.MULTILINE
    )
    return DriverVersions(found[1] if found else UNKNOWN, running)


def interface_list(host: Host) -> tuple[str, ...] | None:
    """The interfaces that the running driver uses; empty: every one; None: not for this user to know (mode 0600)."""
    text = read(host.module / "parameters/aoe_iflist")
    return None if text is None else tuple(re.split(r"[\s,]+", text.strip(" ,\0"))) if text.strip(" ,\0") else ()


def starts_with(host: Host) -> str:
    """The file that has the module loaded when the host starts; empty if none does."""
    files = [host.etc / "modules", *_files(host, "modules-load.d")]
    return next((_shown(host, path) for path in files if _names_module(path)), "")


def options(host: Host) -> dict[str, str]:
    """The files in modprobe.d that have options for the module, and these; modprobe takes them all."""
    found: dict[str, str] = {}
    for path in _files(host, "modprobe.d"):
        for line in (read(path) or "").splitlines():
            words = line.split(maxsplit=2)
            if words[:2] == ["options", NAME] and len(words) == 3:
                found[_shown(host, path)] = " ".join([*found.get(_shown(host, path), "").split(), words[2]])
    return found


def interfaces_in(told: str) -> tuple[str, ...]:
    """Those that options of the module name."""
    found = _LIST.search(told)
    return tuple(name for name in re.split(r"[\s,]+", (found[1] or found[2]) if found else "") if name)


def load(host: Host, interfaces: tuple[str, ...]) -> None:
    """Have modprobe load it, for these interfaces, or as modprobe.d has it. Raises EngineError with what helps."""
    if host.no_modules:
        raise EngineError(host.no_modules)
    done = host.run(["modprobe", NAME, *([f'aoe_iflist="{" ".join(interfaces)}"'] if interfaces else [])])
    if done.returncode == 0:
        return
    said = " ".join(done.stderr.split()) or f"it ended with {done.returncode}"
    if "not found" in said:
        kernel = os.uname().release
        raise EngineError(
            f"the running kernel ({kernel}) has no aoe module: install its package of further modules (Ubuntu:"
            f" linux-modules-extra-{kernel}), or start the kernel whose modules are installed"
        )
    if "not permitted" in said or "Permission denied" in said:
        raise _no_permission("to load a kernel module")
    raise EngineError(f"modprobe could not load aoe: {said}")


def persist(host: Host, interfaces: tuple[str, ...]) -> Iterator[str]:
    """Have the module loaded whenever the host starts, for these interfaces; a sentence for each file."""
    told = options(host)
    named = {path: each for path, each in told.items() if interfaces_in(each)}
    for name, each in named.items():
        if interfaces and set(interfaces_in(each)) != set(interfaces):
            raise EngineError(f"{name} has other options for aoe ({each}): change that file, then persist again")
    starts = starts_with(host)
    if starts.startswith("/etc/"):
        yield f"{starts} has it loaded at each start already"
    else:
        path = host.etc / "modules-load.d/aoe.conf"
        _add(path, NAME)
        yield f"{_shown(host, path)} has it loaded at each start"
    if interfaces and not named:
        path = host.etc / "modprobe.d/aoe.conf"
        _add(path, f'options {NAME} aoe_iflist="{" ".join(interfaces)}"')
        yield f"{_shown(host, path)} has it use {', '.join(interfaces)} alone"


def _add(path: Path, line: str) -> None:
    """Add a line to a file of ours, or make it."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        target = path.resolve()
        text = target.read_text(errors="surrogateescape").rstrip("\n") + "\n" if target.exists() else _HEAD
        replace_file(target, f"{text}{line}\n".encode(errors="surrogateescape"), mode=0o644)
    except PermissionError as error:
        raise _no_permission(f"to write {path}") from error
    except OSError as error:
        raise EngineError(f"{path} cannot be written: {error.strerror}") from error


def _no_permission(what: str) -> NoPermissionError:
    if os.geteuid() == 0:
        return NoPermissionError(f"no permission {what} although root: do it on the host, outside this container or service")
    return NoPermissionError(f"no permission {what}: run `sudo {own_command()}`, or `sudo modprobe aoe`")


def _files(host: Host, folder: str) -> Iterator[Path]:
    seen: set[str] = set()
    for where in _FOLDERS:
        for path in sorted((host.root / where / folder).glob("*.conf")):
            if path.name not in seen:
                seen.add(path.name)
                yield path


def _names_module(path: Path) -> bool:
    lines = (line.split() for line in (read(path) or "").splitlines())
    return any(words[:1] == [NAME] for words in lines)


def _shown(host: Host, path: Path) -> str:
    return f"/{path.relative_to(host.root)}"
