"""How the compiled loop may use an export's backing: never in a way that could make it wait for the disk for long."""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from aoetui.engine.spec import Durability

if TYPE_CHECKING:
    from aoetui.engine.backing import Backing
    from aoetui.engine.spec import ExportSpec


class Reads(IntEnum):
    """Where reads are served."""

    ELSEWHERE = 0
    """By the export's threads, which may wait."""
    IF_CACHED = 1
    """At once, if they are in the page cache."""
    AT_ONCE = 2
    """Always at once: a file system in memory. It is never mapped, for to read a mapped hole would fill it."""
    WAITED = 3
    """By threads that wait: nobody can tell what is in the page cache."""


class Writes(IntEnum):
    """Where writes are served."""

    ELSEWHERE = 0
    FILE = 1
    """At once, after a look whether the file has been cut short."""
    DEVICE = 2
    """At once."""


@dataclass(frozen=True, slots=True)
class FastDisk:
    """What is done at once."""

    reads: Reads
    writes: Writes
    flushed: bool = False
    """Whether writes are answered after a flush."""


class _FileSystem(IntEnum):
    """include/uapi/linux/magic.h, and fs/*/ for those that are not in it."""

    RAMFS = 0x858458F6
    TMPFS = 0x01021994
    NINEP = 0x01021997
    AFS = 0x5346414F
    CEPH = 0x00C36400
    CIFS = 0xFF534D42
    CODA = 0x73757245
    FUSE = 0x65735546
    GFS2 = 0x01161970
    NFS = 0x6969
    OCFS2 = 0x7461636F
    SMB = 0x517B
    SMB2 = 0xFE534D42


_IN_MEMORY = frozenset({_FileSystem.RAMFS, _FileSystem.TMPFS})
_FAR = frozenset(_FileSystem) - _IN_MEMORY
"""Another host, or another process, has to answer before a write returns."""
_STATFS_BYTES = 256
_libc = ctypes.CDLL(None, use_errno=True)


def fast_disk(spec: ExportSpec, backing: Backing) -> FastDisk:
    """What of an export may be done at once. Nothing is cached where I/O is direct."""
    kind = None if backing.block_device else _file_system(backing.fileno())
    if spec.direct:
        return FastDisk(Reads.ELSEWHERE, Writes.ELSEWHERE)
    if kind in _FAR:
        return FastDisk(Reads.WAITED, Writes.ELSEWHERE)
    reads = _reads(kind, backing)
    if spec.read_only:
        return FastDisk(reads, Writes.ELSEWHERE)
    flushed = spec.durability is Durability.DURABLE
    return FastDisk(reads, Writes.DEVICE if backing.block_device else Writes.FILE, flushed=flushed)


def _reads(kind: int | None, backing: Backing) -> Reads:
    if kind in _IN_MEMORY:
        return Reads.AT_ONCE
    return Reads.IF_CACHED if _tells_what_is_cached(backing) else Reads.WAITED


def _file_system(descriptor: int) -> int | None:
    """Its magic number; None if that cannot be told."""
    status = ctypes.create_string_buffer(_STATFS_BYTES)
    if _libc.fstatfs(descriptor, status):
        return None
    return ctypes.c_long.from_buffer(status).value & 0xFFFFFFFF


def _tells_what_is_cached(backing: Backing) -> bool:
    """Whether the kernel knows RWF_NOWAIT for this file."""
    try:
        os.preadv(backing.fileno(), [bytearray(512)], backing.window.start * 512, os.RWF_NOWAIT)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return True
