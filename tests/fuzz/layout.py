"""What the wire runner has served: windows of one file with guard sectors before, between and behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui import __version__
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.spec import Durability, ExportSpec
from tests.fuzz.oracle import SECTOR, Content, Disk, identify_page

if TYPE_CHECKING:
    from pathlib import Path

MACS = tuple(bytes.fromhex("0200000001") + bytes((number,)) for number in range(8))
FENCE = bytes.fromhex("06f3e7d9b5a1")
"""The initiator of the exports that no fuzzed frame reaches: when they answer, all frames before have been taken."""
VLAN = 100
GUARD = 16
"""Sectors."""
BUFFERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One export."""

    shelf: int
    slot: int
    start: int
    sectors: int
    vlan: int = 0
    """0: untagged."""
    read_only: bool = False
    durable: bool = False
    accept: tuple[bytes, ...] = ()
    deny: tuple[bytes, ...] = ()
    mask: tuple[bytes, ...] = ()

    @property
    def serial(self) -> str:
        """Of its IDENTIFY page."""
        return f"FUZZ{self.shelf}.{self.slot}"

    def spec(self, path: Path) -> ExportSpec:
        """For the engine."""
        return ExportSpec(
            address=Address(self.shelf, self.slot),
            path=path,
            interfaces=("near0",),
            vlan=self.vlan or None,
            read_only=self.read_only,
            durability=Durability.DURABLE if self.durable else Durability.CACHED,
            offset=self.start,
            length=self.sectors,
            buffer_count=BUFFERS,
            accept=tuple(mac.hex(":") for mac in self.accept),
            deny=tuple(mac.hex(":") for mac in self.deny),
            mask=tuple(Mac(mac) for mac in self.mask),
            serial=self.serial,
        )

    def disk(self, mtu: int) -> Disk:
        """For the oracle."""
        cached = not self.durable
        return Disk(
            shelf=self.shelf,
            slot=self.slot,
            content=Content(self.sectors, lambda lba: pattern(self.start + lba)),
            page=identify_page(sectors=self.sectors, serial=self.serial, firmware=__version__, write_cache=cached),
            read_only=self.read_only,
            buffers=BUFFERS,
            longest=mtu + 14,
            deny=frozenset(self.deny),
            accept=frozenset(self.accept) if self.accept else None,
            mask=list(self.mask),
        )


WINDOWS = (
    Window(shelf=9, slot=1, start=GUARD, sectors=256),
    Window(shelf=9, slot=2, start=288, sectors=64, read_only=True),
    Window(shelf=8, slot=1, start=368, sectors=8, mask=MACS[:4]),
    Window(shelf=65534, slot=254, start=392, sectors=101, durable=True, accept=MACS[:6], deny=MACS[5:6]),
    Window(shelf=6, slot=1, start=509, sectors=30, vlan=VLAN),
    Window(shelf=7, slot=7, start=555, sectors=1, read_only=True, accept=(FENCE,)),
    Window(shelf=7, slot=8, start=556, sectors=1, vlan=VLAN, read_only=True, accept=(FENCE,)),
)
"""Those of the file."""
FENCES = tuple(window for window in WINDOWS if window.accept == (FENCE,))
SECTORS = 557 + GUARD
"""Of the whole file."""


def pattern(sector: int) -> bytes:
    """What a sector of the file holds at first."""
    return (sector * 0x9E3779B97F4A7C15 & (1 << 64) - 1).to_bytes(8) * (SECTOR // 8)


def make_file(path: Path) -> None:
    """The file as it is before anything is written."""
    path.write_bytes(b"".join(pattern(sector) for sector in range(SECTORS)))


def expected_file(disks: list[Disk]) -> bytes:
    """The file as it must be after what was written to these disks."""
    whole = [pattern(sector) for sector in range(SECTORS)]
    for window, disk in zip(WINDOWS, disks, strict=True):
        for lba, data in disk.content.written.items():
            whole[window.start + lba] = data
    return b"".join(whole)
