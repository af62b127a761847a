"""The demo's disks: sparse files, and a config file that serves them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.api import SetConfigString
from aoetui.engine.config import ConfigFile
from aoetui.engine.kernel.host import Host
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.spec import Durability, ExportSpec

if TYPE_CHECKING:
    from aoetui.engine.local import LocalEngine

GIB = 1 << 30
MIB = 1 << 20

STRANGER = Mac.parse("02:a0:e0:00:00:66")
"""Asks now and then for a disk that denies it."""

NO_DRIVER = Host(Path("/dev/null"), no_modules="the demo leaves the kernel of this host alone")
"""Nothing is below it, and nothing can be: the driver of the real host is no part of the demo."""

KEPT = Address(1, 1)
"""The disk that denies the stranger, and whose user has reserved it."""


def ours(folder: Path, interfaces: tuple[str, ...]) -> ConfigFile:
    """What the console of the demo serves."""
    return _config(
        folder,
        interfaces,
        [
            _disk(folder, "1.0", "mail", 8 * GIB, interfaces),
            _disk(folder, str(KEPT), "database", 20 * GIB, interfaces[:1], durability=Durability.DURABLE, deny=(str(STRANGER),)),
            _disk(folder, "2.0", "installer", 700 * MIB, interfaces[-1:], read_only=True),
        ],
    )


def theirs(folder: Path, interfaces: tuple[str, ...]) -> ConfigFile:
    """What the demo's peer serves."""
    return _config(
        folder,
        interfaces,
        [
            _disk(folder, "9.1", "web01", 10 * GIB, interfaces),
            _disk(folder, "9.2", "web02", 50 * GIB, interfaces[:1]),
            _disk(folder, "9.7", "archive", 1000 * GIB, interfaces[-1:]),
            _disk(folder, "12.0", "scratch", 100 * GIB, interfaces),
        ],
    )


def name_them(engine: LocalEngine) -> None:
    """Give each disk its name as its config string, as a person would."""
    for export in engine.snapshot().exports:
        engine.submit(SetConfigString(export.spec.address, export.spec.label.encode()))


def _disk(
    folder: Path,
    address: str,
    name: str,
    size: int,
    interfaces: tuple[str, ...],
    *,
    read_only: bool = False,
    durability: Durability = Durability.CACHED,
    deny: tuple[str, ...] = (),
) -> ExportSpec:
    path = folder / f"{name}.img"
    with path.open("wb") as file:
        file.truncate(size)
    return ExportSpec(
        address=Address.parse(address),
        path=path,
        interfaces=interfaces,
        read_only=read_only,
        durability=durability,
        deny=deny,
        label=name,
    )


def _config(folder: Path, interfaces: tuple[str, ...], specs: list[ExportSpec]) -> ConfigFile:
    config = ConfigFile(folder / "config.toml")
    config.set_interfaces(interfaces)
    for spec in specs:
        config.put_export(spec)
    return config
