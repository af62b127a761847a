"""Capture files: pcap in both byte orders, with micro- or nanoseconds, and pcapng; of Ethernet frames.

Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. A reader takes any bytes: what is damaged ends the
frames with a sentence.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from aoetui.engine.protocol.captured import Captured, Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_FRAME = 262144
"""Bytes that a record may hold; tcpdump and Wireshark hold to it too."""
ETHERNET = 1
"""LINKTYPE_ETHERNET."""

_MICRO, _NANO = 0xA1B2C3D4, 0xA1B23C4D
_FILE_HEADER = 24
_RECORD = 16
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_ORDER_MAGIC = 0x1A2B3C4D
_MAX_BLOCK = 16 << 20
_MAX_INTERFACES = 4096
_OPTION_NAME, _OPTION_FLAGS, _OPTION_RESOLUTION, _OPTION_OFFSET = 2, 2, 9, 14
_WAYS = {1: Direction.IN, 2: Direction.OUT}
_FLAGS = {Direction.IN: 1, Direction.OUT: 2, Direction.OTHER: 1}
_LINKS = {113: "Linux cooked frames, as of `tcpdump -i any`", 276: "Linux cooked frames, as of `tcpdump -i any`"}
_LATEST_NS = 2**62
"""Later times than in 2116 are taken to be none."""


class Readable(Protocol):
    """What a file is read through."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; fewer at the end only."""
        ...


class CaptureError(ValueError):
    """The bytes are no capture of Ethernet frames, or are damaged from here on; the text is a sentence without its subject."""


@dataclass(frozen=True, slots=True)
class _Link:
    kind: int
    name: str
    per_second: int
    """Units of its times."""
    offset_ns: int


def read_frames(file: Readable) -> Iterator[Captured]:
    """The Ethernet frames of a capture, one by one. Raises CaptureError; what was yielded before is good.

    Of a pcapng file, frames of other links are passed over.
    """
    start = file.read(4)
    if len(start) < 4:
        raise CaptureError("is too short to be a capture file")
    if int.from_bytes(start) == _SECTION:
        yield from _read_blocks(file, start)
        return
    for order in "<>":
        (magic,) = struct.unpack(f"{order}I", start)
        if magic in (_MICRO, _NANO):
            yield from _read_records(file, order, 1 if magic == _NANO else 1000)
            return
    raise CaptureError("is neither a pcap nor a pcapng file")


def _read_records(file: Readable, order: str, unit: int) -> Iterator[Captured]:
    rest = file.read(_FILE_HEADER - 4)
    if len(rest) < _FILE_HEADER - 4:
        raise CaptureError("ends within its header")
    _refuse_link(struct.unpack_from(f"{order}I", rest, 16)[0] & 0xFFFF)
    layout = struct.Struct(f"{order}IIII")
    number = 0
    while record := file.read(_RECORD):
        number += 1
        if len(record) < _RECORD:
            raise CaptureError(f"ends within frame {number}")
        seconds, fraction, kept, length = layout.unpack(record)
        if kept > MAX_FRAME:
            raise CaptureError(f"is damaged at frame {number}: it would have {kept} bytes")
        frame = file.read(kept)
        if len(frame) < kept:
            raise CaptureError(f"ends within frame {number}")
        yield Captured(seconds * 1_000_000_000 + fraction * unit, "", Direction.UNKNOWN, frame, max(length, kept))


def _refuse_link(kind: int) -> None:
    if kind != ETHERNET:
        what = _LINKS.get(kind, f"frames of link type {kind}")
        raise CaptureError(f"holds {what}, not Ethernet frames: capture on one Ethernet interface")


def _read_blocks(file: Readable, start: bytes) -> Iterator[Captured]:
    order, links, number = "<", list[_Link](), 0
    while start:
        if len(start) < 4:
            raise CaptureError("ends within a block")
        if int.from_bytes(start) == _SECTION:
            order, links = _read_section(file), []
        else:
            kind = struct.unpack(f"{order}I", start)[0]
            body = _read_body(file, order)
            if kind == _INTERFACE and len(links) < _MAX_INTERFACES:
                links.append(_link_of(body, order))
            elif kind in (_ENHANCED, _SIMPLE):
                number += 1
                captured = _frame_of(kind, body, order, links, number)
                if captured is not None:
                    yield captured
        start = file.read(4)


def _read_section(file: Readable) -> str:
    head = file.read(8)
    if len(head) < 8:
        raise CaptureError("ends within its header")
    for order in "<>":
        length, magic = struct.unpack(f"{order}II", head)
        if magic == _ORDER_MAGIC:
            if not 28 <= length <= _MAX_BLOCK or length % 4:
                raise CaptureError(f"is damaged: its header would have {length} bytes")
            if len(file.read(length - 12)) < length - 12:
                raise CaptureError("ends within its header")
            return order
    raise CaptureError("is damaged: a section of a pcapng file does not say its byte order")


def _read_body(file: Readable, order: str) -> bytes:
    """A block after its type: the length, the body (returned), the length again."""
    head = file.read(4)
    if len(head) < 4:
        raise CaptureError("ends within a block")
    (length,) = struct.unpack(f"{order}I", head)
    if not 12 <= length <= _MAX_BLOCK or length % 4:
        raise CaptureError(f"is damaged: a block would have {length} bytes")
    rest = file.read(length - 8)
    if len(rest) < length - 8:
        raise CaptureError("ends within a block")
    return rest[:-4]


def _options(body: bytes, at: int, order: str) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, at)
        if code == 0 or at + 4 + length > len(body):
            return
        yield code, body[at + 4 : at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


def _link_of(body: bytes, order: str) -> _Link:
    if len(body) < 8:
        raise CaptureError("is damaged: an interface of it is not whole")
    name, per_second, offset = "", 1_000_000, 0
    for code, value in _options(body, 8, order):
        if code == _OPTION_NAME:
            name = value.decode("utf-8", "replace").rstrip("\0")[:64]
        elif code == _OPTION_RESOLUTION and len(value) == 1:
            power = value[0] & 0x7F
            per_second = 2 ** min(power, 64) if value[0] & 0x80 else 10 ** min(power, 20)
        elif code == _OPTION_OFFSET and len(value) == 8:
            offset = struct.unpack(f"{order}q", value)[0] * 1_000_000_000
    return _Link(struct.unpack_from(f"{order}H", body)[0], name, per_second, offset)


def _frame_of(kind: int, body: bytes, order: str, links: list[_Link], number: int) -> Captured | None:
    """The frame of a block; None if its link is not Ethernet."""
    fixed = 20 if kind == _ENHANCED else 4
    if len(body) < fixed:
        raise CaptureError(f"is damaged at frame {number}")
    if kind == _ENHANCED:
        at, high, low, kept, length = struct.unpack_from(f"{order}IIIII", body)
    else:
        at = high = low = 0
        (length,) = struct.unpack_from(f"{order}I", body)
        kept = min(length, len(body) - fixed)
    if at >= len(links) or kept > len(body) - fixed or kept > MAX_FRAME:
        raise CaptureError(f"is damaged at frame {number}")
    link = links[at]
    if link.kind != ETHERNET:
        return None
    way = Direction.UNKNOWN
    if kind == _ENHANCED:
        for code, value in _options(body, fixed + (kept + 3) // 4 * 4, order):
            if code == _OPTION_FLAGS and len(value) == 4:
                way = _WAYS.get(struct.unpack(f"{order}I", value)[0] & 3, Direction.UNKNOWN)
    time_ns = (high << 32 | low) * 1_000_000_000 // link.per_second + link.offset_ns
    time_ns = time_ns if 0 <= time_ns < _LATEST_NS else 0
    return Captured(time_ns, link.name, way, body[fixed : fixed + kept], max(length, kept))


class PcapWriter:
    """Makes the bytes of a pcap file with nanoseconds. It has no place for interface and direction."""

    def head(self) -> bytes:
        """What the file begins with."""
        return struct.pack("<IHHIIII", _NANO, 2, 4, 0, 0, MAX_FRAME, ETHERNET)

    def record(self, each: Captured) -> bytes:
        """The next frame."""
        seconds, nanoseconds = divmod(each.time_ns, 1_000_000_000)
        return struct.pack("<IIII", seconds & 0xFFFFFFFF, nanoseconds, len(each.frame), each.length) + each.frame


class PcapngWriter:
    """Makes the bytes of a pcapng file, with interface and direction of each frame."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def head(self) -> bytes:
        """What the file begins with."""
        return _block(_SECTION, struct.pack("<IHHq", _ORDER_MAGIC, 1, 0, -1))

    def record(self, each: Captured) -> bytes:
        """The next frame, after its interface if that is new."""
        link = b""
        if each.interface not in self._numbers:
            self._numbers[each.interface] = len(self._numbers)
            name = _option(_OPTION_NAME, each.interface.encode()) if each.interface else b""
            options = name + _option(_OPTION_RESOLUTION, b"\x09") + bytes(4)
            link = _block(_INTERFACE, struct.pack("<HHI", ETHERNET, 0, MAX_FRAME) + options)
        flags = _FLAGS.get(each.direction)
        options = b"" if flags is None else _option(_OPTION_FLAGS, struct.pack("<I", flags)) + bytes(4)
        head = (self._numbers[each.interface], each.time_ns >> 32, each.time_ns & 0xFFFFFFFF, len(each.frame), each.length)
        return link + _block(_ENHANCED, struct.pack("<IIIII", *head) + _padded(each.frame) + options)


def file_bytes(frames: Iterable[Captured], writer: PcapWriter | PcapngWriter) -> Iterator[bytes]:
    """The parts of a whole file."""
    yield writer.head()
    for each in frames:
        yield writer.record(each)


def _padded(value: bytes) -> bytes:
    return value.ljust((len(value) + 3) // 4 * 4, b"\0")


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length
