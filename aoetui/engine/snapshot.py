"""What the engine shows: frozen values, true at one moment. Sizes in bytes, rates per second, latencies in microseconds, times
aware and in UTC. Everything here travels as JSON through `to_json`."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.devices import DeviceState, Sameness
from aoetui.engine.protocol.silence import Silence

if TYPE_CHECKING:
    from aoetui.engine.commands.copying import TaskSnapshot
    from aoetui.engine.commands.kernel import KernelSnapshot
    from aoetui.engine.spec import ExportSpec

__all__ = [
    "Alarm",
    "Counters",
    "DeviceSnapshot",
    "DeviceState",
    "EngineSnapshot",
    "Event",
    "ExportSnapshot",
    "ExportState",
    "InitiatorSnapshot",
    "Json",
    "Latency",
    "LinkRates",
    "LinkSnapshot",
    "Note",
    "PathSnapshot",
    "PortSnapshot",
    "Rates",
    "RefusedSnapshot",
    "Sameness",
    "Severity",
    "Silence",
    "StateLimits",
    "TraceSnapshot",
    "to_json",
]

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


class Severity(StrEnum):
    """How much an event or alarm matters."""

    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"


class ExportState(StrEnum):
    """What an export does now."""

    SERVING = "serving"
    """Answered on every interface it names."""
    DEGRADED = "degraded"
    """Answered on some of its interfaces only, or its disk fails; `problem` says which."""
    WAITING = "waiting"
    """Enabled, and answered nowhere; `problem` says why."""
    STOPPED = "stopped"
    """Not enabled."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. Numbered from 1 without gaps; the engine keeps the last few thousand."""

    number: int
    time: datetime
    severity: Severity
    subject: str
    """What it is about: `e9.1`, `eth1`, `SAN`, or `engine`."""
    text: str
    """One plain sentence. May hold names from the wire or the disk: show it only as plain text."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that is wrong now, and its remedy. Gone from the snapshot once it is right again."""

    severity: Severity
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Counters:
    """Since the export or the engine started."""

    reads: int = 0
    writes: int = 0
    others: int = 0
    read_bytes: int = 0
    write_bytes: int = 0
    errors: int = 0
    """Answers with an ATA or AoE error."""
    retransmits: int = 0
    """Requests that initiators seem to have asked for again. A guess: a program may read the same sectors twice as well."""

    def __add__(self, other: Counters) -> Counters:
        # Field by field: added up each second for each initiator of each export, where `astuple` would cost twenty times as much.
        return Counters(
            self.reads + other.reads,
            self.writes + other.writes,
            self.others + other.others,
            self.read_bytes + other.read_bytes,
            self.write_bytes + other.write_bytes,
            self.errors + other.errors,
            self.retransmits + other.retransmits,
        )


@dataclass(frozen=True, slots=True)
class Rates:
    """Over the last sampling second."""

    read_bytes: float = 0.0
    write_bytes: float = 0.0
    reads: float = 0.0
    writes: float = 0.0

    @property
    def bytes(self) -> float:
        """Both directions, bytes per second."""
        return self.read_bytes + self.write_bytes

    @property
    def requests(self) -> float:
        """Both directions, requests per second."""
        return self.reads + self.writes


@dataclass(frozen=True, slots=True)
class Latency:
    """From a request's arrival to its reply, reads and writes."""

    count: int = 0
    """Replies."""
    p50_us: float | None = None
    p99_us: float | None = None
    """Half, and 99 of 100, took at most so long, in microseconds; None without a reply. In steps of a quarter octave."""
    buckets: tuple[tuple[float, int], ...] = ()
    """The upper end of a step in microseconds and its replies, steps without one left out."""


@dataclass(frozen=True, slots=True)
class RefusedSnapshot:
    """A MAC that an export does not answer."""

    mac: Mac
    interface: str
    why: Silence
    """`denied`, `not accepted` or `masked`: which list said so the last time."""
    count: int
    """Frames."""
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class InitiatorSnapshot:
    """Who uses an export: one MAC on one of our interfaces."""

    mac: Mac
    interface: str
    first_seen: datetime
    last_seen: datetime
    last_io: datetime | None
    """The last READ or WRITE; None if it only asked."""
    counters: Counters
    under_way: int
    """Requests that wait for the disk, at most the buffer count."""
    dropped: int
    """Requests beyond the buffer count, or beyond the engine's memory: not answered, and asked again by the initiator."""
    latency: Latency
    """Since it was first seen."""
    active: bool
    """Whether it read or wrote within the last minute."""


@dataclass(frozen=True, slots=True)
class PortSnapshot:
    """An export on one interface: served there, or why not."""

    interface: str
    """`eth1`; `eth1 vlan 100` where aoetui tags the frames itself."""
    serving: bool
    sector_count: int
    """Advertised: the most sectors of one frame there."""
    problem: str
    """Empty while serving."""
    rival: str = ""
    """Who else of this host serves the export's address there, with the remedy; empty if nobody does."""


@dataclass(frozen=True, slots=True)
class StateLimits:
    """What fits a reply on the export's interface of the smallest MTU."""

    config_string: int
    """Bytes."""
    mask: int
    """MACs."""
    reservation: int
    """MACs."""


@dataclass(frozen=True, slots=True)
class ExportSnapshot:
    """One export of ours."""

    spec: ExportSpec
    state: ExportState
    problem: str
    """One sentence with the remedy; empty while all is well."""
    size: int
    """Bytes served; 0 while the backing is not open."""
    block_device: bool
    serial: str
    ports: tuple[PortSnapshot, ...]
    config_string: bytes
    mask: tuple[Mac, ...]
    """The mask list: where not empty, the only initiators that are answered."""
    reservation: tuple[Mac, ...]
    """Where not empty, the only initiators whose ATA commands are carried out."""
    limits: StateLimits
    counters: Counters
    rates: Rates
    history: tuple[Rates, ...]
    """One entry a second, oldest first, at most 120."""
    latency: Latency
    """Of the last ten seconds."""
    read_latency: Latency
    write_latency: Latency
    """Since it was opened."""
    initiators: tuple[InitiatorSnapshot, ...]
    refused: tuple[RefusedSnapshot, ...]
    """Who asked and was not answered; the latest first, at most 256."""
    refused_frames: int
    """Of all who ever were refused, since it was opened."""

    @property
    def active_initiators(self) -> tuple[InitiatorSnapshot, ...]:
        """Those that read or wrote within the last minute."""
        return tuple(each for each in self.initiators if each.active)


@dataclass(frozen=True, slots=True)
class PathSnapshot:
    """One way to a device: a MAC that answers, seen from one of our interfaces."""

    mac: Mac
    interface: str
    state: DeviceState
    rtt_us: float | None
    """Of the last unicast question; None before one was answered."""
    sector_count: int
    """As the target advertises it, or as our own MTU allows if that is less; 0 if unknown."""
    first_seen: datetime
    last_seen: datetime

    @property
    def payload(self) -> int:
        """Bytes of data that one frame carries on this path."""
        return self.sector_count * 512


@dataclass(frozen=True, slots=True)
class DeviceSnapshot:
    """One shelf.slot as the SAN shows it, or one of our own exports (`ours`)."""

    address: Address
    ours: bool
    state: DeviceState
    size: int | None
    """Bytes; None until IDENTIFY is answered."""
    model: str
    serial: str
    firmware: str
    config_string: bytes
    buffer_count: int
    firmware_version: int
    sameness: Sameness
    paths: tuple[PathSnapshot, ...]
    """Of one of ours, only the foreign ones: where we serve it stands in its ExportSnapshot."""
    first_seen: datetime
    last_seen: datetime
    """When any path last answered; of one of ours that has none, when it became what this tells."""
    flapping: bool = False
    """Whether it comes and goes: it fell silent and answered again three times within five minutes, and not ten minutes ago."""
    changed: datetime | None = None
    """When something about it changed last; None since it was found."""
    why: str = ""
    """What that was. It may hold text from the wire."""

    @property
    def payload(self) -> int:
        """Bytes one frame carries: Linux takes the least over all paths that are up."""
        return min((path.payload for path in self.paths if path.state is DeviceState.UP), default=0)


@dataclass(frozen=True, slots=True)
class Note:
    """A remark about a link, with its remedy."""

    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class LinkRates:
    """Of the whole link, all protocols, over the last sampling second."""

    rx_bytes: float = 0.0
    tx_bytes: float = 0.0
    rx_packets: float = 0.0
    tx_packets: float = 0.0


@dataclass(frozen=True, slots=True)
class LinkSnapshot:
    """One network interface of this host."""

    name: str
    index: int
    kind: str
    """`ethernet`, `vlan`, `bridge`, `bond`, `veth`, `tun`, ... as the kernel names it."""
    mac: Mac | None
    mtu: int
    admin_up: bool
    carrier: bool
    vlan_id: int | None
    parent: str | None
    """The link a VLAN or macvlan stands on."""
    bridge: str | None
    """The bridge (or bond) this link is a port of: such a port hears no AoE."""
    addresses: tuple[str, ...]
    """IP addresses with prefix length, without IPv6 link-local ones."""
    default_route: bool
    rates: LinkRates
    rx_dropped: int
    tx_dropped: int
    rx_errors: int
    tx_errors: int
    chosen: bool
    """Whether AoE is spoken on it: chosen for the scanner, or named by an export. What follows is of untagged frames and of the
    VLANs that aoetui tags itself, together."""
    ring_dropped: int
    """Frames the kernel dropped because our receive ring was full."""
    foreign_vlan: int
    """Frames of VLANs without a link of their own, to this host or to all: refused where untagged ones are served.

    Those of a VLAN that aoetui tags itself are among them: they are answered in that VLAN, and here not."""
    truncated: int
    """Frames that the receive ring had no room for, since the MTU had grown: refused."""
    send_failed: int
    """Frames of ours that the kernel did not take: the link was down, its queue full, or its MTU cut."""
    silences: tuple[tuple[Silence, int], ...]
    """Requests that were not answered since AoE was begun here, by reason."""
    data_path: str
    """`compiled`, or `interpreted: ` and why; empty where no port is open."""
    memory: int
    """The most bytes that its ports take, however many frames come: receive rings, and the tables of compiled loops."""
    problem: str
    """Why AoE is not spoken on a chosen link, or in a VLAN that aoetui tags itself there; empty while it is."""
    notes: tuple[Note, ...]

    @property
    def usable(self) -> bool:
        """Whether AoE can be spoken here: an Ethernet link that is up, has carrier and is no bridge port."""
        return self.mac is not None and self.admin_up and self.carrier and self.bridge is None


@dataclass(frozen=True, slots=True)
class TraceSnapshot:
    """What is traced, and how much of it is kept. The frames are asked for by `commands.trace`."""

    interfaces: tuple[str, ...]
    """Those that are traced now; empty where a trace was stopped, or a file is shown."""
    paused: bool
    """Whether what passes is only counted."""
    whole: bool
    """Whether frames are kept whole; else of an ATA frame the first 104 bytes."""
    file: str
    """Path of the file that is shown; empty if none is."""
    since: datetime
    """When it was begun, or cleared."""
    seen: int
    """Frames that passed since."""
    kept: int
    """Frames that are kept."""
    newest: int
    """Number of the newest; they are numbered from 1 without gaps."""
    passed_over: int
    """Frames that passed while it was paused."""
    dropped: int
    """Frames that were lost because they came faster than they were taken."""
    bytes: int
    """What the kept ones take, at most 64 MiB."""
    problems: tuple[str, ...]
    """Why an interface is not traced."""


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """Everything, at one moment."""

    taken: datetime
    monotonic: float
    """Seconds; the age of a snapshot is the difference to `time.monotonic()`."""
    host: str
    interfaces: tuple[str, ...] | None
    """Chosen for the scanner (`[engine] interfaces`); None if nobody has chosen yet."""
    exports: tuple[ExportSnapshot, ...]
    devices: tuple[DeviceSnapshot, ...]
    """Sorted by address. One that is ours and answered by others too stands once, `ours` with the foreign paths, and an alarm."""
    links: tuple[LinkSnapshot, ...]
    rates: Rates
    """Of all exports together."""
    latency: Latency
    """Of all exports together, over the last ten seconds."""
    alarms: tuple[Alarm, ...]
    last_event: int
    """Number of the newest event; 0 before the first."""
    trace: TraceSnapshot | None = None
    """None if nothing was traced or opened yet."""
    kernel: KernelSnapshot | None = None
    """The Linux aoe driver of this host, looked at once a second; None while its module is not loaded."""
    tasks: tuple[TaskSnapshot, ...] = ()
    """Long work with remote devices, the oldest first: what runs, and what has ended and was not dropped."""


def to_json(value: object) -> Json:
    """Turn any of these values into what `json.dumps` takes: addresses and MACs as text, times in RFC 3339, bytes as latin-1."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return str(value.value)
        case str():
            return value
        case Address() | Mac() | Path():
            return str(value)
        case bytes():
            return value.decode("latin-1")
        case datetime():
            return value.isoformat(timespec="milliseconds")
        case list() | tuple():
            return [to_json(item) for item in value]
        case dict():
            return {str(key): to_json(item) for key, item in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")
