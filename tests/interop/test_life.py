"""An interface that is deleted and made again, and a full disk, each in the middle of a guest's write."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Self

import pytest

from tests.support.mounts import small_file_system
from tests.support.netns import join
from tests.support.program import until
from tests.support.tmux import Tmux

from .lab import FAR_LINK, NEAR_LINK, SHELF, SLOT
from .test_linux import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .guest import Guest
    from .lab import Lab

pytestmark = pytest.mark.interop("tmux")

MEBIBYTE = 1 << 20
MAC, OTHER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:77"
CONFIG = """
[engine]
interfaces = ["{link}"]

[[export]]
shelf = {shelf}
slot = {slot}
path = "{path}"
interfaces = ["{link}"]
"""
WRITE = """
find_device
head -c 8388608 /dev/urandom >/tmp/data
n=0
while [ $n -lt 128 ]; do
    [ $n != 16 ] || echo now
    dd if=/tmp/data of="$DEV" bs=64k skip=$n seek=$n count=1 oflag=direct conv=notrunc 2>/dev/null
    n=$((n + 1))
done
echo "$(sha256sum </tmp/data)"
forget
[ "$(head -c 8388608 "$DEV" | sha256sum)" = "$(sha256sum </tmp/data)" ] && echo "it is all there"
dd if=/tmp/data of="$DEV" bs=64k count=1 oflag=direct conv=notrunc 2>/dev/null
kernel_is_content
"""
FULL = """
find_device
head -c 8388608 /dev/urandom >/tmp/data
n=0 status=0
while [ $n -lt 128 ] && [ $status = 0 ]; do
    [ $n != 16 ] || echo fill the disk
    timeout 60 dd if=/tmp/data of="$DEV" bs=64k skip=$n seek=$n count=1 oflag=direct conv=notrunc 2>/tmp/error || status=$?
    n=$((n + 1))
done
echo "status $status: $(grep -v records /tmp/error)"
forget
[ "$(head -c 1048576 "$DEV" | sha256sum)" = "$(head -c 1048576 /tmp/data | sha256sum)" ] && echo "what was written is there"
echo make room
tries=0
until dd if=/tmp/data of="$DEV" bs=64k oflag=direct conv=notrunc 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 120 ] || exit 1
    sleep 0.5
done
forget
[ "$(head -c 8388608 "$DEV" | sha256sum)" = "$(sha256sum </tmp/data)" ] && echo "it is all there"
"""
GROW = """
find_device
has() {
    tries=0
    until [ "$(cat "$SYS/size")" = $1 ]; do
        tries=$((tries + 1))
        [ $tries -lt 120 ] || exit 1
        $2
        sleep 0.5
    done
}
revalidate() { echo "$E" >/dev/etherd/revalidate; }
echo grow to 128
has 262144 true
echo "it is seen while nobody has it open"
exec 5<"$DEV"
echo grow to 192
has 393216 revalidate
echo "it is seen when asked for"
printf end | dd of="$DEV" bs=512 seek=393215 conv=notrunc,sync oflag=direct 2>/dev/null
kernel_is_content
"""


class Console(Tmux):
    """The console in `near`, on its Events screen."""

    def __init__(self, lab: Lab, disk: Path) -> None:
        config = lab.folder / "config" / "aoetui" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(CONFIG.format(link=NEAR_LINK, shelf=SHELF, slot=SLOT, path=disk))
        super().__init__(lab.near, lab.folder, [sys.executable, "-m", "aoetui"], lab.environment)

    def __enter__(self) -> Self:
        super().__enter__()
        self.shows("1 served")
        self.press("5")
        self.tells(f"served on {NEAR_LINK}")
        return self

    def tells(self, *texts: str) -> None:
        """Wait until these are on the screen, wherever their lines are broken."""
        until(lambda: all(text in self.text() for text in texts), f"{texts} in {self.text()}")

    def text(self) -> str:
        """What is on the screen, in one line."""
        return " ".join(self.pane().split())


@pytest.mark.parametrize("mac", [MAC, OTHER_MAC], ids=["same", "new"])
def test_an_interface_is_deleted_and_made_again_under_a_guest_that_writes(lab: Lab, guest: Guest, mac: str) -> None:
    """A disk whose cable was pulled and put back: the guest's write waits, and is done."""
    disk = lab.disk(64)
    lab.near.set_link(NEAR_LINK, address=MAC)

    def interrupt(line: str) -> None:
        if line != "now":
            return
        lab.near.delete_link(NEAR_LINK)
        console.tells(f"{NEAR_LINK} was deleted: AoE goes on when there is an interface of this name again")
        console.press("2")
        console.shows("waiting")
        console.press("5")
        assert not any(disk.read_bytes()[7 * MEBIBYTE : 8 * MEBIBYTE]), "the guest is not through"
        join(lab.near, NEAR_LINK, lab.far, "wire0", near_mac=mac)
        lab.far.set_link("wire0", master=lab.far.index(FAR_LINK))

    with Console(lab, disk) as console:
        result = run(guest, lab, WRITE, on_line=interrupt)
        assert "it is all there" in result.output
        again = "was made again with the same MAC" if mac == MAC else f"was made again with another MAC, {mac} (was {MAC})"
        console.tells(f"{NEAR_LINK} {again}", f"served on {NEAR_LINK}")
        assert console.text().count("was deleted") == console.text().count("was made again") == 1
        console.press("2")
        console.shows("* active")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    with small_file_system(tmp_path / "small", "16m") as folder:
        yield folder


def test_a_disk_is_full_under_a_guest_that_writes(lab: Lab, guest: Guest, small: Path) -> None:
    """A disk with bad sectors: the program is told at once, nothing hangs; when there is room, it writes."""
    disk, other = small / "disk.img", small / "other"
    disk.touch()
    os.truncate(disk, 64 * MEBIBYTE)

    def act(line: str) -> None:
        if line == "fill the disk":
            with other.open("wb", buffering=0) as file:
                room = os.statvfs(small)
                file.write(bytes((room.f_bavail - 256) * room.f_frsize))
        if line == "make room":
            console.tells("failed: No space left on device. Initiators were told; make room on its file system")
            console.press("2")
            console.shows("degraded", "1 alarm")
            console.press("5")
            other.unlink()

    with Console(lab, disk) as console:
        result = run(guest, lab, FULL, on_line=act)
        assert "status 1: dd: error writing" in result.output
        assert "what was written is there" in result.output
        assert "it is all there" in result.output
        console.tells("well again")


def test_a_disk_that_grows_is_seen_by_linux_as_the_console_says(lab: Lab, guest: Guest) -> None:
    disk = lab.disk(64)

    def grow(line: str) -> None:
        if line.startswith("grow to"):
            os.truncate(disk, int(line.removeprefix("grow to ")) * MEBIBYTE)

    with Console(lab, disk) as console:
        result = run(guest, lab, GROW, on_line=grow)
        assert "it is seen while nobody has it open\n" in result.output
        assert "it is seen when asked for" in result.output
        console.tells("grew from 131072 to 262144 sectors", "grew from 262144 to 393216 sectors")
    assert disk.read_bytes()[-512:] == b"end" + bytes(509)
