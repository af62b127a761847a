"""What a run comes to: its figures, and the first frame that broke the contract."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ALLOWED_GROWTH = 4 << 20
"""Bytes that resident memory may grow by after the first quarter: a byte lost for each of ten million frames is more."""
JUDGED = 100_000
"""Runs of so many frames are judged by their memory as well; on the wire, what the target remembers is filled up before."""


class Finding(AssertionError):  # noqa: N818  # it is no error of this program
    """A frame that broke the contract: where to find it again, and what was wrong."""

    def __init__(self, what: str, frame: bytes = b"", *, place: str = "") -> None:
        self.what, self.frame, self.place = what, frame, place
        super().__init__("\n".join(filter(None, (place, what, f"frame {frame.hex()}" if frame else ""))))


def resident(pid: int | None = None) -> int:
    """Bytes of a process's resident memory; of this one if no other is named."""
    pages = Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def kind_of(reply: bytes) -> str:
    """What sort of reply it is, as the report counts them."""
    if reply[14] & 4:
        return f"AoE error {reply[15]}"
    if reply[19]:
        return {1: "config string", 2: "mask list", 3: "reservation"}[reply[19]]
    if reply[27] & 1:
        return f"ATA error {reply[25]:02x}h"
    return "ATA with data" if len(reply) > 60 else "ATA"


@dataclass(slots=True)
class Figures:
    """Of one run."""

    total: int
    """Frames that are to be."""
    frames: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    silences: int = 0
    """Frames that no export answered."""
    memory: list[tuple[int, int]] = field(default_factory=list)
    """Frames so far, and bytes of resident memory then."""
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def restart(self) -> None:
        """Count from here on: what came before was no part of the run."""
        self.frames = self.silences = 0
        self.answers.clear()
        self.memory.clear()
        self.started = time.monotonic()

    def count(self, replies: list[bytes]) -> None:
        """One more frame."""
        self.frames += 1
        self.silences += not replies
        for reply in replies:
            self.answers[kind_of(reply)] += 1

    def sample(self, memory: int) -> None:
        """Note the resident memory of now."""
        self.memory.append((self.frames, memory))
        self.seconds = time.monotonic() - self.started

    def at_quarters(self) -> list[tuple[int, int]]:
        """The samples at the start, at each quarter, and at the end."""
        wanted = [self.memory[0][0] + (self.frames - self.memory[0][0]) * quarter // 4 for quarter in range(5)]
        return [min(self.memory, key=lambda sample: abs(sample[0] - frames)) for frames in wanted]

    def judge_memory(self) -> None:
        """Raises Finding if memory grew after the first quarter."""
        samples = self.at_quarters()
        growth = samples[-1][1] - samples[1][1]
        if growth > ALLOWED_GROWTH:
            raise Finding(f"resident memory grew by {growth} bytes between frame {samples[1][0]} and frame {samples[-1][0]}")

    def report(self) -> str:
        """Lines for a person."""
        rate = self.frames / self.seconds if self.seconds else 0.0
        memory = ", ".join(f"{size / (1 << 20):.1f} MiB at {frames:,}" for frames, size in self.at_quarters())
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.answers.items()))
        return (
            f"{self.frames:,} frames in {self.seconds:.0f} s ({rate:,.0f}/s), {self.silences:,} met with silence\n"
            f"answers: {kinds}\nresident memory: {memory}"
        )
