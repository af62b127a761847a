"""What others' targets keep: config string, mask list and reservation. Read, compared and changed over the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.api import Errand
from aoetui.engine.protocol.wire import MAX_CONFIG_STRING, MAX_LIST

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.snapshot import StateLimits


@dataclass(frozen=True, slots=True)
class KnownMac:
    """A MAC of a list that is not a stranger's."""

    mac: Mac
    this_host: bool
    """Whether it is one of this host's own."""
    words: str
    """Who it is: `this host, eth1`, `uses our e9.2 on eth1`, `group web`, or a name of /etc/ethers."""


@dataclass(frozen=True, slots=True)
class RemoteTarget:
    """What one MAC that answers for the address keeps. All of it comes from the wire."""

    mac: Mac
    interfaces: tuple[str, ...]
    """Of this host, over which it answers."""
    model: str
    """As IDENTIFY has it; empty, with `serial`, if that was not answered."""
    serial: str
    size: int | None
    """Bytes; None if IDENTIFY was not answered."""
    config_string: bytes
    buffer_count: int
    firmware_version: int
    sector_count: int
    """As advertised: the most sectors of one frame; 0 stands for 2."""
    mask: tuple[Mac, ...] | None
    """The only initiators that it answers; empty: all. None: it has no mask list."""
    reservation: tuple[Mac, ...] | None
    """The only initiators that may read and write; empty: all. None: it knows no reservation."""


@dataclass(frozen=True, slots=True)
class RemoteState:
    """What stands at an address, as read now."""

    address: Address
    targets: tuple[RemoteTarget, ...]
    """Sorted by MAC, never empty: one for each MAC that answers, or the one that was named."""
    conflict: str
    """Which different disks answer, with the remedy; empty while the MACs may be paths of one."""
    known: tuple[KnownMac, ...]
    """Of the MACs on the lists, those that are known."""
    here: tuple[Mac, ...]
    """This host's own MACs on the interfaces that the device answers on."""
    limits: StateLimits
    """What a reply holds on the interface of the smallest MTU."""

    def who(self, mac: Mac) -> str:
        """Who a MAC is, as far as known; empty if not. Show it only as plain text."""
        return next((known.words for known in self.known if known.mac == mac), "")


@dataclass(frozen=True, slots=True)
class ReadRemote(Errand[RemoteState]):
    """Read all that the device keeps. Blocks 0.2 s and more; a program that knows no mask lists takes seconds."""

    address: Address
    mac: Mac | None = None
    """The one that is meant, where several answer; None: all."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether a config string is what was asked for."""

    matches: bool
    answered: bool
    """Whether the target answered the comparison itself: it does so only if it matches. If not, its string was read instead."""
    config_string: bytes
    """As it stands."""


@dataclass(frozen=True, slots=True)
class CompareConfig(Errand[Comparison]):
    """Ask whether the device's config string is `string`, or begins with it. Silence is told from no answer by reading it."""

    address: Address
    string: bytes
    prefix: bool = False
    mac: Mac | None = None

    def __post_init__(self) -> None:
        check_config_string(self.string)


@dataclass(frozen=True, slots=True)
class ConfigAnswer:
    """What one MAC answered a broadcast about config strings."""

    address: Address
    mac: Mac
    interface: str
    config_string: bytes


@dataclass(frozen=True, slots=True)
class SurveyConfig(Errand[tuple[ConfigAnswer, ...]]):
    """Ask every device on the chosen interfaces for its config string, and listen for `wait` seconds. Sorted by address.

    With `string`, only those answer whose config string is that, or begins with it.
    """

    wait: float
    string: bytes | None = None
    prefix: bool = False

    def __post_init__(self) -> None:
        check_config_string(self.string or b"")


@dataclass(frozen=True, slots=True)
class SetRemoteConfig(Errand[RemoteState]):
    """Set the config string if there is none, or with `force` in any case. The result is what stands then."""

    address: Address
    string: bytes
    force: bool = False
    mac: Mac | None = None

    def __post_init__(self) -> None:
        check_config_string(self.string)


@dataclass(frozen=True, slots=True)
class EditRemoteMask(Errand[RemoteState]):
    """Add MACs to the mask list and delete some; with `replace`, those to add are the whole list. The result is what stands then.

    Refused without `force` if it would shut this host itself out.
    """

    address: Address
    add: tuple[Mac, ...] = ()
    delete: tuple[Mac, ...] = ()
    replace: bool = False
    force: bool = False
    mac: Mac | None = None

    def __post_init__(self) -> None:
        check_macs(self.add)


@dataclass(frozen=True, slots=True)
class SetRemoteReservation(Errand[RemoteState]):
    """Reserve the device for `macs` alone: for this host's own where that is None; release it if there are none.

    A device that others hold refuses it without `force`. The result is what stands then.
    """

    address: Address
    macs: tuple[Mac, ...] | None = None
    force: bool = False
    mac: Mac | None = None

    def __post_init__(self) -> None:
        check_macs(self.macs or ())


def check_config_string(string: bytes) -> None:
    """Raises ValueError for one that is too long for any target."""
    if len(string) > MAX_CONFIG_STRING:
        raise ValueError(f"a config string has at most {MAX_CONFIG_STRING} bytes, not {len(string)}: shorten it")


def check_macs(macs: tuple[Mac, ...]) -> None:
    """Raises ValueError for a list that no target can keep."""
    if len(set(macs)) > MAX_LIST:
        raise ValueError(f"a list has at most {MAX_LIST} MACs, not {len(set(macs))}: shorten it")
    for mac in macs:
        if not mac.is_sender:
            raise ValueError(f"no frame can come from {mac}: name the initiator's own MAC")
