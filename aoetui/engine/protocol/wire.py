"""The numbers of the wire (AoEr11; Linux drivers/block/aoe/aoe.h): codes, offsets and limits, each by its field's name."""

from __future__ import annotations

from enum import IntEnum, IntFlag

ETHERTYPE_AOE = 0x88A2
VERSION = 1
SECTOR = 512
"""Bytes in a sector, everywhere in AoE."""

ETHERNET_HEADER = 14
HEADER = 24
"""Bytes of Ethernet and AoE header before a command's argument."""
ATA_HEADER = 36
"""Bytes before the data of an ATA frame."""
CONFIG_HEADER = 32
"""Bytes before the string of a query-config frame."""
MASK_HEADER = 28
"""Bytes before the directives of a MAC mask list frame."""
DIRECTIVE = 8
"""Bytes of one directive: reserved, what to do, and a MAC."""
RESERVE_HEADER = 26
"""Bytes before the MACs of a reserve/release frame."""
MAC_LENGTH = 6
MAX_LIST = 255
"""MACs of a mask list or a reservation: their count is one byte."""
DEFAULT_FRAME_LIMIT = 1514
"""Bytes of the longest frame where the MTU is 1500."""
MIN_FRAME = 60
"""Replies are padded to this: aoeping and aoecfg drop shorter ones, and virtual links do not pad."""

BROADCAST_SHELF = 0xFFFF
BROADCAST_SLOT = 0xFF
MAX_SHELF = 0xFFFE
MAX_SLOT = 0xFE
LINUX_REFUSED_SHELF = 0x0FFF
"""Linux takes shelf 4095 for a box with unset switches and refuses it (aoecmd.c, aoecmd_cfg_rsp)."""

MAX_CONFIG_STRING = 1024
DEFAULT_BUFFER_COUNT = 64
MIN_BUFFER_COUNT = 2
"""Linux halves the buffer count into its window: 1 leaves it none, and the device silently unusable."""
MAX_BUFFER_COUNT = 0xFFFF
MAX_SECTOR_COUNT = 255
SCANNER_TAG_BIT = 0x8000_0000
"""Set in our own requests' tags: the Linux driver ignores answers that carry it (aoenet.c)."""
SCANNER_TAGS = 0x4000_0000
"""How many tags the scanner has: those with the bit above set and the next one not."""
CONVERSATION_TAG = 0xC000_0000
"""Both bits are set in the tags of conversations with one target; the other 30 say which, and what was asked."""


class HeaderFlag(IntFlag):
    """Low nibble of byte 14."""

    RESPONSE = 0x08
    ERROR = 0x04


class AoeError(IntEnum):
    """Byte 15 of a response that has the error flag."""

    UNRECOGNISED_COMMAND = 1
    BAD_ARGUMENT = 2
    DEVICE_UNAVAILABLE = 3
    CONFIG_STRING_PRESENT = 4
    UNSUPPORTED_VERSION = 5
    TARGET_RESERVED = 6


class Command(IntEnum):
    """Byte 19."""

    ATA = 0
    QUERY_CONFIG = 1
    MAC_MASK = 2
    RESERVE = 3


class ConfigOp(IntEnum):
    """Low nibble of byte 29 of a query-config frame."""

    READ = 0
    TEST = 1
    TEST_PREFIX = 2
    SET = 3
    FORCE_SET = 4


class MaskOp(IntEnum):
    """Byte 25 of a MAC mask list frame."""

    READ = 0
    EDIT = 1


class MaskError(IntEnum):
    """Byte 26 of a MAC mask list response."""

    NONE = 0
    UNSPECIFIED = 1
    BAD_DIRECTIVE = 2
    LIST_FULL = 3


class DirectiveOp(IntEnum):
    """Second byte of a directive."""

    NONE = 0
    ADD = 1
    DELETE = 2


class ReserveOp(IntEnum):
    """Byte 24 of a reserve/release frame."""

    READ = 0
    SET = 1
    FORCE_SET = 2


class AtaFlag(IntFlag):
    """Byte 24 of an ATA frame."""

    EXTENDED = 0x40
    DEVICE = 0x10
    ASYNC = 0x02
    WRITE = 0x01


class AtaOp(IntEnum):
    """Byte 27 of an ATA request."""

    READ = 0x20
    READ_EXT = 0x24
    WRITE = 0x30
    WRITE_EXT = 0x34
    CHECK_POWER = 0xE5
    FLUSH = 0xE7
    FLUSH_EXT = 0xEA
    IDENTIFY = 0xEC


class AtaStatus(IntFlag):
    """Byte 27 of an ATA response. Linux fails a request when status & 0xA9 (aoecmd.c, ktiocomplete)."""

    ERR = 0x01
    DRQ = 0x08
    DF = 0x20
    DRDY = 0x40
    BSY = 0x80


class AtaError(IntFlag):
    """Byte 25 of an ATA response whose status has ERR."""

    ABRT = 0x04
    IDNF = 0x10
    UNC = 0x40


def longest_frame(mtu: int) -> int:
    """Bytes of the longest frame on a link of this MTU (bytes)."""
    return ETHERNET_HEADER + mtu


def sectors_per_frame(mtu: int) -> int:
    """The most sectors one frame carries on a link of this MTU (bytes), as every AoE program computes it; 0 to 255."""
    return max(0, min((mtu - ATA_HEADER) // SECTOR, MAX_SECTOR_COUNT))
