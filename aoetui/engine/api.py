"""All that anyone outside the engine sees: the Engine itself, its commands, and its errors. Values are in `snapshot`, `spec`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from aoetui.engine.snapshot import ExportSnapshot

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.snapshot import EngineSnapshot, Event
    from aoetui.engine.spec import ExportSpec, NewFile

Result = TypeVar("Result")


class ExitCode(IntEnum):
    """What the command line ends with."""

    DONE = 0
    NO = 1
    """The answer is no: judged by looking at this machine or the wire (file missing, interface down, address taken)."""
    USAGE = 2
    """Wrong without looking: an unknown option, a number out of range, no interface chosen."""
    NO_PERMISSION = 3
    NO_ANSWER = 4


class EngineError(Exception):
    """Something was refused or failed. Its text is one plain sentence that names the thing and the remedy.

    `field` names the ExportSpec attribute (or `size`) that the form shows it beside; empty when none fits.
    """

    exit_code = ExitCode.NO

    def __init__(self, text: str, *, field: str = "") -> None:
        super().__init__(text)
        self.field = field


class UsageError(EngineError):
    """What was asked can be known wrong without looking."""

    exit_code = ExitCode.USAGE


class NoPermissionError(EngineError):
    """The kernel refuses; the text holds the exact command that helps."""

    exit_code = ExitCode.NO_PERMISSION


class NoAnswerError(EngineError):
    """Nobody answered on the wire."""

    exit_code = ExitCode.NO_ANSWER


class Command(Generic[Result]):
    """A request to the engine; `Result` is what its future holds."""

    __slots__ = ()


class Errand(Command[Result]):
    """A command that waits for a disk or for the wire: it has a thread of its own, and several go on at once."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class AddExport(Command[ExportSnapshot]):
    """Serve `spec` and save it. With `new_file` the backing is made first, and removed again if anything is refused.

    `force` serves although the address is answered by others.
    """

    spec: ExportSpec
    new_file: NewFile | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class StopExport(Command[None]):
    """Answer what was accepted, then serve the export no more; it stays in the config, not enabled."""

    address: Address


@dataclass(frozen=True, slots=True)
class StartExport(Command[ExportSnapshot]):
    """Serve a stopped export again, and enable it in the config."""

    address: Address
    force: bool = False


@dataclass(frozen=True, slots=True)
class DeleteExport(Command[None]):
    """Stop the export and remove it from the config. Its backing is left as it is."""

    address: Address


@dataclass(frozen=True, slots=True)
class SetConfigString(Command[None]):
    """Set the config string of an open export of ours, at most 1024 bytes. Initiators are answered meanwhile."""

    address: Address
    string: bytes


@dataclass(frozen=True, slots=True)
class SetMask(Command[None]):
    """Set the mask list of an open export of ours: the only initiators it answers. Empty: it answers all."""

    address: Address
    macs: tuple[Mac, ...]


@dataclass(frozen=True, slots=True)
class SetReservation(Command[None]):
    """Reserve an open export of ours for these initiators. Empty: release it."""

    address: Address
    macs: tuple[Mac, ...]


@dataclass(frozen=True, slots=True)
class ChooseInterfaces(Command[None]):
    """Scan on these interfaces from now on, and save that."""

    interfaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Discover(Command[None]):
    """Broadcast once, now, on every chosen interface that is up."""


@dataclass(frozen=True, slots=True)
class Watch(Command[None]):
    """Say whether someone looks at the SAN: broadcasts every 5 s while so, else 60 s; less often where thousands answer."""

    looking: bool


@dataclass(frozen=True, slots=True)
class CheckAddress(Command[tuple[str, ...]]):
    """Ask on the wire, and among this host's packet sockets, who else serves this address (0.6 s).

    The result has one sentence for each; empty means the address is free.
    """

    address: Address
    interfaces: tuple[str, ...]
    vlan: int | None = None
    """As in ExportSpec."""


@dataclass(frozen=True, slots=True)
class BackingReport:
    """What a path is, for the export form."""

    path: Path
    exists: bool
    block_device: bool
    size: int
    """Bytes; 0 if it does not exist."""
    model: str
    """Of a block device; empty otherwise."""
    refusal: str
    """Why it cannot be exported (for writing, unless asked read-only), with the remedy; empty if it can."""
    warning: str
    """What to know before it is exported; empty if nothing."""


@dataclass(frozen=True, slots=True)
class InspectBacking(Errand[BackingReport]):
    """Look at a path, opening nothing for writing and changing nothing."""

    path: Path
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class ListBlockDevices(Errand[tuple[BackingReport, ...]]):
    """Every disk and partition of this host, with why it cannot be exported where so."""


class Engine(Protocol):
    """The engine, in this process or another. Every method may be called from any thread and returns at once."""

    def snapshot(self) -> EngineSnapshot:
        """The state of now; cheap."""
        ...

    def events(self, since: int) -> list[Event]:
        """The kept events whose number is greater than `since`, oldest first."""
        ...

    def submit(self, command: Command[Result]) -> Future[Result]:
        """Carry a command out in the engine's own thread. The future raises EngineError when it is refused."""
        ...
