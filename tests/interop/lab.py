"""The network of these tests: a target's end, and an initiators' end where the guest's tap hangs on a bridge."""

from __future__ import annotations

import signal
import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Self

from tests.support.netns import Namespace, join
from tests.support.program import Program, environment, until

from .initiator import Initiator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEAR_LINK, FAR_LINK, TAP = "san0", "br0", "tap0"
SHELF, SLOT = 9, 1
DEADLINE = 60

_AOE = "ether proto 0x88a2 or vlan"


class Lab:
    """`near` has NEAR_LINK; at the other end of its cable `far` has FAR_LINK, a bridge, and on it TAP for a guest."""

    def __init__(self, folder: Path, mtu: int = 1500) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self.near, self.far = (self._stack.enter_context(Namespace()) for _ in range(2))
        join(self.near, NEAR_LINK, self.far, "wire0", mtu=mtu)
        self.far.add_link(TAP, kind="tuntap", mode="tap")
        bridge = self.far.add_link(FAR_LINK, kind="bridge")
        for member in ("wire0", TAP):
            self.far.set_link(member, mtu=mtu, master=bridge, state="up")
        self.far.set_link(FAR_LINK, mtu=mtu, state="up")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def disk(self, mebibytes: int, name: str = "disk.img") -> Path:
        """A new file of zeros."""
        path = self.folder / name
        with path.open("wb") as file:
            file.truncate(mebibytes << 20)
        return path

    def start(self, namespace: Namespace, *command: str) -> subprocess.Popen[bytes]:
        """Run a program until the test ends. Its output is in the test's folder, under its name."""
        with (self.folder / f"{command[0]}.log").open("wb") as log:
            process: subprocess.Popen[bytes] = namespace.popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def run(self, namespace: Namespace, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""

        def body() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=DEADLINE,
                check=False,
                env=self.environment,
            )

        return namespace.run(body)

    @property
    def environment(self) -> dict[str, str]:
        """A home folder of the test's own."""
        return environment(self.folder)

    def vblade(self, namespace: Namespace, link: str, disk: Path) -> subprocess.Popen[bytes]:
        """Debian's vblade, serving. The caller asks it until it answers."""
        return self.start(namespace, "vblade", str(SHELF), str(SLOT), link, str(disk))

    def export(self, disk: Path, *options: str) -> Program:
        """Our target in `near`, serving."""
        program = Program(self.near, self.folder, "export", *options, str(SHELF), str(SLOT), NEAR_LINK, str(disk))
        self._stack.enter_context(program)
        program.says("serving on")
        return program

    def initiator(self, namespace: Namespace, link: str) -> Initiator:
        """An initiator that the target has answered once."""
        made = Initiator(namespace, link, SHELF, SLOT)
        self._stack.callback(made.close)
        made.find()
        return made


@contextmanager
def captured(lab: Lab) -> Iterator[Path]:
    """A capture at the initiators' end. Whoever has seen the last frame in it may end it."""
    pcap, log = lab.folder / "wire.pcap", lab.folder / "tcpdump.log"
    tcpdump = lab.start(lab.far, "tcpdump", "-Z", "root", "-U", "--immediate-mode", "-i", FAR_LINK, "-w", str(pcap), _AOE)
    until(lambda: "listening on" in log.read_text(), "tcpdump's capture")
    yield pcap
    tcpdump.send_signal(signal.SIGINT)
    tcpdump.wait()
