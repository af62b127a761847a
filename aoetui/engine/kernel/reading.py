"""Looks at the driver once a second: every device's state and size, and of 64 in turn whatever else there is to know."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aoetui.engine.commands.kernel import SWAP, KernelDevice, KernelSnapshot
from aoetui.engine.kernel.controls import refusal
from aoetui.engine.kernel.figures import parse_figures
from aoetui.engine.kernel.host import number, read
from aoetui.engine.kernel.module import interface_list, starts_with, version_of
from aoetui.engine.kernel.users import holders, mounted_on, read_tables
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aoetui.engine.kernel.host import Host
    from aoetui.engine.kernel.users import Tables

PREFIX = "etherd!"
LOOKED_THROUGH = 64
"""Devices of which everything is read at one look; all others have their state and size read."""
_ABOUT_MODULE = 10
"""Looks between two at what seldom changes: version, parameters and persistence."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A device as it was last looked through."""

    device: KernelDevice
    keys: tuple[str, ...]
    """Numbers and nodes of it and its partitions, by which mounts and swap space name it."""


class Reader:
    """Reads the driver of one host. For one thread at a time."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._known: dict[str, _Known] = {}
        self._turn: list[str] = []
        self._module: KernelSnapshot | None = None
        self._looks = 0

    def look(self, *, whole: bool = False) -> KernelSnapshot | None:
        """The driver as it is now; None while it is not loaded. `whole` looks every device through."""
        if not self._host.has_driver:
            self._known, self._module = {}, None
            return None
        self._looks += 1
        if whole or self._module is None or self._looks % _ABOUT_MODULE == 0:
            self._module = self._about_module()
        names = _names(self._host.block)
        self._known = {name: known for name, known in self._known.items() if name in names}
        due = set(names) if whole else self._due(names)
        tables = read_tables(self._host)
        devices = [self._device(name, address, tables, through=name in due) for name, address in names.items()]
        return replace(
            self._module,
            devices=tuple(sorted(devices, key=lambda device: device.address)),
            here=self._host.in_first_network,
            controls=refusal(self._host),
        )

    def _due(self, names: Mapping[str, Address]) -> set[str]:
        """Whose turn it is; each comes round before any comes twice."""
        if not self._turn:
            self._turn = list(names)
        due, self._turn = self._turn[:LOOKED_THROUGH], self._turn[LOOKED_THROUGH:]
        return set(due)

    def _about_module(self) -> KernelSnapshot:
        def parameter(name: str) -> int | None:
            return number(read(f"{self._host.module}/parameters/{name}"))

        dynamic = parameter("aoe_dyndevs")
        return KernelSnapshot(
            version=version_of(self._host),
            interfaces=interface_list(self._host),
            dead_seconds=parameter("aoe_deadsecs"),
            max_requests=parameter("aoe_maxout"),
            dynamic_numbers=None if dynamic is None else dynamic != 0,
            starts=starts_with(self._host),
            here=True,
            controls="",
            devices=(),
        )

    def _device(self, name: str, address: Address, tables: Tables, *, through: bool) -> KernelDevice:
        folder = f"{self._host.block}/{name}"
        state, sectors = read(f"{folder}/state") or "", number(read(f"{folder}/size"))
        size = None if sectors is None else sectors * SECTOR
        known = self._known.get(name)
        if known is None or through or (known.device.state, known.device.size) != (state, size):
            known = _look_through(self._host, name, address, state, size)
        known = _with_uses(known, tables)
        self._known[name] = known
        return known.device


def _names(block: Path) -> dict[str, Address]:
    """The driver's devices by their names in /sys/block."""
    found = {}
    try:
        listed = os.listdir(block)  # noqa: PTH208 - names alone: there may be thousands
    except OSError:
        return {}
    for name in listed:
        if name.startswith(PREFIX):
            try:
                found[name] = Address.parse(name.removeprefix(PREFIX))
            except ValueError:  # no device of the driver's making
                continue
    return found


def _look_through(host: Host, name: str, address: Address, state: str, size: int | None) -> _Known:
    folder = host.block / name
    parts = {path.name: path for path in sorted(folder.glob(f"{name}p*")) if path.is_dir()}
    own = read(folder / "dev") or ""
    numbers = [own, *(read(path / "dev") or "" for path in parts.values())]
    figures = None if (text := read(host.figures / str(address))) is None else parse_figures(text)
    payload, firmware = number(read(folder / "payload")), number(read(folder / "firmware-version"), 16)
    partitions = tuple(part.removeprefix(PREFIX) for part in parts)
    device = KernelDevice(
        address=address,
        state=state,
        size=size,
        macs=tuple(dict.fromkeys(path.mac for path in figures.paths)) if figures else _macs(read(folder / "mac")),
        interfaces=_words(read(folder / "netif")),
        payload=payload,
        firmware_version=firmware,
        number=own,
        wrong_node=_is_other_node(host.nodes / str(address), own),
        partitions=partitions,
        mounted_on=(),
        holders=holders(host, [folder, *parts.values()]),
        figures=figures,
    )
    nodes = [f"/dev/etherd/{node}" for node in (address, *partitions)]
    return _Known(device, (*(each for each in numbers if each), *nodes))


def _with_uses(known: _Known, tables: Tables) -> _Known:
    device = known.device
    stands = tuple(each for each in device.holders if each != SWAP)
    uses = mounted_on(tables, known.keys), (*stands, SWAP) if tables.swaps.intersection(known.keys) else stands
    if uses == (device.mounted_on, device.holders):
        return known
    return replace(known, device=replace(device, mounted_on=uses[0], holders=uses[1]))


def _macs(text: str | None) -> tuple[Mac, ...]:
    """sysfs tells the first one, as twelve digits, or `none`."""
    try:
        return (Mac.parse(text or ""),)
    except ValueError:
        return ()


def _words(text: str | None) -> tuple[str, ...]:
    return () if text in {None, "", "none"} else tuple(name for name in (text or "").split(",") if name)


def _is_other_node(node: Path, own: str) -> bool:
    try:
        status = node.stat()
    except OSError:
        return False
    return bool(own and status.st_rdev) and own != f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
