"""What is recognised on disks: made by the host's own tools where it has them, by hand where not; and no bytes confuse it."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aoetui.engine.contents.filesystems import HEAD, TAIL, Found, recognise
from aoetui.engine.contents.looking import contents_of
from aoetui.engine.contents.partitions import partition_table
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 1 << 20
IDENTIFIER = "0f6a3bc1-27d4-4e6a-9a8a-d0f8bcc5f1e2"
RAW = UUID(IDENTIFIER).bytes
LINUX = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le


@dataclass
class Bytes:
    """A disk in memory."""

    data: bytes

    @property
    def sectors(self) -> int:
        """How many it has."""
        return len(self.data) // SECTOR

    def read(self, lba: int, count: int) -> bytes:
        """These."""
        return self.data[lba * SECTOR : (lba + count) * SECTOR]


def with_pieces(*pieces: tuple[int, bytes], size: int = SIZE) -> bytes:
    """Zeros, with these bytes at these places; a negative place counts from the end."""
    data = bytearray(size)
    for at, piece in pieces:
        start = at % size
        data[start : start + len(piece)] = piece
    return bytes(data)


def found_in(data: bytes) -> Found | None:
    """What is recognised in an area."""
    return recognise(data[:HEAD], data[-TAIL:], len(data))


def ext(compat: int, incompat: int, ro_compat: int) -> bytes:
    """One of the family, called `root`."""
    features = struct.pack("<III", compat, incompat, ro_compat)
    return with_pieces((1080, b"\x53\xef"), (1116, features + RAW + b"root\0"))


def md(minor_at: int) -> bytes:
    """A member of a RAID called `host:0`."""
    return with_pieces((minor_at, struct.pack("<IIII", 0xA92B4EFC, 1, 0, 0) + RAW + b"host:0"))


BOOT = (510, b"\x55\xaa")
LVM = (512, b"LABELONE" + bytes(12) + struct.pack("<I", 32) + b"LVM2 001" + b"abcdef0123456789ABCDabcd012345xy")
POOL = b"\0\0\0\x04name\0\0\0\x09\0\0\0\x01\0\0\0\x04tank"
KNOWN = [
    (ext(0, 0x2, 0x1), Found("ext2", "root", IDENTIFIER)),
    (ext(0x4, 0x2, 0x1), Found("ext3", "root", IDENTIFIER)),
    (ext(0x4, 0x242, 0x1), Found("ext4", "root", IDENTIFIER)),
    (ext(0, 0x8, 0), Found("ext journal", "root", IDENTIFIER)),
    (with_pieces((0, b"XFSB"), (32, RAW), (108, b"data")), Found("xfs", "data", IDENTIFIER)),
    (with_pieces((65536 + 32, RAW), (65536 + 64, b"_BHRfS_M"), (65536 + 0x12B, b"pool")), Found("btrfs", "pool", IDENTIFIER)),
    (with_pieces((1024, b"\x10\x20\xf5\xf2"), (1132, RAW)), Found("f2fs", "", IDENTIFIER)),
    (with_pieces((4086, b"SWAPSPACE2"), (1036, RAW), (1052, b"swap0")), Found("swap", "swap0", IDENTIFIER)),
    (with_pieces((65526, b"SWAPSPACE2"), (1036, RAW)), Found("swap", "", IDENTIFIER)),
    (with_pieces(LVM), Found("LVM2 PV", "", "abcdef-0123-4567-89AB-CDab-cd01-2345xy")),
    (with_pieces((0, b"LUKS\xba\xbe\0\x02"), (24, b"safe"), (168, IDENTIFIER.encode())), Found("LUKS2", "safe", IDENTIFIER)),
    (with_pieces((0, b"LUKS\xba\xbe\0\x01"), (168, IDENTIFIER.encode())), Found("LUKS1", "", IDENTIFIER)),
    (md(0), Found("RAID 1.1 member", "host:0", IDENTIFIER)),
    (md(4096), Found("RAID 1.2 member", "host:0", IDENTIFIER)),
    (md(SIZE - 8192), Found("RAID 1.0 member", "host:0", IDENTIFIER)),
    (with_pieces((SIZE - 65536, struct.pack("<II", 0xA92B4EFC, 0))), Found("RAID 0.90 member")),
    (with_pieces((32768, b"\x01CD001"), (32808, b"DEBIAN 12   ")), Found("iso9660", "DEBIAN 12")),
    (with_pieces((16384, b"\x01"), (16384 + 64, POOL), (16384 + 99, b"pool_guid")), Found("zfs member", "tank")),
    (with_pieces((16384, b"\x01"), (16384 + 99, b"pool_guid")), Found("zfs member")),
    (with_pieces((0, b"hsqs")), Found("squashfs")),
    (with_pieces(BOOT, (3, b"NTFS    "), (72, bytes(range(8)))), Found("ntfs", "", "0706050403020100")),
    (with_pieces(BOOT, (3, b"EXFAT   "), (100, b"\x78\x56\x34\x12")), Found("exfat", "", "1234-5678")),
    (with_pieces(BOOT, (3, b"-FVE-FS-")), Found("BitLocker")),
    (with_pieces(BOOT, (67, b"\x78\x56\x34\x12"), (71, b"EFI        FAT32   ")), Found("vfat", "EFI", "1234-5678")),
    (with_pieces(BOOT, (39, b"\x78\x56\x34\x12"), (43, b"NO NAME    FAT16   ")), Found("vfat", "", "1234-5678")),
]


@pytest.mark.parametrize(("data", "expected"), KNOWN, ids=[str(each[1].kind) + str(n) for n, each in enumerate(KNOWN)])
def test_superblocks(data: bytes, expected: Found) -> None:
    assert found_in(data) == expected


def test_nothing_in_zeros() -> None:
    assert found_in(bytes(SIZE)) is None
    assert found_in(b"") is None


@given(data=st.binary(max_size=9000))
def test_no_bytes_confuse_the_recognisers(data: bytes) -> None:
    found_in(data)
    contents_of(Bytes(data))


# ---- tables


def mbr(*entries: tuple[int, int, int]) -> bytes:
    """A table sector: kind, first sector, sectors."""
    packed = b"".join(struct.pack("<B3xB3xII", 0, *each) for each in entries)
    return with_pieces((446, packed), BOOT, size=SECTOR)


def gpt(sectors: int, *names: str, backup: bool = False) -> dict[int, bytes]:
    """Header and entries of a table whose partitions have 10 sectors each, from sector 100 on; by sector."""
    entries = b"".join(
        struct.pack("<16s16sQQQ72s", LINUX, RAW, 100 + 10 * number, 109 + 10 * number, 0, name.encode("utf-16-le"))
        for number, name in enumerate(names)
    ).ljust(4 * 128, b"\0")
    own, other, where = (sectors - 1, 1, sectors - 2) if backup else (1, sectors - 1, 2)
    rest = struct.pack("<QQQQ16sQIII", own, other, 34, sectors - 34, RAW, where, 4, 128, zlib.crc32(entries))
    head = b"EFI PART\0\0\1\0" + struct.pack("<I", 92)
    checksum = zlib.crc32(head + bytes(8) + rest)
    return {own: head + struct.pack("<II", checksum, 0) + rest, where: entries}


def disk_of(sectors: int, pieces: dict[int, bytes]) -> Bytes:
    """A disk of these sectors."""
    return Bytes(with_pieces(*((lba * SECTOR, piece) for lba, piece in pieces.items()), size=sectors * SECTOR))


PROTECTIVE = {0: mbr((0xEE, 1, 999))}


TABLES = [
    disk_of(1000, PROTECTIVE | gpt(1000, "root") | gpt(1000, "root", backup=True)).data,
    disk_of(600, {0: mbr((0x05, 100, 400)), 100: mbr((0x83, 1, 9), (0x05, 50, 50)), 150: mbr((0x83, 1, 9))}).data,
]


@settings(max_examples=200, deadline=None)
@given(
    which=st.sampled_from([each for each, _ in KNOWN] + TABLES),
    changes=st.dictionaries(st.integers(0, HEAD), st.binary(min_size=1, max_size=4), max_size=8),
    length=st.integers(0, SIZE),
)
def test_no_damage_confuses_them(which: bytes, changes: dict[int, bytes], length: int) -> None:
    data = bytearray(which)
    for at, piece in changes.items():
        data[at : at + len(piece)] = piece
    found_in(bytes(data[:length]))
    contents_of(Bytes(bytes(data[:length])))


def test_gpt() -> None:
    pieces = PROTECTIVE | gpt(1000, "root", "swap") | gpt(1000, "root", "swap", backup=True)
    table = partition_table(disk_of(1000, pieces))
    assert table is not None
    assert (table.kind, table.remarks) == ("GPT", ())
    assert [(each.number, each.start, each.end, each.kind, each.name) for each in table.slices] == [
        (1, 100, 110, "Linux", "root"),
        (2, 110, 120, "Linux", "swap"),
    ]


def test_a_damaged_gpt_is_read_from_its_backup() -> None:
    table = partition_table(disk_of(1000, PROTECTIVE | gpt(1000, "root", backup=True)))
    assert table is not None
    assert [each.name for each in table.slices] == ["root"]
    assert "this is the backup at its end" in table.remarks[0]
    nothing = partition_table(disk_of(1000, PROTECTIVE))
    assert nothing is not None
    assert "so is the backup" in nothing.remarks[0]


def test_a_gpt_that_is_not_as_long_as_the_disk() -> None:
    table = partition_table(disk_of(2000, PROTECTIVE | gpt(1000, "root")))
    assert table is not None
    assert table.remarks == ("its backup is said to be in sector 999, not 1999, the last: was the disk resized?",)


def test_mbr_with_logical_partitions() -> None:
    pieces = {
        0: mbr((0x83, 10, 90), (0x05, 100, 400)),
        100: mbr((0x83, 1, 49), (0x05, 50, 50)),
        150: mbr((0x82, 1, 49)),
    }
    table = partition_table(disk_of(400, pieces))
    assert table is not None
    assert [(each.number, each.start, each.end, each.kind) for each in table.slices] == [
        (1, 10, 100, "Linux"),
        (2, 100, 500, "extended"),
        (5, 101, 150, "Linux"),
        (6, 151, 200, "Linux swap"),
    ]
    assert table.remarks == ("partition 2 ends behind the end of the disk",)


def test_a_chain_of_tables_that_leads_back_ends() -> None:
    pieces = {0: mbr((0x05, 100, 400)), 100: mbr((0x83, 1, 9), (0x05, 0, 50))}
    table = partition_table(disk_of(600, pieces))
    assert table is not None
    assert len(table.slices) == 2


def test_a_boot_sector_is_no_table() -> None:
    assert partition_table(Bytes(with_pieces(BOOT, (3, b"NTFS    "), (446, b"code that is no entry")))) is None


def test_partitions_are_looked_into() -> None:
    inside = ext(0x4, 0x242, 0x1)
    pieces = {0: mbr((0x83, 64, SIZE // SECTOR)), 64: inside}
    contents = contents_of(disk_of(64 + SIZE // SECTOR, pieces))
    assert (contents.table, contents.partitions[0].content) == ("MBR", f'ext4 "root" {IDENTIFIER}')


def tool(name: str) -> str:
    """The path of a program, or a skip."""
    found = shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
    return found or pytest.skip(f"not installed: {name}")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("mkfs.ext4", "-q", "-L", "root", "-U", IDENTIFIER), f'ext4 "root" {IDENTIFIER}'),
        (("mkfs.ext3", "-q", "-U", IDENTIFIER), f"ext3 {IDENTIFIER}"),
        (("mkfs.ext2", "-q", "-U", IDENTIFIER), f"ext2 {IDENTIFIER}"),
        (("mkswap", "-L", "swap0", "-U", IDENTIFIER), f'swap "swap0" {IDENTIFIER}'),
    ],
)
def test_what_the_tools_make(command: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(8 << 20))
    subprocess.run([tool(command[0]), *command[1:], path], check=True, capture_output=True)
    assert contents_of(Bytes(path.read_bytes())).content == expected
