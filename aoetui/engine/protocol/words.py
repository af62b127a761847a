"""What a frame says, in one line of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.protocol.frames import (
    AtaArgument,
    ConfigArgument,
    MalformedFrame,
    MaskArgument,
    ReserveArgument,
    UnknownArgument,
    decode,
)
from aoetui.engine.protocol.wire import (
    BROADCAST_SHELF,
    BROADCAST_SLOT,
    AoeError,
    AtaError,
    AtaFlag,
    AtaOp,
    AtaStatus,
    Command,
    ConfigOp,
    DirectiveOp,
    MaskError,
    MaskOp,
    ReserveOp,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aoetui.engine.protocol.captured import Brief

AOE_ERRORS: Mapping[int, str] = {
    AoeError.UNRECOGNISED_COMMAND: "unrecognised command",
    AoeError.BAD_ARGUMENT: "bad argument",
    AoeError.DEVICE_UNAVAILABLE: "device unavailable",
    AoeError.CONFIG_STRING_PRESENT: "config string present",
    AoeError.UNSUPPORTED_VERSION: "unsupported version",
    AoeError.TARGET_RESERVED: "target is reserved",
}
ATA_OPS: Mapping[int, str] = {
    AtaOp.READ: "READ",
    AtaOp.READ_EXT: "READ EXT",
    AtaOp.WRITE: "WRITE",
    AtaOp.WRITE_EXT: "WRITE EXT",
    AtaOp.CHECK_POWER: "CHECK POWER",
    AtaOp.FLUSH: "FLUSH",
    AtaOp.FLUSH_EXT: "FLUSH EXT",
    AtaOp.IDENTIFY: "IDENTIFY",
    0xB0: "SMART",
    0xEF: "SET FEATURES",
}
COMMANDS: Mapping[int, str] = {
    Command.ATA: "ATA",
    Command.QUERY_CONFIG: "config",
    Command.MAC_MASK: "mask",
    Command.RESERVE: "reserve",
}
VENDOR_COMMANDS = range(0xF0, 0x100)
CONFIG_OPS: Mapping[int, str] = {
    ConfigOp.READ: "read",
    ConfigOp.TEST: "test",
    ConfigOp.TEST_PREFIX: "test prefix",
    ConfigOp.SET: "set if empty",
    ConfigOp.FORCE_SET: "set",
}
MASK_OPS: Mapping[int, str] = {MaskOp.READ: "read", MaskOp.EDIT: "edit"}
MASK_ERRORS: Mapping[int, str] = {
    MaskError.NONE: "none",
    MaskError.UNSPECIFIED: "unspecified error",
    MaskError.BAD_DIRECTIVE: "bad directive",
    MaskError.LIST_FULL: "list full",
}
RESERVE_OPS: Mapping[int, str] = {ReserveOp.READ: "read", ReserveOp.SET: "set", ReserveOp.FORCE_SET: "force set"}
FAILED_STATUS = 0xA9
"""Bits of an ATA status by which Linux tells that a request failed."""
_TRANSFERS = {AtaOp.READ, AtaOp.READ_EXT, AtaOp.WRITE, AtaOp.WRITE_EXT}
_LBA28 = 0x0FFF_FFFF
_SIGNS: Mapping[int, str] = {DirectiveOp.ADD: "+", DirectiveOp.DELETE: "-"}
_SHOWN_MACS = 3
_SHOWN_STRING = 60


def named(names: Mapping[int, str], code: int) -> str:
    """A code's name, or the code."""
    return names.get(code, f"{code:#04x}")


def address_text(shelf: int, slot: int) -> str:
    """`e9.1`; with `*` for every shelf or slot."""
    return f"e{'*' if shelf == BROADCAST_SHELF else shelf}.{'*' if slot == BROADCAST_SLOT else slot}"


def quoted(string: bytes, limit: int = _SHOWN_STRING) -> str:
    """Bytes from the wire as text of printable ASCII between quotes."""
    shown = "".join(chr(each) if 0x20 <= each < 0x7F and each not in b'\\"' else f"\\x{each:02x}" for each in string[:limit])
    return f'"{shown}"' + ("..." if len(string) > limit else "")


def flags_text(value: int, flags: type[AtaStatus | AtaError | AtaFlag]) -> str:
    """The names of the bits that are set; what has no name as a number."""
    names = [str(each.name) for each in sorted(flags, reverse=True) if value & each]
    rest = value & ~sum(flags)
    return " ".join([*names, *([f"{rest:#04x}"] if rest else [])]) or "none"


def failed(brief: Brief) -> bool:
    """Whether this is an answer that says that something failed."""
    if not brief.response:
        return False
    return brief.error is not None or (brief.ata is not None and brief.ata[3] & FAILED_STATUS != 0)


def lba_of(op: int, lba: int) -> int:
    """The sector that a command means: 28-bit ones keep other things in the upper bits."""
    return lba & _LBA28 if op in (AtaOp.READ, AtaOp.WRITE) else lba


def ata_text(op: int, count: int, lba: int) -> str:
    """`READ 2 at 0x1234`."""
    name = named(ATA_OPS, op) if op in ATA_OPS else f"ATA {op:#04x}"
    if op in _TRANSFERS:
        return f"{name.removesuffix(' EXT')} {count} at {lba_of(op, lba):#x}"
    return name


def what(brief: Brief, frame: bytes, asked: Brief | None) -> str:
    """What an untagged frame says. `asked` is the request that it answers, where that is known. Never raises."""
    if brief.error is not None and brief.response:
        error = AOE_ERRORS.get(brief.error, "unknown")
        return f"{_subject(brief, asked)}: error {brief.error}, {error}"
    if brief.ata is not None:
        return _ata(brief, brief.ata, asked)
    try:
        argument = decode(frame).argument
    except MalformedFrame as wrong:
        return f"{_subject(brief, asked)}: {wrong}"
    match argument:
        case ConfigArgument():
            return _config(brief, argument)
        case MaskArgument():
            return _mask(brief, argument)
        case ReserveArgument():
            return _reserve(brief, argument)
        case AtaArgument() | UnknownArgument():
            return _subject(brief, asked)


def _subject(brief: Brief, asked: Brief | None) -> str:
    if brief.command == Command.ATA:
        ata = asked.ata if asked is not None else None if brief.response else brief.ata
        return "ATA" if ata is None else ata_text(ata[3], ata[2], ata[4])
    if brief.command in VENDOR_COMMANDS:
        return f"vendor {brief.command:#04x}"
    return COMMANDS.get(brief.command, f"command {brief.command:#04x}")


def _ata(brief: Brief, ata: tuple[int, int, int, int, int], asked: Brief | None) -> str:
    subject = _subject(brief, asked)
    if not brief.response:
        return subject
    _, error, _, status, _ = ata
    if status & AtaStatus.ERR:
        return f"{subject}: {flags_text(error, AtaError)}"
    if status & FAILED_STATUS:
        return f"{subject}: status {flags_text(status, AtaStatus)}"
    return f"{subject}: ok"


def _config(brief: Brief, said: ConfigArgument) -> str:
    if not brief.response:
        op = named(CONFIG_OPS, said.op)
        return f"config {op}" + (f" {quoted(said.string)}" if said.op != ConfigOp.READ else "")
    start = "advertises config" if brief.tag == 0 and brief.destination[:1] == b"\xff" else "config"
    return f"{start} {quoted(said.string)}, {said.buffer_count} buffers, {said.sector_count} sectors"


def _mask(brief: Brief, said: MaskArgument) -> str:
    if brief.response and said.error:
        return f"mask: {named(MASK_ERRORS, said.error)} at directive {said.count}"
    if brief.response:
        return f"mask: {_macs([str(line.mac) for line in said.directives]) or 'everybody'}"
    lines = [f"{_SIGNS.get(line.op, '?')}{line.mac}" for line in said.directives]
    return " ".join(["mask", named(MASK_OPS, said.op), *([_macs(lines)] if lines else [])])


def _reserve(brief: Brief, said: ReserveArgument) -> str:
    macs = _macs([str(mac) for mac in said.macs])
    if brief.response:
        return f"reserved for {macs}" if macs else "not reserved"
    if said.op == ReserveOp.READ:
        return "reserve read"
    op = named(RESERVE_OPS, said.op)
    return f"reserve {op} {macs}" if macs else f"reserve {op}: release"


def _macs(texts: list[str]) -> str:
    more = len(texts) - _SHOWN_MACS
    return " ".join(texts[:_SHOWN_MACS]) + (f" and {more} more" if more > 0 else "")
