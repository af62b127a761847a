"""Requests to e9.1, and what they come to: for the tests of what an export answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.changes import EditMask, SetConfig, SetReservation, carry_out
from aoetui.engine.protocol.replies import Flush, ReadBlocks, Reply, WriteBlocks, flush_reply, read_reply, write_reply
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.target import Answer, answer, screen
from tests.unit.protocol import golden
from tests.unit.protocol.golden import PORT, export

if TYPE_CHECKING:
    from aoetui.engine.protocol.facts import ExportFacts, PortFacts, TargetState

MARK = b"\xa5" * 8
"""Bytes that no reply may carry."""
ADD, DELETE = 1, 2
"""What a directive does."""


def patched(frame: bytes, at: int, text: str) -> bytes:
    """`frame` with the hex `text` written over it from byte `at` on."""
    new = bytes.fromhex(text)
    return frame[:at] + new + frame[at + len(new) :]


def shown(value: object) -> str | None:
    """A frame in a test's name: its command, and the first fields of its argument."""
    return f"{value[19]:02x} {value[24:34].hex()}" if isinstance(value, bytes) and len(value) >= 24 else None


# ---- requests: unpadded, from the initiator


def ata(op: int, *, count: int = 1, lba: int = 0, flags: int = 0, data: bytes = b"") -> bytes:
    """An ATA request."""
    return golden.IDENTIFY[:24] + bytes([flags, 0, count, op]) + lba.to_bytes(6, "little") + b"\0\0" + data


def config(op: int, string: bytes = b"", *, version: int = 1) -> bytes:
    """A query-config request."""
    return golden.CONFIG_READ[:29] + bytes([version << 4 | op]) + len(string).to_bytes(2, "big") + string


def mask(op: int, *directives: tuple[int, Mac], count: int | None = None) -> bytes:
    """A MAC mask list request; `count` where it is to be a wrong one."""
    lines = b"".join(bytes([0, what]) + mac.raw for what, mac in directives)
    return golden.MASK_READ[:25] + bytes([op, 0, len(directives) if count is None else count]) + lines


def reserve(op: int, *macs: Mac, count: int | None = None) -> bytes:
    """A reserve/release request; `count` where it is to be a wrong one."""
    return golden.RESERVE_READ[:24] + bytes([op, len(macs) if count is None else count]) + b"".join(mac.raw for mac in macs)


def other(command: int, argument: bytes = b"") -> bytes:
    """A request of any other command."""
    return patched(golden.MASK_READ[:24], 19, f"{command:02x}") + argument


def macs(count: int, first: int = 0x100) -> tuple[Mac, ...]:
    """So many different ones."""
    return tuple(Mac(b"\x02\0" + (first + number).to_bytes(4, "big")) for number in range(count))


# ---- what they come to


def ask(frame: bytes, facts: ExportFacts | None = None, port: PortFacts = PORT) -> Answer:
    """Screen the frame, and ask the export if it passes."""
    header = screen(frame, port)
    return header if isinstance(header, Silence) else answer(header, memoryview(frame), facts or export(), port)


def reply_to(frame: bytes, facts: ExportFacts | None = None, port: PortFacts = PORT) -> Reply:
    """The reply to a frame that is answered at once."""
    got = ask(frame, facts, port)
    assert isinstance(got, Reply)
    return got


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request comes to when the disk does its part and the state is kept."""

    sent: bytes | Silence
    state: TargetState
    written: tuple[int, bytes] | None = None
    """LBA and data."""


def outcome(frame: bytes, facts: ExportFacts | None = None, port: PortFacts = PORT) -> Outcome:
    """Ask, and carry it out."""
    facts = facts or export()
    match ask(frame, facts, port):
        case Silence() as why:
            return Outcome(why, facts.state)
        case Reply() as reply:
            return Outcome(reply.frame, facts.state)
        case ReadBlocks() as intent:
            return Outcome(read_reply(intent, (golden.ONE_SECTOR * 255)[: intent.count * 512]), facts.state)
        case WriteBlocks() as intent:
            return Outcome(write_reply(intent), facts.state, (intent.lba, bytes(intent.data)))
        case Flush() as intent:
            return Outcome(flush_reply(intent), facts.state)
        case SetConfig() | EditMask() | SetReservation() as change:
            made = carry_out(change, facts)
            return Outcome(made.reply.frame, made.state)


def gist(frame: bytes, facts: ExportFacts | None = None, port: PortFacts = PORT) -> str:
    """What a request is met with, in a word or two."""
    match ask(frame, facts, port):
        case Silence() as why:
            return f"silence: {why}"
        case Reply(frame=sent):
            return _gist_of_reply(sent)
        case ReadBlocks():
            return "reads"
        case WriteBlocks():
            return "writes"
        case Flush():
            return "flushes"
        case SetConfig() | EditMask() | SetReservation():
            return "changes"


def _gist_of_reply(sent: bytes) -> str:
    if sent[14] & 0x04:
        return f"AoE error {sent[15]}"
    if sent[19] == 0 and sent[27] & 0x01:
        return f"ATA error {sent[25]:02x}"
    return "answers"


def assert_aoe_error(frame: bytes, code: int, facts: ExportFacts | None = None) -> None:
    """The answer is an AoE error: code, padded header and nothing of the request."""
    got = reply_to(frame, facts)
    assert got.error
    assert got.frame[14:16] == bytes([0x1C, code])
    assert got.frame[24:] == bytes(36)


def assert_ata_error(frame: bytes, error: int, facts: ExportFacts | None = None) -> None:
    """The answer is an ATA error: no AoE error flag, status 41h, the error, the sector count as it came, no data."""
    got = reply_to(frame, facts)
    assert got.error
    assert got.frame[14:16] == b"\x18\0"
    assert got.frame[25:28] == bytes([error, frame[26], 0x41])
    assert got.frame[28:34] == frame[28:34]
    assert got.frame[34:] == bytes(26)
