"""How long work with a remote device ends: in sentences that say what came of it, and how to go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.commands.copying import MAX_RANGES, BenchFigures, Sectors, StartCopy, TaskState
from aoetui.engine.initiator.identity import holders, reserved_text, size_of
from aoetui.engine.protocol.transfer_failures import Failure, Fault
from aoetui.engine.protocol.wire import AoeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aoetui.engine.initiator.identity import Known
    from aoetui.engine.protocol.transfer import Transfer

_AOE_ERRORS = {
    AoeError.UNRECOGNISED_COMMAND: "does not know the command",
    AoeError.BAD_ARGUMENT: "finds the request malformed",
    AoeError.UNSUPPORTED_VERSION: "speaks another version of AoE",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a task ends with; see TaskSnapshot."""

    state: TaskState
    text: str
    ranges: tuple[tuple[int, int], ...] = ()
    sectors: int = 0
    """In all ranges, and in those that were too many to be told apart."""
    again: StartCopy | None = None
    no_answer: bool = False
    bench: BenchFigures | None = None

    @property
    def shown_ranges(self) -> tuple[Sectors, ...]:
        """The first of them."""
        return tuple(Sectors(start, end) for start, end in self.ranges[:MAX_RANGES])


def joined(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Sorted, those that touch made one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def span(start: int, end: int) -> str:
    """`sector 7`, or `sectors 7 to 9`."""
    return f"sector {start}" if end == start + 1 else f"sectors {start} to {end - 1}"


def why_failed(known: Known, transfer: Transfer, fault: Fault, patience: float) -> str:
    """The failure of a transfer as a sentence, with the remedy. May ask the device once more."""
    address = known.address
    where = span(fault.lba, fault.lba + max(1, fault.count))
    match fault.failure:
        case Failure.NO_ANSWER:
            odd = f" ({transfer.ignored} frames came that were no answer)" if transfer.ignored else ""
            return (
                f"{address} has not answered for {patience:g} s{odd}:"
                " look at the cable, at the target, and whether its mask list still has this host"
            )
        case Failure.BEYOND_END | Failure.SHRUNK:
            now = fault.lba if fault.failure is Failure.SHRUNK else size_of(known.device, known.paths)
            size = "is smaller than it was" if now is None else f"has shrunk to {now} sectors"
            return f"{address} {size} (it had {known.identity.sectors}): find out at its target why, or use --length"
        case Failure.REFUSED:
            why = "its target serves it read-only, its disk fails, or it does not know the command"
            return f"{address} refuses {where} (ABRT): {why}"
        case Failure.BAD_SECTORS:
            return f"{address} fails at {where} (ATA error {fault.code:#04x}): its disk is full or bad; look at its target"
        case Failure.OTHER_DISK:
            return f"another disk answers at {address} now, with another serial: find out which one you want"
        case Failure.RESERVED:
            return reserved_text(address, holders(known.device, known.paths))
        case Failure.UNAVAILABLE:
            return f"the target of {address} says that its disk is not available (AoE error 3): look at the target"
        case Failure.PROTOCOL:
            what = _AOE_ERRORS.get(AoeError(fault.code)) if fault.code in set(AoeError) else None
            return f"the target of {address} {what or 'refuses'} (AoE error {fault.code}) at {where}: is it an AoE target?"


def repeated(transfer: Transfer) -> str:
    """`; 12 requests were repeated`; empty if none was."""
    lost = sum(path.lost for path in transfer.paths)
    return f"; {lost} request{'s were' if lost > 1 else ' was'} repeated" if lost else ""
