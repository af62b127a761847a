"""A look at a remote device: a few of its sectors, and what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.commands.copying import MAX_SECTORS, Contents, ReadSectors, Sectors, SectorsReport
from aoetui.engine.contents.looking import contents_of
from aoetui.engine.initiator.carrying import carry_out
from aoetui.engine.initiator.identity import known_device, surely_one
from aoetui.engine.initiator.outcomes import joined, why_failed
from aoetui.engine.protocol.transfer import Transfer
from aoetui.engine.protocol.transfer_work import Ranges
from aoetui.engine.protocol.wire import ATA_HEADER, SECTOR

if TYPE_CHECKING:
    from aoetui.engine.core import Core
    from aoetui.engine.initiator.carrying import Delivered
    from aoetui.engine.initiator.conversations import Conversation
    from aoetui.engine.initiator.identity import Known

PATIENCE = 5.0
"""Seconds: a person waits."""


class _Unwatched:
    """Nobody follows it."""

    cancelled = False

    def progress(self, transfer: Transfer) -> None:
        """Not of interest."""


class RemoteDisk:
    """A device as something to read from; see partitions.Disk. Zeros stand for what cannot be read, and it is noted in `bad`."""

    def __init__(self, core: Core, conversation: Conversation, known: Known) -> None:
        self._core = core
        self._conversation = conversation
        self._known = known
        self.bad: list[tuple[int, int]] = []

    @property
    def sectors(self) -> int:
        """How many it has."""
        return self._known.identity.sectors

    def read(self, lba: int, count: int) -> bytes:
        """These sectors, as far as there are any. Raises EngineError where the device does not answer, or refuses."""
        end = min(lba + count, self.sectors)
        if lba >= end:
            return b""
        transfer = Transfer(
            self._known.address,
            self._known.facts(self._core, None),
            Ranges([(lba, end)]),
            identity=self._known.identity,
            tags=self._conversation.tags,
            now=self._core.clock.monotonic(),
            patience=PATIENCE,
        )
        found = bytearray((end - lba) * SECTOR)

        def take(delivered: Delivered) -> None:
            for start, length, frame in delivered:
                at = (start - lba) * SECTOR
                found[at : at + length * SECTOR] = frame[ATA_HEADER : ATA_HEADER + length * SECTOR]

        carry_out(self._core, self._conversation, transfer, take, _Unwatched())
        if transfer.failure is not None:
            raise EngineError(why_failed(self._known, transfer, transfer.failure, PATIENCE), field="address")
        self.bad += transfer.bad
        return bytes(found)


def read_sectors(core: Core, command: ReadSectors) -> SectorsReport:
    """Carry out the command."""
    if not 1 <= command.count <= MAX_SECTORS:
        raise EngineError(f"{command.count} sectors are out of range: choose 1 to {MAX_SECTORS}", field="count")
    with core.conversations.open() as conversation:
        known = surely_one(known_device(core, conversation, command.address, command.macs), command.macs)
        said, disk = known.identity, RemoteDisk(core, conversation, known)
        if not 0 <= command.lba < said.sectors:
            raise EngineError(
                f"{command.address} has {said.sectors} sectors: choose 0 to {said.sectors - 1}, not {command.lba}", field="lba"
            )
        data = disk.read(command.lba, command.count)
        bad = tuple(Sectors(start, end) for start, end in joined(disk.bad))
        contents = contents_of(disk) if command.recognise else Contents()
        return SectorsReport(
            address=command.address,
            size=said.sectors * SECTOR,
            model=said.model,
            serial=said.serial,
            lba=command.lba,
            data=data,
            contents=contents,
            bad=bad,
            macs=() if known.unique else known.macs,
            left_out=known.left_out,
        )
