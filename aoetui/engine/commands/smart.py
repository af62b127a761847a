"""SMART commands, carried to a device and back; nothing is made of what they answer but whether all is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.api import Errand
from aoetui.engine.protocol.smart import SmartCommand
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address, Mac

__all__ = ["Smart", "SmartAnswer", "SmartCommand"]


@dataclass(frozen=True, slots=True)
class SmartAnswer:
    """The registers of the answer, and its data."""

    mac: Mac
    interface: str
    error: int
    sector_count: int
    lba_low: int
    lba_mid: int
    lba_high: int
    status: int
    """Each 0 to 255."""
    data: bytes
    """One sector where the command reads one; else empty."""
    failing: bool | None
    """Of `return_status`: whether the disk has exceeded a threshold. None where it does not say."""


@dataclass(frozen=True, slots=True)
class Smart(Errand[SmartAnswer]):
    """Carry out one SMART command. Raises EngineError for a device that has no SMART, or aborts the command."""

    address: Address
    command: SmartCommand
    parameter: int = 0
    """The LBA Low register, 0 to 255: which log, or which test."""
    data: bytes = b""
    """What `write_log` writes: one sector."""
    mac: Mac | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.parameter <= 255:
            raise ValueError(f"{self.parameter} is no value of a register: choose 0 to 255")
        if len(self.data) != (SECTOR if self.command.writes else 0):
            raise ValueError(f"{self.command.value} takes {SECTOR if self.command.writes else 0} bytes, not {len(self.data)}")
