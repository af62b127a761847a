"""A trace of this host's interfaces: the taps, the thread that empties them, and what was kept."""

from __future__ import annotations

import logging
import os
import threading
import time
from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.snapshot import TraceSnapshot
from aoetui.engine.tracing.files import load, save
from aoetui.engine.tracing.looking import Recording
from aoetui.engine.tracing.tap import BLOCK_MS, Tap, frame_at, offsets_in, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime
    from pathlib import Path

    from aoetui.engine.commands.trace import FrameDetail, OpenedTrace, SavedTrace, SaveTrace, TracePage
    from aoetui.engine.links import LinkFacts
    from aoetui.engine.tracing.tap import Block

    Taken = list[tuple[Tap, Block]]

_WAIT = 0.2
_MERGED = 2000
"""Frames of several interfaces that are put in the order of their times; when more come at once, blocks are kept as they are."""
_HELD_NS = 2 * BLOCK_MS * 1_000_000
"""How long the frames of one interface wait for older ones of another."""
_STOP_TIME = 5.0
_LAST_BLOCK = 2 * BLOCK_MS / 1000
"""Seconds in which the kernel hands over the block that it was filling."""
_log = logging.getLogger(__name__)


class Tracer:
    """The trace of one engine. Commands come from one thread at a time, looks from any."""

    def __init__(self, wall: Callable[[], datetime], open_tap: Callable[[str, bool], Tap] | None = None) -> None:
        self._wall = wall
        self._open_tap = open_tap or (lambda name, whole: Tap(name, whole=whole))
        self.recording = Recording()
        self._taps: dict[str, Tap] = {}
        """Those that are open; the reader's copy is made anew in each turn."""
        self._retired: list[Tap] = []
        """To be closed by the reader."""
        self._wanted: tuple[str, ...] = ()
        self._problems: dict[str, str] = {}
        self._whole = self._paused = False
        self._file = ""
        self._since: datetime | None = None
        self._seen = self._passed_over = self._dropped = 0
        self._lock = threading.Lock()
        self._came = threading.Condition()
        self._reader: threading.Thread | None = None
        self._wake = -1

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Those that are traced."""
        return self._wanted

    # ---- commands

    def start(self, interfaces: Collection[str], *, whole: bool) -> None:
        """Trace these, and no others. Raises EngineError; then everything is as it was."""
        names = tuple(dict.fromkeys(interfaces))
        if not names:
            raise EngineError("no interface is named: choose one at least to trace", field="interfaces")
        taps: dict[str, Tap] = {}
        try:
            for name in names:
                taps[name] = self._open_tap(name, whole)
        except EngineError:
            for tap in taps.values():
                tap.close()
            raise
        if self._file or self._since is None:
            self.clear()
        with self._lock:
            self._retired += self._taps.values()
            self._taps = taps
            self._wanted, self._whole, self._paused, self._problems = names, whole, False, {}
            self._since = self._since or self._wall()
        self._run_reader()

    def stop(self) -> None:
        """Trace no more; what was kept stays."""
        with self._lock:
            self._wanted, self._problems = (), {}
            self._retired += self._taps.values()
            self._taps = {}
        reader, self._reader = self._reader, None
        if reader is not None:
            os.eventfd_write(self._wake, 1)
            reader.join(_STOP_TIME)
        self._paused = False

    def pause(self, *, paused: bool) -> None:
        """Only count what passes, or keep it again."""
        with self._lock:
            self._paused = paused and bool(self._wanted)

    def clear(self) -> None:
        """Begin anew, with nothing kept."""
        with self._lock:
            self.recording = Recording()
            self._since = self._wall() if self._wanted else None
            self._seen = self._passed_over = self._dropped = 0
            self._file = ""

    def open(self, path: Path) -> OpenedTrace:
        """See OpenTrace. Until the file is read, nothing changes."""
        recording, opened = load(path)
        self.stop()
        self.clear()
        with self._lock:
            self.recording, self._file, self._since = recording, str(path), self._wall()
        return opened

    def reconcile(self, links: Mapping[str, LinkFacts]) -> None:
        """Be true to the links of now: open anew what came back, and close what is gone."""
        with self._lock:
            missing = [name for name in self._wanted if name not in self._taps or self._gone(name, links)]
        for name in missing:
            tap, problem = None, f"{name} is gone: it is traced again once it is back"
            if name in links:
                try:
                    tap, problem = self._open_tap(name, self._whole), ""
                except EngineError as error:
                    problem = str(error)
            self._replace(name, tap, problem)

    def _gone(self, name: str, links: Mapping[str, LinkFacts]) -> bool:
        return name not in links or links[name].index != self._taps[name].index

    def _replace(self, name: str, tap: Tap | None, problem: str) -> None:
        with self._lock:
            old = self._taps.pop(name, None)
            if old is not None:
                self._retired.append(old)
            if tap is not None:
                self._taps[name] = tap
            self._problems.pop(name, None)
            if problem:
                self._problems[name] = problem
        if self._reader is not None:
            os.eventfd_write(self._wake, 1)

    # ---- looks

    def snapshot(self) -> TraceSnapshot | None:
        """The small facts; None if nothing was ever traced or opened."""
        with self._lock:
            if self._since is None:
                return None
            store = self.recording.store
            return TraceSnapshot(
                interfaces=self._wanted,
                paused=self._paused,
                whole=self._whole,
                file=self._file,
                since=self._since,
                seen=self._seen,
                kept=store.newest - store.oldest + 1,
                newest=store.newest,
                passed_over=self._passed_over,
                dropped=self._dropped,
                bytes=store.bytes,
                problems=tuple(self._problems[name] for name in sorted(self._problems)),
            )

    def page(self, text: str, first: int | None, count: int) -> TracePage:
        """See ReadTrace."""
        recording = self.recording
        if self._wanted and not self._paused:
            recording.analysis.until(time.time_ns() - _HELD_NS)
        return recording.page(text, first, count)

    def detail(self, number: int) -> FrameDetail:
        """See ShowFrame."""
        return self.recording.detail(number)

    def save(self, command: SaveTrace) -> SavedTrace:
        """See SaveTrace."""
        return save(self.recording, command)

    def wait(self, newest: int, timeout: float) -> None:
        """Return when there is a newer frame than this one, or after `timeout` seconds."""
        with self._came:
            self._came.wait_for(lambda: self.recording.store.newest > newest, timeout)

    # ---- the reader

    def _run_reader(self) -> None:
        if self._reader is None:
            self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._reader = threading.Thread(target=self._read, args=(self._wake,), name="trace", daemon=True)
            self._reader.start()
        else:
            os.eventfd_write(self._wake, 1)

    def _read(self, wake: int) -> None:
        going = True
        try:
            while going:
                with self._lock:
                    taps = list(self._taps.values())
                wait_for(taps, wake, _WAIT if len(taps) < 2 else BLOCK_MS / 1000)
                with suppress(BlockingIOError):
                    os.eventfd_read(wake)
                going = self._turn()
        except Exception:  # noqa: BLE001 - the thread's edge: whoever looks is told
            _log.exception("the trace ended")
            with self._lock:
                self._problems[""] = "The trace ended by an internal error: see the log file."
        finally:
            os.close(wake)

    def _turn(self) -> bool:
        """Take what is there, and close what is to be closed. False when nothing is traced any more."""
        with self._lock:
            retired, self._retired = self._retired, []
            taps, going, recording = [*retired, *self._taps.values()], bool(self._wanted), self.recording
        if retired:
            time.sleep(_LAST_BLOCK)
        taken = [(tap, block) for tap in taps for block in tap.take()]
        dropped = sum(tap.dropped() for tap in taps)
        for tap in taps:
            if why := tap.error():
                _log.info("the trace of %s: %s", tap.interface, why)
        for tap in retired:
            tap.close()
        until = None if len(taps) < 2 else time.time_ns() - (_HELD_NS if going else 0)
        self._keep(recording, taken, dropped, until)
        return going

    def _keep(self, recording: Recording, taken: Taken, dropped: int, until_ns: int | None) -> None:
        frames = sum(block.frames for _, block in taken)
        with self._lock:
            paused = self._paused
            if recording is self.recording:
                self._seen += frames
                self._dropped += dropped
                self._passed_over += frames if paused else 0
        if not paused:
            _add(recording, taken, until_ns)
            if taken or recording.held:
                with self._came:
                    self._came.notify_all()


def _add(recording: Recording, taken: Taken, until_ns: int | None) -> None:
    """Keep what was taken: blocks as they are, or, of several interfaces, frames up to this time in the order of their times."""
    store, held = recording.store, recording.held
    if until_ns is not None and sum(block.frames for _, block in taken) + len(held) <= _MERGED:
        held += (frame_at(block.data, at, tap.interface) for tap, block in taken for at in offsets_in(block.data, block.frames))
        held.sort(key=lambda each: each.time_ns)
        ready = bisect_right(held, until_ns, key=lambda each: each.time_ns)
        store.add_frames(held[:ready])
        del held[:ready]
        return
    store.add_frames(held)
    held.clear()
    for tap, block in sorted(taken, key=lambda each: each[1].time_ns):
        store.add_block(tap.interface, block.data, block.frames)
