"""The Linux aoe driver of this host: what it knows as frozen values, and what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from aoetui.engine.api import Errand

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.snapshot import Severity


class Remedy(StrEnum):
    """What helps against a difference. `kernel_words` has its words."""

    NOTHING = "nothing"
    """It is to be known, and no key changes it."""
    DISCOVER = "discover"
    REVALIDATE = "revalidate"
    FLUSH = "flush"
    CLOSE = "close"
    """Unmount or close it first, then revalidate or flush."""
    INTERFACES = "interfaces"
    """The driver has to use another set of interfaces."""
    LOOK = "look"
    """At the target, the cable and the switch."""


class Difference(StrEnum):
    """In what the driver and the wire differ, or what the driver alone tells."""

    NOT_IN_DRIVER = "not in driver"
    """On the wire, and the driver has not got it."""
    NOT_ON_WIRE = "not on wire"
    """In the driver, and nobody answers for it."""
    SIZE = "size"
    PAYLOAD = "payload"
    PATHS = "paths"
    CLOSEWAIT = "closewait"
    DOWN = "down"
    KICKME = "kickme"
    WRONG_NODE = "wrong node"
    """The node in /dev/etherd is of another device."""
    ODD_SIZE = "odd size"
    LOSS = "loss"
    HERE = "here"
    """Of the driver as a whole: it does not hear this network namespace, or this program may not tell it anything."""


@dataclass(frozen=True, slots=True)
class KernelRemark:
    """One difference, and what to do about it."""

    address: Address | None
    """None: of the driver as a whole."""
    difference: Difference
    severity: Severity
    what: str
    """Half a sentence without the remedy. May hold names from the kernel: show it only as plain text."""
    remedy: Remedy


@dataclass(frozen=True, slots=True)
class KernelPath:
    """One target MAC that the driver sends a device's requests to (debugfs)."""

    mac: Mac
    interfaces: tuple[str, ...]
    under_way: int
    window: int
    """How many requests it would have under way now; it shrinks with loss and grows again, up to `frames`."""
    frames: int
    """The smaller of the target's buffer count and the module's aoe_maxout."""
    threshold: int | None
    """`ssthresh`: beyond it the window grows slowly."""
    lost: int | None
    """Frames that went unanswered; None where the driver does not count them (mainline)."""
    taint: int | None
    """Above 0: it did not answer for 10 s, and is probed before it is trusted again."""
    reads: int | None
    writes: int | None
    """Frames."""


@dataclass(frozen=True, slots=True)
class KernelFigures:
    """What debugfs tells of a device; each None where this driver does not tell it."""

    rtt_us: float | None
    deviation_us: float | None
    kicked: int | None
    """How often it had requests and no path that could take one."""
    references: int | None
    paths: tuple[KernelPath, ...]

    @property
    def loss(self) -> float | None:
        """Lost frames as a share of all, of the worst path; None where unknown."""
        shares = [path.lost / max((path.reads or 0) + (path.writes or 0), 1) for path in self.paths if path.lost is not None]
        return max(shares, default=None)


@dataclass(frozen=True, slots=True)
class KernelDevice:
    """One device of the driver, as sysfs and /proc tell it."""

    address: Address
    state: str
    """As the driver writes it: `up`, `down`, and `,kickme` or `,closewait` behind it; empty if it tells none."""
    size: int | None
    """Bytes; 0 while it is down."""
    macs: tuple[Mac, ...]
    """Every target MAC where debugfs can be read, else only the first."""
    interfaces: tuple[str, ...]
    payload: int | None
    """Bytes of data in one frame; None for drivers that do not tell."""
    firmware_version: int | None
    number: str
    """`152:16`."""
    wrong_node: bool
    """Whether /dev/etherd/NAME is the node of another device."""
    partitions: tuple[str, ...]
    """`e1.1p1`, ..."""
    mounted_on: tuple[str, ...]
    """Mount points of it and its partitions."""
    holders: tuple[str, ...]
    """What stands on it or a partition: `/dev/md0`, `/dev/mapper/vg0-data`, `swap space`."""
    figures: KernelFigures | None
    """None where debugfs is not mounted, or not for us to read."""

    @property
    def up(self) -> bool:
        """Whether the driver takes it to be ready."""
        return "up" in self.state.split(",")

    @property
    def kickme(self) -> bool:
        """Whether it has work and no path that could take it now."""
        return "kickme" in self.state.split(",")

    @property
    def closewait(self) -> bool:
        """Whether it failed while open, and is open still."""
        return "closewait" in self.state.split(",")

    @property
    def uses(self) -> tuple[str, ...]:
        """`mounted on /srv`, `part of /dev/md0`: what the kernel itself tells of who uses it."""
        mounts = (f"mounted on {point}" for point in self.mounted_on)
        return (*mounts, *(each if each == SWAP else f"part of {each}" for each in self.holders))


SWAP = "swap space"


@dataclass(frozen=True, slots=True)
class KernelSnapshot:
    """The driver, while its module is loaded."""

    version: str
    """As aoe-version tells it; empty if unknown."""
    interfaces: tuple[str, ...] | None
    """The only ones it uses; empty: every one; None: only root may know."""
    dead_seconds: int | None
    """After so long without an answer a device is failed (aoe_deadsecs); 0: never."""
    max_requests: int | None
    """Under way to each target MAC (aoe_maxout)."""
    dynamic_numbers: bool | None
    """Whether device numbers are given out as devices come (aoe_dyndevs)."""
    starts: str
    """The file that has the module loaded when the host starts; empty: none."""
    here: bool
    """Whether the driver and this process are in the same network. If not, nothing of it is compared with the wire."""
    controls: str
    """Why this process cannot tell the driver anything, with the remedy; empty if it can."""
    devices: tuple[KernelDevice, ...]
    """Sorted by address."""
    remarks: tuple[KernelRemark, ...] = ()
    """Where it and the wire differ; the worst first."""


@dataclass(frozen=True, slots=True)
class ReadKernel(Errand[KernelSnapshot]):
    """Look at the driver now, everything of it. Raises EngineError if the module is not loaded."""


@dataclass(frozen=True, slots=True)
class KernelDiscover(Errand[None]):
    """Have the driver broadcast on its interfaces, and take up what answers."""


@dataclass(frozen=True, slots=True)
class Revalidate(Errand[None]):
    """Have the driver ask a device again what it is: its size changes under whoever has it open."""

    address: Address


@dataclass(frozen=True, slots=True)
class FlushDevice(Errand[None]):
    """Have the driver forget this device, and no other. Refused while something uses it, unless `force`.

    With `force` the driver takes the device from under its users; when they close it, the kernel may fail.
    """

    address: Address
    force: bool = False


@dataclass(frozen=True, slots=True)
class FlushDown(Errand[tuple["Address", ...]]):
    """Have the driver forget the devices that are down and not open; the result is which those were."""


@dataclass(frozen=True, slots=True)
class FlushAll(Errand[tuple["Address", ...]]):
    """Have the driver forget every device that is not open; the result is which those were."""


@dataclass(frozen=True, slots=True)
class KernelUsers(Errand[tuple[str, ...]]):
    """Who uses a device of the driver: mounts, holders, and programs that have it open, each as words."""

    address: Address


@dataclass(frozen=True, slots=True)
class SetKernelInterfaces(Errand[None]):
    """Have the driver use only these interfaces from now on; none: every one."""

    interfaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadKernelErrors(Errand[tuple[str, ...]]):
    """Take what the driver has noted of retransmissions and odd answers, the oldest first, at most 100 lines.

    Whoever reads them takes them away: nobody else reads them again.
    """


@dataclass(frozen=True, slots=True)
class LoadModule(Errand[tuple[str, ...]]):
    """Load the aoe module, for these interfaces alone; the result says what was done, a sentence each.

    The driver broadcasts when it is loaded, so `interfaces` may be empty (every one) only where `everywhere` says so, or where
    a file in /etc/modprobe.d names them.
    """

    interfaces: tuple[str, ...] = ()
    everywhere: bool = False
    persist: bool = False
    """Also have it loaded whenever the host starts."""


@dataclass(frozen=True, slots=True)
class DriverVersions:
    """aoe-version's two lines on the driver."""

    installed: str
    """`(unknown)` without a module that tells it."""
    running: str
    """`(none)` while it is not loaded, `(unknown)` if it does not tell."""


@dataclass(frozen=True, slots=True)
class ReadDriverVersions(Errand[DriverVersions]):
    """Which aoe driver is installed, and which one runs."""


@dataclass(frozen=True, slots=True)
class MakeNodes(Errand[int]):
    """Make static device nodes in a folder, for a host without udev; the result is how many.

    Refused where the driver gives out device numbers as devices come, or udev runs: the nodes would be of the wrong devices.
    """

    folder: Path
    shelves: tuple[int, ...]
    partitions: int = 16
    """Device numbers of each device; 1 for a driver built without partitions."""
    controls: bool = True
    """The five control nodes too."""
