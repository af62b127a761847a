"""Which frame lengths to try on a path, and what an answer to a READ says of it."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from aoetui.engine.protocol.frames import AtaArgument, Frame, encode, identify_request
from aoetui.engine.protocol.header import Header
from aoetui.engine.protocol.wire import SECTOR, VERSION, AoeError, AtaOp, AtaStatus, Command

if TYPE_CHECKING:
    from collections.abc import Generator

    from aoetui.engine.protocol.address import Address, Mac

_LBA_FLAGS = 0xE0 << 24
"""Linux fills the device byte of 28-bit requests so (aoecmd.c, ata_rw_frameinit): every target is used to it."""
_FAILED = AtaStatus.ERR | AtaStatus.DRQ | AtaStatus.DF | AtaStatus.BSY
"""A9h: what Linux takes for failure (aoecmd.c, ktiocomplete)."""


def largest_passing(known: int, top: int) -> Generator[int, bool, int]:
    """Find the largest number from `known`, which passes, to `top` that passes; smaller ones than a passing one pass too.

    Yields numbers to try and is sent whether each passed; returns the largest that did. `top` comes first, since it passes
    where all is well; the least that did not pass is tried twice, lest what was lost by chance is taken for a limit.
    """
    if top <= known or (yield top):
        return max(known, top)
    while True:
        least = top
        while least - known > 1:
            middle = (known + least) // 2
            if (yield middle):
                known = middle
            else:
                least = middle
        if not (yield least):
            return known
        known = least
        if known == top:
            return known


def padded_identify(*, source: Mac, destination: Mac, address: Address, tag: int, length: int) -> bytes:
    """An IDENTIFY request with trailing zeros to `length` bytes, as aoe-sancheck asks; never shorter than 60."""
    return identify_request(source=source, destination=destination, address=address, tag=tag).ljust(length, b"\0")


def read_request(*, source: Mac, destination: Mac, address: Address, tag: int, sectors: int, length: int = 0) -> bytes:
    """A READ of the first `sectors` (1 to 255) sectors, with trailing zeros to `length` bytes, as Linux probes (aoecmd.c, probe).

    It is a 28-bit one: there LBA 0 is the same, and targets without 48-bit commands answer too.
    """
    header = Header(
        destination=destination,
        source=source,
        version=VERSION,
        response=False,
        error=None,
        shelf=address.shelf,
        slot=address.slot,
        command=Command.ATA,
        tag=tag,
    )
    return encode(Frame(header, AtaArgument(0, 0, sectors, AtaOp.READ, _LBA_FLAGS, b""))).ljust(length, b"\0")


class ReadOutcome(Enum):
    """What became of a READ that was answered."""

    DATA = auto()
    RESERVED = auto()
    """AoE error 6: others hold the reservation."""
    REFUSED = auto()
    """Another AoE error: vblade and aoetui say so to more sectors than they advertise."""
    FAILED = auto()
    """The disk could not, or there is less data than was asked for."""


def read_outcome(answer: Frame, sectors: int) -> ReadOutcome:
    """Judge the answer to a READ of so many sectors."""
    if answer.header.error is not None:
        return ReadOutcome.RESERVED if answer.header.error == AoeError.TARGET_RESERVED else ReadOutcome.REFUSED
    said = answer.argument
    if not isinstance(said, AtaArgument) or said.op_or_status & _FAILED or len(said.data) < sectors * SECTOR:
        return ReadOutcome.FAILED
    return ReadOutcome.DATA
