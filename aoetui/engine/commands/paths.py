"""What the paths to a device can really carry: the errand that finds it out, and its report. Sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from aoetui.engine.api import Errand
from aoetui.engine.protocol.wire import ATA_HEADER, ETHERNET_HEADER, SECTOR
from aoetui.engine.snapshot import Note, Severity

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.protocol.devices import Sameness

PROBES = 300
"""Frames of each kind by which loss and round trips of one path are measured, unless told otherwise."""
MAX_PROBES = 100_000


class Untested(StrEnum):
    """Why longer frames could not be tried."""

    NOTHING = ""
    """They were, up to the limits of both ends."""
    SMALL_DISK = "the disk has no more sectors"
    RESERVED = "the device is reserved for others, and refuses to be read"
    REFUSED = "the target refuses to read more sectors at once"
    UNREADABLE = "the disk cannot be read at its start"


@dataclass(frozen=True, slots=True)
class Reach:
    """How long frames get in one direction."""

    frame: int
    """Of the longest frame that got through, Ethernet header included; 0 if none did."""
    tried: int
    """Of the longest that was tried."""
    untested: Untested = Untested.NOTHING
    payload: int = field(init=False)
    """Of the whole sectors that the longest frame carries."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "payload", max(0, self.frame - ATA_HEADER) // SECTOR * SECTOR)

    @property
    def mtu(self) -> int:
        """The MTU that allows such a frame."""
        return max(0, self.frame - ETHERNET_HEADER)


@dataclass(frozen=True, slots=True)
class Loss:
    """Frames that were sent, and how many of them were not answered: they or their answers were lost."""

    sent: int = 0
    lost: int = 0

    @property
    def rate(self) -> float:
        """0 to 1."""
        return self.lost / self.sent if self.sent else 0.0

    def __add__(self, other: Loss) -> Loss:
        return Loss(self.sent + other.sent, self.lost + other.lost)


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """Of short frames that need no disk, in microseconds; what this program takes to hear of an answer is in them."""

    least_us: float
    median_us: float
    p95_us: float
    most_us: float


@dataclass(frozen=True, slots=True)
class PathReport:
    """One path: a MAC of the target, and an interface of ours."""

    interface: str
    """As in port_names."""
    mac: Mac
    local_mtu: int
    sector_count: int
    """As the target advertises, 2 where it says 0."""
    buffer_count: int
    to_target: Reach
    from_target: Reach
    round_trips: RoundTrips | None
    """None if nothing was answered."""
    short_frames: Loss
    long_frames: Loss
    """Of the longest that get through both ways."""
    duplicates: int
    """Answers that came twice."""
    problem: str = ""
    """Why it was not checked to its end; empty if it was."""

    @property
    def local_payload(self) -> int:
        """What our own interface allows."""
        return max(0, self.local_mtu - ATA_HEADER) // SECTOR * SECTOR

    @property
    def advertised(self) -> int:
        """Payload that the target offers."""
        return self.sector_count * SECTOR

    @property
    def agreed(self) -> int:
        """Payload that Linux takes on this path: what both ends allow (aoecmd.c, aoecmd_cfg_rsp)."""
        return min(self.local_payload, self.advertised)

    @property
    def loss(self) -> Loss:
        """Of all frames."""
        return self.short_frames + self.long_frames


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """One address, with all paths that answered."""

    address: Address
    size: int | None
    """None if IDENTIFY was not answered."""
    model: str
    serial: str
    sameness: Sameness
    difference: str
    """What its MACs answer differently; empty if they are not different disks. Holds text from the wire."""
    paths: tuple[PathReport, ...]
    """Sorted by interface, then MAC; never empty."""
    payload: int = field(init=False)
    """What its MACs offer, the least of them: as aoe-sancheck has it."""
    agreed: int = field(init=False)
    """What Linux takes for every path: the least that two ends allow (aoecmd.c, setdbcnt)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "payload", min(path.advertised for path in self.paths))
        object.__setattr__(self, "agreed", min(path.agreed for path in self.paths))

    @property
    def macs(self) -> tuple[Mac, ...]:
        """Of the target, sorted."""
        return tuple(sorted({path.mac for path in self.paths}))

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Ours from which it is seen, sorted."""
        return tuple(sorted({path.interface for path in self.paths}))


@dataclass(frozen=True, slots=True)
class Troubles:
    """Frames that an interface lost, of all protocols."""

    rx_errors: int = 0
    rx_dropped: int = 0
    """With those that the device had no buffer for."""
    tx_errors: int = 0
    tx_dropped: int = 0

    def __sub__(self, other: Troubles) -> Troubles:
        return Troubles(
            self.rx_errors - other.rx_errors,
            self.rx_dropped - other.rx_dropped,
            self.tx_errors - other.tx_errors,
            self.tx_dropped - other.tx_dropped,
        )


@dataclass(frozen=True, slots=True)
class Pause:
    """Ethernet flow control, as the driver tells it (ethtool -a)."""

    autonegotiated: bool
    rx: bool
    """Whether the card obeys who asks it to pause."""
    tx: bool
    """Whether it asks others to."""


@dataclass(frozen=True, slots=True)
class InterfaceReport:
    """One interface of ours that was asked on."""

    name: str
    """As in port_names."""
    mtu: int
    up: bool
    carrier: bool
    mac: Mac | None
    pci_id: str
    """`vendor:device` in hexadecimal, as aoe-sancheck has it; empty where it is no such card."""
    driver: str
    """Empty if it is not told."""
    pause: Pause | None
    """None where the driver tells nothing."""
    before: Troubles
    """Since the interface was made, until the check."""
    during: Troubles
    """While the check went on."""
    notes: tuple[Note, ...]
    """What speaks against AoE on it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong (warning, alarm) or worth to know (info)."""

    severity: Severity
    subject: str
    """`e9.1`, or an interface."""
    text: str
    """One sentence. May hold text from the wire: show it only as plain text."""
    remedy: str


@dataclass(frozen=True, slots=True)
class PathsReport:
    """What CheckPaths found."""

    interfaces: tuple[InterfaceReport, ...]
    devices: tuple[DeviceReport, ...]
    """Sorted by address; empty if nobody answered."""
    findings: tuple[Finding, ...]
    """The gravest first."""
    frames: int
    """Sent."""

    @property
    def wrong(self) -> bool:
        """Whether something is not as it should be."""
        return any(finding.severity is not Severity.INFO for finding in self.findings)


@dataclass(frozen=True, slots=True)
class CheckPaths(Errand[PathsReport]):
    """Measure every path to the device at `address`, or to every device if that is None, on the chosen interfaces.

    Nothing is written or changed: requests are IDENTIFY, READ and query config. Each path takes at most ten seconds, all
    together five minutes at most; a path in order takes a fraction of one.
    """

    address: Address | None = None
    probes: int = PROBES
    """Frames of each kind, 1 to MAX_PROBES; fewer where a path takes too long, more where some are lost."""
