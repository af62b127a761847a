"""A capture of real initiators' requests before the compiled lane and the reference path: both must answer it alike.

What the targets answered then is not looked at: their disks held something else.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from aoetui.engine.protocol.facts import AccessPolicy, TargetState
from aoetui.engine.protocol.header import MalformedFrame, unpack_header
from aoetui.engine.protocol.pcap import read_frames
from aoetui.engine.protocol.wire import BROADCAST_SHELF, MAC_LENGTH, longest_frame
from tests.fuzz.compiled import TARGET, Disk, Stage, Tally
from tests.fuzz.dice import Dice
from tests.fuzz.findings import Finding
from tests.fuzz.plain_traffic import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BATCH = 64
"""Frames that come before the reference path has its turn."""
_BROADCAST = b"\xff" * MAC_LENGTH


class CapturedStage(Stage):
    """The exports that a capture asks for, open to everybody."""

    def __init__(self, frames: Sequence[bytes], sectors: int, keep: ExitStack) -> None:
        headers = [unpack_header(frame) for frame in frames]
        self._addresses = sorted({(each.shelf, each.slot) for each in headers if each.shelf != BROADCAST_SHELF})
        self._mtu = 9000 if max(map(len, frames)) > longest_frame(1500) else 1500
        self._sectors = sectors
        super().__init__(Dice("captured"), keep)

    def link(self) -> tuple[int, int]:
        """See Stage."""
        return self._mtu, 0

    def addresses(self) -> Sequence[tuple[int, int]]:
        """See Stage."""
        return self._addresses

    def disk(self) -> Disk:
        """See Stage."""
        return Disk(sectors=self._sectors, offset=0, tail=0, read_only=False, buffer_count=64)

    def policy(self) -> AccessPolicy:
        """See Stage."""
        return AccessPolicy(frozenset(), None)

    def state(self) -> TargetState:
        """See Stage."""
        return TargetState(b"", (), ())


def requests_in(path: Path) -> Iterator[bytes]:
    """The requests of a capture, as they would come to our target. Raises CaptureError, OSError."""
    with path.open("rb") as file:
        for each in read_frames(file):
            try:
                header = unpack_header(each.frame)
            except MalformedFrame:
                continue
            if not (header.response or each.cut):
                head = _BROADCAST if each.frame[:MAC_LENGTH] == _BROADCAST else TARGET
                yield head + each.frame[MAC_LENGTH:]


def run(path: Path, sectors: int) -> Tally:
    """Have both answer the requests of a capture, whose disks had so many sectors. Raises Finding."""
    frames = list(requests_in(path))
    if not frames:
        raise Finding(f"{path} holds no request")
    tally = Tally(len(frames))
    with ExitStack() as keep:
        stage = CapturedStage(frames, sectors, keep)
        for at in range(0, len(frames), _BATCH):
            stage.put([(frame, PLAIN) for frame in frames[at : at + _BATCH]], tally)
            stage.settle()
        stage.judge_figures()
        tally.batches = stage.batches
    return tally
