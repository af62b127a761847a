"""VLANs with Linux's own 802.1Q links, in the guest: exports on one, beside one and by our own tags; and a client on one."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.frames import config_request, decode
from aoetui.engine.protocol.wire import SECTOR
from tests.support.program import Program
from tests.support.tap import Tap, initiator_in, tap

from .lab import TAP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.netns import Namespace

    from .guest import DebianGuest, RunningGuest

MAKE_LINK = """
modprobe 8021q && ip link add link eth0 name eth0.100 type vlan id 100 && ip link set eth0.100 up
"""
EXPORTS = {1: ("eth0", None), 2: ("eth0.100", 100), 3: ("--vlan 300 eth0", 300)}
"""Of each slot: where it is served, and the VLAN that reaches it. 200 has neither link nor export."""
CLIENTS = (None, 100, 200, 300)
MOUNT = """
modprobe aoe aoe_iflist=eth0.100
for try in $(seq 60); do
    aoe-discover
    [ -b /dev/etherd/e9.4 ] && break
    sleep 0.5
done
aoe-stat
set -e
mkfs.ext4 -q /dev/etherd/e9.4
mount /dev/etherd/e9.4 /mnt
head -c 1000000 /dev/urandom >/mnt/data
sum=$(sha256sum </mnt/data)
umount /mnt
echo 3 >/proc/sys/vm/drop_caches
mount -o ro /dev/etherd/e9.4 /mnt
[ "$sum" = "$(sha256sum </mnt/data)" ]
umount /mnt
"""


@pytest.fixture
def running(tap_namespace: Namespace, debian_guest: DebianGuest) -> Iterator[RunningGuest]:
    """The guest, with a link for VLAN 100 on its interface."""
    with debian_guest.start(namespace=tap_namespace, taps=[TAP]) as made:
        made.check(MAKE_LINK)
        yield made


def serve(running: RunningGuest) -> None:
    """Serve EXPORTS, each with its slot's number in its first sector."""
    for slot, (where, _) in EXPORTS.items():
        running.check(f"truncate -s 1M /tmp/{slot}.img && printf {slot} | dd of=/tmp/{slot}.img conv=notrunc status=none")
        running.begin(f"exec aoetui export {where.replace('eth0', f'9 {slot} eth0')} /tmp/{slot}.img").says("serving on")


def replies(capture: Tap, count: int) -> list[tuple[int | None, int]]:
    """VLAN and slot of the next replies out of the guest, without advertisements."""
    found: list[tuple[int | None, int]] = []
    while len(found) < count:
        (seen,) = capture.incoming(1)
        header = decode(seen.frame).header
        if header.response and header.tag:
            found.append((seen.vlan, header.slot))
    return found


def test_each_client_reaches_the_export_of_its_vlan_and_no_other(running: RunningGuest, tap_namespace: Namespace) -> None:
    serve(running)
    with ExitStack() as stack:
        capture = stack.enter_context(tap(tap_namespace, TAP))
        for vlan in CLIENTS:
            asking = stack.enter_context(initiator_in(tap_namespace, TAP, vlan))
            for slot in (slot for slot, (_, reaches) in EXPORTS.items() if reaches != vlan):
                asking.wire.send([config_request(source=asking.wire.mac, address=Address(9, slot), tag=0xBAD)])
        for slot, (_, vlan) in EXPORTS.items():
            client = stack.enter_context(initiator_in(tap_namespace, TAP, vlan, f"e9.{slot}"))
            client.find()  # answered behind whatever was asked before
            assert client.read(0, 2) == str(slot).encode().ljust(2 * SECTOR, b"\0")
        assert replies(capture, 6) == [(vlan, slot) for slot, (_, vlan) in EXPORTS.items() for _ in range(2)]


@pytest.mark.interop("e2fsck")
def test_linux_mounts_an_export_that_we_tag(running: RunningGuest, tap_namespace: Namespace, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate(16 << 20)
    with Program(tap_namespace, tmp_path, "export", "--vlan", "100", "9", "4", TAP, str(disk)) as target:
        target.says("serving on")
        untagged = running.run("aoetui discover -i eth0")
        assert untagged.rc == 4, untagged.output
        misled = running.run("aoetui doctor -i eth0 --wait 4 e9.4")
        assert misled.rc == 1, misled.output
        assert "Nothing is seen: e9.4 answers in VLAN 100, and not outside of it, where eth0 is" in misled.output
        assert "ask on eth0.100: `aoetui doctor -i eth0.100`" in misled.output
        assert "Nothing is wrong: 1 device answers on eth0.100." in running.check("aoetui doctor -i eth0.100 --wait 4 e9.4")
        assert "e9.4" in running.check("aoetui discover -i eth0.100 --wait 5")
        assert "eth0.100" in running.check(MOUNT)
    assert subprocess.run(["e2fsck", "-fn", str(disk)], capture_output=True, check=False).returncode == 0
