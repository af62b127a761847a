"""Boots the guest headless, runs one script in it, and hands back what the script said."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import archive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.netns import Namespace

BEGIN = "@@BEGIN"
END = "@@END "
MEMORY_MIB = 384
KERNEL_LOG_TAIL = 30
KERNEL_COMMAND_LINE = "console=ttyS0 loglevel=6 panic=-1 mitigations=off nokaslr random.trust_cpu=on apparmor=0 ipv6.disable=1"


class GuestError(Exception):
    """The guest died, or was not done in time; the text holds the end of its kernel log."""


@dataclass(frozen=True, slots=True)
class GuestResult:
    """What the script ended with and said."""

    rc: int
    output: str
    kernel_log: str


def _quiet(_line: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class Guest:
    """A built guest."""

    kernel: Path
    initramfs: Path

    def run(
        self,
        script: str,
        *,
        namespace: Namespace,
        tap: str,
        mtu: int = 1500,
        env: Mapping[str, str] | None = None,
        timeout: float = 300,
        on_line: Callable[[str], None] = _quiet,
    ) -> GuestResult:
        """Run `script` with busybox sh, its network interface on `tap` of `namespace`.

        `on_line` is told each line as it comes. Raises GuestError after `timeout` seconds, boot included.
        """
        with tempfile.TemporaryDirectory() as scratch:
            initrd, log = Path(scratch) / "initrd", Path(scratch) / "kernel.log"
            initrd.write_bytes(self.initramfs.read_bytes() + _job(script, {"MTU": str(mtu), **(env or {})}))
            lines = _collect(namespace, _qemu(self.kernel, initrd, log, tap), timeout, on_line)
            kernel_log = log.read_text(errors="replace") if log.exists() else ""
        return _result(lines, kernel_log)


def _job(script: str, env: Mapping[str, str]) -> bytes:
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items())
    return archive.archive([archive.file("job/script", script.encode()), archive.file("job/env", exports.encode())])


def _qemu(kernel: Path, initrd: Path, log: Path, tap: str) -> list[str]:
    return [
        *("qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-cpu", "max", "-m", str(MEMORY_MIB)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot"),
        *("-kernel", str(kernel), "-initrd", str(initrd), "-append", KERNEL_COMMAND_LINE),
        *("-chardev", f"file,id=log,path={log}", "-device", "isa-serial,chardev=log"),
        *("-chardev", "file,id=out,path=/dev/stdout", "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=out"),
        *(
            "-netdev",
            f"tap,id=net,ifname={tap},script=no,downscript=no,vhost=off",
            "-device",
            "virtio-net-pci,netdev=net,romfile=",
        ),
    ]


def _collect(namespace: Namespace, command: list[str], timeout: float, on_line: Callable[[str], None]) -> list[str]:
    lines = []
    with namespace.popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as qemu:
        clock = threading.Timer(timeout, qemu.kill)
        clock.start()
        try:
            for line in qemu.stdout or ():
                lines.append(line.rstrip("\r\n"))
                on_line(lines[-1])
        finally:
            clock.cancel()
            qemu.kill()
    return lines


def _result(lines: list[str], kernel_log: str) -> GuestResult:
    if BEGIN not in lines or not lines[-1].startswith(END):
        log = "\n".join(kernel_log.splitlines()[-KERNEL_LOG_TAIL:])
        raise GuestError("the guest did not come to its end; it said:\n" + "\n".join(lines) + f"\nand its kernel:\n{log}")
    output = lines[lines.index(BEGIN) + 1 : -1]
    return GuestResult(int(lines[-1].removeprefix(END)), "\n".join(output), kernel_log)
