"""The demo's disks: sparse files, and a config file that serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.config import ConfigFile
from aoetui.engine.protocol.address import Address
from aoetui.engine.spec import Durability, ExportSpec

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30
MIB = 1 << 20


def ours(folder: Path, interfaces: tuple[str, ...]) -> ConfigFile:
    """What the console of the demo serves."""
    return _config(
        folder,
        interfaces,
        [
            _disk(folder, "1.0", "mail", 8 * GIB, interfaces),
            _disk(folder, "1.1", "database", 20 * GIB, interfaces[:1], durability=Durability.DURABLE),
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


def _disk(
    folder: Path,
    address: str,
    name: str,
    size: int,
    interfaces: tuple[str, ...],
    *,
    read_only: bool = False,
    durability: Durability = Durability.CACHED,
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
        label=name,
    )


def _config(folder: Path, interfaces: tuple[str, ...], specs: list[ExportSpec]) -> ConfigFile:
    config = ConfigFile(folder / "config.toml")
    config.set_interfaces(interfaces)
    for spec in specs:
        config.put_export(spec)
    return config
