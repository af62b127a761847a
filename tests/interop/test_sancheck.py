"""`aoetui check` beside aoe-sancheck, in one network: the same summaries, and each of its warnings.

aoe-sancheck asks on every interface that there is: it is run in a namespace with those alone that it shall ask on.
"""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.netns import Namespace, join
from tests.support.program import run

from .initiator import Initiator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.interop("aoe-sancheck", "vblade")
SAID = {
    "   Mismatched number of local vs remote interfaces": "mismatched number of local and remote interfaces",
    "not set optimally for device's capable payload": "is not optimal",
    "MTU different from other interfaces": "differs from that of the other interfaces",
    "byte payloads": "byte payloads",
}
"""What aoe-sancheck says, and what we say then."""


class San:
    """Links of `host` and of `targets` on one switch, and vblades on those of the targets."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.host, self._targets, self._switch = (stack.enter_context(Namespace()) for _ in range(3))
        self._bridge = self._switch.add_link("switch", kind="bridge")
        self._switch.set_link("switch", state="up")
        self._disk = folder / "disk.img"
        with self._disk.open("wb") as file:
            file.truncate(4 << 20)

    def plug(self, name: str, mtu: int, *, target: bool = False, port_mtu: int | None = None) -> None:
        """Give a link to the host, or to the targets; its port at the switch may have an MTU of its own."""
        join(self._targets if target else self.host, name, self._switch, f"p-{name}", mtu=mtu)
        self._switch.set_link(f"p-{name}", master=self._bridge)
        if port_mtu is not None:
            self._switch.set_link(f"p-{name}", mtu=port_mtu)

    def serve(self, shelf: int, slot: int, link: str) -> None:
        """A vblade, which answers."""
        argv = ["vblade", str(shelf), str(slot), link, str(self._disk)]
        process = self._targets.popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        asking = self._stack.enter_context(Namespace())
        join(asking, "asking", self._switch, f"q{shelf}.{slot}{link}")
        self._switch.set_link(f"q{shelf}.{slot}{link}", master=self._bridge)
        initiator = Initiator(asking, "asking", shelf, slot)
        initiator.find()
        initiator.close()

    def sancheck(self) -> tuple[list[list[str]], list[list[str]], str]:
        """What aoe-sancheck prints: interfaces, devices, and all of it."""
        ended = self.host.run(lambda: subprocess.run(["aoe-sancheck"], capture_output=True, text=True, check=True, timeout=60))
        _, _, interfaces, _, devices = ended.stdout.rsplit("==========================================\n", 4)
        rows = [line.split() for line in devices.splitlines() if line and not line.startswith(" ")]
        return [line.split() for line in interfaces.splitlines()], rows, ended.stdout

    def check(self, *links: str) -> tuple[list[list[str]], list[list[str]], str]:
        """What we print: the same."""
        chosen = [part for link in links for part in ("-i", link)]
        ended = run(self.host, self.folder, "check", "-n", "10", *chosen)
        interfaces, devices = (
            block.splitlines()[1:] for block in ended.stdout.split("\n\n") if block.split("\n")[0].endswith("SUMMARY")
        )
        return [line.split() for line in interfaces], [line.split() for line in devices], ended.stdout + ended.stderr


@pytest.fixture
def san(private_network: None, tools: None, tmp_path: Path) -> Iterator[San]:  # noqa: ARG001  # they may skip
    """A switch."""
    with ExitStack() as stack:
        made = San(tmp_path, stack)
        yield made


def agree(san: San, *links: str, warnings: int) -> str:
    """Both print the same summaries; each warning of aoe-sancheck has one of ours. Returns what we print."""
    interfaces, devices, theirs = san.sancheck()
    our_interfaces, our_devices, ours = san.check(*links)
    assert (our_interfaces, our_devices) == (interfaces, devices), theirs + ours
    assert sum(theirs.count(each) for each in SAID) == warnings, theirs
    for said, wanted in SAID.items():
        assert ours.count(wanted) == theirs.count(said), theirs + ours
    return ours


def test_two_interfaces_of_different_mtus(san: San) -> None:
    san.plug("near0", 9000)
    san.plug("near1", 4200)
    san.plug("far0", 9000, target=True)
    san.plug("far1", 9000, target=True)
    for shelf, slot, link in ((9, 1, "far0"), (9, 1, "far1"), (12, 3, "far0")):
        san.serve(shelf, slot, link)
    agree(san, "near0", "near1", warnings=5)


def test_a_switch_port_of_a_smaller_mtu(san: San) -> None:
    """On the host's side; a vblade ends when its own link does not take a reply, as no card but a veth does."""
    san.plug("near0", 9000, port_mtu=4000)
    san.plug("far0", 9000, target=True)
    san.serve(9, 1, "far0")
    ours = agree(san, "near0", warnings=1)
    assert "is only capable of 3584 byte payloads" in ours
