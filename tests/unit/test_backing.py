"""Backings on real files: windows, locks, O_DIRECT, and what happens when a file changes behind our back."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.api import EngineError, UsageError
from aoetui.engine.backing import Backing, Window, create
from aoetui.engine.backing_life import BackingLife
from aoetui.engine.spec import NewFile
from aoetui.engine.window import choose_window, windows_meet

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTORS = 2048
OPEN_IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from aoetui.engine.api import EngineError
from aoetui.engine.backing import Backing
try:
    offset, length = int(sys.argv[2]), int(sys.argv[3])
    Backing.open(Path(sys.argv[1]), read_only=False, offset=offset, length=length)
except EngineError as error:
    print(error)
else:
    print("opened")
"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    create(path, NewFile(SECTORS * 512))
    return path


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def in_another_process(path: Path, offset: int, length: int) -> str:
    words = [sys.executable, "-c", OPEN_IN_ANOTHER_PROCESS, str(path), str(offset), str(length)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("direct", [False, True])
def test_what_is_written_is_read_and_is_in_the_file(image: Path, direct: bool) -> None:
    with closing(Backing.open(image, read_only=False, direct=direct)) as backing:
        backing.write(3, memoryview(b"a" * 512 + b"b" * 1024))
        backing.flush()
        assert backing.sectors == SECTORS
        assert backing.read(2, 5) == bytes(512) + b"a" * 512 + b"b" * 1024 + bytes(512)
    assert image.read_bytes()[3 * 512 : 6 * 512] == b"a" * 512 + b"b" * 1024


@pytest.mark.parametrize("direct", [False, True])
def test_a_request_larger_than_any_buffer_arrives_whole(image: Path, direct: bool) -> None:
    data = os.urandom((SECTORS - 1) * 512)
    with closing(Backing.open(image, read_only=False, direct=direct)) as backing:
        backing.write(1, data)
        assert backing.read(1, SECTORS - 1) == data


def test_direct_sees_what_the_page_cache_holds(image: Path) -> None:
    with closing(Backing.open(image, read_only=False, direct=True, offset=8, length=8)) as direct:
        with closing(Backing.open(image, read_only=False, offset=16, length=8)) as plain:
            plain.write(0, b"p" * 4096)
            direct.write(0, b"d" * 4096)
        assert image.read_bytes()[8 * 512 : 24 * 512] == b"d" * 4096 + b"p" * 4096


@pytest.mark.parametrize("direct", [False, True])
def test_a_file_cut_short_is_an_error_and_never_zeros(image: Path, direct: bool) -> None:
    with closing(Backing.open(image, read_only=False, direct=direct)) as backing:
        os.truncate(image, 4096)
        assert backing.read(0, 8) == bytes(4096)
        for request in (lambda: backing.read(7, 2), lambda: backing.read(100, 1), lambda: backing.write(100, bytes(512))):
            with pytest.raises(OSError, match=r"shorter|ends before") as caught:
                request()
            assert caught.value.errno == errno.EIO
    assert image.stat().st_size == 4096


@pytest.mark.parametrize("direct", [False, True])
def test_a_write_that_is_the_first_to_meet_a_cut_makes_the_file_no_longer(image: Path, direct: bool) -> None:
    """It would fill with zeros what was cut off before it, and nobody could tell any more."""
    with closing(Backing.open(image, read_only=False, direct=direct)) as backing:
        os.truncate(image, 4096)
        with pytest.raises(OSError, match="shorter"):
            backing.write(100, bytes(512))
    assert image.stat().st_size == 4096


def test_a_file_that_still_grows_is_served_as_it_was(image: Path) -> None:
    """Half-way through a copy its size is nobody's intention."""
    with closing(Backing.open(image, read_only=False)) as backing:
        life, before = BackingLife(backing, to_its_end=True), backing.sectors
        for sectors in range(before + 8, before + 32, 8):
            os.truncate(image, sectors * 512)
            assert not life.look()
            assert backing.sectors == before
        assert life.look()
        assert backing.sectors == before + 24


def test_what_is_wrong_is_told_while_it_is_looked_at_again(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Backing.open(image, read_only=False)) as backing:
        life = BackingLife(backing, to_its_end=True)
        told: list[str] = []

        def locked(_backing: Backing, _end: int) -> bool:
            told.append(life.text)
            return False

        monkeypatch.setattr(Backing, "grow", locked)
        os.truncate(image, (backing.sectors + 8) * 512)
        for _ in range(3):
            life.look()
        assert told == ["", life.text]
        assert "locked the new part" in life.text


def test_a_window_is_all_that_is_touched(image: Path) -> None:
    with closing(Backing.open(image, read_only=False, offset=10, length=4)) as backing:
        assert backing.sectors == 4
        backing.write(0, b"w" * 2048)
        for lba, count in ((0, 5), (4, 1), (-1, 1)):
            with pytest.raises(OSError, match="outside"):
                backing.read(lba, count)
        with pytest.raises(OSError, match="outside"):
            backing.write(3, bytes(1024))
    content = image.read_bytes()
    assert content[5120:7168] == b"w" * 2048
    assert not content[:5120].strip(b"\0")
    assert not content[7168:].strip(b"\0")


def test_read_only_writes_nothing_and_shares(image: Path) -> None:
    with closing(Backing.open(image, read_only=True)) as one, closing(Backing.open(image, read_only=True)) as other:
        with pytest.raises(OSError, match="read-only") as caught:
            one.write(0, bytes(512))
        assert caught.value.errno == errno.EROFS
        assert other.read(0, 1) == bytes(512)
        with pytest.raises(EngineError, match="locked"):
            Backing.open(image, read_only=False)


def test_half_a_sector_is_not_written(image: Path) -> None:
    with closing(Backing.open(image, read_only=False)) as backing, pytest.raises(OSError, match="whole number"):
        backing.write(0, bytes(100))


@pytest.mark.parametrize("read_only", [False, True])
def test_nobody_else_opens_what_is_written(image: Path, read_only: bool) -> None:
    with closing(Backing.open(image, read_only=False)):
        with pytest.raises(EngineError, match=str(image)) as caught:
            Backing.open(image, read_only=read_only)
        assert caught.value.field == "path"
    Backing.open(image, read_only=read_only).close()


def test_windows_that_do_not_meet_are_served_together_by_any_process(image: Path) -> None:
    with closing(Backing.open(image, read_only=False, length=100)) as one:
        with closing(Backing.open(image, read_only=False, offset=100, length=100)) as other:
            assert not one.overlaps(other)
            assert one.running_key == other.running_key
        assert in_another_process(image, 100, 100) == "opened"
        assert "is locked" in in_another_process(image, 99, 100)
        with pytest.raises(EngineError, match="is locked"):
            Backing.open(image, read_only=False, offset=99, length=1)


def test_a_whole_backing_overlaps_its_windows(image: Path) -> None:
    with closing(Backing.open(image, read_only=True)) as one, closing(Backing.open(image, read_only=True, offset=5)) as other:
        assert one.overlaps(other)
        assert other.overlaps(one)


def test_another_name_for_the_file_is_the_same_backing(image: Path, tmp_path: Path) -> None:
    (tmp_path / "link").hardlink_to(image)
    with closing(Backing.open(image, read_only=False)), pytest.raises(EngineError, match="link is locked"):
        Backing.open(tmp_path / "link", read_only=False)


def test_a_closed_backing_reads_nothing_and_closes_again(image: Path) -> None:
    for direct in (False, True):
        backing = Backing.open(image, read_only=False, direct=direct)
        backing.close()
        backing.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            backing.read(0, 1)


def test_a_refused_open_leaves_no_descriptor(image: Path) -> None:
    before = open_descriptors()
    with closing(Backing.open(image, read_only=False)):
        for _ in range(3):
            with pytest.raises(EngineError, match="locked"):
                Backing.open(image, read_only=False)
    assert open_descriptors() == before


def test_direct_where_the_file_system_lacks_it_says_so() -> None:
    with pytest.raises(EngineError, match="without direct") as caught:  # sysfs has files of 4096 bytes, and no O_DIRECT
        Backing.open(Path("/sys/kernel/uevent_seqnum"), read_only=True, direct=True)
    assert caught.value.field == "direct"


@pytest.mark.parametrize(
    ("size", "window", "field", "text"),
    [
        (0, (0, None), "path", "is empty: give it a size with `truncate -s 10G"),
        (100, (0, None), "path", r"no multiple of 512 \(next 512\): run `truncate -s 512"),
        (1000, (0, None), "path", r"next 512 and 1024.*truncate -s 1024 .*truncate -s 512 .*length 1"),
        (1024, (2, None), "offset", "which has 2 sectors"),
        (1024, (0, 3), "length", "choose 1 to 2"),
        (1024, (1, 2), "length", "choose 1 to 1"),
    ],
)
def test_sizes_and_windows_that_do_not_fit(
    tmp_path: Path, size: int, window: tuple[int, int | None], field: str, text: str
) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(size))
    with pytest.raises(EngineError, match=text) as caught:
        Backing.open(path, read_only=False, offset=window[0], length=window[1])
    assert caught.value.field == field


def test_an_odd_size_is_served_by_a_window_of_whole_sectors(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1000))
    with closing(Backing.open(path, read_only=False, length=1)) as backing:
        assert backing.sectors == 1


@given(st.integers(1, 10_000), st.integers(0, 12_000), st.none() | st.integers(1, 12_000))
def test_a_window_lies_within_the_size_or_is_refused(sectors: int, offset: int, length: int | None) -> None:
    fits = offset < sectors and (length is None or offset + length <= sectors)
    if fits:
        expected = Window(offset, sectors - offset if length is None else length)
        assert choose_window(Path("/disk"), sectors * 512, offset, length) == expected
    else:
        with pytest.raises(EngineError, match="choose") as caught:
            choose_window(Path("/disk"), sectors * 512, offset, length)
        assert caught.value.field == ("offset" if offset >= sectors else "length")


@given(*[st.integers(0, 30), st.none() | st.integers(1, 30)] * 2)
def test_windows_meet_when_a_sector_is_in_both(offset: int, length: int | None, other: int, other_length: int | None) -> None:
    one = set(range(offset, 100 if length is None else offset + length))
    two = set(range(other, 100 if other_length is None else other + other_length))
    assert windows_meet(offset, length, other, other_length) == bool(one & two)
    assert Window(offset, len(one)).meets(Window(other, len(two))) == bool(one & two)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_new_file_has_its_size_and_is_ours_alone(tmp_path: Path, sparse: bool) -> None:
    path = tmp_path / "new.img"
    create(path, NewFile(1 << 20, sparse))
    status = path.stat()
    assert (status.st_size, status.st_mode & 0o777) == (1 << 20, 0o600)
    assert (status.st_blocks * 512 >= 1 << 20) is not sparse
    Backing.open(path, read_only=False).close()


@pytest.mark.parametrize("size", [0, 511, 513, -512])
def test_a_new_file_of_no_whole_sectors_is_a_usage_error(tmp_path: Path, size: int) -> None:
    with pytest.raises(UsageError, match="multiple of 512") as caught:
        create(tmp_path / "new.img", NewFile(size))
    assert caught.value.field == "size"
    assert not list(tmp_path.iterdir())


def test_a_new_file_never_replaces_one(image: Path) -> None:
    before = image.stat()
    with pytest.raises(EngineError, match="exists already"):
        create(image, NewFile(512))
    assert image.stat().st_size == before.st_size


def test_a_new_file_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="mkdir -p"):
        create(tmp_path / "absent" / "new.img", NewFile(512))


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """No file of this process grows beyond 1 MiB; what a file system takes differs (tmpfs: anything)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_new_file_beyond_what_may_be_leaves_nothing(tmp_path: Path, small_files_only: None) -> None:  # noqa: ARG001  # a limit
    with pytest.raises(EngineError, match="takes no file of") as caught:
        create(tmp_path / "new.img", NewFile(2 << 20))
    assert caught.value.field == "size"
    assert not list(tmp_path.iterdir())


def test_a_new_file_that_has_no_room_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="free: choose a smaller size, or sparse") as caught:
        create(tmp_path / "new.img", NewFile(1 << 60, sparse=False))
    assert caught.value.field == "size"
    assert not list(tmp_path.iterdir())
