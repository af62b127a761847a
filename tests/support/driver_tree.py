"""The Linux aoe driver's files as a made tree, and what it does with its control nodes.

A model, because the driver is in few kernels that tests run on and hears the first network namespace alone. The guest of
tests/interop has the real one; what the model does with names is from aoedev.c, and test_kernel_driver.py holds the real one to
the same.
"""

from __future__ import annotations

import os
import threading
import tty
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from aoetui.engine.kernel.host import Host

if TYPE_CHECKING:
    from pathlib import Path

NODES = ("discover", "revalidate", "flush", "interfaces", "err")
END = b"the test is over"
NAME_BYTES = 32 - len("etherd/")
"""What is left of disk_name for a device's name and its NULs."""
FIGURES = """rttavg: 34938 rttdev: 3141
nskbpool: 0
kicked: 0
maxbcnt: 1024
ref: 0
falloc: 140
ffree: 00000000913544cc
{mac}:0:64:64
\tssthresh:32
\ttaint:0
\tr:548
\tw:1770
\t{interfaces}
"""


@dataclass(slots=True)
class DriverTree:
    """A host's root with the driver in it. `with` it to have control nodes: terminals, the only devices anybody may make."""

    root: Path
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    """What was written, and to which node."""
    ran: list[list[str]] = field(default_factory=list)
    """The programs that were to be run."""
    keeps: bool = False
    """Whether it keeps what it is to forget."""
    _masters: dict[str, int] = field(default_factory=dict)
    _open: list[int] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("sys/block", "sys/class/net", "proc/sys/net/core", "proc/self", "dev", "etc"):
            (self.root / name).mkdir(parents=True)
        self.write("proc/sys/net/core/dev_weight", "64")
        self.write("proc/self/mountinfo", "")

    @property
    def host(self) -> Host:
        """The tree as the engine takes it."""
        return Host(self.root, no_modules="this is a tree")

    def write(self, name: str, text: str) -> None:
        """Make a file, with a newline as the kernel has it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n" if text else "")

    def load(self, **parameters: str) -> None:
        """The module is there."""
        self.write("sys/module/aoe/version", "85")
        known = {"aoe_deadsecs": "180", "aoe_dyndevs": "1", "aoe_iflist": "", "aoe_maxout": "64", "aoe_maxsectors": "2560"}
        for name, value in (known | parameters).items():
            self.write(f"sys/module/aoe/parameters/{name}", value)

    def link(self, *names: str) -> None:
        """Interfaces of the host."""
        for name in names:
            (self.root / "sys/class/net" / name).mkdir()

    def device(
        self,
        address: str,
        *,
        state: str = "up",
        sectors: int = 32768,
        mac: str = "525400a0e001",
        netif: str = "eth1",
        payload: str | None = "8704",
        dev: str = "152:16",
        figures: str | None = FIGURES,
    ) -> None:
        """A device of the driver."""
        folder = f"sys/block/etherd!{address}"
        facts = {"state": state, "size": str(sectors), "mac": mac, "netif": netif, "firmware-version": "0x0001", "dev": dev}
        for name, value in facts.items():
            self.write(f"{folder}/{name}", value)
        if payload is not None:
            self.write(f"{folder}/payload", payload)
        (self.root / folder / "holders").mkdir(exist_ok=True)
        if figures is not None:
            self.write(f"sys/kernel/debug/aoe/{address}", figures.format(mac=mac, interfaces=netif))

    def partition(self, address: str, number: int, dev: str) -> None:
        """A partition of one."""
        folder = f"sys/block/etherd!{address}/etherd!{address}p{number}"
        self.write(f"{folder}/partition", str(number))
        self.write(f"{folder}/dev", dev)
        (self.root / folder / "holders").mkdir()

    def mounts(self, *lines: str) -> None:
        """/proc/self/mountinfo."""
        self.write("proc/self/mountinfo", "\n".join(lines))

    def complain(self, text: str) -> None:
        """Have the driver keep a message."""
        os.write(self._masters["err"], text.encode())

    def __enter__(self) -> Self:
        (self.root / "dev/etherd").mkdir()
        for name in NODES:
            master, slave = os.openpty()
            tty.setraw(slave)
            self._open += [master, slave]
            (self.root / "dev/etherd" / name).symlink_to(os.ttyname(slave))
            self._masters[name] = master
            if name != "err":
                self._threads.append(threading.Thread(target=self._obey, args=(name, master), daemon=True))
                self._threads[-1].start()
        return self

    def __exit__(self, *exception: object) -> None:
        for name in NODES:
            if name != "err":
                with suppress(OSError), (self.root / "dev/etherd" / name).open("wb", buffering=0) as node:
                    node.write(END)
        for thread in self._threads:
            thread.join()
        for descriptor in self._open:
            os.close(descriptor)

    def _obey(self, name: str, master: int) -> None:
        ended = False
        while not ended:
            data = os.read(master, 4096)
            ended = data.endswith(END)
            if data := data.removesuffix(END):
                if name == "flush" and not self.keeps:
                    self._flush(data)
                self.heard.append((name, data))

    def _flush(self, data: bytes) -> None:
        """`flush` in aoedev.c, of devices that nobody has open."""
        for folder in (self.root / "sys/block").glob("etherd!*"):
            own = folder.name.removeprefix("etherd!").encode().ljust(NAME_BYTES, b"\0")
            down = (folder / "state").read_text().startswith("down")
            whole = data[:3] == b"all"
            named = own[: min(len(data), NAME_BYTES)] == data[:NAME_BYTES]
            if whole or (down if len(data) < 3 else named):
                folder.rename(self.root / f"gone {folder.name}")
