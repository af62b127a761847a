"""Targets and scanners broken on purpose: the fuzzer has to find each of them."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import patch

from aoetui.engine import serving
from aoetui.engine.backing import Backing
from aoetui.engine.protocol import initiator, replies, target
from aoetui.engine.protocol.wire import ATA_HEADER, MIN_FRAME, SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aoetui.engine.protocol.address import Address
    from aoetui.engine.protocol.facts import ExportFacts, PortFacts
    from aoetui.engine.protocol.header import Header
    from aoetui.engine.protocol.replies import Reply, WriteBlocks
    from aoetui.engine.protocol.target import Answer
    from aoetui.engine.protocol.wire import AoeError

_read = target._read


def _echoing_write_reply(intent: WriteBlocks) -> bytes:
    """Sends back what came behind the data."""
    rest = bytes(intent.data.obj)[ATA_HEADER + intent.count * SECTOR :]
    return (intent.head + rest).ljust(MIN_FRAME, b"\0")


def _raising_refusal(header: Header, address: Address, port: PortFacts, error: AoeError) -> Reply:
    """Fails on one vendor command."""
    if header.command == 0xF0:
        raise IndexError("on purpose")
    return replies.refusal(header, address, port, error)


def _reading_too_far(head: bytes, lba: int, count: int, facts: ExportFacts) -> Answer:
    """Takes the sector behind the last one for the export's own."""
    return _read(head, lba, count, replace(facts, sectors=facts.sectors + 1))


def _anybody(_header: Header) -> bool:
    """Takes every frame for a target's answer."""
    return True


class _OverlongBacking(Backing):
    """Repeats the last sector behind the window's end."""

    def write(self, lba: int, *pieces: bytes | bytearray | memoryview) -> None:
        super().write(lba, *pieces)
        data = b"".join(pieces)
        if lba + len(data) // SECTOR == self.window.sectors:
            os.pwrite(self._descriptors.plain, bytes(data[-SECTOR:]), self.window.end * SECTOR)


_FAULTS = {
    "echo": (replies, "write_reply", _echoing_write_reply),
    "raise": (target, "refusal", _raising_refusal),
    "read too far": (target, "_read", _reading_too_far),
    "believe anybody": (initiator, "_comes_from_a_target", _anybody),
    "write too far": (serving, "Backing", _OverlongBacking),
}


@contextlib.contextmanager
def broken(fault: str) -> Iterator[None]:
    """This process's target is broken so; an empty name leaves it as it is."""
    if not fault:
        yield
        return
    where, name, instead = _FAULTS[fault]
    with patch.object(where, name, instead):
        yield
