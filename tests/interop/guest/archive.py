"""The cpio form "newc", which the kernel unpacks as its first file system (early-userspace/buffer-format.rst)."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ALIGNMENT = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. `name` is a path without the leading slash; `mode` has the type bits."""

    name: str
    mode: int
    data: bytes = b""
    """A file's content, or where a symbolic link leads."""
    device: tuple[int, int] = (0, 0)
    """Major and minor number of a device node."""


def file(name: str, data: bytes, *, executable: bool = False) -> Entry:
    """A regular file of root's."""
    return Entry(name, stat.S_IFREG | (0o755 if executable else 0o644), data)


def link(name: str, leads_to: str) -> Entry:
    """A symbolic link."""
    return Entry(name, stat.S_IFLNK | 0o777, leads_to.encode())


def directory(name: str) -> Entry:
    """An empty folder."""
    return Entry(name, stat.S_IFDIR | 0o755)


def character_device(name: str, major: int, minor: int) -> Entry:
    """A character device's node, for root alone."""
    return Entry(name, stat.S_IFCHR | 0o600, device=(major, minor))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


def _record(entry: Entry, number: int) -> bytes:
    name = entry.name.encode() + b"\0"
    fields = (number, entry.mode, 0, 0, 1, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
    return _padded(b"070701" + b"".join(b"%08x" % value for value in fields) + name) + _padded(entry.data)


def archive(entries: Iterable[Entry]) -> bytes:
    """The entries, each after the folders it is in. Archives may follow one another; the kernel unpacks all of them."""
    whole: dict[str, Entry] = {}
    for entry in entries:
        for parent in reversed(PurePosixPath(entry.name).parents[:-1]):
            whole.setdefault(str(parent), directory(str(parent)))
        whole[entry.name] = entry
    records = [_record(entry, number) for number, entry in enumerate(whole.values(), start=1)]
    return b"".join([*records, _record(Entry("TRAILER!!!", 0), 0)])
