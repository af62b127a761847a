"""Who may not be exported and why: real files, real other processes, real loop devices where root has them."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.engine import block_devices
from aoetui.engine.api import EngineError, NoPermissionError
from aoetui.engine.backing import Backing, inspect, list_block_devices
from tests.support.privilege import as_ordinary_user

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOP_SET_STATUS64 = 0x4C04
LO_FLAGS_PARTSCAN = 8
BLKPG, BLKPG_ADD_PARTITION, BLKPG_DEL_PARTITION = 0x1269, 1, 2
"""linux/loop.h; the device may then have partitions."""
HOLD_OPEN = "import sys; held = open(sys.argv[1], sys.argv[2]); print('open', flush=True); sys.stdin.read()"
OPEN_DURING_THE_LEASE = """
import fcntl, os, sys
from pathlib import Path
from aoetui.engine import writers
real, path = fcntl.fcntl, sys.argv[1]
def with_a_writer(descriptor, command, argument):
    result = real(descriptor, command, argument)
    if (command, argument) == (fcntl.F_SETLEASE, fcntl.F_RDLCK):
        try:
            os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except BlockingIOError:
            print("lease broken")
    return result
fcntl.fcntl = with_a_writer
print(repr(writers.writer_of(Path(path), os.open(path, os.O_RDONLY))))
"""
INSPECT = (
    "import sys; from pathlib import Path; from aoetui.engine.backing import inspect; print(inspect(Path(sys.argv[1])).refusal)"
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(4 << 20)
    return path


@contextmanager
def held_open(path: Path, mode: str) -> Iterator[int]:
    """Another process that has `path` open; its pid."""
    words = [sys.executable, "-c", HOLD_OPEN, str(path), mode]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.communicate()


@pytest.fixture
def loop(image: Path) -> Iterator[Path]:
    """A loop device on `image`."""
    if os.geteuid() != 0 or shutil.which("losetup") is None:
        pytest.skip("a loop device needs root and losetup")
    done = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no loop device is to be had here: {done.stderr.strip()}")
    yield Path(done.stdout.strip())
    subprocess.run(["losetup", "-d", done.stdout.strip()], check=True)


def test_a_plain_file_may_be_exported_and_is_left_as_it_is(image: Path) -> None:
    before = image.stat()
    report = inspect(image)
    assert (report.exists, report.block_device, report.size, report.refusal, report.warning) == (True, False, 4 << 20, "", "")
    assert image.stat() == before


def test_a_size_of_no_eight_sectors_is_only_warned_of(image: Path) -> None:
    os.truncate(image, 9 * 512)
    assert inspect(image).refusal == ""
    assert "multiple of 8 sectors" in inspect(image).warning


def test_an_odd_or_empty_size_is_refused(image: Path) -> None:
    os.truncate(image, 1000)
    assert "truncate -s 1024" in inspect(image).refusal
    os.truncate(image, 0)
    assert "is empty" in inspect(image).refusal


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (Path.absolute, "does not exist: make it with `truncate -s 10G "),
        (Path.mkdir, "is a folder: choose a file"),
        (os.mkfifo, "is a pipe"),
        (make_socket, "is a socket"),
        (lambda path: path.symlink_to("/dev/null"), "is a character device"),
        (lambda path: path.symlink_to(path), "cannot be looked at"),
    ],
)
def test_what_is_no_disk_is_refused_at_once(tmp_path: Path, make: object, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert callable(make)
    make(Path("thing"))
    assert text in inspect(Path("thing")).refusal
    with pytest.raises(EngineError, match="thing") as caught:
        Backing.open(Path("thing"), read_only=False)
    assert caught.value.field == "path"


def test_a_file_that_another_program_writes_is_refused_by_name(image: Path) -> None:
    with held_open(image, "r+b") as pid:
        assert f"(pid {pid})" in inspect(image).refusal
        assert inspect(image, read_only=True).refusal == ""
        with pytest.raises(EngineError, match=rf"open for writing by .* \(pid {pid}\)"):
            Backing.open(image, read_only=False)
    assert inspect(image).refusal == ""


def test_a_file_that_another_program_only_reads_is_free(image: Path) -> None:
    with held_open(image, "rb"):
        Backing.open(image, read_only=False).close()


def test_a_writer_that_comes_during_the_look_ends_nobody(image: Path) -> None:
    """A lease that is broken sends a signal, and the usual one (SIGIO) would end the process."""
    done = subprocess.run([sys.executable, "-c", OPEN_DURING_THE_LEASE, str(image)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "lease broken\n''\n")


def test_no_permission_names_the_command() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # pytest's own folders let nobody else in
        Path(folder).chmod(0o755)
        image = Path(folder) / "disk.img"
        image.write_bytes(bytes(4096))
        image.chmod(0)
        with as_ordinary_user():
            refusals = [inspect(image, read_only=read_only).refusal for read_only in (False, True)]
            with pytest.raises(NoPermissionError, match="chown"):
                Backing.open(image, read_only=True)
    assert all(re.search(rf"no permission to read .*`\S+/sudo \S+/chown \S+ {image}`$", refusal) for refusal in refusals)


def test_a_file_under_a_loop_device_is_refused_by_its_name(image: Path, loop: Path) -> None:
    assert f"in use as {loop}: detach it with `losetup -d {loop}`" in inspect(image).refusal
    assert inspect(image, read_only=True).refusal == ""


def test_a_block_device_is_served_like_a_file(loop: Path, image: Path) -> None:
    report = inspect(loop)
    assert (report.block_device, report.size, report.refusal) == (True, 4 << 20, "")
    with closing(Backing.open(loop, read_only=False)) as backing:
        assert backing.block_device
        assert backing.sectors == 8192
        backing.write(5, b"d" * 512)
        backing.flush()
        assert backing.read(5, 1) == b"d" * 512
        with pytest.raises(EngineError, match=r"in use|locked"):
            Backing.open(loop, read_only=False)
        with pytest.raises(EngineError, match="being written"):
            Backing.open(loop, read_only=True)
    assert image.read_bytes()[5 * 512 : 6 * 512] == b"d" * 512


def test_windows_of_a_block_device_are_served_together(loop: Path) -> None:
    with (
        closing(Backing.open(loop, read_only=False, length=100)) as one,
        closing(Backing.open(loop, read_only=False, offset=100, length=100, direct=True)) as other,
    ):
        one.write(99, b"1" * 512)
        other.write(0, b"2" * 512)
        assert one.read(99, 1) + other.read(0, 1) == b"1" * 512 + b"2" * 512
        with pytest.raises(EngineError, match="locked"):
            Backing.open(loop, read_only=False, offset=99, length=2)


def test_a_block_device_that_another_claims_is_refused(loop: Path) -> None:
    claim = os.open(loop, os.O_RDWR | os.O_EXCL)
    try:
        for length in (None, 8):
            with pytest.raises(EngineError, match="mounted or otherwise in use"):
                Backing.open(loop, read_only=False, length=length)
    finally:
        os.close(claim)


def test_a_mounted_block_device_is_refused_by_its_mount_point(loop: Path, tmp_path: Path) -> None:
    if shutil.which("mkfs.ext2", path="/sbin:/usr/sbin:/bin:/usr/bin") is None:
        pytest.skip("mkfs.ext2 is missing")
    point = tmp_path / "a place"
    point.mkdir()
    subprocess.run(["/sbin/mkfs.ext2", "-q", str(loop)], check=True)
    script = 'mount "$1" "$2" && "$3" -c "$4" "$1"'
    words = ["unshare", "-m", "sh", "-c", script, "sh", str(loop), str(point), sys.executable, INSPECT]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert f"{loop} is mounted on {point}" in done.stdout


def change_partition(disk: Path, operation: int, first: int = 0, sectors: int = 0) -> None:
    """Tell the kernel of a partition 1, or that it is gone (BLKPG, linux/blkpg.h); it need not know any partition table."""
    partition = ctypes.create_string_buffer(struct.pack("2qi64s64s4x", first * 512, sectors * 512, 1, b"", b""))
    request = struct.pack("3iP", operation, 0, len(partition.raw), ctypes.addressof(partition))
    with disk.open("rb") as device:
        fcntl.ioctl(device, BLKPG, request)


@contextmanager
def partition_of(disk: Path, first: int, sectors: int) -> Iterator[Path]:
    """A partition on a loop device, and its node."""
    with disk.open("rb") as device:
        fcntl.ioctl(device, LOOP_SET_STATUS64, struct.pack("5Q4I160s2Q", *[0] * 8, LO_FLAGS_PARTSCAN, b"", 0, 0))
    change_partition(disk, BLKPG_ADD_PARTITION, first, sectors)
    part = node_of_partition(disk)
    yield part
    part.unlink(missing_ok=True)
    change_partition(disk, BLKPG_DEL_PARTITION)


def node_of_partition(disk: Path) -> Path:
    """Its node under /dev; made here where nothing (devtmpfs, udev) makes it."""
    part = Path(f"{disk}p1")
    if not part.exists():
        major, minor = Path(f"/sys/block/{disk.name}/{part.name}/dev").read_text().split(":")
        os.mknod(part, 0o600 | stat.S_IFBLK, os.makedev(int(major), int(minor)))
    return part


def test_a_disk_and_its_partition_overlap(loop: Path) -> None:
    with partition_of(loop, 2048, 1024) as part:
        with closing(Backing.open(loop, read_only=True)) as whole, closing(Backing.open(part, read_only=True)) as piece:
            assert whole.overlaps(piece)
            assert piece.overlaps(whole)
            assert whole.running_key != piece.running_key
            assert piece.sectors == 1024
        assert part in {each.path for each in list_block_devices()}


def test_block_devices_are_listed_with_size_and_without_empty_ones() -> None:
    for report in list_block_devices():
        assert report.block_device
        assert stat.S_ISBLK(report.path.stat().st_mode)
        assert report.size > 0


def test_the_device_under_the_root_is_refused() -> None:
    mount = next(each for each in reversed(block_devices.mount_table()) if each.point == "/")
    folder = block_devices.folder_of(mount.number)
    if not folder.exists() or not block_devices.device_path(folder).exists():
        pytest.skip("the root stands on no block device that is visible here")
    assert "mounted on" in inspect(block_devices.device_path(folder)).refusal


def test_the_key_tells_a_file_from_one_that_was_given_its_inode(image: Path) -> None:
    """File systems give numbers out again at once; where they do not, the number itself tells."""
    content, keys = image.read_bytes(), set()
    for _ in range(5):
        with closing(Backing.open(image, read_only=True)) as backing:
            keys.add(backing.key)
        image.unlink()
        image.write_bytes(content)
    assert len(keys) == 5


def test_the_key_tells_windows_apart_but_not_by_their_length(image: Path) -> None:
    def key(offset: int, length: int | None) -> str:
        with closing(Backing.open(image, read_only=True, offset=offset, length=length)) as backing:
            return backing.key

    assert key(0, None) == key(0, 1)
    assert key(0, 1) != key(1, 1)


def test_the_key_tells_a_file_from_one_that_took_its_place(image: Path, tmp_path: Path) -> None:
    with closing(Backing.open(image, read_only=True)) as backing:
        first = backing.key
    other = tmp_path / "other.img"
    shutil.copy(image, other)
    other.replace(image)
    with closing(Backing.open(image, read_only=True)) as backing:
        assert backing.key != first
