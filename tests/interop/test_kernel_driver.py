"""The real Linux driver: `aoetui kernel` and the console tell of it what aoetools tell, and have it do what aoetools have it do.

One guest for all: it takes half of the time to start, and its Python the other half to import us.
"""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.program import until

from .lab import NEAR_LINK, TAP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .guest import Command, DebianGuest, RunningGuest
    from .lab import Lab

pytestmark = pytest.mark.interop("vblade", "mkfs.ext4")
HELPER = Path(__file__).with_name("guest_console.py")
MIB = 1 << 20
PREPARE = """
mkdir -p /etc/aoetui /etc/modprobe.d && printf '[engine]\\ninterfaces = ["eth0"]\\n' >/etc/aoetui/config.toml &&
echo options aoe aoe_deadsecs=3 >/etc/modprobe.d/test.conf && mount -t debugfs debugfs /sys/kernel/debug && mkfifo /tmp/lines
"""
HOLD = """
exec 5</dev/etherd/{0}
dd if=/dev/etherd/{0} of=/dev/null bs=128k count=16 iflag=direct status=none
echo open
exec sleep 100000
"""
"""The driver takes 15 s for its first frame to be lost, until it has learnt how quick the target is; each close has it forget."""


class Targets:
    """Two vblades whose addresses begin alike, e1.1 and e1.10, that come and go."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._running: list[subprocess.Popen[bytes]] = []
        self.disks = {1: lab.disk(16, "e1.1"), 10: lab.disk(8, "e1.10")}
        subprocess.run(["mkfs.ext4", "-q", str(self.disks[1])], check=True)

    def start(self) -> None:
        """Serve both."""
        self._running = [
            self._lab.start(self._lab.near, "vblade", "1", str(slot), NEAR_LINK, str(disk)) for slot, disk in self.disks.items()
        ]

    def stop(self) -> None:
        """As a power cut at the target."""
        for process in self._running:
            process.kill()
            process.wait()

    def grow(self) -> None:
        """Make the disk of e1.10 longer by half."""
        with self.disks[10].open("r+b") as file:
            file.truncate(12 * MIB)


class Helper:
    """The console in the guest, and command lines beside it."""

    def __init__(self, running: RunningGuest) -> None:
        self._running = running
        self._answers = 1
        running.check(f"cat >/tmp/helper.py <<'END OF FILE'\n{HELPER.read_text()}\nEND OF FILE")
        running.begin("exec 9<>/tmp/lines; exec sleep 100000")
        self._process: Command = running.begin("exec python3 /tmp/helper.py /tmp/lines 2>/tmp/helper.err")

    def ask(self, *words: str) -> dict[str, Any]:
        """Have one line obeyed."""
        self._process.says("ready", 240)
        self._running.check(f"printf '%s\\n' {shlex.quote(json.dumps(words))} >/tmp/lines")
        self._answers += 1
        self._running.wait(
            lambda: len(self._process.lines) == self._answers or self._process.rc is not None, f"an answer to {words}", 120
        )
        assert self._process.rc is None, self._running.run("cat /tmp/helper.err").output
        answer: dict[str, Any] = json.loads(self._process.lines[-1])
        return answer

    def kernel(self, *words: str, rc: int = 0) -> str:
        """`aoetui kernel ...`; what it printed. stderr too where it has to fail."""
        answer = self.ask("cli", "kernel", *words)
        assert answer["rc"] == rc, answer
        return str(answer["out"] if rc == 0 else answer["out"] + answer["err"])

    def tells(self, address: str, *texts: str) -> str:
        """Wait until SAN's detail of a device holds all these."""
        seen = ""

        def told() -> bool:
            nonlocal seen
            seen = self.ask("detail", address)["detail"]
            return all(text in seen for text in texts)

        until(told, f"{texts} in SAN's detail of {address}")
        return seen


@pytest.fixture
def targets(lab: Lab) -> Iterator[Targets]:
    """Both targets, serving."""
    made = Targets(lab)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def running(lab: Lab, debian_guest: DebianGuest) -> Iterator[RunningGuest]:
    """The guest, without the module."""
    with debian_guest.start(namespace=lab.far, taps=[TAP]) as made:
        made.check(PREPARE)
        yield made


def states(running: RunningGuest) -> dict[str, str]:
    """The last column of aoe-stat, which itself takes many seconds under emulation."""
    lines = running.run("cd /sys/block && grep -H . etherd*/state").output.splitlines()
    return dict(line.removeprefix("etherd!").split("/state:") for line in lines if "/state:" in line)


def becomes(running: RunningGuest, wanted: Callable[[dict[str, str]], bool], act: Callable[[], object] = lambda: None) -> None:
    """Wait until the driver says so; `act` before each look."""

    def does() -> bool:
        act()
        return wanted(states(running))

    until(does, "another state of the driver's devices")


def check_loading(running: RunningGuest, helper: Helper) -> None:
    """For the interfaces of the config alone, and at each start."""
    assert "the aoe module is not loaded" in helper.kernel(rc=1)
    assert "(none)" in helper.kernel("version")
    said = helper.kernel("load", "--persist")
    assert "the aoe module is loaded\nit uses eth0 alone\n" in said
    assert "/etc/modules-load.d/aoe.conf has it loaded at each start\n" in said
    assert running.check("cat /sys/module/aoe/parameters/aoe_iflist /sys/module/aoe/parameters/aoe_deadsecs") == "eth0\n3\n"
    assert helper.kernel("interfaces") == running.check("aoe-interfaces") == "eth0\n"
    assert "'eth9' is no interface" in helper.kernel("interfaces", "eth9", rc=1)
    theirs = running.check("aoe-version").splitlines()
    assert helper.kernel("version").splitlines()[1:] == theirs[1:]


def check_flush(running: RunningGuest, helper: Helper) -> None:
    """Of one, by its exact name, and only if nobody uses it."""
    running.check("mount -o ro,noload /dev/etherd/e1.1 /mnt")
    helper.tells("e1.1", "linux up, mounted on /mnt")
    assert "e1.1 is in use (mounted on /mnt)" in helper.kernel("flush", "e1.1", rc=1)
    assert states(running) == {"e1.1": "up", "e1.10": "up"}
    running.check("umount /mnt")
    assert "e1.1 is forgotten" in helper.kernel("flush", "e1.1")
    assert states(running) == {"e1.10": "up"}
    becomes(running, lambda seen: seen.get("e1.1") == "up", lambda: helper.ask("press", "d"))


def check_failing(running: RunningGuest, targets: Targets, helper: Helper) -> Command:
    """`down` and `closewait`. Returns who holds e1.10 open."""
    holders = [running.begin(HOLD.format(device)) for device in ("e1.1", "e1.10")]
    for holder in holders:
        holder.says("open")
    targets.stop()
    for device in ("e1.1", "e1.10"):
        running.begin(f"dd if=/dev/etherd/{device} of=/dev/null bs=512 count=1 iflag=direct")
    becomes(running, lambda seen: seen == {"e1.1": "down,closewait", "e1.10": "down,closewait"})
    holders[0].signal(signal.SIGKILL)
    becomes(running, lambda seen: seen == {"e1.1": "down", "e1.10": "down,closewait"})
    assert helper.kernel("--wait", "0") == running.check("aoe-stat")
    helper.tells("e1.1", "linux down")
    helper.tells("e1.10", "linux down,closewait", "closewait: the Linux driver gave it up while it was open", "press v")
    assert "retransmit e1.1 " in helper.kernel("errors")
    assert "e1.10 is in use (open in sleep (pid " in helper.kernel("flush", "e1.10", rc=1)
    assert "e1.1 is forgotten" in helper.kernel("flush")
    assert states(running) == {"e1.10": "down,closewait"}
    return holders[1]


def check_nodes(running: RunningGuest, helper: Helper) -> None:
    """Static ones, for a driver of static numbers alone; as aoe-mkshelf makes them, which takes a minute under emulation."""
    shelf = ("nodes", "--partitions", "1", "/srv/nodes", "7")
    assert "aoe_dyndevs=1" in helper.kernel(*shelf, rc=1)
    running.check("until rmmod aoe 2>/dev/null; do sleep 0.2; done; modprobe aoe aoe_iflist=lo aoe_dyndevs=0")
    helper.kernel(*shelf)
    made = running.check("cd /srv/nodes && stat -c '%n %F %a %t:%T' *").splitlines()
    assert len(made) == 16
    assert made[0] == "e7.0 block special file 660 98:70"


def test_the_driver_as_aoetools_see_it(running: RunningGuest, targets: Targets) -> None:
    helper = Helper(running)
    check_loading(running, helper)
    becomes(running, lambda seen: seen == {"e1.1": "up", "e1.10": "up"}, lambda: helper.kernel("discover"))
    assert helper.kernel("--wait", "1") == running.check("aoe-stat")
    helper.tells("e1.1", "linux up 1024 bytes a frame, eth0")
    check_flush(running, helper)
    holder = check_failing(running, targets, helper)

    # a target that is back, and larger: revalidated, under whoever has it open
    targets.grow()
    targets.start()
    becomes(running, lambda seen: seen.get("e1.10") == "up", lambda: helper.kernel("revalidate", "e1.10"))
    assert running.check("blockdev --getsize64 /dev/etherd/e1.10") == f"{12 * MIB}\n"
    helper.tells("e1.10", "linux up", "12.6 MB")
    assert "open in sleep" in helper.kernel("flush", "e1.10", rc=1)

    holder.signal(signal.SIGKILL)
    check_nodes(running, helper)
