"""The copies: a device to a file, a file to a device, and both compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.commands.copying import StartCopy, TaskState
from aoetui.engine.conflicts import EndingError
from aoetui.engine.initiator.carrying import carry_out
from aoetui.engine.initiator.image_file import why_unwritten
from aoetui.engine.initiator.outcomes import Outcome, span, why_failed
from aoetui.engine.protocol.transfer import Transfer
from aoetui.engine.protocol.transfer_work import Ranges
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aoetui.engine.core import Core
    from aoetui.engine.initiator.carrying import Delivered, Watch
    from aoetui.engine.initiator.conversations import Conversation
    from aoetui.engine.initiator.identity import Known


class Copy:
    """One copy, ready to begin: the device is known, the file is open. `run` once, then `close`."""

    def __init__(self, core: Core, conversation: Conversation, command: StartCopy, known: Known) -> None:
        self.command = command
        self.core = core
        self.conversation = conversation
        self.known = known
        self.transfer: Transfer | None = None
        self.begin, self.end = self._span()
        """Sectors of the device."""

    @property
    def total(self) -> int:
        """Bytes."""
        return (self.end - self.begin) * SECTOR

    @property
    def done_before(self) -> int:
        """Bytes that an earlier run did."""
        return 0

    @property
    def title(self) -> str:
        """What goes where."""
        return f"{self.command.address} to {self.command.path}"

    def run(self, watch: Watch) -> Outcome:
        """Do it. What goes wrong is told by the outcome."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of file and wire."""
        self.conversation.close()

    def _span(self) -> tuple[int, int]:
        command, sectors = self.command, self.known.identity.sectors
        end = sectors if command.length is None else command.offset + command.length
        if command.offset >= sectors or end > sectors:
            wanted = span(command.offset, max(end, command.offset + 1))
            raise EngineError(f"{command.address} has {sectors} sectors: {wanted} are not all there", field="length")
        return command.offset, end

    def _transfer(self, ranges: Iterable[tuple[int, int]], data: Callable[[int, int], bytes] | None = None) -> Transfer:
        made = Transfer(
            self.command.address,
            self.known.facts(self.core, self.command.window),
            Ranges(ranges),
            identity=self.known.identity,
            tags=self.conversation.tags,
            now=self.core.clock.monotonic(),
            data=data,
            patience=self.command.patience,
        )
        self.transfer = made
        return made

    def _carry(self, transfer: Transfer, take: Callable[[Delivered], None], watch: Watch) -> str:
        """Until it ends. Returns why it ended before all was done; empty if it did not, or was only cancelled."""
        try:
            carry_out(self.core, self.conversation, transfer, take, watch)
        except EngineError as error:
            return str(error)
        except OSError as error:
            return why_unwritten(self.command.path, error)
        if transfer.failure is None:
            return ""
        try:
            return why_failed(self.known, transfer, transfer.failure, self.command.patience)
        except EndingError as ending:
            return str(ending)

    def _left_out(self) -> str:
        """Of which MACs nothing is known; empty if there are none such."""
        others = self.known.left_out
        if not others:
            return ""
        alone = ", ".join(map(str, self.known.macs))
        return f", read from {alone} alone: nothing proves that {' and '.join(map(str, others))} there is the same disk"

    def _ended(self, transfer: Transfer, problem: str, watch: Watch, text: str) -> Outcome:
        """The outcome of a copy that is not whole."""
        state = TaskState.CANCELLED if watch.cancelled and not problem else TaskState.FAILED
        failure = transfer.failure
        return Outcome(
            state=state,
            text=f"{problem}; {text}" if problem else f"stopped: {text}",
            no_answer=failure is not None and failure.failure.name == "NO_ANSWER",
        )
