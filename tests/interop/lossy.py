"""The Linux driver behind a wire that loses frames.

`python -m tests.interop.lossy --mtu 9000 --size 256` is more than a test has time for.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import netns
from tests.support.lossy import LossyWire, Rates

from .guest import Guest, archive, build, built_guest
from .lab import FAR_LINK, SHELF, SLOT, TAP, Lab
from .test_linux import LIBRARY, stop

if TYPE_CHECKING:
    from tests.support.lossy.wire import Way

SEED = 1
SMALLEST_DISK_MIB = 16
SECONDS_PER_MIB = 20
BOOT_SECONDS = 120
SCRIPT = """
mount -t debugfs debugfs /sys/kernel/debug
find_device
cat /dev/etherd/err >/tmp/err &
done_with() { echo "$(cut -d' ' -f1 /proc/uptime) s: $1"; }
done_with "finding the disk"
verified() { # NAME FILE OPTIONS: write and read back
    name=$1 file=$2
    shift 2
    fio --name="$name" --filename="$file" --ioengine=libaio --direct=1 --iodepth=16 --random_generator=tausworthe64 \
        --verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 "$@" >/tmp/fio 2>&1 || { cat /tmp/fio; exit 1; }
    grep -q 'err= 0' /tmp/fio
    done_with "$name"
}
verified device-sequential "$DEV" --rw=write --bs=64k --size=$((SIZE / 4))m
verified device-again "$DEV" --rw=randwrite --bs=4k --size=64k --io_size=$((SIZE / 4))m --norandommap --serialize_overlap=1 \
    --iodepth=8 --verify_backlog=8
mkfs.ext4 -q -N 64 -E lazy_journal_init=1 "$DEV"
mount -t ext4 "$DEV" /mnt
done_with mkfs
verified files-random /mnt/fio --rw=randwrite --bs=4k --size=$((SIZE / 4))m
rm /mnt/fio
for number in 0 1 2 3; do head -c $((SIZE * 65536 + number)) /dev/urandom >/mnt/f$number; done
(cd /mnt && sha256sum f*) >/tmp/sums
umount /mnt
forget
mount -t ext4 "$DEV" /mnt
(cd /mnt && sha256sum -c /tmp/sums)
umount /mnt
forget
done_with files
e2fsck -fn "$DEV"
done_with e2fsck
cat "/sys/kernel/debug/aoe/$E"
echo "retransmits: $(grep -c retransmit /tmp/err)"
[ "$(cat "$SYS/state")" = up ]
kernel_is_content
cat /tmp/sums
"""


def exercise(lab: Lab, guest: Guest, *, mtu: int, size: int, rates: Rates, seed: int = SEED) -> str:
    """Write and verify some `size` MiB, and return the figures. Raises AssertionError when a byte or a message is wrong."""
    disk = lab.disk(max(SMALLEST_DISK_MIB, 2 * size))
    target = lab.export(disk)
    lab.far.delete_link(FAR_LINK)  # the wire takes the bridge's place
    with LossyWire(lab.far, (TAP, "wire0"), disk, rates, seed) as wire:
        result = with_fio(guest, lab.folder).run(
            LIBRARY + SCRIPT,
            namespace=lab.far,
            tap=TAP,
            mtu=mtu,
            env={"SHELF": str(SHELF), "SLOT": str(SLOT), "SIZE": str(size)},
            timeout=BOOT_SECONDS + SECONDS_PER_MIB * size,
        )
        stop(target)
        figures = "\n".join((f"MTU {mtu}, {size} MiB, seed {seed}", result.output, *_wire_figures(wire)))
    (lab.folder / "figures").write_text(figures)
    wrong = [*wire.ledger.carried_out, wire.ledger.disagreement()]
    assert not any(wrong), "\n".join([figures, *wrong])
    assert result.rc == 0, f"{figures}\n{result.kernel_log[-3000:]}"
    checked = subprocess.run(["e2fsck", "-fn", str(disk)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    return figures


def with_fio(guest: Guest, folder: Path) -> Guest:
    """The guest with this host's fio, which drags 80 MB of libraries along: too much for every test."""
    fio = shutil.which("fio")
    assert fio is not None
    whole = folder / "initramfs.cpio"
    whole.write_bytes(guest.initramfs.read_bytes() + archive.archive(build.with_libraries(Path(fio))))
    return replace(guest, initramfs=whole)


def _wire_figures(wire: LossyWire) -> list[str]:
    ways: dict[str, Way] = {"requests": wire.requests, "replies": wire.replies}
    lines = []
    for name, way in ways.items():
        facts = asdict(way.counts) | asdict(way.accidents())
        lines.append(f"{name}: " + ", ".join(f"{count} {what}" for what, count in facts.items()))
    return [*lines, f"stale copies delivered: {wire.ledger.stale_copies}, late writes spared: {wire.ledger.spared}"]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mtu", type=int, default=1500)
    parser.add_argument("--size", type=int, default=64, help="MiB")
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    if refusal := netns.enter():
        sys.exit(refusal)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    guest = built_guest()
    if guest is None:
        sys.exit("there is no guest yet: run `python -m tests.interop.guest`")
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder), asked.mtu) as lab:
        sys.stdout.write(exercise(lab, guest, mtu=asked.mtu, size=asked.size, rates=Rates(), seed=asked.seed) + "\n")


if __name__ == "__main__":
    main()
