"""What the words of an IDENTIFY page mean, as tables (ATA/ATAPI-6 section 8.15, ATA8-ACS section 7.16, ACS-3 section 7.12)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature set: the bit that says it is supported, and the one that says it is enabled."""

    key: str
    name: str
    supported: tuple[int, int]
    """Word and bit."""
    enabled: tuple[int, int] | None
    """None where nothing turns it on or off."""


def _pair(word: int, enabled: int, *named: tuple[int, str, str]) -> tuple[Feature, ...]:
    return tuple(Feature(key, name, (word, bit), (enabled, bit)) for bit, key, name in named)


FEATURES: tuple[Feature, ...] = (
    *_pair(
        82,
        85,
        (0, "smart", "SMART"),
        (1, "security", "security"),
        (2, "removable", "removable media"),
        (3, "power-management", "power management"),
        (4, "packet", "PACKET"),
        (5, "write-cache", "write cache"),
        (6, "look-ahead", "read look-ahead"),
        (7, "release-interrupt", "release interrupt"),
        (8, "service-interrupt", "SERVICE interrupt"),
        (9, "device-reset", "DEVICE RESET"),
        (10, "hpa", "host protected area"),
        (12, "write-buffer", "WRITE BUFFER"),
        (13, "read-buffer", "READ BUFFER"),
        (14, "nop", "NOP"),
    ),
    *_pair(
        83,
        86,
        (0, "microcode", "DOWNLOAD MICROCODE"),
        (1, "queued", "READ/WRITE DMA QUEUED"),
        (2, "cfa", "CompactFlash"),
        (3, "apm", "advanced power management"),
        (4, "media-status", "removable media status notification"),
        (5, "puis", "power-up in standby"),
        (6, "spin-up", "SET FEATURES needed to spin up"),
        (8, "set-max", "SET MAX security"),
        (9, "aam", "automatic acoustic management"),
        (10, "lba48", "48-bit addresses"),
        (11, "dco", "device configuration overlay"),
        (12, "flush", "FLUSH CACHE"),
        (13, "flush-ext", "FLUSH CACHE EXT"),
    ),
    *_pair(
        84,
        87,
        (0, "smart-error-log", "SMART error logging"),
        (1, "smart-self-test", "SMART self-test"),
        (2, "media-serial-number", "media serial number"),
        (3, "card-pass-through", "media card pass-through"),
        (4, "streaming", "streaming"),
        (5, "gpl", "general purpose logging"),
        (6, "fua", "WRITE DMA FUA EXT"),
        (7, "queued-fua", "WRITE DMA QUEUED FUA EXT"),
        (8, "wwn-feature", "world wide name"),
        (13, "unload", "IDLE IMMEDIATE with UNLOAD"),
    ),
    *_pair(
        119,
        120,
        (1, "write-read-verify", "write-read-verify"),
        (2, "write-uncorrectable", "WRITE UNCORRECTABLE EXT"),
        (3, "gpl-dma", "READ/WRITE LOG DMA EXT"),
        (4, "microcode-offsets", "DOWNLOAD MICROCODE in parts"),
        (5, "free-fall", "free-fall control"),
        (6, "sense-data", "sense data reporting"),
        (7, "epc", "extended power conditions"),
    ),
    Feature("dma", "DMA", (49, 8), None),
    Feature("lba", "LBA", (49, 9), None),
    Feature("iordy", "IORDY", (49, 11), None),
    Feature("standby-timer", "standby timer as the standard has it", (49, 13), None),
    Feature("trusted-computing", "trusted computing", (48, 0), None),
    Feature("ncq", "native command queuing", (76, 8), None),
    Feature("trim", "TRIM", (169, 0), None),
    Feature("trim-deterministic", "deterministic reads after TRIM", (69, 14), None),
    Feature("trim-zeros", "zeros read after TRIM", (69, 5), None),
    Feature("sct", "SMART command transport", (206, 0), None),
)

CHECKED_WORDS = {48: 48, 83: 83, 84: 84, 86: 83, 87: 87, 119: 119, 120: 120}
"""Words that mean something only where bits 15 and 14 of another (or of themselves) are 01."""

STANDARDS = {
    1: "ATA-1",
    2: "ATA-2",
    3: "ATA-3",
    4: "ATA/ATAPI-4",
    5: "ATA/ATAPI-5",
    6: "ATA/ATAPI-6",
    7: "ATA/ATAPI-7",
    8: "ATA8-ACS",
    9: "ACS-2",
    10: "ACS-3",
    11: "ACS-4",
    12: "ACS-5",
}
"""By bit of word 80."""
SATA_STANDARDS = {
    0: "ATA8-AST",
    1: "SATA 1.0a",
    2: "SATA II Extensions",
    3: "SATA 2.5",
    4: "SATA 2.6",
    5: "SATA 3.0",
    6: "SATA 3.1",
    7: "SATA 3.2",
    8: "SATA 3.3",
    9: "SATA 3.4",
    10: "SATA 3.5",
}
"""By bit of word 222, of a serial transport."""
SATA_SPEEDS = {1: "1.5 Gb/s", 2: "3.0 Gb/s", 3: "6.0 Gb/s"}
FORM_FACTORS = {
    1: "5.25 inch",
    2: "3.5 inch",
    3: "2.5 inch",
    4: "1.8 inch",
    5: "less than 1.8 inch",
    6: "mSATA",
    7: "M.2",
    8: "MicroSSD",
    9: "CFast",
}
"""Low nibble of word 168."""
SECURITY = {1: "enabled", 2: "locked", 3: "frozen", 4: "attempts used up", 5: "enhanced erase"}
"""By bit of word 128."""
SPECIFIC = {
    0x37C8: "needs SET FEATURES to spin up, page incomplete",
    0x738C: "needs SET FEATURES to spin up, page complete",
    0x8C73: "spins up by itself, page incomplete",
    0xC837: "spins up by itself, page complete",
}
"""Word 2."""
