"""SMART over AoE (ATA/ATAPI-6 section 8.54; aoeping(8) has the same commands by the same names, but for the thresholds)."""

from __future__ import annotations

from enum import StrEnum

from aoetui.engine.protocol.frames import AtaArgument
from aoetui.engine.protocol.wire import AtaFlag

SMART = 0xB0
"""The ATA command. Our own target aborts it, as it does all that is no AtaOp."""
_KEY = 0xC24F
"""LBA High and LBA Mid of every SMART command."""
_EXCEEDED = 0x2CF4
"""The same of RETURN STATUS where a threshold is exceeded."""


class SmartCommand(StrEnum):
    """What is asked of SMART."""

    READ_DATA = "read_data"
    READ_THRESHOLDS = "read_thresholds"
    OFFLINE_IMMEDIATE = "offline_immediate"
    READ_LOG = "read_log"
    WRITE_LOG = "write_log"
    ENABLE = "enable"
    DISABLE = "disable"
    RETURN_STATUS = "return_status"

    @property
    def reads(self) -> bool:
        """Whether a sector comes back."""
        return self in (SmartCommand.READ_DATA, SmartCommand.READ_THRESHOLDS, SmartCommand.READ_LOG)

    @property
    def writes(self) -> bool:
        """Whether a sector goes there."""
        return self is SmartCommand.WRITE_LOG


FEATURES = {
    SmartCommand.READ_DATA: 0xD0,
    SmartCommand.READ_THRESHOLDS: 0xD1,
    SmartCommand.OFFLINE_IMMEDIATE: 0xD4,
    SmartCommand.READ_LOG: 0xD5,
    SmartCommand.WRITE_LOG: 0xD6,
    SmartCommand.ENABLE: 0xD8,
    SmartCommand.DISABLE: 0xD9,
    SmartCommand.RETURN_STATUS: 0xDA,
}
"""The Feature register of each."""


def smart_request(command: SmartCommand, parameter: int, data: bytes) -> AtaArgument:
    """The registers of a command; `parameter` is LBA Low, `data` a sector where it writes one."""
    flags = AtaFlag.WRITE if command.writes else AtaFlag(0)
    count = 1 if command.reads or command.writes else 0
    return AtaArgument(int(flags), FEATURES[command], count, SMART, _KEY << 8 | parameter, data)


def is_failing(lba: int) -> bool | None:
    """What RETURN STATUS says in its LBA: whether a threshold is exceeded; None for neither answer."""
    return {_KEY: False, _EXCEEDED: True}.get(lba >> 8 & 0xFFFF)
