"""File systems and containers, recognised by their superblocks (offsets as libblkid and the kernel's headers have them)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = 128 << 10
"""Bytes from the start that are looked at,"""
TAIL = 128 << 10
"""and from the end: some RAID formats keep their superblock there."""

_EXT4_INCOMPAT = 0x0040 | 0x0080 | 0x0200
"""Extents, 64 bit, flexible groups: what ext3 has none of (fs/ext4/ext4.h)."""
_EXT4_RO_COMPAT = 0x0008 | 0x0010 | 0x0020 | 0x0040 | 0x0400
_HAS_JOURNAL = 0x0004
_JOURNAL_DEVICE = 0x0008
_MD_MAGIC = 0xA92B4EFC
_PAGE_SIZES = (4096, 8192, 16384, 65536)


@dataclass(frozen=True, slots=True)
class Found:
    """What was recognised. Label and identifier come from the disk: show them only as plain text."""

    kind: str
    """`ext4`, `LVM2 PV`, ..."""
    label: str = ""
    uuid: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, f'"{self.label}"' if self.label else "", self.uuid) if part)


def recognise(head: bytes, tail: bytes, size: int) -> Found | None:
    """What an area of `size` bytes holds, by its first and last bytes (at most HEAD and TAIL). None if nothing is known.

    Containers come first: what is inside a RAID or an encrypted volume may show through.
    """
    if (found := _md(head, tail, size)) is not None:
        return found
    return next((found for each in _BY_HEAD if (found := each(head)) is not None), None)


def _at(data: bytes, offset: int, layout: str) -> tuple[int, ...] | None:
    """Numbers at an offset; None where the bytes end before."""
    if offset < 0 or offset + struct.calcsize(layout) > len(data):
        return None
    return struct.unpack_from(layout, data, offset)


def _text(data: bytes, offset: int, length: int) -> str:
    return data[offset : offset + length].split(b"\0")[0].decode("utf-8", "replace").strip()


def _uuid(data: bytes, offset: int) -> str:
    raw = data[offset : offset + 16]
    return str(UUID(bytes=raw)) if len(raw) == 16 and any(raw) else ""


def _luks(head: bytes) -> Found | None:
    if not head.startswith(b"LUKS\xba\xbe") or (version := _at(head, 6, ">H")) is None:
        return None
    label = _text(head, 24, 48) if version[0] == 2 else ""
    return Found(f"LUKS{version[0]}", label, _text(head, 168, 40))


def _lvm(head: bytes) -> Found | None:
    for sector in range(4):
        at = 512 * sector
        if head[at : at + 8] == b"LABELONE" and head[at + 24 : at + 32] == b"LVM2 001":
            where = _at(head, at + 20, "<I")
            raw = _text(head, at + where[0], 32) if where is not None and where[0] < 512 else ""
            cuts = ((0, 6), (6, 10), (10, 14), (14, 18), (18, 22), (22, 26), (26, 32))
            return Found("LVM2 PV", uuid="-".join(raw[start:end] for start, end in cuts) if len(raw) == 32 else "")
    return None


def _md(head: bytes, tail: bytes, size: int) -> Found | None:
    """Linux RAID: version 1.1 at the start, 1.2 behind 4 KiB, 1.0 and 0.90 near the end (linux/raid/md_p.h)."""
    places = [("1.1", head, 0), ("1.2", head, 4096)]
    places += [("1.0", tail, ((size // 512 - 16) & ~7) * 512 - (size - len(tail)))]
    for version, data, at in places:
        magic = _at(data, at, "<II")
        if magic is not None and magic == (_MD_MAGIC, 1):
            return Found(f"RAID {version} member", _text(data, at + 32, 32), _uuid(data, at + 16))
    at = (size & ~0xFFFF) - 0x10000 - (size - len(tail))
    magic = _at(tail, at, "<II")
    return Found("RAID 0.90 member") if magic == (_MD_MAGIC, 0) else None


def _ext(head: bytes) -> Found | None:
    if _at(head, 1024 + 56, "<H") != (0xEF53,) or (features := _at(head, 1024 + 92, "<III")) is None:
        return None
    compat, incompat, ro_compat = features
    if incompat & _JOURNAL_DEVICE:
        kind = "ext journal"
    elif incompat & _EXT4_INCOMPAT or ro_compat & _EXT4_RO_COMPAT:
        kind = "ext4"
    else:
        kind = "ext3" if compat & _HAS_JOURNAL else "ext2"
    return Found(kind, _text(head, 1024 + 120, 16), _uuid(head, 1024 + 104))


def _xfs(head: bytes) -> Found | None:
    return Found("xfs", _text(head, 108, 12), _uuid(head, 32)) if head.startswith(b"XFSB") else None


def _btrfs(head: bytes) -> Found | None:
    at = 64 << 10
    return Found("btrfs", _text(head, at + 0x12B, 256), _uuid(head, at + 32)) if head[at + 64 : at + 72] == b"_BHRfS_M" else None


def _f2fs(head: bytes) -> Found | None:
    return Found("f2fs", uuid=_uuid(head, 1024 + 108)) if _at(head, 1024, "<I") == (0xF2F52010,) else None


def _swap(head: bytes) -> Found | None:
    if any(head[page - 10 : page] == b"SWAPSPACE2" for page in _PAGE_SIZES):
        return Found("swap", _text(head, 1052, 16), _uuid(head, 1036))
    return None


def _boot_sector(head: bytes) -> Found | None:
    """What begins with a PC's boot sector."""
    if head[510:512] != b"\x55\xaa":
        return None
    named = head[3:11]
    if named == b"NTFS    ":
        return Found("ntfs", uuid=head[72:80][::-1].hex().upper())
    if named == b"EXFAT   ":
        return Found("exfat", uuid=_serial(head, 100))
    if named == b"-FVE-FS-":
        return Found("BitLocker")
    for kind, at, serial, label in (("FAT32", 82, 67, 71), ("FAT1", 54, 39, 43)):
        if head[at : at + len(kind)] == kind.encode():
            name = _text(head, label, 11)
            return Found("vfat", "" if name == "NO NAME" else name, _serial(head, serial))
    return None


def _serial(head: bytes, at: int) -> str:
    number = _at(head, at, "<I")
    return "" if number is None else f"{number[0] >> 16:04X}-{number[0] & 0xFFFF:04X}"


def _iso(head: bytes) -> Found | None:
    return Found("iso9660", _text(head, 32808, 32)) if head[32769:32774] == b"CD001" else None


def _squashfs(head: bytes) -> Found | None:
    return Found("squashfs") if head.startswith(b"hsqs") else None


def _zfs(head: bytes) -> Found | None:
    """By the pairs of the first label, in XDR, which every member has, whatever its uberblocks (vdev_impl.h, vdev_phys_t)."""
    pairs = head[16 << 10 : 128 << 10]
    return Found("zfs member", _pool_name(head)) if pairs[:1] == b"\x01" and b"pool_guid" in pairs else None


def _pool_name(head: bytes) -> str:
    """A string pair of an XDR list: length and name, type 9, one element, length and value."""
    at = head.find(b"\0\0\0\x04name\0\0\0\x09\0\0\0\x01", 16 << 10, at_most := 128 << 10)
    length = _at(head, at + 16, ">I") if at >= 0 else None
    return _text(head, at + 20, min(length[0], at_most, 256)) if length is not None else ""


_BY_HEAD: tuple[Callable[[bytes], Found | None], ...] = (
    _luks,
    _lvm,
    _btrfs,
    _zfs,
    _xfs,
    _ext,
    _f2fs,
    _swap,
    _squashfs,
    _boot_sector,
    _iso,
)
