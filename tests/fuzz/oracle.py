"""What a target answers, written from the tables of AoEr11 and of docs/protocol.md alone: it shares no code with aoetui.

An `Oracle` is shown the same requests as the target, in the same order, and keeps the same disks and lists. Each of the target's
replies must be the one that it expects, byte for byte: so none can hold anything that is not explained.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SECTOR = 512
_ALL = b"\xff" * 6
_READS, _WRITES, _FLUSHES, _POWER, _IDENTIFY = (0x20, 0x24), (0x30, 0x34), (0xE7, 0xEA), 0xE5, 0xEC
_ABORTED, _NOT_FOUND, _UNREADABLE = 0x04, 0x10, 0x40
_BAD_COMMAND, _BAD_ARGUMENT, _UNAVAILABLE, _STRING_PRESENT, _RESERVED = 1, 2, 3, 4, 6


class Mishap(Enum):
    """What befalls a request after it was let in."""

    NONE = auto()
    DISK_FAILS = auto()
    NOTHING_IS_KEPT = auto()
    """The state file cannot be written."""
    RESERVED_MEANWHILE = auto()
    """Somebody else reserved the export before its turn came."""


@dataclass(slots=True)
class Content:
    """The sectors of a disk: those that were written, and what was before in all others."""

    sectors: int
    before: Callable[[int], bytes]
    written: dict[int, bytes] = field(default_factory=dict)

    def read(self, lba: int, count: int) -> bytes:
        """These sectors."""
        return b"".join(self.written.get(number) or self.before(number) for number in range(lba, lba + count))

    def write(self, lba: int, data: bytes) -> None:
        """Whole sectors."""
        for at in range(0, len(data), SECTOR):
            self.written[lba + at // SECTOR] = data[at : at + SECTOR]


@dataclass(slots=True, kw_only=True)
class Disk:
    """One export as the specification knows it. MACs are six bytes."""

    shelf: int
    slot: int
    content: Content
    page: bytes
    """What it answers to IDENTIFY."""
    read_only: bool = False
    buffers: int = 64
    longest: int = 1514
    """Bytes of the longest frame that all of its interfaces carry."""
    deny: frozenset[bytes] = frozenset()
    accept: frozenset[bytes] | None = None
    string: bytes = b""
    mask: list[bytes] = field(default_factory=list)
    holders: list[bytes] = field(default_factory=list)

    @property
    def state(self) -> tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]]:
        """Config string, mask list and reservation."""
        return self.string, tuple(self.mask), tuple(self.holders)

    def is_meant(self, frame: bytes) -> bool:
        """Whether shelf and slot are its own, each exactly or by its wildcard."""
        shelf = int.from_bytes(frame[16:18])
        return shelf in (self.shelf, 0xFFFF) and frame[18] in (self.slot, 0xFF)

    def hears(self, mac: bytes) -> bool:
        """Whether it answers this MAC anything at all."""
        if mac in self.deny or (self.accept is not None and mac not in self.accept):
            return False
        return not self.mask or mac in self.mask

    def is_reserved_from(self, mac: bytes) -> bool:
        """Whether only others may use it."""
        return bool(self.holders) and mac not in self.holders


class Oracle:
    """The target on one interface."""

    def __init__(self, mac: bytes, mtu: int, disks: list[Disk]) -> None:
        self.mac = mac
        self.longest = mtu + 14
        self.most_sectors = max(0, min((mtu - 36) // SECTOR, 255))
        self.disks = disks

    def replies(self, frame: bytes, mishap: Mishap = Mishap.NONE) -> list[bytes]:
        """What every disk together answers; what the request does to them is done."""
        if not self._is_request(frame):
            return []
        answers = [self._answer(frame, disk, mishap) for disk in self.disks if disk.is_meant(frame)]
        return [answer for answer in answers if answer is not None]

    def _is_request(self, frame: bytes) -> bool:
        return (
            len(frame) >= 24
            and frame[12:14] == b"\x88\xa2"
            and frame[14] >> 4 == 1
            and not frame[14] & 8
            and not frame[6] & 1
            and frame[6:12] != bytes(6)
            and frame[0:6] in (self.mac, _ALL)
        )

    def _answer(self, frame: bytes, disk: Disk, mishap: Mishap) -> bytes | None:
        if not disk.hears(frame[6:12]):
            return None
        match frame[19]:
            case 0:
                return self._ata(frame, disk, mishap)
            case 1:
                return self._config(frame, disk, mishap)
            case 2:
                return self._mask(frame, disk, mishap)
            case 3:
                return self._reserve(frame, disk, mishap)
            case _:
                return self._reply(frame, disk, error=_BAD_COMMAND)

    def _reply(self, frame: bytes, disk: Disk, argument: bytes = b"", error: int = 0) -> bytes:
        """Header and argument. What the interface cannot carry becomes an error."""
        if 24 + len(argument) > self.longest:
            return self._reply(frame, disk, error=_UNAVAILABLE)
        flags = bytes((0x1C if error else 0x18, error))
        address = disk.shelf.to_bytes(2) + bytes((disk.slot, frame[19]))
        return b"".join((frame[6:12], self.mac, b"\x88\xa2", flags, address, frame[20:24], argument)).ljust(60, b"\0")

    def _carried(self, disk: Disk) -> int:
        """Bytes of the longest frame that may come of a change: every interface of the export is to carry it, and this one."""
        return min(disk.longest, self.longest)

    # ---- ATA

    def _ata(self, frame: bytes, disk: Disk, mishap: Mishap) -> bytes | None:
        if len(frame) < 36:
            return None
        op = frame[27]
        if (frame[16:18] == b"\xff\xff" or frame[18] == 0xFF) and op not in (_IDENTIFY, _POWER):
            return None
        if op != _IDENTIFY and disk.is_reserved_from(frame[6:12]):
            return self._reply(frame, disk, error=_RESERVED)
        if self._is_malformed(frame):
            return self._reply(frame, disk, error=_BAD_ARGUMENT)
        return self._registers(frame, disk, mishap)

    def _is_malformed(self, frame: bytes) -> bool:
        count, op = frame[26], frame[27]
        if op == _IDENTIFY:
            return count != 1
        if op in _READS:
            return count == 0 or count > self.most_sectors
        return op in _WRITES and (count == 0 or count > self.most_sectors or len(frame) < 36 + count * SECTOR)

    def _registers(self, frame: bytes, disk: Disk, mishap: Mishap) -> bytes:
        op, count = frame[27], frame[26]
        if op == _IDENTIFY:
            return self._done(frame, disk, data=disk.page)
        if op == _POWER:
            return self._done(frame, disk, count=0xFF)
        if op not in (*_READS, *_WRITES, *_FLUSHES):
            return self._failed(frame, disk, _ABORTED)
        lba = _lba(frame)
        if op not in _FLUSHES:
            if op in _WRITES and disk.read_only:
                return self._failed(frame, disk, _ABORTED)
            if lba + count > disk.content.sectors:
                return self._failed(frame, disk, _NOT_FOUND)
        return self._disk_work(frame, disk, lba, mishap)

    def _disk_work(self, frame: bytes, disk: Disk, lba: int, mishap: Mishap) -> bytes:
        op, count = frame[27], frame[26]
        if mishap is Mishap.RESERVED_MEANWHILE:
            return self._reply(frame, disk, error=_RESERVED)
        if mishap is Mishap.DISK_FAILS:
            return self._failed(frame, disk, _UNREADABLE)
        if op in _READS:
            return self._done(frame, disk, data=disk.content.read(lba, count))
        if op in _WRITES:
            disk.content.write(lba, frame[36 : 36 + count * SECTOR])
        return self._done(frame, disk)

    def _done(self, frame: bytes, disk: Disk, *, count: int = 0, data: bytes = b"") -> bytes:
        return self._reply(frame, disk, bytes((frame[24] & 0x53, 0, count, 0x40)) + frame[28:34] + b"\0\0" + data)

    def _failed(self, frame: bytes, disk: Disk, error: int) -> bytes:
        return self._reply(frame, disk, bytes((frame[24] & 0x53, error, frame[26], 0x41)) + frame[28:34] + b"\0\0")

    # ---- query config

    def _config(self, frame: bytes, disk: Disk, mishap: Mishap) -> bytes | None:
        length = int.from_bytes(frame[30:32])
        if len(frame) < 32 or length > 1024 or 32 + length > len(frame):
            return None
        op, given = frame[29] & 0x0F, frame[32 : 32 + length]
        if (op == 1 and given != disk.string) or (op == 2 and not disk.string.startswith(given)):
            return None
        error = self._set_string(disk, op, given, mishap) if op in (3, 4) else (_BAD_ARGUMENT if op > 4 else 0)
        if error == _UNAVAILABLE:
            return self._reply(frame, disk, error=error)
        argument = disk.buffers.to_bytes(2) + b"\0\1" + bytes((self.most_sectors, 0x10 | op)) + len(disk.string).to_bytes(2)
        return self._reply(frame, disk, argument + disk.string, error)

    def _set_string(self, disk: Disk, op: int, given: bytes, mishap: Mishap) -> int:
        """The error; 0 if the string is set."""
        if len(given) > self._carried(disk) - 32:
            return _BAD_ARGUMENT
        if op == 3 and disk.string and disk.string != given:
            return _STRING_PRESENT
        if mishap is Mishap.NOTHING_IS_KEPT and disk.string != given:
            return _UNAVAILABLE
        disk.string = given
        return 0

    # ---- mask list

    def _mask(self, frame: bytes, disk: Disk, mishap: Mishap) -> bytes | None:
        if len(frame) < 28:
            return None
        op, count = frame[25], frame[27]
        if op > 1 or (op == 1 and 28 + 8 * count > len(frame)):
            return self._reply(frame, disk, error=_BAD_ARGUMENT)
        if op == 1:
            before = list(disk.mask)
            limit = min(255, (self._carried(disk) - 28) // 8)
            failed = _direct(disk, [frame[at : at + 8] for at in range(28, 28 + 8 * count, 8)], limit)
            unanswerable = failed is None and 28 + 8 * len(disk.mask) > self.longest
            if unanswerable or (mishap is Mishap.NOTHING_IS_KEPT and disk.mask != before):
                disk.mask = before
                return self._reply(frame, disk, error=_UNAVAILABLE)
            if failed is not None:
                return self._reply(frame, disk, bytes((0, 1, *failed)))
        lines = b"".join(b"\0\0" + mac for mac in disk.mask)
        return self._reply(frame, disk, bytes((0, op, 0, len(disk.mask))) + lines)

    # ---- reserve and release

    def _reserve(self, frame: bytes, disk: Disk, mishap: Mishap) -> bytes | None:
        if len(frame) < 26:
            return None
        op, count = frame[24], frame[25]
        if op > 2 or (op and 26 + 6 * count > len(frame)):
            return self._reply(frame, disk, error=_BAD_ARGUMENT)
        error = 0
        if op == 1 and disk.is_reserved_from(frame[6:12]):
            error = _RESERVED
        elif op:
            macs = _once([frame[at : at + 6] for at in range(26, 26 + 6 * count, 6)])
            if len(macs) > min(255, (self._carried(disk) - 26) // 6):
                return self._reply(frame, disk, error=_BAD_ARGUMENT)
            if mishap is Mishap.NOTHING_IS_KEPT and disk.holders != macs:
                return self._reply(frame, disk, error=_UNAVAILABLE)
            disk.holders = macs
        return self._reply(frame, disk, bytes((op, len(disk.holders))) + b"".join(disk.holders), error)


def _lba(frame: bytes) -> int:
    """28 bits of the first four bytes, or 48 bits: the op says which."""
    if frame[27] in (0x20, 0x30):
        return int.from_bytes(frame[28:32], "little") & 0x0FFF_FFFF
    return int.from_bytes(frame[28:34], "little")


def _direct(disk: Disk, directives: list[bytes], limit: int) -> tuple[int, int] | None:
    """Edit the mask list. The mask error and the number of the directive that failed; those before it stay carried out."""
    for number, directive in enumerate(directives):
        op, mac = directive[1], directive[2:]
        if op > 2:
            return 2, number
        if op == 1 and mac not in disk.mask:
            if len(disk.mask) >= limit:
                return 3, number
            disk.mask.append(mac)
        elif op == 2 and mac in disk.mask:
            disk.mask.remove(mac)
    return None


def _once(macs: list[bytes]) -> list[bytes]:
    return [mac for number, mac in enumerate(macs) if mac not in macs[:number]]


def meaningful(frame: bytes | bytearray) -> int:
    """How many bytes of a request mean anything: what is behind them must never be seen again."""
    end = 24
    match frame[19:20]:
        case b"\0" if len(frame) >= 36:
            end = 36 + (frame[26] * SECTOR if frame[27] in _WRITES else 0)
        case b"\1" if len(frame) >= 32:
            end = 32 + int.from_bytes(frame[30:32])
        case b"\2" if len(frame) >= 28:
            end = 28 + (frame[27] * 8 if frame[25] else 0)
        case b"\3" if len(frame) >= 26:
            end = 26 + (frame[25] * 6 if frame[24] else 0)
    return min(end, len(frame))


def identify_page(*, sectors: int, serial: str, firmware: str, write_cache: bool) -> bytes:
    """The page of ATA/ATAPI-6, section 8.15, as docs/protocol.md says it is filled in."""
    words = bytearray(512)

    def put(word: int, value: int, words_long: int = 1) -> None:
        words[word * 2 : (word + words_long) * 2] = value.to_bytes(words_long * 2, "little")

    def text(word: int, length: int, value: str) -> None:
        raw = value.encode().ljust(length)[:length]
        words[word * 2 : word * 2 + length] = b"".join(raw[at + 1 : at + 2] + raw[at : at + 1] for at in range(0, length, 2))

    text(10, 20, serial)
    text(23, 8, firmware)
    text(27, 40, "aoetui")
    cylinders = min(sectors // (16 * 255), 0xFFFF)
    fixed = {0: 0x40, 1: cylinders, 3: 16, 6: 255, 47: 0x8000, 49: 0x0200, 50: 0x4000, 53: 1, 54: cylinders, 55: 16, 56: 255}
    features = {80: 0x70, 82: 0x20 * write_cache, 83: 0x7400, 84: 0x4000, 85: 0x20 * write_cache, 86: 0x3400, 87: 0x4000}
    for word, value in (fixed | features | {93: 0x400B}).items():
        put(word, value)
    put(57, cylinders * 16 * 255, 2)
    put(60, min(sectors, 0x0FFF_FFFF), 2)
    put(100, sectors, 4)
    return bytes(words)
