"""What waits in an export's queue: requests from the wire, edits from the console. Carried out in order of arrival."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.memory import LISTED, REQUEST
from aoetui.engine.protocol.changes import Change, EditMask, SetConfig, SetReservation
from aoetui.engine.protocol.replies import Flush, ReadBlocks, WriteBlocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from aoetui.engine.initiators import InitiatorRecord
    from aoetui.engine.ports import Port
    from aoetui.engine.protocol.facts import ExportFacts, TargetState

Intent = ReadBlocks | WriteBlocks | Flush | Change


@dataclass(frozen=True, slots=True)
class Job:
    """A request that waits, and the way its reply goes."""

    port: Port
    intent: Intent
    initiator: InitiatorRecord
    arrived: float
    """Seconds of the engine's clock."""
    state: TargetState
    """By which it was let in: if another holds when its turn comes, it is judged again."""

    @property
    def size(self) -> int:
        """Bytes of memory it holds, nearly."""
        match self.intent:
            case ReadBlocks() | Flush():
                return REQUEST
            case WriteBlocks(data=data):
                return REQUEST + memoryview(data.obj).nbytes  # the frame, whatever followed the sectors in it
            case SetConfig(string=string):
                return REQUEST + len(string)
            case EditMask(directives=listed) | SetReservation(macs=listed):
                return REQUEST + LISTED * len(listed)


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the export's state that a person asked for. `act` raises EngineError to refuse it."""

    act: Callable[[ExportFacts], TargetState]
    future: Future[None]


@dataclass(frozen=True, slots=True)
class Held:
    """What somebody else is doing with the disk: it is through when `wait` has returned."""

    wait: Callable[[], object]
