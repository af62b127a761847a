"""What a person asks to be served: one export's description, as the config file, the form and the command line give it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from aoetui.engine.protocol.wire import DEFAULT_BUFFER_COUNT, MAX_BUFFER_COUNT, MIN_BUFFER_COUNT

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.protocol.address import Address, Mac


MIN_VLAN, MAX_VLAN = 1, 4094
"""IEEE 802.1Q: 0 marks a priority alone, and counts as untagged; 4095 is reserved."""


class Durability(StrEnum):
    """When a write is answered. Linux never sends FLUSH: the answer to a write is its only promise."""

    CACHED = "cached"
    """Once the page cache has it. A power cut on this host can lose answered writes."""
    DURABLE = "durable"
    """Once stable storage has it; one fdatasync for a whole batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSpec:
    """One export. `offset` and `length` are in sectors of 512 bytes; `length` None means to the end of the backing.

    Raises ValueError (a sentence for the user) when buffer count, offset or length is out of range.
    """

    address: Address
    path: Path
    interfaces: tuple[str, ...]
    """Names or shell globs (`eth*`); never empty."""
    vlan: int | None = None
    """Serve frames of this VLAN (1 to 4094), tagged by us; None: untagged frames.

    A VLAN that has a link of its own (`eth1.100`) is served by naming that link instead."""
    read_only: bool = False
    durability: Durability = Durability.CACHED
    direct: bool = False
    """O_DIRECT: past the page cache."""
    offset: int = 0
    length: int | None = None
    buffer_count: int = DEFAULT_BUFFER_COUNT
    accept: tuple[str, ...] = ()
    """Where not empty, the only initiators that are answered: MACs, groups of `[acl]`, names of /etc/ethers.

    It protects from accidents: a MAC can be forged."""
    deny: tuple[str, ...] = ()
    """Initiators that are not answered; as in `accept`, and stronger."""
    mask: tuple[Mac, ...] = ()
    """Added to the mask list, which is kept with the export's state, when the export is opened."""
    serial: str = ""
    """Empty: one is made and kept in the state file."""
    label: str = ""
    enabled: bool = True

    def __post_init__(self) -> None:
        if not MIN_BUFFER_COUNT <= self.buffer_count <= MAX_BUFFER_COUNT:
            raise ValueError(
                f"buffer count {self.buffer_count} is out of range: choose {MIN_BUFFER_COUNT} to {MAX_BUFFER_COUNT}"
                " (Linux cannot use a device that has less than 2)"
            )
        if self.offset < 0:
            raise ValueError(f"offset {self.offset} is out of range: it counts sectors from the start, 0 or more")
        if self.length is not None and self.length < 1:
            raise ValueError(f"length {self.length} is out of range: it counts sectors, 1 or more")
        if self.vlan is not None and not MIN_VLAN <= self.vlan <= MAX_VLAN:
            raise ValueError(f"vlan {self.vlan} is out of range: choose {MIN_VLAN} to {MAX_VLAN}, or none for untagged frames")
        if not self.interfaces:
            raise ValueError("an export needs at least one interface: name it, as eth1")
        if spaced := next((name for name in self.interfaces if name.split() != [name]), None):
            raise ValueError(f"{spaced!r} is no interface: write each name alone, without spaces, and a VLAN as vlan")


@dataclass(frozen=True, slots=True)
class NewFile:
    """A backing file to be made before it is served. `size` is in bytes, a multiple of 512."""

    size: int
    sparse: bool = True
