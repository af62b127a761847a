"""Measures one path, in both directions: round trips, the longest frames that get through, and loss.

To the target: IDENTIFY requests with trailing bytes, answered by 548 bytes. From the target: READs of more and more sectors
from LBA 0, asked for in 60 bytes. So each direction is measured by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aoetui.engine.api import NoAnswerError
from aoetui.engine.commands.paths import Loss, Reach, RoundTrips, Untested
from aoetui.engine.initiator.path_probes import Probe, Probes, loss_of, round_trips_of
from aoetui.engine.protocol.ata import Identity, parse_identify
from aoetui.engine.protocol.frames import AtaArgument, config_request
from aoetui.engine.protocol.header import MalformedFrame
from aoetui.engine.protocol.path_sizes import ReadOutcome, largest_passing, padded_identify, read_outcome, read_request
from aoetui.engine.protocol.wire import ATA_HEADER, MIN_FRAME, SECTOR, longest_frame, sectors_per_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from aoetui.engine.core import Core
    from aoetui.engine.protocol.address import Mac

PATH_SECONDS = 10.0
STREAM_SECONDS = 3.0
"""What frames of one kind may take of it: where many are lost, fewer are sent."""
PATIENCE = 0.1
"""Seconds after which the next frame is sent; an answer that comes later counts all the same."""
LAST_ANSWERS = 0.5
"""Seconds in which answers to the last frames may still come."""
BURSTS = (2, 3)
"""Frames of one length that are sent together, until one is answered: five are not all lost by chance."""
ENOUGH = 3000
"""Frames that are sent where some are lost: fewer cannot tell 1 in 1000."""
HOPELESS = 10
"""Frames after which no more are sent if none was answered."""

IDENTIFY_FRAME = ATA_HEADER + SECTOR
"""548: the answer to IDENTIFY."""


_NO_REACH = Reach(0, 0)
_NO_LOSS = Loss()


@dataclass(slots=True)
class Measured:
    """What is known of a path so far."""

    identity: Identity | None = None
    local_mtu: int = 0
    round_trips: RoundTrips | None = None
    to_target: Reach = _NO_REACH
    from_target: Reach = _NO_REACH
    short_frames: Loss = _NO_LOSS
    long_frames: Loss = _NO_LOSS
    frames: int = 0
    duplicates: int = 0
    problem: str = ""


def measure(core: Core, probes: Probes, advertised: int, count: int, result: Measured) -> None:
    """Measure a path whose target offers `advertised` sectors, by `count` frames of each kind; fills `result` as far as it gets.

    Raises EngineError where that is not to its end: the interface is lost, or IDENTIFY is not answered.
    """
    _Measuring(core, probes, advertised, count, result).run()


class _Measuring:
    def __init__(self, core: Core, probes: Probes, advertised: int, count: int, result: Measured) -> None:
        self._core = core
        self._probes = probes
        self._advertised = advertised
        self._count = count
        self._result = result
        self._until = core.clock.monotonic() + PATH_SECONDS

    def run(self) -> None:
        port = self._core.ports.require(self._probes.ends.interface)
        self._result.local_mtu = mtu = port.facts.frame_limit - longest_frame(0)
        identity = self._identify()
        short = self._stream(self._query, self._count)
        self._result.short_frames, self._result.round_trips = loss_of(short), round_trips_of(short)
        self._to_target(longest_frame(mtu))
        self._from_target(min(self._advertised, sectors_per_frame(mtu)), identity.sectors)
        if self._result.from_target.payload == SECTOR and self._ask(self._query) is None:
            self._result.to_target = self._result.from_target = _NO_REACH
            raise NoAnswerError("it answered at first, and does not any more: what was measured means nothing")
        self._result.long_frames = loss_of(self._stream(self._long, self._count))

    # ---- the frames

    def _query(self, source: Mac, tag: int) -> bytes:
        ends = self._probes.ends
        return config_request(source=source, destination=ends.mac, address=ends.address, tag=tag)

    def _identify_frame(self, length: int, source: Mac, tag: int) -> bytes:
        ends = self._probes.ends
        return padded_identify(source=source, destination=ends.mac, address=ends.address, tag=tag, length=length)

    def _read_frame(self, sectors: int, source: Mac, tag: int, length: int = 0) -> bytes:
        ends = self._probes.ends
        return read_request(source=source, destination=ends.mac, address=ends.address, tag=tag, sectors=sectors, length=length)

    def _long(self, source: Mac, tag: int) -> bytes:
        """The longest that get through, both ways if they can be."""
        there, back = self._result.to_target.frame, self._result.from_target
        if back.untested:
            return self._identify_frame(there, source, tag)
        return self._read_frame((back.frame - ATA_HEADER) // SECTOR, source, tag, there)

    # ---- the steps

    def _identify(self) -> Identity:
        answer = self._ask(partial(self._identify_frame, MIN_FRAME))
        said = None if answer is None or answer.answer is None else answer.answer.argument
        if not isinstance(said, AtaArgument):
            raise NoAnswerError("it answers query config, and not IDENTIFY: look at its log, and at the wire for loss")
        try:
            identity = self._result.identity = parse_identify(said.data)
        except MalformedFrame as error:
            raise NoAnswerError(f"its answer to IDENTIFY is no such page: {error}") from error
        self._result.to_target = Reach(MIN_FRAME, MIN_FRAME)
        self._result.from_target = Reach(IDENTIFY_FRAME, IDENTIFY_FRAME)
        return identity

    def _to_target(self, top: int) -> None:
        longest = self._search(
            largest_passing(MIN_FRAME, top), lambda length: self._ask(partial(self._identify_frame, length)) is not None
        )
        self._result.to_target = Reach(longest, top)

    def _from_target(self, top: int, on_disk: int) -> None:
        """READs, as far as the disk has sectors. Where none is carried out, IDENTIFY's answer is the longest that is known."""
        small = Untested.SMALL_DISK if on_disk < top else Untested.NOTHING
        top = min(top, on_disk)
        refused: list[ReadOutcome] = []

        def passes(sectors: int) -> bool:
            answer = self._ask(partial(self._read_frame, sectors))
            if answer is None or answer.answer is None:
                return False
            outcome = read_outcome(answer.answer, sectors)
            if outcome is not ReadOutcome.DATA:
                refused.append(outcome)
            return outcome is ReadOutcome.DATA

        sectors = self._search(largest_passing(0, top), passes)
        tried = ATA_HEADER + SECTOR * top
        untested = _why_not(refused) or small
        if sectors:
            self._result.from_target = Reach(ATA_HEADER + SECTOR * sectors, tried, untested)
        else:
            self._result.from_target = Reach(IDENTIFY_FRAME, IDENTIFY_FRAME if untested else tried, untested)

    # ---- sending and waiting

    def _ask(self, make: Callable[[Mac, int], bytes]) -> Probe | None:
        """Send what may be lost by chance until one is answered; None if all of them are not."""
        sent: list[Probe] = []
        for number, burst in enumerate(BURSTS, 1):
            sent += [self._probes.send(make) for _ in range(burst)]
            if (answered := self._probes.wait(sent, number * PATIENCE)) is not None:
                return answered
        return None

    def _search(self, sizes: Generator[int, bool, int], passes: Callable[[int], bool]) -> int:
        """The largest that passes; once the time is over, the largest that did so far."""
        best = 0
        try:
            size = next(sizes)
            while self._core.clock.monotonic() < self._until:
                passed = passes(size)
                best = max(best, size) if passed else best
                size = sizes.send(passed)
        except StopIteration as end:
            return int(end.value)
        self._result.problem = f"it was not measured to its end within {PATH_SECONDS:g} s: it loses too many frames"
        return best

    def _stream(self, make: Callable[[Mac, int], bytes], count: int) -> list[Probe]:
        """Send one frame after the other; ENOUGH of them where some are lost, if there is time."""
        sent: list[Probe] = []
        lost = 0
        until = min(self._until, self._core.clock.monotonic() + STREAM_SECONDS)
        while len(sent) < (max(count, ENOUGH) if lost else count) and self._core.clock.monotonic() < until:
            if lost == len(sent) >= HOPELESS:
                break
            probe = self._probes.send(make)
            lost += self._probes.wait([probe], PATIENCE) is None
            probe.answer = None  # only its time counts, and a READ's data would pile up
            sent.append(probe)
        self._probes.wait([probe for probe in sent if probe.took is None], LAST_ANSWERS, for_all=True)
        return sent


def _why_not(refused: list[ReadOutcome]) -> Untested:
    """Why a READ was answered, but not carried out; NOTHING if each answer was data."""
    match refused[-1] if refused else ReadOutcome.DATA:
        case ReadOutcome.DATA:
            return Untested.NOTHING
        case ReadOutcome.RESERVED:
            return Untested.RESERVED
        case ReadOutcome.REFUSED:
            return Untested.REFUSED
        case ReadOutcome.FAILED:
            return Untested.UNREADABLE
