"""Capture files of a trace: saved whole or not at all, opened as far as they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, UsageError
from aoetui.engine.atomic import replace_file
from aoetui.engine.commands.trace import OpenedTrace, SavedTrace
from aoetui.engine.protocol.captured import brief_of
from aoetui.engine.protocol.pcap import CaptureError, PcapngWriter, PcapWriter, file_bytes, read_frames
from aoetui.engine.tracing.looking import Recording, filter_of
from aoetui.engine.tracing.store import KEPT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from aoetui.engine.commands.trace import SaveTrace
    from aoetui.engine.protocol.captured import Captured

_BATCH = 1000


class _Counted:
    """Counts frames on their way."""

    def __init__(self, frames: Iterable[Captured]) -> None:
        self._frames = frames
        self.frames = self.cut = 0

    def __iter__(self) -> Iterator[Captured]:
        for each in self._frames:
            self.frames += 1
            self.cut += each.cut
            yield each


def writer_for(path: Path) -> PcapWriter | PcapngWriter:
    """Who makes the bytes of a file of this name: pcapng if it ends so, else pcap."""
    return PcapngWriter() if path.suffix == ".pcapng" else PcapWriter()


def save(recording: Recording, command: SaveTrace) -> SavedTrace:
    """Write the file. Raises EngineError; then there is none, or the one that was there before."""
    filter_of(command.filter)
    target = command.path.expanduser()
    try:
        target = target.resolve()
        if target.is_dir():
            raise EngineError(f"{target} is a folder: name a file", field="path")
        if target.exists() and not command.overwrite:
            raise EngineError(f"{target} exists: choose another name, or have it overwritten", field="path")
        counted = _Counted(recording.passing(command.filter))
        replace_file(target, file_bytes(counted, writer_for(target)))
    except (OSError, RuntimeError) as failed:
        why = failed.strerror if isinstance(failed, OSError) else str(failed)
        raise EngineError(f"{target} cannot be written: {why}", field="path") from failed
    return SavedTrace(target, counted.frames, counted.cut)


def frames_of(path: Path) -> Iterator[Captured]:
    """The Ethernet frames of a capture file. Raises EngineError; what was yielded before is good."""
    try:
        with path.expanduser().open("rb") as file:
            yield from read_frames(file)
    except CaptureError as wrong:
        raise UsageError(f"{path} {wrong}", field="path") from wrong
    except (OSError, RuntimeError) as failed:
        why = failed.strerror if isinstance(failed, OSError) else str(failed)
        raise EngineError(f"{path} cannot be read: {why}", field="path") from failed


def load(path: Path, limit: int = KEPT_BYTES) -> tuple[Recording, OpenedTrace]:
    """Read a file. What is wrong with its end is told; raises EngineError where nothing of it can be read."""
    recording, others, problem, complete = Recording(limit * 2), 0, "", True
    batch: list[Captured] = []
    store = recording.store
    try:
        for each in frames_of(path):
            if brief_of(each.frame) is None:
                others += 1
                continue
            batch.append(each)
            if len(batch) >= _BATCH:
                store.add_frames(batch)
                batch = []
                if store.bytes >= limit:
                    complete = False
                    break
    except EngineError as error:
        if not batch and not store.newest and not others:
            raise
        problem = str(error)
    store.add_frames(batch)
    return recording, OpenedTrace(path, store.newest, others, complete, problem)
