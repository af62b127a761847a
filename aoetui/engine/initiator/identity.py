"""Who a remote device is, by IDENTIFY on each of its paths, and whether we may use it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, NoAnswerError
from aoetui.engine.initiator.finding import paths_to
from aoetui.engine.initiator.remote_device import RemoteDevice
from aoetui.engine.protocol.ata import MAX_LBA28_SECTORS, Identity, parse_identify
from aoetui.engine.protocol.frames import AtaArgument, ReserveArgument
from aoetui.engine.protocol.header import MalformedFrame
from aoetui.engine.protocol.sightings import MODELS_WITHOUT_UNIQUE_SERIAL, SERIALS_OF_NOBODY
from aoetui.engine.protocol.transfer_path import PathFacts
from aoetui.engine.protocol.wire import AtaOp, Command, ReserveOp

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from aoetui.engine.core import Core
    from aoetui.engine.initiator.conversations import Conversation
    from aoetui.engine.initiator.finding import TargetPath
    from aoetui.engine.protocol.address import Address, Mac

_IDENTIFY = AtaArgument(0, 0, 1, AtaOp.IDENTIFY, 0xA0 << 24, b"")
_FAILED = 0xA9
_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Known:
    """A device that was found and has said who it is."""

    address: Address
    identity: Identity
    paths: tuple[TargetPath, ...]
    """Those that said so; never empty."""
    device: RemoteDevice

    @property
    def unique(self) -> bool:
        """Whether its serial is no other disk's: all that have it are one."""
        said = self.identity
        return said.model not in MODELS_WITHOUT_UNIQUE_SERIAL and said.serial not in SERIALS_OF_NOBODY

    @property
    def macs(self) -> tuple[Mac, ...]:
        """Those of its paths, sorted."""
        return tuple(sorted({path.mac for path in self.paths}))

    @property
    def left_out(self) -> tuple[Mac, ...]:
        """MACs that answer at the address too, and are not used: nothing proves that they are the same disk."""
        return () if self.unique else tuple(sorted({path.mac for path in self.device.paths}.difference(self.macs)))

    def over(self, macs: Collection[Mac]) -> Known:
        """The device over these of its MACs alone, of which it must have one."""
        return replace(self, paths=tuple(path for path in self.paths if path.mac in macs))

    def facts(self, core: Core, window: int | None) -> list[PathFacts]:
        """The paths as a transfer takes them. A buffer count is the target's own, by MAC: paths to one MAC share it."""
        shares = {mac: sum(path.mac == mac for path in self.paths) for mac in {path.mac for path in self.paths}}
        facts = []
        for path in self.paths:
            port = core.ports.get(path.port)
            if port is not None:
                most = max(1, path.buffer_count // shares[path.mac])
                most = most if window is None else min(most, window)
                facts.append(PathFacts(path.port, port.facts.mac, path.mac, path.sector_count, most))
        return facts


def known_device(
    core: Core, conversation: Conversation, address: Address, macs: Sequence[Mac] = (), serial: str | None = None
) -> Known:
    """Find a device, and have each path say who it is. Blocks up to some seconds.

    Raises NoAnswerError; EngineError where different disks answer, or another than the one of this serial, or where the device is
    reserved for others.
    """
    paths = paths_to(core, address, conversation)
    if macs:
        paths = tuple(path for path in paths if path.mac in macs)
        if not paths:
            raise NoAnswerError(f"{address} does not answer from {', '.join(map(str, macs))}: leave --mac out, or correct it")
    device = RemoteDevice(core, conversation, address, paths)
    identities = {path: said for path in paths if (said := _identify(device, path)) is not None}
    if not identities:
        raise NoAnswerError(f"{address} advertises itself and does not answer IDENTIFY: look at the target")
    refuse_different(address, identities)
    identity = next(iter(identities.values()))
    if serial is not None and identity.serial != serial:
        raise EngineError(f"{address} is another disk now: its serial is {identity.serial!r}, not {serial!r}", field="address")
    if not identity.lba48 and identity.sectors > MAX_LBA28_SECTORS:
        # The rest of the address would be cut off: what is meant for behind them would go to the first sectors.
        raise EngineError(
            f"{address} claims {identity.sectors} sectors and knows 28-bit commands alone, which reach {MAX_LBA28_SECTORS}:"
            " its program is at fault",
            field="address",
        )
    _refuse_reserved(core, device, tuple(identities))
    return Known(address, identity, tuple(identities), device)


def refuse_different(address: Address, identities: Mapping[TargetPath, Identity]) -> None:
    """Raise EngineError where not all paths say the same: two disks at one address must not be mixed."""
    for what in ("size", "serial", "model"):
        said = {path.mac: getattr(each, "sectors" if what == "size" else what) for path, each in identities.items()}
        if len(set(said.values())) > 1:
            each = ", ".join(f"{mac} has {what} {value}" for mac, value in sorted(said.items()))
            raise EngineError(
                f"different disks answer at {address} ({each}): give one of them another address, or name one with --mac",
                field="address",
            )


def refuse_unproven(known: Known, macs: Sequence[Mac]) -> None:
    """Raise EngineError where a device is to be written to over several MACs that may be several disks, and none was named.

    Targets of one kind on hosts of one name say the same of themselves; each disk would be given a part of what is written.
    """
    several = sorted({path.mac for path in known.device.paths})
    if not macs and not known.unique and len(several) > 1:
        raise EngineError(
            f"{known.address} answers from {' and '.join(map(str, several))}, and nothing proves that they are one disk"
            f" (serial {known.identity.serial!r} is not unique): name the one to write to with --mac,"
            " or each of them if they are one disk",
            field="address",
        )


def surely_one(known: Known, macs: Sequence[Mac]) -> Known:
    """The device, to be read from: over its first MAC alone where several may be several disks, and none was named.

    An image with a part of each would be of neither.
    """
    return known if macs or known.unique else known.over(known.macs[:1])


def size_of(device: RemoteDevice, paths: Sequence[TargetPath]) -> int | None:
    """The sectors that it says it has now; None if it does not answer."""
    for path in paths:
        said = _identify(device, path)
        if said is not None:
            return said.sectors
    return None


def holders(device: RemoteDevice, paths: tuple[TargetPath, ...]) -> tuple[Mac, ...]:
    """Who has reserved the device; nobody where the target does not know of reservations."""
    try:
        answer = device.ask(Command.RESERVE, ReserveArgument(ReserveOp.READ, ()), paths=paths, attempts=2)
    except NoAnswerError:
        return ()
    said = answer.frame.argument
    return said.macs if isinstance(said, ReserveArgument) and answer.frame.header.error is None else ()


def _identify(device: RemoteDevice, path: TargetPath) -> Identity | None:
    try:
        answer = device.ask(Command.ATA, _IDENTIFY, paths=(path,), attempts=_ATTEMPTS)
    except NoAnswerError:
        return None
    said = answer.frame.argument
    if answer.frame.header.error is not None or not isinstance(said, AtaArgument) or said.op_or_status & _FAILED:
        return None
    try:
        return parse_identify(said.data)
    except MalformedFrame:
        return None


def _refuse_reserved(core: Core, device: RemoteDevice, paths: tuple[TargetPath, ...]) -> None:
    macs = holders(device, paths)
    ours = {port.facts.mac for path in paths if (port := core.ports.get(path.port)) is not None}
    if macs and not ours.issubset(macs):
        raise EngineError(reserved_text(device.address, macs), field="address")


def reserved_text(address: Address, macs: Sequence[Mac]) -> str:
    """That others have reserved a device."""
    who = ", ".join(map(str, macs)) or "another initiator"
    return f"{address} is reserved for {who}: have that host release it, or reserve it for this one"
