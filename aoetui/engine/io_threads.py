"""The threads in which an export waits for its disk: as many as have something to do, and one when there is nothing."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_THREADS = 32
"""Of one export. It is also how many requests its disk has at a time."""
LINGER = 10.0
"""Seconds that a thread waits to be needed again."""
SLOW = 0.0004
"""Seconds: a call to the disk that took longer has waited for it. What is in the page cache takes a twentieth of that, and what a
busy interpreter adds."""
_CALM = 1 / 6
_log = logging.getLogger(__name__)


class Pace:
    """How many requests at a time the disk is worth, by how long it took for the last ones.

    What the page cache answers is done soonest by one thread: waking others costs more than the work. Where one call in five
    waits for the disk, or more, all threads are wanted after a few calls. Under the export's lock.
    """

    def __init__(self) -> None:
        self._wanted = 1.0

    @property
    def wanted(self) -> int:
        """Threads that may be at work, 1 to MAX_THREADS."""
        return int(self._wanted)

    def took(self, seconds: float) -> None:
        """A call took so long."""
        if seconds > SLOW:
            self._wanted = min(float(MAX_THREADS), 2 * self._wanted)
        elif self._wanted > 1.0:
            self._wanted = max(1.0, self._wanted * (1 - _CALM))


class Desk(Protocol):
    """Where the threads find their work. Everything but a task itself is called under the lock that they share."""

    @property
    def ready(self) -> int:
        """Requests that may start now."""
        ...

    @property
    def aside(self) -> int:
        """Other tasks that may start now."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to do, and never will be."""
        ...

    def next_task(self) -> tuple[Callable[[], None], bool] | None:
        """A task, and whether it is one aside."""
        ...

    def end(self) -> None:
        """Everything is over: without the lock, in the last thread."""
        ...


class IoThreads:
    """Starts threads as they are needed, lets them wait for more, and ends those that wait for long."""

    def __init__(self, name: str, lock: threading.Lock, desk: Desk) -> None:
        self.pace = Pace()
        self._name = name
        self._lock = lock
        self._desk = desk
        self._idle: list[threading.Lock] = []
        """What each waiting thread waits for; who waits for the shortest time comes last, and is called first."""
        self._threads: set[threading.Thread] = set()
        self._at_work = 0
        """Threads that do not wait, without those of tasks aside."""
        self._coming = 0
        """Of these, those that were called and have not looked for work yet."""
        self._running = 0
        self._starting = False
        self._over = threading.Event()

    def start(self) -> None:
        """Begin with one thread."""
        with self._lock:
            self._start()

    def call(self) -> None:
        """Have threads come for what may start now. Under the lock."""
        busy = self._at_work - self._coming
        missing = max(0, min(self._desk.ready, self.pace.wanted - busy)) + self._desk.aside - self._coming
        while missing > 0 and self._idle:
            self._wake()
            missing -= 1
        if missing > 0 and self._running < MAX_THREADS and not self._starting:
            self._start()  # it sees for itself whether another is missing still

    def call_all(self) -> None:
        """Have every waiting thread look for work, or end. Under the lock."""
        while self._idle:
            self._wake()

    def wait(self, timeout: float) -> bool:
        """Wait until everything is over and all threads have ended. False if that takes longer than `timeout` seconds."""
        end = time.monotonic() + timeout
        ended = self._over.wait(timeout)
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        return ended and not any(thread.is_alive() for thread in threads)

    def _wake(self) -> None:
        self._at_work += 1
        self._coming += 1
        self._idle.pop().release()

    def _start(self) -> None:
        self._at_work += 1
        self._coming += 1
        self._running += 1
        self._starting = True
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._threads.add(thread)
        thread.start()

    # ---- in each thread

    def _run(self) -> None:
        signal = threading.Lock()
        signal.acquire()
        with self._lock:
            self._starting = False
        came = True
        while (found := self._next(signal, came=came)) is not None:
            task, aside = found
            self._do(task)
            came = False
            if aside:
                with self._lock:
                    self._at_work += 1

    def _next(self, signal: threading.Lock, *, came: bool) -> tuple[Callable[[], None], bool] | None:
        """The next task, waited for; None: this thread is to end. `came`: it does because it was called."""
        while True:
            with self._lock:
                self._coming -= came
                found = self._desk.next_task()
                if found is not None:
                    self._at_work -= found[1]
                    self.call()
                    return found
                self._at_work -= 1
                is_over = self._desk.is_over
                if is_over:
                    self.call_all()
                else:
                    self._idle.append(signal)
            if is_over:
                self._leave()
                return None
            if not self._is_called(signal):
                return None
            came = True

    def _do(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception:  # noqa: BLE001 - the thread's edge: one bad task must not end the service of an export
            _log.exception("a task of %s failed", self._name)

    def _is_called(self, signal: threading.Lock) -> bool:
        """Wait for work. False: there was none for long, and the thread is to end."""
        while not signal.acquire(timeout=LINGER):
            with self._lock:
                if signal in self._idle and self._running > 1:
                    self._idle.remove(signal)
                    self._running -= 1
                    self._threads.discard(threading.current_thread())
                    return False
        return True

    def _leave(self) -> None:
        with self._lock:
            self._running -= 1
            last = not self._running
        if last:
            self._do(self._desk.end)
            self._over.set()
