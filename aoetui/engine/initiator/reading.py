"""Reads what a device keeps: config string, mask list and reservation, of each MAC that answers for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.alarms import different_disks
from aoetui.engine.api import EngineError, NoAnswerError
from aoetui.engine.commands.remote import RemoteState, RemoteTarget
from aoetui.engine.initiator.whose import known_macs
from aoetui.engine.protocol.ata import Identity, parse_identify
from aoetui.engine.protocol.devices import Sameness
from aoetui.engine.protocol.facts import config_limit, mask_limit, reservation_limit
from aoetui.engine.protocol.frames import AtaArgument, ConfigArgument, MaskArgument, ReserveArgument
from aoetui.engine.protocol.sightings import Advertised, DeviceRecord, PathRecord
from aoetui.engine.protocol.wire import (
    DEFAULT_FRAME_LIMIT,
    SECTOR,
    VERSION,
    AtaOp,
    Command,
    ConfigOp,
    MaskOp,
    ReserveOp,
)
from aoetui.engine.snapshot import StateLimits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aoetui.engine.core import Core
    from aoetui.engine.initiator.finding import TargetPath
    from aoetui.engine.initiator.remote_device import RemoteDevice
    from aoetui.engine.protocol.address import Mac

    Paths = tuple[TargetPath, ...]

OPTIONAL_ATTEMPTS = 3
"""For what not every program knows: kvblade and jaoed are silent to mask lists and reservations."""
READ_CONFIG = ConfigArgument(0, 0, 0, VERSION, ConfigOp.READ, b"")
READ_MASK = MaskArgument(MaskOp.READ, 0, 0, ())
READ_RESERVATION = ReserveArgument(ReserveOp.READ, ())
_IDENTIFY = AtaArgument(0, 0, 1, AtaOp.IDENTIFY, 0xA0 << 24, b"")


def read_state(core: Core, device: RemoteDevice, mac: Mac | None = None) -> RemoteState:
    """Everything, of every MAC that answers or of the one that is named. Raises NoAnswerError, EngineError."""
    paths = paths_by_mac(device, mac)
    targets = tuple(_read_target(device, each) for each in paths.values())
    used = [path for each in paths.values() for path in each]
    return state_of(core, device, targets, used)


def state_of(core: Core, device: RemoteDevice, targets: tuple[RemoteTarget, ...], paths: Sequence[TargetPath]) -> RemoteState:
    """Targets, and what follows from them and from the paths to them."""
    ports = [port for name in {path.port for path in paths} if (port := core.ports.get(name)) is not None]
    limit = min((port.facts.frame_limit for port in ports), default=DEFAULT_FRAME_LIMIT)
    here = tuple(sorted({port.facts.mac for port in ports}))
    listed = [mac for target in targets for mac in (*(target.mask or ()), *(target.reservation or ()))]
    return RemoteState(
        address=device.address,
        targets=targets,
        conflict=_conflict(device, targets),
        known=known_macs(core, [*listed, *here]),
        here=here,
        limits=StateLimits(config_limit(limit), mask_limit(limit), reservation_limit(limit)),
    )


def paths_by_mac(device: RemoteDevice, mac: Mac | None) -> dict[Mac, Paths]:
    """The device's paths, by the MAC that answers on them. Raises EngineError if none is the one that is named."""
    found: dict[Mac, Paths] = {}
    for path in sorted(device.paths, key=lambda path: path.mac):
        found[path.mac] = (*found.get(path.mac, ()), path)
    if mac is None:
        return found
    if mac not in found:
        others = ", ".join(map(str, found))
        raise NoAnswerError(f"{mac} does not answer for {device.address}, but {others}: name one of these")
    return {mac: found[mac]}


def read_config(device: RemoteDevice, paths: Paths) -> ConfigArgument:
    """What a target answers to a query. Raises NoAnswerError."""
    said = device.ask(Command.QUERY_CONFIG, READ_CONFIG, paths=paths).frame.argument
    if not isinstance(said, ConfigArgument):
        raise EngineError(f"{device.address} refuses to tell its config string: its program is at fault")
    return said


def read_mask(device: RemoteDevice, paths: Paths) -> tuple[Mac, ...] | None:
    """A target's mask list; None if it answers no such command."""
    try:
        frame = device.ask(Command.MAC_MASK, READ_MASK, paths=paths, attempts=OPTIONAL_ATTEMPTS).frame
    except NoAnswerError:
        return None
    if frame.header.error is not None or not isinstance(said := frame.argument, MaskArgument) or said.error:
        return None
    return tuple(line.mac for line in said.directives)


def read_reservation(device: RemoteDevice, paths: Paths) -> tuple[Mac, ...] | None:
    """For whom a target is reserved; None if it answers no such command."""
    try:
        frame = device.ask(Command.RESERVE, READ_RESERVATION, paths=paths, attempts=OPTIONAL_ATTEMPTS).frame
    except NoAnswerError:
        return None
    if frame.header.error is not None or not isinstance(said := frame.argument, ReserveArgument):
        return None
    return said.macs


def read_page(device: RemoteDevice, paths: Paths) -> bytes | None:
    """A target's IDENTIFY page, 512 bytes; None if it answers with none."""
    try:
        said = device.ask(Command.ATA, _IDENTIFY, paths=paths, attempts=OPTIONAL_ATTEMPTS).frame.argument
    except NoAnswerError:
        return None
    sound = isinstance(said, AtaArgument) and len(said.data) >= SECTOR and not said.op_or_status & 0xA9
    return bytes(said.data[:SECTOR]) if isinstance(said, AtaArgument) and sound else None


def _read_target(device: RemoteDevice, paths: Paths) -> RemoteTarget:
    said = read_config(device, paths)
    identity = _identity(device, paths)
    return RemoteTarget(
        mac=paths[0].mac,
        interfaces=tuple(path.port for path in paths),
        model=identity.model if identity else "",
        serial=identity.serial if identity else "",
        size=identity.sectors * SECTOR if identity else None,
        config_string=said.string,
        buffer_count=said.buffer_count,
        firmware_version=said.firmware,
        sector_count=said.sector_count,
        mask=read_mask(device, paths),
        reservation=read_reservation(device, paths),
    )


def _identity(device: RemoteDevice, paths: Paths) -> Identity | None:
    page = read_page(device, paths)
    return None if page is None else parse_identify(page)


def _conflict(device: RemoteDevice, targets: Iterable[RemoteTarget]) -> str:
    """Judged as the scanner judges it."""
    record = DeviceRecord(device.address, first_seen=0.0)
    for target in targets:
        said = Advertised(target.config_string, target.buffer_count, target.firmware_version, target.sector_count)
        path = PathRecord(record, target.mac, "", said, target.sector_count, first_seen=0.0, last_seen=0.0)
        if target.size is not None:
            path.identity = Identity(target.model, target.serial, "", target.size // SECTOR, lba48=True)
        record.paths[target.mac, ""] = path
    sameness, which = record.compare()
    return f"{different_disks(record_mac for record_mac, _ in record.paths)} ({which})" if sameness is Sameness.DIFFERENT else ""
