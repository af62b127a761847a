"""Measures a remote device: so many requests under way for so many seconds, each of one frame."""

from __future__ import annotations

import math
import os
import random
from collections import Counter
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.commands.copying import BenchFigures, StartBench, TaskState
from aoetui.engine.initiator.carrying import carry_out
from aoetui.engine.initiator.identity import known_device, refuse_unproven
from aoetui.engine.initiator.outcomes import Outcome, why_failed
from aoetui.engine.protocol.transfer import Transfer
from aoetui.engine.protocol.wire import MAX_SECTOR_COUNT, SECTOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.core import Core
    from aoetui.engine.initiator.carrying import Delivered, Watch
    from aoetui.engine.initiator.conversations import Conversation
    from aoetui.engine.initiator.identity import Known

_STEPS = 64
"""Classes of an octave that latencies are counted in: each about one percent wide."""


class Spread:
    """Latencies, counted in classes: a million of them take no more room than ten."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: list[float]) -> None:
        """Count these."""
        self._counts.update(int(math.log2(each) * _STEPS) for each in seconds if each > 0)

    def at(self, share: float) -> float | None:
        """The latency in microseconds that this share (0 to 1) of all took at most; None without any."""
        left = share * self._counts.total()
        for step in sorted(self._counts):
            left -= self._counts[step]
            if left <= 0:
                return float(2 ** ((step + 1) / _STEPS) * 1e6)
        return None


class EndlessWork:
    """Pieces of a disk, in order from the start again and again or at random, until `over` says so. See transfer.Work."""

    def __init__(self, sectors: int, over: Callable[[], bool], *, at_random: bool) -> None:
        self._sectors = sectors
        self._over = over
        self._random = at_random
        self._next = 0

    def take(self, most: int, pieces: int) -> list[tuple[int, int]]:
        """See Work."""
        if self._over():
            return []
        most = min(most, self._sectors)
        return [(self._place(most), most) for _ in range(pieces)]

    def _place(self, length: int) -> int:
        if self._random:
            return random.randrange(self._sectors // length) * length  # noqa: S311  # a load, no secret
        if self._next + length > self._sectors:
            self._next = 0
        self._next += length
        return self._next - length

    def left(self) -> list[tuple[int, int]]:
        """See Work: there is always something, until it is over."""
        return [] if self._over() else [(0, self._sectors)]


class Bench:
    """One measurement, ready to begin; see tasks.Job."""

    total = 0
    done_before = 0

    def __init__(self, core: Core, conversation: Conversation, command: StartBench, known: Known) -> None:
        self.conversation = conversation
        self._core = core
        self._command = command
        self._known = known

    @property
    def title(self) -> str:
        """What is measured."""
        command = self._command
        return f"{command.address}: {'random' if command.random else 'sequential'} {'writes' if command.write else 'reads'}"

    def run(self, watch: Watch) -> Outcome:
        """Measure."""
        command, clock = self._command, self._core.clock.monotonic
        begun = clock()
        pattern = os.urandom(MAX_SECTOR_COUNT * SECTOR)
        transfer = Transfer(
            command.address,
            self._known.facts(self._core, command.window),
            EndlessWork(self._known.identity.sectors, lambda: clock() - begun >= command.seconds, at_random=command.random),
            identity=self._known.identity,
            tags=self.conversation.tags,
            now=begun,
            data=(lambda _lba, count: pattern[: count * SECTOR]) if command.write else None,
            patience=command.patience,
        )
        transfer.latencies, spread = [], Spread()

        def take(_delivered: Delivered) -> None:
            spread.add(transfer.latencies or [])
            transfer.latencies = []

        try:
            carry_out(self._core, self.conversation, transfer, take, watch)
            problem = "" if transfer.failure is None else why_failed(self._known, transfer, transfer.failure, command.patience)
        except EngineError as error:
            problem = str(error)
        figures = BenchFigures(
            requests=sum(path.answers for path in transfer.paths),
            seconds=clock() - begun,
            sector_count=max(path.sector_count for path in transfer.paths),
            median_us=spread.at(0.5),
            p99_us=spread.at(0.99),
        )
        if problem:
            failure = transfer.failure
            return Outcome(
                TaskState.FAILED,
                problem,
                bench=figures,
                no_answer=failure is not None and failure.failure.name == "NO_ANSWER",
            )
        return Outcome(TaskState.CANCELLED if watch.cancelled else TaskState.DONE, self._text(figures), bench=figures)

    def _text(self, figures: BenchFigures) -> str:
        rate = figures.requests / max(figures.seconds, 1e-6)
        return f"{self.title}: {rate:.0f} requests a second of {figures.sector_count * SECTOR} bytes"

    def close(self) -> None:
        """Let go of the wire."""
        self.conversation.close()


def prepared_bench(core: Core, command: StartBench) -> Bench:
    """Find the device. Raises EngineError where it must not be measured."""
    conversation = core.conversations.open()
    try:
        known = known_device(core, conversation, command.address, command.macs, command.serial)
        if command.write:
            refuse_unproven(known, command.macs)
        return Bench(core, conversation, command, known)
    except BaseException:
        conversation.close()
        raise
