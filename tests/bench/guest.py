"""Sequential reads and writes of the Linux aoe driver, in qemu, from our target and from vblade: `python -m tests.bench.guest`.

The guest has no KVM: most of the time is its own. The ratio says whether our target ever keeps it waiting, not how fast it is.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from pathlib import Path

from aoetui.engine.fast_path import fast_path
from tests.interop.guest import Guest, built_guest
from tests.interop.lab import FAR_LINK, NEAR_LINK, SHELF, SLOT, TAP, Lab

from .targets import OURS, VBLADE, write_bytes

MIB = 48
_PREPARING = 300.0
_SCRIPT = """
set -e
DEV=/dev/etherd/e$SHELF.$SLOT
until [ -b "$DEV" ] && [ "$(cat "/sys/block/etherd!e$SHELF.$SLOT/state")" = up ]; do aoe-discover; sleep 0.5; done
now() { cut -d ' ' -f 1 /proc/uptime; }
for pass in 1 2 3; do
    echo 3 >/proc/sys/vm/drop_caches
    began=$(now); dd if="$DEV" of=/dev/null bs=1M count=$MIB 2>/dev/null; echo "read $began $(now)"
    began=$(now); dd if=/dev/zero of="$DEV" bs=1M count=$MIB conv=fsync 2>/dev/null; echo "write $began $(now)"
done
"""
_LINE = re.compile(r"^(read|write) (\d+\.\d+) (\d+\.\d+)$", re.MULTILINE)


def seconds(guest: Guest, target: str, folder: Path, mtu: int) -> dict[str, float]:
    """How long MIB mebibytes took, read and written: the medians of three."""
    folder.mkdir()
    with Lab(folder, mtu) as lab:
        disk = lab.disk(MIB)
        write_bytes(disk, MIB << 20)
        if target == OURS:
            lab.export(disk)
        else:
            lab.vblade(lab.near, NEAR_LINK, disk)
        lab.initiator(lab.far, FAR_LINK).close()
        values = {"SHELF": str(SHELF), "SLOT": str(SLOT), "MIB": str(MIB)}
        output = guest.run(_SCRIPT, namespace=lab.far, tap=TAP, mtu=mtu, env=values).output
    found: dict[str, list[float]] = {}
    for way, began, ended in _LINE.findall(output):
        found.setdefault(way, []).append(float(ended) - float(began))
    return {way: statistics.median(times) for way, times in found.items()}


def main() -> None:
    """Compare them, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    guest = built_guest() or parser.error("there is no guest: make it with `python -m tests.interop.guest`")
    fast_path.wait(_PREPARING)  # kept on disk from then on: the target begins with it
    with tempfile.TemporaryDirectory() as scratch:
        for mtu in (1500, 9000):
            ratios: dict[str, list[float]] = {}
            for number in range(rounds):
                both = [seconds(guest, target, Path(scratch) / f"{mtu} {number} {target}", mtu) for target in (OURS, VBLADE)]
                for way, took in both[0].items():
                    ratios.setdefault(way, []).append(both[1][way] / took)
                print(f"MTU {mtu}, round {number + 1}: {OURS} {both[0]}, {VBLADE} {both[1]}", flush=True)  # noqa: T201
            for way, those in ratios.items():
                spread = f"{statistics.median(those):.2f} ({min(those):.2f} to {max(those):.2f})"
                print(f"MTU {mtu}: sequential {way}, rate against vblade {spread}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
