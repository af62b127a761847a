"""Long work in threads of its own: begun, followed, cancelled, and remembered until somebody drops it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol

from aoetui.engine.api import EngineError
from aoetui.engine.commands.copying import StartBench, StartCopy, TaskKind, TaskSnapshot, TaskState
from aoetui.engine.conflicts import EndingError
from aoetui.engine.initiator.bench import prepared_bench
from aoetui.engine.initiator.carrying import Cancel, paths_of
from aoetui.engine.initiator.outcomes import Outcome
from aoetui.engine.initiator.restoring import prepared
from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from aoetui.engine.commands.copying import TaskPath
    from aoetui.engine.core import Core
    from aoetui.engine.initiator.carrying import Watch
    from aoetui.engine.initiator.conversations import Conversation
    from aoetui.engine.protocol.address import Address
    from aoetui.engine.protocol.transfer import Transfer

MAX_RUNNING = 8
MAX_KEPT = 100
"""Tasks that have ended; the oldest make room."""
RATE_SPAN = 5.0
"""Seconds over which a rate is taken."""
CANCEL_TIME = 30.0
"""Seconds that a cancelled task may take to put on stable storage what it has."""
_log = logging.getLogger(__name__)


class Job(Protocol):
    """Work that is ready to begin."""

    conversation: Conversation

    @property
    def title(self) -> str:
        """What it does to what."""
        ...

    @property
    def total(self) -> int:
        """Bytes; 0 if it has no end of its own."""
        ...

    @property
    def done_before(self) -> int:
        """Bytes that were done before it began."""
        ...

    def run(self, watch: Watch) -> Outcome:
        """Do it."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Task:
    """One of them. `cancel`, `snapshot` and `ended` are for any thread."""

    def __init__(self, core: Core, number: int, command: StartCopy | StartBench, job: Job) -> None:
        self.number = number
        self.ended = threading.Event()
        self._core = core
        self._command = command
        self._job = job
        self._cancel = Cancel(wake=job.conversation.wake)
        self._started = core.clock.monotonic()
        self._started_at: datetime = core.clock.wall()
        self._took = 0.0
        self._outcome: Outcome | None = None
        self._done = job.done_before
        self._hold_up = ""
        self._paths: tuple[TaskPath, ...] = ()
        self._marks: deque[tuple[float, int]] = deque([(self._started, self._done)])
        self._thread = threading.Thread(target=self._run, name=f"task-{number}", daemon=True)

    @property
    def cancelled(self) -> bool:
        """Whether it is to stop; see Watch."""
        return self._cancel.asked.is_set()

    @property
    def address(self) -> Address:
        """The device's."""
        return self._command.address

    @property
    def writes_to(self) -> Path | None:
        """The file that it makes, if it makes one."""
        command = self._command
        return command.path if isinstance(command, StartCopy) and command.kind is TaskKind.IMAGE else None

    @property
    def overwrites(self) -> bool:
        """Whether it writes to the device."""
        command = self._command
        return command.kind is TaskKind.RESTORE if isinstance(command, StartCopy) else command.write

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Ask it to stop."""
        self._cancel()

    def progress(self, transfer: Transfer) -> None:
        """See Watch."""
        now = self._core.clock.monotonic()
        bad = sum(end - start for start, end in transfer.bad)
        self._done = self._job.done_before + (sum(path.sectors for path in transfer.paths) + bad) * SECTOR
        self._marks.append((now, self._done))
        while len(self._marks) > 2 and self._marks[0][0] < now - RATE_SPAN:
            self._marks.popleft()
        self._paths = paths_of(transfer)
        silent = [f"{path.mac} on {path.interface}" for path in self._paths if not path.answers]
        if not silent:
            self._hold_up = ""
        elif len(silent) == len(self._paths):
            self._hold_up = "no path answers: waiting"
        else:
            self._hold_up = f"no answer from {', '.join(silent)}: the other paths go on"

    def snapshot(self) -> TaskSnapshot:
        """As it is now."""
        outcome, command = self._outcome, self._command
        seconds = self._core.clock.monotonic() - self._started if outcome is None else self._took
        rate = self._rate() if outcome is None else max(0, self._done - self._job.done_before) / max(seconds, 1e-6)
        left = self._job.total - self._done
        return TaskSnapshot(
            number=self.number,
            kind=command.kind if isinstance(command, StartCopy) else TaskKind.BENCH,
            address=command.address,
            path=command.path if isinstance(command, StartCopy) else None,
            title=self._job.title,
            state=TaskState.RUNNING if outcome is None else outcome.state,
            started=self._started_at,
            seconds=seconds,
            total=self._job.total,
            done=self._done,
            rate=rate,
            eta=left / rate if outcome is None and rate > 0 and self._job.total else None,
            text=self._hold_up if outcome is None else outcome.text,
            paths=self._paths,
            ranges=() if outcome is None else outcome.shown_ranges,
            range_count=0 if outcome is None else len(outcome.ranges),
            bad_sectors=0 if outcome is None else outcome.sectors,
            bench=None if outcome is None else outcome.bench,
            no_answer=outcome is not None and outcome.no_answer,
            again=None if outcome is None else outcome.again,
        )

    def _rate(self) -> float:
        marks = list(self._marks)
        (first, before), (last, now) = marks[0], marks[-1]
        return (now - before) / (last - first) if last > first else 0.0

    def _run(self) -> None:
        try:
            outcome = self._job.run(self)
        except Exception as error:  # noqa: BLE001 - the thread's edge: whoever follows the task must hear of it
            _log.exception("a task failed")
            outcome = Outcome(TaskState.FAILED, f"an internal error ({error}): see the log file")
        self._took = self._core.clock.monotonic() - self._started
        try:
            self._job.close()
        except OSError as error:
            _log.warning("closing after %s: %s", self._job.title, error)
        self._outcome = outcome
        severity = Severity.INFO if outcome.state is TaskState.DONE else Severity.WARNING
        self._core.events.add(severity, str(self.address), outcome.text)
        self.ended.set()


class Tasks:
    """All of them, until `stop`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._tasks: dict[int, Task] = {}
        self._last = 0
        self._stopping = False

    def start(self, command: StartCopy | StartBench) -> TaskSnapshot:
        """Begin. Blocks while the device is looked for. Raises EngineError where it cannot begin."""
        with self._lock:
            self._refuse(command)
        job: Job = prepared(self._core, command) if isinstance(command, StartCopy) else prepared_bench(self._core, command)
        return self._begin(command, job)

    def _begin(self, command: StartCopy | StartBench, job: Job) -> TaskSnapshot:
        try:
            with self._lock:
                self._refuse(command)
                self._last += 1
                task = self._tasks[self._last] = Task(self._core, self._last, command, job)
                task.start()
        except BaseException:
            job.close()
            raise
        self._core.events.add(Severity.INFO, str(command.address), f"begun: {job.title}")
        return task.snapshot()

    def _refuse(self, command: StartCopy | StartBench) -> None:
        """Raise EngineError where another task is in the way."""
        running = [task for task in self._tasks.values() if not task.ended.is_set()]
        if self._stopping:
            raise EndingError
        if len(running) >= MAX_RUNNING:
            raise EngineError(f"{MAX_RUNNING} tasks are running: wait for one to end, or cancel one")
        writes = isinstance(command, StartBench) and command.write
        writes = writes or (isinstance(command, StartCopy) and command.kind is TaskKind.RESTORE)
        for task in running:
            if task.address == command.address and (writes or task.overwrites):
                raise EngineError(f"task {task.number} uses {command.address}: let it end, or cancel it", field="address")
        kept = [number for number, task in self._tasks.items() if task.ended.is_set()]
        for number in kept[: max(0, len(kept) - MAX_KEPT)]:
            del self._tasks[number]

    def cancel(self, number: int) -> None:
        """Stop one, and wait until it has stopped. Raises EngineError if there is none, or it does not stop in time."""
        task = self._find(number)
        task.cancel()
        if not task.ended.wait(CANCEL_TIME):
            raise EngineError(f"task {number} has not stopped within {CANCEL_TIME:g} s: it waits for its file's disk")

    def forget(self, number: int) -> None:
        """Drop one that has ended."""
        if not self._find(number).ended.is_set():
            raise EngineError(f"task {number} is running: cancel it first")
        with self._lock:
            self._tasks.pop(number, None)

    def snapshots(self) -> tuple[TaskSnapshot, ...]:
        """All of them, the oldest first."""
        return tuple(task.snapshot() for task in list(self._tasks.values()))

    def stop(self, timeout: float) -> None:
        """Begin none any more; stop those that run, and wait for them up to so many seconds."""
        with self._lock:
            self._stopping = True
            running = [task for task in self._tasks.values() if not task.ended.is_set()]
        for task in running:
            task.cancel()
        end = self._core.clock.monotonic() + timeout
        for task in running:
            task.ended.wait(max(0.0, end - self._core.clock.monotonic()))

    def _find(self, number: int) -> Task:
        task = self._tasks.get(number)
        if task is None:
            raise EngineError(f"there is no task {number} any more")
        return task
