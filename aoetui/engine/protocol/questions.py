"""The scanner's IDENTIFY requests: one for a path at a time, few at once over all, sent again when not answered."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.protocol.devices import DeviceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.protocol.sightings import PathRecord

MAX_OUTSTANDING = 128
"""IDENTIFYs at once over all: thousands of targets answer one broadcast, and nobody's buffers shall overflow."""
RETRANSMIT_AFTER = 0.5
"""Seconds."""
MAX_TRANSMISSIONS = 4
REFRESH = 30.0
"""Seconds between two IDENTIFYs of one path while nothing else asks for one: notices a new size."""
MIN_PAUSE = 1.0
"""Seconds between two IDENTIFYs of one path, whatever it sends us."""


@dataclass(slots=True)
class Question:
    """One IDENTIFY on its way. Times in seconds of the caller's clock."""

    path: PathRecord
    sent: float
    """When it was first sent."""
    deadline: float
    transmissions: int = 1


class Questions:
    """Asks paths to identify themselves. A retransmission keeps its tag, so that a late answer still counts."""

    def __init__(self, send: Callable[[PathRecord, int], None], next_tag: Callable[[], int]) -> None:
        self._send = send
        self._next_tag = next_tag
        self._waiting: deque[PathRecord] = deque()
        self._outstanding: dict[int, Question] = {}
        """By tag, and in order of deadline: each transmission puts its question last."""

    def want(self, path: PathRecord, now: float) -> None:
        """Ask `path` as soon as it may be asked again."""
        if path.asking or now < path.asked_at + MIN_PAUSE:
            path.ask_after = min(path.ask_after, now + MIN_PAUSE)
        else:
            self.ask(path, now)

    def ask(self, path: PathRecord, now: float) -> None:
        """Put `path` into the queue, unless it is asked already."""
        if path.asking:
            return
        path.asking = True
        path.ask_after = now + REFRESH
        self._waiting.append(path)
        self._fill(now)

    def answered(self, tag: int, path: PathRecord, now: float) -> bool:
        """Take an answer from `path`; False if it answers no question of ours. Measures the path's round trip.

        A question that was sent twice is not measured: which of the two was answered is unknown (Karn's rule).
        """
        question = self._outstanding.get(tag)
        if question is None or question.path is not path:
            return False
        del self._outstanding[tag]
        path.asking = False
        if question.transmissions == 1:
            path.rtt = max(0.0, now - question.sent)
        self._fill(now)
        return True

    def timer(self) -> float | None:
        """When `handle_timer` is due; None if nothing is outstanding."""
        return next((question.deadline for question in self._outstanding.values()), None)

    def handle_timer(self, now: float) -> None:
        """Send again what was not answered in time, or give it up."""
        overdue = [(tag, question) for tag, question in self._outstanding.items() if question.deadline <= now]
        for tag, question in overdue:
            del self._outstanding[tag]
            if question.transmissions == MAX_TRANSMISSIONS or question.path.state is not DeviceState.UP:
                question.path.asking = False
                continue
            question.transmissions += 1
            question.deadline = now + RETRANSMIT_AFTER
            self._outstanding[tag] = question
            self._send(question.path, tag)
        self._fill(now)

    def _fill(self, now: float) -> None:
        while self._waiting and len(self._outstanding) < MAX_OUTSTANDING:
            path = self._waiting.popleft()
            if path.state is not DeviceState.UP:
                path.asking = False
                continue
            path.asked_at = now
            tag = self._next_tag()
            self._outstanding[tag] = Question(path, sent=now, deadline=now + RETRANSMIT_AFTER)
            self._send(path, tag)
