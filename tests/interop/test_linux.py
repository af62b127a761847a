"""The Linux aoe driver of Debian's kernel uses an export of ours as a disk."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.fast_path import SWITCH

from .lab import FAR_LINK, NEAR_LINK, SHELF, SLOT, TAP, captured

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.program import Program

    from .guest import Guest, GuestResult
    from .lab import Lab

pytestmark = pytest.mark.interop("e2fsck", "debugfs", "tcpdump")

DISK_MIB = 64
LIBRARY = """
E=e$SHELF.$SLOT DEV=/dev/etherd/e$SHELF.$SLOT SYS="/sys/block/etherd!e$SHELF.$SLOT"
set -e
find_device() {
    tries=0
    until [ -b "$DEV" ] && [ "$(cat "$SYS/state")" = up ]; do
        tries=$((tries + 1))
        [ $tries -lt 60 ] || { echo "$E did not come up"; aoe-stat; dmesg | grep aoe; exit 1; }
        aoe-discover
        sleep 0.5
    done
    aoe-stat
    for fact in payload size state netif mac; do echo "$fact=$(cat "$SYS/$fact")"; done
}
forget() { sync; echo 3 >/proc/sys/vm/drop_caches; }
kernel_is_content() { ! dmesg | grep -E 'I/O error|ata error|error packet|EXT4-fs error|BUG|Oops'; }
"""
FILE_SYSTEM = """
find_device
mkfs.ext4 -q "$DEV"
mount -t ext4 "$DEV" /mnt
number=0
for size in 4000000 2000000 1000000 333333 100000 4096 1000 1 0; do
    head -c $size /dev/urandom >/mnt/f$number
    number=$((number + 1))
done
(cd /mnt && sha256sum f*) >/tmp/sums
umount /mnt
forget
mount -t ext4 "$DEV" /mnt
(cd /mnt && sha256sum -c /tmp/sums)
umount /mnt
forget
e2fsck -fn "$DEV"
kernel_is_content
cat /tmp/sums
"""
RESTART = """
find_device
mkfs.ext4 -q "$DEV"
mount -t ext4 "$DEV" /mnt
for number in 0 1 2 3 4 5 6 7; do
    [ $number != 2 ] || echo restart the target
    head -c 1000000 /dev/urandom >/mnt/f$number
    sync
done
(cd /mnt && sha256sum f*) >/tmp/sums
umount /mnt
forget
mount -t ext4 "$DEV" /mnt
(cd /mnt && sha256sum -c /tmp/sums)
umount /mnt
kernel_is_content
cat /tmp/sums
"""


def run(guest: Guest, lab: Lab, script: str, mtu: int = 1500, on_line: Callable[[str], None] | None = None) -> GuestResult:
    """Run a script in the guest; it must end with 0."""
    result = guest.run(
        LIBRARY + script,
        namespace=lab.far,
        tap=TAP,
        mtu=mtu,
        env={"SHELF": str(SHELF), "SLOT": str(SLOT)},
        on_line=on_line or (lambda _line: None),
    )
    assert result.rc == 0, f"{result.output}\n{result.kernel_log[-3000:]}"
    return result


def check_file(disk: Path, output: str, files: int) -> None:
    """The file that was exported holds a clean ext4, and the files with the checksums that the guest printed."""
    assert subprocess.run(["e2fsck", "-fn", str(disk)], capture_output=True, check=False).returncode == 0
    sums = dict(re.findall(r"^([0-9a-f]{64})  (f\d)$", output, re.MULTILINE))
    assert len(sums) == files
    for sum_, name in sums.items():
        held = subprocess.run(["debugfs", "-R", f"cat /{name}", str(disk)], capture_output=True, check=True).stdout
        assert hashlib.sha256(held).hexdigest() == sum_


def stop(target: Program) -> None:
    """End our target as an administrator does."""
    target.process.send_signal(signal.SIGTERM)
    assert target.ends() == 0, target.stderr


@pytest.mark.parametrize(("mtu", "payload"), [(1500, 1024), (9000, 8704)])
def test_file_system(make_lab: Callable[[int], Lab], guest: Guest, mtu: int, payload: int) -> None:
    lab = make_lab(mtu)
    disk = lab.disk(DISK_MIB)
    target = lab.export(disk)
    with captured(lab) as capture:
        result = run(guest, lab, FILE_SYSTEM, mtu)
    stop(target)
    assert f"payload={payload}\n" in result.output
    assert f"size={DISK_MIB * 2048}\n" in result.output
    assert result.output.count(": OK\n") == 9
    check_file(disk, result.output, 9)
    both_paths_answer(capture)


def both_paths_answer(capture: Path) -> None:
    """What the driver asked, once more: the compiled loop answers as the interpreted path does."""
    if os.environ.get(SWITCH) == "0" or find_spec("numba") is None:
        return  # there is one path alone
    from tests.fuzz import captured as replayed  # it needs numba

    tally = replayed.run(capture, DISK_MIB << 11)
    answered = sum(count for fate, count in tally.fates.items() if fate > 0)
    assert answered > tally.frames / 2 > 500, tally.report()


def test_target_restarts_under_load(lab: Lab, guest: Guest) -> None:
    disk = lab.disk(DISK_MIB)
    targets = [lab.export(disk)]

    def restart(line: str) -> None:
        if line == "restart the target":
            stop(targets[-1])
            targets.append(lab.export(disk))

    result = run(guest, lab, RESTART, on_line=restart)
    assert len(targets) == 2
    stop(targets[-1])
    assert result.output.count(": OK\n") == 8
    check_file(disk, result.output, 8)


def test_the_harness_with_vblade(lab: Lab, guest: Guest) -> None:
    """So that a failure above is known to be ours."""
    disk = lab.disk(DISK_MIB)
    lab.vblade(lab.near, NEAR_LINK, disk)
    lab.initiator(lab.far, FAR_LINK)
    run(guest, lab, FILE_SYSTEM)
