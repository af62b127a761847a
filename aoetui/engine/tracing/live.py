"""A trace from frame to frame, for whoever prints or writes each of them: of interfaces while they are traced, or of a file."""

from __future__ import annotations

import os
import threading
import time
from typing import IO, TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.commands.trace import TraceBatch
from aoetui.engine.protocol.captured import brief_of
from aoetui.engine.tracing.files import frames_of, writer_for
from aoetui.engine.tracing.looking import Recording, filter_of
from aoetui.engine.tracing.store import KEPT_BYTES
from aoetui.engine.tracing.tracer import Tracer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from aoetui.engine.commands.trace import TraceLine, TraceRequest
    from aoetui.engine.links import LinkFacts

_AT_ONCE = 500
_WAIT = 0.2
_LINKS_EVERY = 1.0
_FILE_BATCH = 1000


class LiveTrace:
    """One trace. `batches` once, in one thread; `stop` from any."""

    def __init__(
        self,
        request: TraceRequest,
        wall: Callable[[], datetime],
        links: Callable[[], dict[str, LinkFacts]],
    ) -> None:
        """Begin. Raises EngineError: a bad filter, an interface that cannot be traced, a file that cannot be made."""
        filter_of(request.filter)
        self._request = request
        self._links = links
        self._tracer = Tracer(wall)
        self._recording = Recording(KEPT_BYTES)
        self._ended = threading.Event()
        self._file: _CaptureFile | None = None
        if request.read is None:
            self._tracer.start(request.interfaces, whole=request.whole)
            self._recording = self._tracer.recording
        try:
            if request.write is not None:
                self._file = _CaptureFile(request.write, overwrite=request.overwrite)
        except EngineError:
            self._tracer.stop()
            raise
        self._rank, self._lines, self._missed = 1, 0, 0
        self._problem = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self._tracer.stop()
        if self._file is not None:
            self._file.close()

    def stop(self) -> None:
        """Come to an end with what has passed."""
        self._ended.set()

    @property
    def written(self) -> int:
        """Frames in the file."""
        return 0 if self._file is None else self._file.frames

    def batches(self) -> Iterator[TraceBatch]:
        """What comes, until the end. Raises EngineError where the file cannot be read or written any more."""
        if self._request.read is None:
            yield from self._live()
        else:
            yield from self._of_file(self._request.read)

    def _live(self) -> Iterator[TraceBatch]:
        end = None if self._request.seconds is None else time.monotonic() + self._request.seconds
        look = time.monotonic() + _LINKS_EVERY
        while not self._ended.is_set() and (end is None or time.monotonic() < end):
            yield from self._new()
            if self._full():
                return
            now = time.monotonic()
            if now >= look:
                self._tracer.reconcile(self._links())
                look = now + _LINKS_EVERY
            left = _WAIT if end is None else max(0.0, min(_WAIT, end - now))
            self._tracer.wait(self._recording.store.newest, left)
        self._tracer.stop()
        yield from self._new()

    def _of_file(self, path: Path) -> Iterator[TraceBatch]:
        frames, others = [], 0
        store = self._recording.store
        try:
            for each in frames_of(path):
                if brief_of(each.frame) is None:
                    others += 1
                    continue
                frames.append(each)
                if len(frames) == _FILE_BATCH:
                    store.add_frames(frames)
                    frames = []
                    if store.bytes > KEPT_BYTES // 2 and self._rank < store.newest:
                        yield from self._new()
                if self._ended.is_set() or self._full():
                    return
        except EngineError as error:
            if not frames and not store.newest and not others:
                raise
            self._problem = str(error)
        store.add_frames(frames)
        yield from self._new()

    def _full(self) -> bool:
        return self._request.count is not None and self._lines >= self._request.count

    def _new(self) -> Iterator[TraceBatch]:
        """What is there and was not told yet; something in any case, for the counters go on."""
        while True:
            left = _AT_ONCE if self._request.count is None else min(_AT_ONCE, self._request.count - self._lines)
            page = (self._tracer.page if self._request.read is None else self._recording.page)(
                self._request.filter, self._rank, left
            )
            lines = page.lines
            if lines:
                self._missed += lines[0].rank - self._rank
                self._rank = lines[-1].rank + 1
                self._lines += len(lines)
                if self._file is not None:
                    self._file.add(self._recording, lines)
            yield self._batch(lines, page.missed)
            if self._full() or self._ended.is_set() or not (page.searching or len(lines) == left):
                return

    def _batch(self, lines: tuple[TraceLine, ...], missed: int) -> TraceBatch:
        details = tuple(self._recording.detail(line.number) for line in lines) if self._request.detail else ()
        facts = self._tracer.snapshot()
        return TraceBatch(
            lines=lines,
            details=details,
            missed=self._missed + missed,
            dropped=0 if facts is None else facts.dropped,
            problems=(self._problem,) if self._problem else () if facts is None else facts.problems,
        )


class _CaptureFile:
    """A file that grows frame by frame, good at any moment. Only its owner may read it: it holds what disks hold."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.frames = 0
        self._path = path
        self._writer = writer_for(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if overwrite else os.O_EXCL)
        try:
            self._file: IO[bytes] = os.fdopen(os.open(path, flags, 0o600), "wb")
        except FileExistsError as there:
            raise EngineError(f"{path} exists: choose another name, or give --overwrite", field="path") from there
        except OSError as failed:
            raise EngineError(f"{path} cannot be written: {failed.strerror}", field="path") from failed
        self._put(self._writer.head())

    def add(self, recording: Recording, lines: tuple[TraceLine, ...]) -> None:
        """Write the frames of these lines."""
        frames = [frame for line in lines if (frame := recording.store.frame(line.number)) is not None]
        self._put(b"".join(map(self._writer.record, frames)))
        self.frames += len(frames)

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as failed:
            text = f"{self._path} cannot be written any more: {failed.strerror}; {self.frames} frames are in it"
            raise EngineError(text, field="path") from failed

    def close(self) -> None:
        """No more."""
        try:
            self._file.close()
        except OSError as failed:
            raise EngineError(f"{self._path} cannot be written any more: {failed.strerror}", field="path") from failed
