"""An initiator that writes as fast as it is answered, and remembers exactly what was answered."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Self

from aoetui.engine.packet import PacketSocket
from aoetui.engine.protocol.frames import AtaArgument, Frame, Header, decode, encode
from aoetui.engine.protocol.wire import SECTOR, VERSION, AtaFlag, AtaOp, AtaStatus, Command
from tests.support.program import until

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address, Mac
    from tests.support.netns import Namespace

WINDOW = 16
"""Writes under way at a time."""
PATIENCE = 0.1
"""Seconds without an answer, after which a write is asked for again."""
FIRST_TAG = 1 << 24
"""Beyond those of an initiator that asks on the same link."""


class Writer:
    """Writes sector after sector of an export, each once, each with its own content; `answered` grows as answers come."""

    def __init__(self, namespace: Namespace, interface: str, target: Mac, address: Address) -> None:
        self._wire = namespace.run(lambda: PacketSocket(interface))
        self._target, self._address = target, address
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._tags = itertools.count(FIRST_TAG)
        self._sectors: dict[int, int] = {}
        """By tag."""
        self._next = itertools.count()
        self.waiting: dict[int, float] = {}
        """Sectors whose write is not answered, and when it was last asked for."""
        self.answered: set[int] = set()
        """Sectors whose write was answered without an error."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()
        self._wire.close()

    def until_answered(self, count: int) -> None:
        """Wait until so many writes were answered."""
        until(lambda: len(self.answered) >= count, f"{count} answered writes")

    @staticmethod
    def content(sector: int) -> bytes:
        """What is written to a sector; no two are the same."""
        return (sector + 1).to_bytes(8, "big") * (SECTOR // 8)

    def _run(self) -> None:
        for _ in range(WINDOW):
            self._write(next(self._next))
        while not self._ended.is_set():
            for raw in self._wire.receive(0.05):
                self._hear(decode(raw))
            late = time.monotonic() - PATIENCE
            for sector in [sector for sector, asked in self.waiting.items() if asked < late]:
                self._write(sector)  # as Linux does: a request that nobody answers is repeated, with a new tag

    def _hear(self, frame: Frame) -> None:
        header, argument = frame.header, frame.argument
        if not header.response or header.command != Command.ATA or not isinstance(argument, AtaArgument):
            return
        sector = self._sectors.pop(header.tag, None)
        if sector is None or header.error is not None or argument.op_or_status & AtaStatus.ERR or sector not in self.waiting:
            return
        self.answered.add(sector)
        del self.waiting[sector]
        self._write(next(self._next))

    def _write(self, sector: int) -> None:
        tag = next(self._tags)
        header = Header(
            destination=self._target,
            source=self._wire.mac,
            version=VERSION,
            response=False,
            error=None,
            shelf=self._address.shelf,
            slot=self._address.slot,
            command=Command.ATA,
            tag=tag,
        )
        flags = AtaFlag.EXTENDED | AtaFlag.WRITE
        argument = AtaArgument(flags, 0, 1, AtaOp.WRITE_EXT, sector, self.content(sector))
        self.waiting[sector] = time.monotonic()
        self._sectors[tag] = sector
        self._wire.send([encode(Frame(header, argument))])
