"""A device to a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.commands.copying import StartCopy, TaskState
from aoetui.engine.initiator.copies import Copy
from aoetui.engine.initiator.image_file import ImageFile, PartNote, read_note, why_unwritten
from aoetui.engine.initiator.outcomes import Outcome, joined, repeated
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aoetui.engine.core import Core
    from aoetui.engine.initiator.carrying import Delivered, Watch
    from aoetui.engine.initiator.conversations import Conversation
    from aoetui.engine.initiator.identity import Known
    from aoetui.engine.protocol.transfer import Transfer

SAVE_EVERY = 2.0
"""Seconds between two claims of an image."""


class ImageCopy(Copy):
    """A device to a file."""

    def __init__(self, core: Core, conversation: Conversation, command: StartCopy, known: Known) -> None:
        super().__init__(core, conversation, command, known)
        said = known.identity
        note = PartNote(
            address=str(command.address),
            model=said.model,
            serial=said.serial,
            sectors=said.sectors,
            offset=self.begin,
            length=self.end - self.begin,
            next=self.begin,
            macs=() if known.unique else tuple(map(str, command.macs)),
        )
        if command.resume:
            note = self._earlier(note)
        self._base = note
        self._file = ImageFile(command.path, note, overwrite=command.overwrite, resume=command.resume, sparse=command.sparse)
        self._saved_at = core.clock.monotonic()

    def _earlier(self, wanted: PartNote) -> PartNote:
        """The note of the image that is to be finished. Raises EngineError if it is of something else."""
        command, found = self.command, read_note(self.command.path)
        if command.length is None and command.offset == 0:
            wanted = replace(wanted, offset=found.offset, length=found.length)
            self.begin, self.end = found.offset, found.offset + found.length
        if not found.same_copy(wanted):
            raise EngineError(
                f"{command.path} is the beginning of another image: of {found.address}, serial {found.serial!r},"
                f" {found.sectors} sectors, from sector {found.offset} on; {command.address} has serial {wanted.serial!r}"
                f" and {wanted.sectors} sectors: name another file, or begin anew with --overwrite",
                field="path",
            )
        return replace(found, address=str(command.address), macs=wanted.macs)

    @property
    def done_before(self) -> int:
        """See Copy."""
        return (self._base.next - self._base.offset - sum(end - start for start, end in self._base.bad)) * SECTOR

    def run(self, watch: Watch) -> Outcome:
        """See Copy."""
        transfer = self._transfer([(self._base.next, self.end), *self._base.bad])

        def take(delivered: Delivered) -> None:
            self._file.write(delivered)
            now = self.core.clock.monotonic()
            if now - self._saved_at >= SAVE_EVERY:
                self._saved_at = now
                self._file.save_soon(lambda: self._claim(transfer))

        problem = self._carry(transfer, take, watch)
        # What is delivered still could not be written.
        unwritten = [(lba, lba + count) for lba, count, _ in transfer.delivered]
        try:
            self._file.save(self._claim(transfer, unwritten))
        except OSError as error:
            problem = problem or why_unwritten(self.command.path, error)
        return self._outcome(transfer, problem, watch)

    def _claim(self, transfer: Transfer, unwritten: Iterable[tuple[int, int]] = ()) -> PartNote:
        base, left = self._base, [*transfer.remaining(), *unwritten]
        bad = [(start, min(end, base.next)) for start, end in left if start < base.next]
        ahead = [max(start, base.next) for start, end in left if end > base.next]
        reached = min(ahead, default=self.end)
        bad += ((start, min(end, reached)) for start, end in transfer.bad if start < reached)
        return replace(base, next=reached, bad=joined(bad))

    def _outcome(self, transfer: Transfer, problem: str, watch: Watch) -> Outcome:
        note, path = self._file.note, self.command.path
        again = replace(self.command, resume=True, overwrite=False, serial=self.known.identity.serial)
        bad = sum(end - start for start, end in note.bad)
        if problem or note.next < self.end:
            text = f"{note.next - note.offset} of {note.length} sectors are in {path}"
            return replace(self._ended(transfer, problem, watch, text), ranges=note.bad, sectors=bad, again=again)
        if note.bad:
            text = (
                f"{path} is whole but for {bad} sector{'s' if bad > 1 else ''} of {self.command.address} that cannot be read,"
                f" the first of them {note.bad[0][0]}: zeros stand for {'them' if bad > 1 else 'it'}{self._left_out()}"
            )
            return Outcome(TaskState.FAILED, text, note.bad, bad, again)
        try:
            self._file.finish()
        except OSError as error:
            return Outcome(TaskState.FAILED, why_unwritten(path, error), again=again)
        return Outcome(
            TaskState.DONE, f"{path} holds {note.length} sectors of {self.command.address}{self._left_out()}{repeated(transfer)}"
        )

    def close(self) -> None:
        """See Copy."""
        self._file.close()
        super().close()
