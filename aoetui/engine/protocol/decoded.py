"""Every field of a frame by its name, for the one frame that someone looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.protocol import words
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.ata import parse_identify
from aoetui.engine.protocol.captured import ETHERTYPE_8021AD, VLAN_ID, brief_of, tags_of, untagged
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
    ATA_HEADER,
    ETHERNET_HEADER,
    HEADER,
    SECTOR,
    AtaError,
    AtaFlag,
    AtaOp,
    AtaStatus,
    Command,
    DirectiveOp,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aoetui.engine.protocol.captured import Brief, Captured

_MAC = 6
_TYPE_AT = 12
_WRITES = frozenset(map(int, (AtaOp.WRITE, AtaOp.WRITE_EXT)))
_WRITE = int(AtaFlag.WRITE)
_DIRECTIVES: Mapping[int, str] = {DirectiveOp.NONE: "listed", DirectiveOp.ADD: "add", DirectiveOp.DELETE: "delete"}


@dataclass(frozen=True, slots=True)
class DecodedField:
    """One line of a full decode."""

    section: str
    """`Ethernet`, `802.1Q`, `AoE`, or that of the command."""
    name: str
    value: str


def is_malformed(brief: Brief | None, captured: Captured) -> bool:
    """Whether a frame is shorter than its own fields say. What was cut off by the capture is no fault of the frame."""
    if brief is None or (brief.command == Command.ATA and brief.ata is None):
        return not captured.cut
    if brief.ata is not None:
        flags, _, count, op, _ = brief.ata
        if brief.response or op not in _WRITES or not flags & _WRITE:
            return False
        return captured.length - 4 * len(tags_of(captured.frame)) < ATA_HEADER + count * SECTOR
    if captured.cut:
        return False
    try:
        decode(untagged(captured.frame, len(tags_of(captured.frame))))
    except MalformedFrame:
        return True
    return False


def fields_of(captured: Captured, asked: Brief | None) -> tuple[DecodedField, ...]:
    """Every field of a frame. `asked` is the request that it answers, where known. Never raises, whatever the bytes."""
    tags = tags_of(captured.frame)
    frame = untagged(captured.frame, len(tags))
    lines = [*_ethernet(captured, frame), *_tags(tags)]
    brief = brief_of(frame)
    if brief is None:
        return (*lines, DecodedField("AoE", "frame", "not AoE, or its header is not whole"))
    lines += _header(brief)
    try:
        lines += _argument(brief, frame, asked, captured.length - len(captured.frame))
    except MalformedFrame as wrong:
        lines.append(DecodedField("AoE", "cut off" if captured.cut else "malformed", str(wrong)))
    return tuple(lines)


def _ethernet(captured: Captured, frame: bytes) -> Iterator[DecodedField]:
    kept = f", {len(captured.frame)} kept" if captured.cut else ""
    yield DecodedField("Ethernet", "length", f"{captured.length} bytes{kept}")
    for name, at in (("to", 0), ("from", _MAC)):
        if len(frame) >= at + _MAC:
            yield DecodedField("Ethernet", name, str(Mac(frame[at : at + _MAC])))
    if len(frame) >= ETHERNET_HEADER:
        yield DecodedField("Ethernet", "EtherType", f"{int.from_bytes(frame[_TYPE_AT:ETHERNET_HEADER]):#06x}")


def _tags(tags: tuple[tuple[int, int], ...]) -> Iterator[DecodedField]:
    for kind, value in tags:
        section = "802.1ad" if kind == ETHERTYPE_8021AD else "802.1Q"
        yield DecodedField(section, "VLAN", str(value & VLAN_ID))
        yield DecodedField(section, "priority", f"{value >> 13}{', drop eligible' if value & 0x1000 else ''}")


def _header(brief: Brief) -> Iterator[DecodedField]:
    def line(name: str, value: str) -> DecodedField:
        return DecodedField("AoE", name, value)

    yield line("version", str(brief.version))
    yield line("flags", "response" + (", error" if brief.error is not None else "") if brief.response else "request")
    if brief.error is not None:
        yield line("error", f"{brief.error}, {words.AOE_ERRORS.get(brief.error, 'unknown')}")
    yield line("address", words.address_text(brief.shelf, brief.slot))
    name = words.COMMANDS.get(brief.command, "vendor" if brief.command in words.VENDOR_COMMANDS else "unknown")
    yield line("command", f"{brief.command}, {name}")
    yield line("tag", f"{brief.tag:#010x}")


def _argument(brief: Brief, frame: bytes, asked: Brief | None, missing: int) -> list[DecodedField]:
    argument = decode(frame).argument
    match argument:
        case AtaArgument():
            section, lines = "ATA", _ata(brief, argument, asked, missing)
        case ConfigArgument():
            section, lines = "config", _config(argument)
        case MaskArgument():
            section, lines = "mask", _mask(brief, argument)
        case ReserveArgument():
            section, lines = "reserve", _reserve(argument)
        case UnknownArgument(raw):
            section, lines = "argument", iter([("length", f"{len(raw)} bytes")])
    return [DecodedField(section, name, value) for name, value in lines]


def _ata(brief: Brief, said: AtaArgument, asked: Brief | None, missing: int) -> Iterator[tuple[str, str]]:
    yield "flags", f"{said.flags:#04x}, {words.flags_text(said.flags, AtaFlag)}"
    if brief.response:
        yield "error", f"{said.feature_or_error:#04x}, {words.flags_text(said.feature_or_error, AtaError)}"
        yield "status", f"{said.op_or_status:#04x}, {words.flags_text(said.op_or_status, AtaStatus)}"
    else:
        yield "command", f"{said.op_or_status:#04x}, {words.ata_text(said.op_or_status, said.sector_count, said.lba)}"
        yield "feature", f"{said.feature_or_error:#04x}"
    yield "sectors", str(said.sector_count)
    sector = said.lba if brief.response else words.lba_of(said.op_or_status, said.lba)
    yield "LBA", f"{sector} ({said.lba:#014x})"
    yield "data", f"{len(said.data) + missing} bytes{f', {len(said.data)} kept' if missing else ''}"
    if brief.response and asked is not None and asked.ata is not None:
        yield "answers", words.ata_text(asked.ata[3], asked.ata[2], asked.ata[4])
        if asked.ata[3] == AtaOp.IDENTIFY and len(said.data) >= SECTOR:
            yield from _identity(bytes(said.data))


def _identity(page: bytes) -> Iterator[tuple[str, str]]:
    found = parse_identify(page)
    yield "model", words.quoted(found.model.encode("latin-1"))
    yield "serial", words.quoted(found.serial.encode("latin-1"))
    yield "firmware", words.quoted(found.firmware.encode("latin-1"))
    yield "size", f"{found.sectors} sectors{', 48-bit' if found.lba48 else ''}"


def _config(said: ConfigArgument) -> Iterator[tuple[str, str]]:
    yield "buffers", str(said.buffer_count)
    yield "firmware", f"{said.firmware:#06x}"
    yield "sectors", f"{said.sector_count} a frame"
    yield "version", str(said.version)
    yield "command", f"{said.op}, {words.named(words.CONFIG_OPS, said.op)}"
    yield "length", f"{len(said.string)} bytes"
    yield "string", words.quoted(said.string, HEADER + len(said.string))


def _mask(brief: Brief, said: MaskArgument) -> Iterator[tuple[str, str]]:
    yield "command", f"{said.op}, {words.named(words.MASK_OPS, said.op)}"
    if brief.response:
        yield "error", f"{said.error}, {words.named(words.MASK_ERRORS, said.error)}"
    yield "directives", str(said.count)
    for line in said.directives:
        yield _DIRECTIVES.get(line.op, f"{line.op:#04x}"), str(line.mac)


def _reserve(said: ReserveArgument) -> Iterator[tuple[str, str]]:
    yield "command", f"{said.op}, {words.named(words.RESERVE_OPS, said.op)}"
    yield "MACs", str(len(said.macs))
    for mac in said.macs:
        yield "MAC", str(mac)
