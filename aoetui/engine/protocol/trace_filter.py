"""The words that choose frames of a trace: all of them must hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.protocol.captured import Direction, Mark
from aoetui.engine.protocol.wire import BROADCAST_SHELF, BROADCAST_SLOT, AtaOp, Command
from aoetui.engine.protocol.words import VENDOR_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.protocol.captured import Brief

    Test = Callable[["Seen"], bool]

WORDS = (
    "e9.1 (an address, or e9 for a shelf), a MAC or its beginning (52:54:00), ata, config, mask, reserve, vendor, read, write,"
    " identify, flush, power, request, answer, in, out, other, on IFACE, vlan 100, vlan, tag 0x1f, slow>10ms,"
    " error, retransmit, repeat, late, unanswered, malformed; ! before a word means not"
)
_ADDRESS = re.compile(r"e(\d{1,5})(?:\.(\d{1,3}|\*))?|(\d{1,5})\.(\d{1,3}|\*)", re.ASCII)
_MAC = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){1,5}", re.ASCII)
_SLOW = re.compile(r"slow>(\d+(?:\.\d+)?)(us|ms|s)", re.ASCII)
_UNITS = {"us": 1e3, "ms": 1e6, "s": 1e9}
_COMMANDS = {"ata": Command.ATA, "config": Command.QUERY_CONFIG, "mask": Command.MAC_MASK, "reserve": Command.RESERVE}
_OPS = {
    "read": {AtaOp.READ, AtaOp.READ_EXT},
    "write": {AtaOp.WRITE, AtaOp.WRITE_EXT},
    "identify": {AtaOp.IDENTIFY},
    "flush": {AtaOp.FLUSH, AtaOp.FLUSH_EXT},
    "power": {AtaOp.CHECK_POWER},
}
_DIRECTIONS = {"in": Direction.IN, "out": Direction.OUT, "other": Direction.OTHER}
_MARKS = {str(mark.value): mark for mark in Mark}
_TAKES_ONE = {"on", "tag"}


class FilterError(ValueError):
    """A word is none of the language; the text is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame with what is known of it."""

    brief: Brief | None
    """None if it is not AoE or has no whole header."""
    direction: Direction
    interface: str
    marks: frozenset[Mark]
    asked: Brief | None
    """The request that it answers, where known."""
    waited_ns: int
    """From that request; -1 where unknown."""


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """A parsed filter. Without tests everything passes."""

    text: str
    tests: tuple[Test, ...]
    needs_matching: bool
    """Whether it asks for what only the frames before and after tell."""
    needs_hindsight: bool
    """Whether what it asks for is known a second after the frame."""

    def passes(self, seen: Seen) -> bool:
        """Whether every word holds."""
        return all(test(seen) for test in self.tests)


def parse_filter(text: str) -> TraceFilter:
    """Read a filter. Raises FilterError with a sentence that names the word and those there are."""
    tests: list[Test] = []
    words = text.lower().split()
    matching = hindsight = False
    at = 0
    while at < len(words):
        word = words[at].lstrip("!")
        negated = len(words[at]) - len(word)
        following = words[at + 1] if at + 1 < len(words) else ""
        taken = _takes(word, following)
        test = _test(word, following if taken else "")
        if test is None:
            raise FilterError(f"{printable_word(words[at])} is no word of a filter: use {WORDS}")
        matching |= word in _OPS or word in _MARKS or word.startswith("slow")
        hindsight |= word == Mark.UNANSWERED
        tests.append(_not(test) if negated % 2 else test)
        at += 1 + taken
    return TraceFilter(" ".join(words), tuple(tests), matching, hindsight)


def printable_word(word: str) -> str:
    """A word that a person typed, in quotes, not too long."""
    return repr(word if len(word) <= 30 else word[:27] + "...")


def _takes(word: str, following: str) -> int:
    """How many words after this one belong to it."""
    if word == "vlan":
        return int(following.isdecimal())
    return int(word in _TAKES_ONE and bool(following))


def _not(test: Test) -> Test:
    return lambda seen: not test(seen)


def _test(word: str, value: str) -> Test | None:
    """The test of one word, with the word after it where it takes one; None if there is none."""
    if word in _DIRECTIONS:
        wanted = _DIRECTIONS[word]
        return lambda seen: seen.direction is wanted
    if word in _MARKS:
        mark = _MARKS[word]
        return lambda seen: mark in seen.marks
    if word in _OPS:
        ops = _OPS[word]
        return lambda seen: _op(seen) in ops
    for finds in (_command, _number, _value, _slow, _mac, _address):
        test = finds(word, value)
        if test is not None:
            return test
    return None


def _op(seen: Seen) -> int:
    """The ATA command that a frame asks for or answers; -1 if it is none, or unknown."""
    brief = seen.asked or seen.brief
    if brief is None or brief.response or brief.ata is None:
        return -1
    return brief.ata[3]


def _command(word: str, _value: str) -> Test | None:
    if word == "vendor":
        return lambda seen: seen.brief is not None and seen.brief.command in VENDOR_COMMANDS
    if word in ("request", "answer"):
        return lambda seen: seen.brief is not None and seen.brief.response is (word == "answer")
    if word not in _COMMANDS:
        return None
    command = _COMMANDS[word]
    return lambda seen: seen.brief is not None and seen.brief.command == command


def _number(word: str, value: str) -> Test | None:
    if word == "vlan" and not value:
        return lambda seen: seen.brief is not None and seen.brief.vlan is not None
    if word == "vlan":
        return lambda seen: seen.brief is not None and seen.brief.vlan == int(value)
    if word != "tag":
        return None
    try:
        tag = int(value, 0)
    except ValueError:
        return None
    return lambda seen: seen.brief is not None and seen.brief.tag == tag


def _value(word: str, value: str) -> Test | None:
    if word != "on" or not value:
        return None
    return lambda seen: seen.interface.lower() == value


def _slow(word: str, _value: str) -> Test | None:
    found = _SLOW.fullmatch(word)
    if found is None:
        return None
    limit = float(found[1]) * _UNITS[found[2]]
    return lambda seen: seen.waited_ns > limit


def _mac(word: str, _value: str) -> Test | None:
    if _MAC.fullmatch(word) is None:
        return None
    start = bytes.fromhex(word.replace(":", "").replace("-", ""))
    return lambda seen: (
        seen.brief is not None and (seen.brief.source.startswith(start) or seen.brief.destination.startswith(start))
    )


def _address(word: str, _value: str) -> Test | None:
    found = _ADDRESS.fullmatch(word)
    if found is None:
        return None
    shelf, slot = int(found[1] or found[3]), found[2] or found[4] or "*"
    if shelf > BROADCAST_SHELF or (slot != "*" and int(slot) > BROADCAST_SLOT):
        return None
    slots = None if slot == "*" else int(slot)
    return lambda seen: seen.brief is not None and seen.brief.shelf == shelf and (slots is None or seen.brief.slot == slots)
