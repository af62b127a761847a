"""Frames written by hand, field by field, from the layouts of AoEr11: what the code must read and produce byte for byte."""

from __future__ import annotations

from aoetui.engine.protocol.address import BROADCAST_MAC, Address, Mac
from aoetui.engine.protocol.facts import AccessPolicy, ExportFacts, PortFacts, TargetState
from aoetui.engine.protocol.frames import (
    AtaArgument,
    ConfigArgument,
    Directive,
    Frame,
    Header,
    MaskArgument,
    ReserveArgument,
    UnknownArgument,
)

TARGET = Mac.parse("02:00:00:00:00:09")
INITIATOR = Mac.parse("02:00:00:00:00:01")
SOMEONE = Mac.parse("02:00:00:00:00:77")
"""Another initiator."""
ADDRESS = Address(9, 1)
TAG = 0x0BADCAFE

_TO_US = "020000000009 020000000001 88a2"
_TO_ALL = "ffffffffffff 020000000001 88a2"
_BACK = "020000000001 020000000009 88a2"


def frame(text: str, *, data: bytes = b"", padded: bool = False) -> bytes:
    """The bytes of `text` (hex, spaces where fields end), then `data`, padded to 60 if asked."""
    raw = bytes.fromhex(text) + data
    return raw.ljust(60, b"\0") if padded else raw


ONE_SECTOR = bytes(range(256)) * 2
TWO_SECTORS = ONE_SECTOR + ONE_SECTOR[::-1]

# Requests. Unpadded, as they come over a virtual link; a tag of 0BADCAFE.
CONFIG_READ_WILDCARD = frame(_TO_ALL + "10 00 ffff ff 01 0badcafe 0000 0000 00 00 0000")
CONFIG_READ = frame(_TO_US + "10 00 0009 01 01 0badcafe 0000 0000 00 00 0000")
CONFIG_TEST = frame(_TO_US + "10 00 0009 01 01 0badcafe 0000 0000 00 11 0003 626f78")
IDENTIFY = frame(_TO_US + "10 00 0009 01 00 0badcafe 00 00 01 ec 000000a00000 0000")
READ_28 = frame(_TO_US + "10 00 0009 01 00 0badcafe 00 00 02 20 030201e00000 0000")
READ_48 = frame(_TO_US + "10 00 0009 01 00 0badcafe 40 00 02 24 060504030201 0000")
WRITE_28 = frame(_TO_US + "10 00 0009 01 00 0badcafe 01 00 01 30 080000e00000 0000", data=ONE_SECTOR)
WRITE_48 = frame(_TO_US + "10 00 0009 01 00 0badcafe 41 00 02 34 080000000000 0000", data=TWO_SECTORS)
FLUSH = frame(_TO_US + "10 00 0009 01 00 0badcafe 00 00 00 e7 000000000000 0000")
CHECK_POWER = frame(_TO_US + "10 00 0009 01 00 0badcafe 00 00 00 e5 000000000000 0000")
CONFIG_SET = frame(_TO_US + "10 00 0009 01 01 0badcafe 0000 0000 00 13 0003 6e6577")
MASK_READ = frame(_TO_US + "10 00 0009 01 02 0badcafe 00 00 00 00")
MASK_EDIT = frame(_TO_US + "10 00 0009 01 02 0badcafe 00 01 00 02 0001 020000000001 0001 020000000077")
RESERVE_READ = frame(_TO_US + "10 00 0009 01 03 0badcafe 00 00")
RESERVE_SET = frame(_TO_US + "10 00 0009 01 03 0badcafe 01 02 020000000001 020000000077")

# Responses, as they must leave: at least 60 bytes.
CONFIG_REPLY = frame(_BACK + "18 00 0009 01 01 0badcafe 0040 0001 02 10 0003 626f78", padded=True)
CONFIG_BAD_OP = frame(_BACK + "1c 02 0009 01 01 0badcafe 0040 0001 02 15 0003 626f78", padded=True)
CONFIG_TOO_LONG = frame(_BACK + "1c 02 0009 01 01 0badcafe 0040 0001 02 13 0003 626f78", padded=True)
CONFIG_PRESENT = frame(_BACK + "1c 04 0009 01 01 0badcafe 0040 0001 02 13 0003 626f78", padded=True)
CONFIG_SET_REPLY = frame(_BACK + "18 00 0009 01 01 0badcafe 0040 0001 02 13 0003 6e6577", padded=True)
CONFIG_UNFIT = frame(_BACK + "1c 03 0009 01 01 0badcafe", padded=True)
ADVERTISEMENT = frame("ffffffffffff 020000000009 88a2 18 00 0009 01 01 00000000 0040 0001 02 10 0003 626f78", padded=True)
READ_28_REPLY = frame(_BACK + "18 00 0009 01 00 0badcafe 00 00 00 40 030201e00000 0000", data=TWO_SECTORS)
READ_28_PAST_END = frame(_BACK + "18 00 0009 01 00 0badcafe 00 10 02 41 030201e00000 0000", padded=True)
READ_28_UNREADABLE = frame(_BACK + "18 00 0009 01 00 0badcafe 00 40 02 41 030201e00000 0000", padded=True)
WRITE_28_REPLY = frame(_BACK + "18 00 0009 01 00 0badcafe 01 00 00 40 080000e00000 0000", padded=True)
WRITE_48_REPLY = frame(_BACK + "18 00 0009 01 00 0badcafe 41 00 00 40 080000000000 0000", padded=True)
WRITE_28_ABORTED = frame(_BACK + "18 00 0009 01 00 0badcafe 01 04 01 41 080000e00000 0000", padded=True)
FLUSH_REPLY = frame(_BACK + "18 00 0009 01 00 0badcafe 00 00 00 40 000000000000 0000", padded=True)
CHECK_POWER_REPLY = frame(_BACK + "18 00 0009 01 00 0badcafe 00 00 ff 40 000000000000 0000", padded=True)
ATA_REFUSED = frame(_BACK + "1c 02 0009 01 00 0badcafe", padded=True)
ATA_RESERVED = frame(_BACK + "1c 06 0009 01 00 0badcafe", padded=True)
MASK_EMPTY = frame(_BACK + "18 00 0009 01 02 0badcafe 00 00 00 00", padded=True)
MASK_OF_TWO = frame(_BACK + "18 00 0009 01 02 0badcafe 00 00 00 02 0000 020000000001 0000 020000000077", padded=True)
MASK_EDITED = frame(_BACK + "18 00 0009 01 02 0badcafe 00 01 00 02 0000 020000000001 0000 020000000077", padded=True)
MASK_BAD_DIRECTIVE = frame(_BACK + "18 00 0009 01 02 0badcafe 00 01 02 01", padded=True)
MASK_FULL = frame(_BACK + "18 00 0009 01 02 0badcafe 00 01 03 01", padded=True)
MASK_REFUSED = frame(_BACK + "1c 02 0009 01 02 0badcafe", padded=True)
MASK_UNFIT = frame(_BACK + "1c 03 0009 01 02 0badcafe", padded=True)
RESERVE_EMPTY = frame(_BACK + "18 00 0009 01 03 0badcafe 00 00", padded=True)
RESERVE_RELEASED = frame(_BACK + "18 00 0009 01 03 0badcafe 01 00", padded=True)
RESERVE_OF_TWO = frame(_BACK + "18 00 0009 01 03 0badcafe 01 02 020000000001 020000000077", padded=True)
RESERVE_HELD = frame(_BACK + "1c 06 0009 01 03 0badcafe 01 01 020000000077", padded=True)
RESERVE_REFUSED = frame(_BACK + "1c 02 0009 01 03 0badcafe", padded=True)
RESERVE_UNFIT = frame(_BACK + "1c 03 0009 01 03 0badcafe", padded=True)
COMMAND_REFUSED = frame(_BACK + "1c 01 0009 01 f0 0badcafe", padded=True)
BARE_ERROR = frame(_BACK + "1c 01 0009 01 01 0badcafe")
"""As kvblade sends it: a header and nothing more."""


def request(command: int, *, to: Mac = TARGET, shelf: int = 9, slot: int = 1) -> Header:
    """The header of a request from the initiator."""
    return Header(to, INITIATOR, 1, response=False, error=None, shelf=shelf, slot=slot, command=command, tag=TAG)


def response(command: int, *, error: int | None = None) -> Header:
    """The header of the target's response."""
    return Header(INITIATOR, TARGET, 1, response=True, error=error, shelf=9, slot=1, command=command, tag=TAG)


MEANT: dict[str, tuple[bytes, Frame]] = {
    "config read, all wildcards": (
        CONFIG_READ_WILDCARD,
        Frame(request(1, to=BROADCAST_MAC, shelf=0xFFFF, slot=0xFF), ConfigArgument(0, 0, 0, 0, 0, b"")),
    ),
    "config test": (CONFIG_TEST, Frame(request(1), ConfigArgument(0, 0, 0, 1, 1, b"box"))),
    "identify": (IDENTIFY, Frame(request(0), AtaArgument(0, 0, 1, 0xEC, 0xA000_0000, b""))),
    "read, 28 bits": (READ_28, Frame(request(0), AtaArgument(0, 0, 2, 0x20, 0xE001_0203, b""))),
    "read, 48 bits": (READ_48, Frame(request(0), AtaArgument(0x40, 0, 2, 0x24, 0x0102_0304_0506, b""))),
    "write, 48 bits": (WRITE_48, Frame(request(0), AtaArgument(0x41, 0, 2, 0x34, 8, TWO_SECTORS))),
    "mask list read": (MASK_READ, Frame(request(2), MaskArgument(0, 0, 0, ()))),
    "mask list edit": (
        MASK_EDIT,
        Frame(request(2), MaskArgument(1, 0, 2, (Directive(1, INITIATOR), Directive(1, SOMEONE)))),
    ),
    "reserve set": (RESERVE_SET, Frame(request(3), ReserveArgument(1, (INITIATOR, SOMEONE)))),
    "vendor command": (frame(_TO_US + "10 00 0009 01 f0 0badcafe a5a5"), Frame(request(0xF0), UnknownArgument(b"\xa5\xa5"))),
    "config reply": (CONFIG_REPLY, Frame(response(1), ConfigArgument(64, 1, 2, 1, 0, b"box"))),
    "read reply": (READ_28_REPLY, Frame(response(0), AtaArgument(0, 0, 0, 0x40, 0xE001_0203, TWO_SECTORS))),
    "mask list reply": (
        MASK_OF_TWO,
        Frame(response(2), MaskArgument(0, 0, 2, (Directive(0, INITIATOR), Directive(0, SOMEONE)))),
    ),
    "mask list full": (MASK_FULL, Frame(response(2), MaskArgument(1, 3, 1, ()))),
    "reservation of others": (RESERVE_HELD, Frame(response(3, error=6), ReserveArgument(1, (SOMEONE,)))),
    "bare error": (BARE_ERROR, Frame(response(1, error=1), UnknownArgument(b""))),
}
"""Bytes and what they mean, by name."""

PORT = PortFacts(mac=TARGET, sector_count=2)
"""An interface of MTU 1500."""


def export(
    *,
    address: Address = ADDRESS,
    sectors: int = 1 << 32,
    read_only: bool = False,
    config_string: bytes = b"box",
    mask: tuple[Mac, ...] = (),
    reservation: tuple[Mac, ...] = (),
    policy: AccessPolicy | None = None,
    frame_limit: int = 1514,
) -> ExportFacts:
    """An export of 2 TiB at e9.1, unless told otherwise."""
    facts = ExportFacts(
        address=address,
        sectors=sectors,
        identify=ONE_SECTOR,
        read_only=read_only,
        buffer_count=64,
        policy=policy or AccessPolicy(),
        frame_limit=frame_limit,
    )
    return facts.with_state(TargetState(config_string, mask, reservation))
