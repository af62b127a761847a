"""Starts the Debian guest under qemu, with the tree under test in it."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import archive
from .running import RunningGuest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.netns import Namespace

PROJECT = Path(__file__).parents[3]
MEMORY_MIB = 512
LIFETIME_SECONDS = 900.0
KERNEL_COMMAND_LINE = (
    "console=ttyS0 loglevel=6 panic=-1 mitigations=off nokaslr random.trust_cpu=on apparmor=0 audit=0 ipv6.disable=1 "
    "net.ifnames=0 systemd.show_status=0"
)
SYSTEMD, AGENT_ALONE = "/sbin/init", "/usr/local/sbin/stage2"


@dataclass(frozen=True, slots=True)
class DebianGuest:
    """A built Debian guest. Each start begins with the same disk: what is written to it is gone at the end."""

    place: Path

    def start(
        self,
        *,
        namespace: Namespace,
        taps: Sequence[str] = (),
        disks: Sequence[str] = (),
        systemd: bool = False,
        mtu: int = 1500,
        lifetime: float = LIFETIME_SECONDS,
    ) -> RunningGuest:
        """Start it, with `eth0`, `eth1`, ... on the taps of `namespace`, all up, and the disks as `/dev/vdb`, `/dev/vdc`, ...

        A disk is what qemu takes as `file=` of raw bytes; the guest sees a write cache that it has to flush. With `systemd`
        Debian's services run, else the commands of the test alone. After `lifetime` seconds the guest is killed. Raises
        GuestError when it does not come up.
        """
        with ExitStack() as undo:
            scratch = Path(undo.enter_context(tempfile.TemporaryDirectory()))
            initrd = scratch / "initrd"
            initrd.write_bytes((self.place / "initramfs.cpio").read_bytes() + archive.archive(_overlay()))
            ours, theirs = socket.socketpair()
            command = [*_machine(scratch, theirs), *_boot(self.place, initrd, SYSTEMD if systemd else AGENT_ALONE)]
            command += [*_disk(str(self.place / "disk.img"), "on"), *(word for disk in disks for word in _disk(disk, "off"))]
            command += [word for number, tap in enumerate(taps) for word in _network(number, tap)]
            with theirs:
                qemu = namespace.popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
            running = RunningGuest(qemu, ours, scratch / "kernel.log", lifetime, undo.pop_all())
        return running.up(len(taps), mtu)


def _overlay() -> Iterator[archive.Entry]:
    """What is laid over the disk: this tree's package, and the tests' agent."""
    yield archive.file("overlay/opt/aoetui/agent.py", Path(__file__).with_name("agent.py").read_bytes())
    package = PROJECT / "aoetui"
    for path in sorted(package.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            yield archive.file(f"overlay/opt/aoetui/{path.relative_to(PROJECT)}", path.read_bytes())


def _machine(scratch: Path, port: socket.socket) -> list[str]:
    return [
        *("qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", "max", "-m", str(MEMORY_MIB)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot"),
        *("-chardev", f"file,id=log,path={scratch / 'kernel.log'}", "-device", "isa-serial,chardev=log"),
        *("-chardev", f"socket,id=port,fd={port.fileno()}"),
        *("-device", "virtio-serial-pci", "-device", "virtserialport,chardev=port,name=agent"),
    ]


def _boot(place: Path, initrd: Path, following: str) -> list[str]:
    words = f"{KERNEL_COMMAND_LINE} NEXT={following}"
    return ["-kernel", str(place / "vmlinux"), "-initrd", str(initrd), "-append", words]


def _disk(file: str, snapshot: str) -> list[str]:
    return ["-drive", f"file={file},format=raw,if=virtio,cache=writeback,snapshot={snapshot}"]


def _network(number: int, tap: str) -> list[str]:
    return [
        *("-netdev", f"tap,id=net{number},ifname={tap},script=no,downscript=no,vhost=off"),
        *("-device", f"virtio-net-pci,netdev=net{number},mac=52:54:00:a0:e0:{number + 1:02x},romfile="),
    ]
