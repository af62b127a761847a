"""A file to a device, and both compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, NoAnswerError
from aoetui.engine.commands.copying import StartCopy, TaskKind, TaskState
from aoetui.engine.conflicts import EndingError
from aoetui.engine.initiator.copies import Copy
from aoetui.engine.initiator.identity import known_device, refuse_unproven, surely_one
from aoetui.engine.initiator.image_file import SourceFile, note_path, read_note
from aoetui.engine.initiator.imaging import ImageCopy
from aoetui.engine.initiator.outcomes import Outcome, joined, repeated, span
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.frames import AtaArgument
from aoetui.engine.protocol.wire import ATA_HEADER, SECTOR, AtaFlag, AtaOp, Command

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.core import Core
    from aoetui.engine.initiator.carrying import Delivered, Watch
    from aoetui.engine.initiator.conversations import Conversation
    from aoetui.engine.initiator.identity import Known
    from aoetui.engine.protocol.transfer import Transfer

MOST_FRAGMENTS = 10_000
"""Ranges that differ and are told apart; of more, the first on the device."""
_FAILED = 0xA9


class _WithSource(Copy):
    """A file and a device, the file being read."""

    def __init__(self, core: Core, conversation: Conversation, command: StartCopy, known: Known, source: SourceFile) -> None:
        self.source = source
        super().__init__(core, conversation, command, known)
        self._first = self.begin if command.first is None else command.first
        if not self.begin <= self._first <= self.end:
            raise EngineError(f"sector {self._first} is not among those to copy: {span(self.begin, self.end)}", field="first")

    @property
    def done_before(self) -> int:
        """See Copy."""
        return (self._first - self.begin) * SECTOR

    def _data(self, lba: int, count: int) -> bytes:
        return self.source.read((lba - self.begin) * SECTOR, count * SECTOR)

    def _changed(self) -> str:
        return f"{self.command.path} was changed meanwhile"

    def close(self) -> None:
        """See Copy."""
        self.source.close()
        super().close()


class RestoreCopy(_WithSource):
    """A file to a device."""

    @property
    def title(self) -> str:
        """See Copy."""
        return f"{self.command.path} to {self.command.address}"

    def _span(self) -> tuple[int, int]:
        command, size = self.command, self.source.size
        if size % SECTOR and command.length is None:
            text = f"{command.path} is no whole number of sectors ({size} bytes): make it one with truncate -s %{SECTOR}"
            raise EngineError(text, field="path")
        held = size // SECTOR
        length = held if command.length is None else command.length
        if not length:
            raise EngineError(f"{command.path} is empty: there is nothing to write", field="path")
        if length > held:
            raise EngineError(f"{command.path} has {held} sectors, not {length}: choose at most so many", field="length")
        there = self.known.identity.sectors
        if command.offset + length > there:
            raise EngineError(
                f"{command.path} does not fit: {length} sectors from sector {command.offset} on; {command.address} has {there}",
                field="path",
            )
        return command.offset, command.offset + length

    def run(self, watch: Watch) -> Outcome:
        """See Copy."""
        transfer = self._transfer([(self._first, self.end)], self._data)
        problem = self._carry(transfer, lambda _delivered: None, watch)
        left = transfer.remaining()
        if problem or left:
            return self._unfinished(transfer, problem, watch, left)
        if self.source.changed:
            return Outcome(TaskState.FAILED, f"{self._changed()}: {self.command.address} may hold parts of both, write it again")
        flushed = "" if self._flush() else "; its target does not say that it is on stable storage"
        part = f" from sector {self._first} on" if self._first > self.begin else ""
        text = f"{self.command.address} holds {self.end - self._first} sectors of {self.command.path}{part}{flushed}"
        return Outcome(TaskState.DONE, text + repeated(transfer))

    def _unfinished(self, transfer: Transfer, problem: str, watch: Watch, left: list[tuple[int, int]]) -> Outcome:
        frontier = left[0][0] if left else self.end
        written = f"{frontier - self.begin} of {self.end - self.begin} sectors are written, all before sector {frontier}"
        if transfer.reached > frontier:
            written += f", and perhaps some before {transfer.reached}"
        again = replace(self.command, first=frontier, serial=self.known.identity.serial)
        return replace(self._ended(transfer, problem, watch, written), again=again)

    def _flush(self) -> bool:
        """Ask the target to put all on stable storage. False if it does not say that it has: some know no such command."""
        for op, flags in ((AtaOp.FLUSH_EXT, AtaFlag.EXTENDED), (AtaOp.FLUSH, AtaFlag(0))):
            try:
                answer = self.known.device.ask(Command.ATA, AtaArgument(flags, 0, 0, op, 0, b""), patience=5.0)
            except (NoAnswerError, EndingError):
                return False
            said = answer.frame.argument
            if answer.frame.header.error is None and isinstance(said, AtaArgument) and not said.op_or_status & _FAILED:
                return True
        return False


class CompareCopy(_WithSource):
    """A device and a file, compared."""

    @property
    def title(self) -> str:
        """See Copy."""
        return f"{self.command.address} with {self.command.path}"

    def _span(self) -> tuple[int, int]:
        command, there, held = self.command, self.known.identity.sectors, self.source.size // SECTOR
        end = min(there, command.offset + held) if command.length is None else command.offset + command.length
        if end > there or end - command.offset > held or end <= command.offset:
            raise EngineError(
                f"{command.path} has {held} sectors and {command.address} has {there}:"
                f" {span(command.offset, max(end, command.offset + 1))} are not in both",
                field="length",
            )
        return command.offset, end

    def run(self, watch: Watch) -> Outcome:
        """See Copy."""
        transfer = self._transfer([(self._first, self.end)])
        self._different: list[tuple[int, int]] = []
        self._differing = 0
        self._more = False
        problem = self._carry(transfer, self._compare, watch)
        different = joined([*self._different, *transfer.bad])
        bad = sum(end - start for start, end in transfer.bad)
        self._differing += bad
        left = transfer.remaining()
        if problem or left:
            frontier = left[0][0] if left else self.end
            text = f"{frontier - self.begin} of {self.end - self.begin} sectors are compared; {self._words(different, frontier)}"
            again = replace(self.command, first=frontier, serial=self.known.identity.serial)
            return replace(self._ended(transfer, problem, watch, text), ranges=different, sectors=self._differing, again=again)
        size = self._sizes()
        if self.source.changed:
            return Outcome(TaskState.FAILED, f"{self._changed()}: compare again", different, self._differing)
        state = TaskState.FAILED if different or size else TaskState.DONE
        unread = f" ({bad} of them cannot be read)" if bad else ""
        text = self._words(different, self.end) + unread + size + self._left_out()
        return Outcome(state, text + repeated(transfer), different, self._differing)

    def _compare(self, delivered: Delivered) -> None:
        for lba, count, frame in delivered:
            ours = self._data(lba, count)
            if frame.startswith(ours, ATA_HEADER):
                continue
            for number in range(count):
                if not frame.startswith(ours[number * SECTOR : (number + 1) * SECTOR], ATA_HEADER + number * SECTOR):
                    self._differs(lba + number)

    def _differs(self, lba: int) -> None:
        self._differing += 1
        ranges = self._different
        if ranges and ranges[-1][1] == lba:
            ranges[-1] = (ranges[-1][0], lba + 1)
            return
        ranges.append((lba, lba + 1))
        if len(ranges) >= 2 * MOST_FRAGMENTS:
            found = joined(ranges)
            self._more = self._more or len(found) > MOST_FRAGMENTS
            ranges[:] = found[:MOST_FRAGMENTS]

    def _words(self, different: tuple[tuple[int, int], ...], compared: int) -> str:
        """What came of it, where all before sector `compared` was looked at."""
        address, path = self.command.address, self.command.path
        if not different:
            return f"{address} and {path} hold the same in {compared - self._first} sectors"
        more = "more than " if self._more else ""
        ranges = f" in {more}{len(different)} ranges" if len(different) > 1 else ""
        sectors = f"{self._differing} sectors" if self._differing > 1 else "1 sector"
        return f"{address} and {path} differ in {sectors}{ranges}, the first of them {different[0][0]}"

    def _sizes(self) -> str:
        """That one has more than the other, unless a length was given."""
        if self.command.length is not None:
            return ""
        more = self.source.size - (self.known.identity.sectors - self.begin) * SECTOR
        if not more:
            return ""
        which = self.command.path if more > 0 else self.command.address
        return f"; {which} has {abs(more)} bytes more"


def prepared(core: Core, command: StartCopy) -> Copy:
    """Find the device and open the file. Raises EngineError where the copy cannot or must not begin; then nothing is changed."""
    if command.kind is TaskKind.IMAGE and not command.resume and not command.overwrite and command.path.exists():
        raise EngineError(
            f"{command.path} exists: name another file, or add --overwrite to replace it, or --resume to go on with it",
            field="path",
        )
    if command.kind is TaskKind.RESTORE:
        _refuse_unfinished(command.path)
    source = None if command.kind is TaskKind.IMAGE else SourceFile(command.path)
    conversation = None
    try:
        conversation = core.conversations.open()
        known = known_device(core, conversation, command.address, command.macs, command.serial)
        if not known.unique:
            known = _one_disk(known, command)
            command = replace(command, macs=known.macs)  # whoever goes on with it does so with the same
        if source is None:
            return ImageCopy(core, conversation, command, known)
        kind = RestoreCopy if command.kind is TaskKind.RESTORE else CompareCopy
        return kind(core, conversation, command, known, source)
    except BaseException:
        if source is not None:
            source.close()
        if conversation is not None:
            conversation.close()
        raise


def _one_disk(known: Known, command: StartCopy) -> Known:
    """The device over MACs that are one disk as far as can be told. Raises EngineError where they would have to be named.

    What goes on with an image is read from where its beginning was.
    """
    if command.kind is TaskKind.RESTORE:
        refuse_unproven(known, command.macs)
        return known
    if not command.resume:
        return surely_one(known, command.macs)
    begun = tuple(map(Mac.parse, read_note(command.path).macs))
    others = [str(mac) for mac in known.macs if mac not in begun]
    if (command.macs and others) or not set(begun).intersection(known.macs):
        names = " and ".join(map(str, begun)) or "an unknown MAC"
        raise EngineError(
            f"{command.path} was begun from {names}, and nothing proves that {' and '.join(others)} at {command.address} is the"
            " same disk: go on when that answers again, or begin anew with --overwrite",
            field="path",
        )
    return known.over(begun)


def _refuse_unfinished(path: Path) -> None:
    """Raise EngineError for an image of ours that is not whole: it is as long as a whole one, and zeros stand for the rest."""
    note = note_path(path)
    if note.exists():
        raise EngineError(
            f"{path} is no whole image, as {note} tells: finish it by `aoetui read --resume`, or remove {note} to write what"
            " there is, zeros for all else",
            field="path",
        )
