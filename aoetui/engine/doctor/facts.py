"""What an examination looks at, as frozen values: the judges see nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aoetui.engine.commands.kernel import KernelSnapshot
    from aoetui.engine.commands.paths import PathReport, Pause
    from aoetui.engine.conflicts import OtherProgram
    from aoetui.engine.doctor.hearing import Heard
    from aoetui.engine.link_facts import LinkFacts
    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.protocol.devices import Device


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """This host and this process."""

    refused: str = ""
    """Why no packet socket can be opened: what is wrong; empty if it can."""
    refused_remedy: str = ""
    """The exact command that helps."""
    surroundings: str = ""
    """`a container (docker)`, `a user namespace`; empty outside of them."""
    kernel: KernelSnapshot | None = None
    """The Linux aoe driver, with remarks on where it and the wire differ; None while it is not loaded."""
    receive_buffer: int | None = None
    """Bytes of net.core.rmem_default; None where it is not told."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Of a link, all protocols (/proc/net/dev)."""

    received: int = 0
    sent: int = 0
    receive_errors: int = 0
    receive_dropped: int = 0
    overruns: int = 0
    """Frames that came while the card's or the kernel's buffers were full."""
    framing: int = 0
    """Frames that were damaged on the way: cables, plugs, duplex."""
    send_errors: int = 0
    send_dropped: int = 0
    carrier_errors: int = 0

    def since(self, before: Counts) -> Counts:
        """What was added."""
        return Counts(*(getattr(self, name) - getattr(before, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What the card itself says (ethtool), and how often it lost its carrier."""

    speed: int | None = None
    """Mbit/s."""
    full_duplex: bool | None = None
    pause: Pause | None = None
    """None where it does not say."""
    carrier_losses: int = 0
    """Since the link was made."""
    carrier_losses_now: int = 0
    """While it was looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFacts:
    """One MAC that answered for an address on one port of ours."""

    address: Address
    mac: Mac
    port: str
    sector_count: int
    """As advertised; 0 means 2."""
    buffer_count: int
    broadcasts: int = 0
    broadcasts_answered: int = 0
    unicasts: int = 0
    unicasts_answered: int = 0
    rtt: float | None = None
    """Seconds; the median."""
    doubled: int = 0
    """Questions that were answered more than once, and alike."""
    torn: str = ""
    """What two answers to one question said otherwise; empty if none did."""
    identified: bool | None = None
    """Whether IDENTIFY was answered; None: not asked often enough to tell."""
    mask: tuple[Mac, ...] | None = None
    """Its mask list; None: not told."""
    reservation: tuple[Mac, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFacts:
    """What came of asking on one port."""

    port: str
    """As in port_names."""
    mac: Mac | None = None
    problem: str = ""
    """Why it could not be opened, or was lost."""
    frames: int = 0
    """Sent by us."""
    not_sent: int = 0
    """Of these, not taken by the kernel."""
    paths: tuple[PathFacts, ...] = ()
    doubted: frozenset[tuple[Address, Mac]] = frozenset()
    """Heard to serve others, asked by their own MAC, and silent then, unless they are among the paths."""
    ring_dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SideFacts:
    """One interface that was examined."""

    name: str
    card: CardFacts = CardFacts()
    total: Counts = Counts()
    """Since the link was made."""
    during: Counts = Counts()
    """While it was looked at."""
    counted: bool = True
    """Whether the kernel counts anything there: false where the link is none of this network namespace."""
    asked: AskedFacts | None = None
    """None: it was only listened on."""
    in_vlans: tuple[AskedFacts, ...] = ()
    """Asked in VLANs whose frames were heard here, since nobody answered."""
    heard: Heard | None = None
    """None where it could not be listened on; `deaf` says why."""
    deaf: str = ""
    programs: tuple[OtherProgram, ...] = ()
    """Others of this host that hear AoE frames here."""
    ring_dropped: int = 0
    """Frames that the engine's own port has lost for want of room, since it was opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnExport:
    """One of the engine's exports."""

    address: Address
    ports: tuple[str, ...]
    """Where it is served."""
    problem: str = ""
    masked: tuple[Mac, ...] = ()
    """Who asked and was shut out by its mask list."""
    denied: tuple[Mac, ...] = ()
    """By its lists of accept and deny."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Everything."""

    host: HostFacts = HostFacts()
    links: Mapping[str, LinkFacts] = field(default_factory=dict)
    chosen: bool = True
    """Whether somebody chose the interfaces; without that none is asked."""
    sides: tuple[SideFacts, ...] = ()
    address: Address | None = None
    devices: tuple[Device, ...] = ()
    """What answered, judged as the scanner judges it."""
    reaches: tuple[tuple[Address, PathReport], ...] = ()
    """How long frames get on the ways to those that answered."""
    known: tuple[Device, ...] = ()
    """What the engine's scanner has known before."""
    exports: tuple[OwnExport, ...] = ()
    seconds: float = 0.0

    @property
    def own_macs(self) -> frozenset[Mac]:
        """Of every link of this host."""
        return frozenset(link.mac for link in self.links.values() if link.mac is not None)

    @property
    def paths(self) -> tuple[PathFacts, ...]:
        """Who answered, on the ports that were asked."""
        return tuple(path for side in self.sides if side.asked is not None for path in side.asked.paths)
