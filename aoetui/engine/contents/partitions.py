"""Partition tables: GPT (UEFI 2.10, section 5.3) and MBR with its extended partitions."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from aoetui.engine.contents.types import GPT_TYPES, MBR_TYPES
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PARTITIONS = 128
"""That are listed, of any table."""
_MAX_ENTRY = 4096
_ENTRY = struct.Struct("<B3xB3xII")
"""Of an MBR: status, type, first sector, sectors."""
_HEADER = struct.Struct("<8s4sII4xQQQQ16sQIII")
"""Of a GPT: signature, revision, length, sum, own LBA, other LBA, first and last usable, GUID, entries: LBA, count, size, sum."""
_GPT_ENTRY = struct.Struct("<16s16sQQQ72s")
_EXTENDED = {0x05, 0x0F, 0x85}
_PROTECTIVE = 0xEE


class Disk(Protocol):
    """Where the bytes come from."""

    @property
    def sectors(self) -> int:
        """How many there are."""
        ...

    def read(self, lba: int, count: int) -> bytes:
        """These sectors; fewer bytes where the disk ends or cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class Slice:
    """One partition. `name` comes from the disk: show it only as plain text."""

    number: int
    start: int
    end: int
    """The first sector behind it."""
    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A partition table."""

    kind: str
    """`GPT` or `MBR`."""
    slices: tuple[Slice, ...]
    remarks: tuple[str, ...] = ()


def partition_table(disk: Disk) -> Table | None:
    """The table of a disk; None if it has none."""
    first = disk.read(0, 1)
    if len(first) < SECTOR or first[510:512] != b"\x55\xaa":
        return _gpt(disk)
    entries = [_ENTRY.unpack_from(first, 446 + 16 * number) for number in range(4)]
    if any(kind == _PROTECTIVE for _, kind, _, _ in entries):
        return _gpt(disk) or Table("GPT", (), ("its header is damaged, and so is the backup at the end of the disk",))
    used = [(number, entry) for number, entry in enumerate(entries, 1) if entry[1] and entry[3]]
    # A file system's boot sector has the same last bytes, with code or text where the entries would be.
    if not used or any(status not in (0, 0x80) for status, *_ in entries) or any(not start for _, (_, _, start, _) in used):
        return None
    slices = [Slice(number, start, start + count, _mbr_kind(kind)) for number, (_, kind, start, count) in used]
    for _, (_, kind, start, _) in used:
        if kind in _EXTENDED:
            slices += _logical(disk, start)
    beyond = [each.number for each in slices if each.end > disk.sectors]
    remarks = (f"partition {beyond[0]} ends behind the end of the disk",) if beyond else ()
    return Table("MBR", tuple(slices[:MAX_PARTITIONS]), remarks)


def _mbr_kind(kind: int) -> str:
    return MBR_TYPES.get(kind, f"type {kind:#04x}")


def _logical(disk: Disk, extended: int) -> Iterator[Slice]:
    """The partitions in an extended one: a chain of tables, each with a partition and the place of the next table."""
    at, seen = extended, set[int]()
    for number in range(5, MAX_PARTITIONS):
        if at in seen or at >= disk.sectors:
            return
        seen.add(at)
        table = disk.read(at, 1)
        if len(table) < SECTOR or table[510:512] != b"\x55\xaa":
            return
        _, kind, start, count = _ENTRY.unpack_from(table, 446)
        if kind and count:
            yield Slice(number, at + start, at + start + count, _mbr_kind(kind))
        _, kind, start, count = _ENTRY.unpack_from(table, 462)
        if kind not in _EXTENDED or not count:
            return
        at = extended + start


def _gpt(disk: Disk) -> Table | None:
    """By the header behind the first sector, else by the backup in the last one."""
    remarks: list[str] = []
    slices = _gpt_at(disk, 1, remarks)
    if slices is None:
        slices = _gpt_at(disk, disk.sectors - 1, remarks)
        if slices is None:
            return None
        remarks.append("the table at its start is damaged: this is the backup at its end (gdisk can repair it)")
    return Table("GPT", slices, tuple(remarks))


def _gpt_at(disk: Disk, lba: int, remarks: list[str]) -> tuple[Slice, ...] | None:
    header = disk.read(lba, 1) if lba > 0 else b""
    if len(header) < SECTOR or not header.startswith(b"EFI PART"):
        return None
    _, _, length, given, own, other, _, _, _, entries_at, count, size, _ = _HEADER.unpack_from(header)
    if not _HEADER.size <= length <= SECTOR or own != lba:
        return None
    if zlib.crc32(header[:16] + bytes(4) + header[20:length]) != given:
        return None
    if size < _GPT_ENTRY.size or size > _MAX_ENTRY or not count or count > 4 * MAX_PARTITIONS:
        return None
    if lba == 1 and other != disk.sectors - 1:
        remarks.append(f"its backup is said to be in sector {other}, not {disk.sectors - 1}, the last: was the disk resized?")
    data = disk.read(entries_at, -(-count * size // SECTOR))
    found = (_gpt_slice(data, number, size) for number in range(count) if len(data) >= (number + 1) * size)
    return tuple(each for each in found if each is not None)[:MAX_PARTITIONS]


def _gpt_slice(data: bytes, number: int, size: int) -> Slice | None:
    kind, _, first, last, _, name = _GPT_ENTRY.unpack_from(data, number * size)
    if not any(kind) or last < first:
        return None
    guid = str(UUID(bytes_le=kind))
    return Slice(number + 1, first, last + 1, GPT_TYPES.get(guid, guid), name.decode("utf-16-le", "replace").split("\0")[0])
