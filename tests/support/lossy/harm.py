"""What a bad network does to the frames of one direction. Pure: the clock is the caller's, and a seed decides every fate."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum, auto

LATE_SECONDS = 0.3
"""How long a late frame is held back: Linux has asked again by then, and may have gone on to write something newer."""
MOST_PASSING = 8
"""Frames that overtake one held back for a moment, at most."""
MOMENT_SECONDS = 0.02
"""When fewer come after it than should have overtaken it, it goes on after this."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What befalls which share of the frames, each from 0 to 1."""

    drop: float = 0.02
    repeat: float = 0.01
    reorder: float = 0.02
    late: float = 0.5
    """Of those repeated or reordered: LATE_SECONDS late, rather than behind the next few frames."""
    longest: int | None = None
    """Bytes: longer frames are dropped, as by a switch port of a smaller MTU."""


@dataclass(slots=True)
class Counts:
    """Frames of one direction."""

    seen: int = 0
    dropped: int = 0
    repeated: int = 0
    reordered: int = 0
    late: int = 0
    """Among those repeated or reordered."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A frame on its way. The copy of a repeated frame is the same parcel."""

    number: int
    """1 for the first of its direction."""
    arrived: float
    """Seconds of the caller's clock."""
    frame: bytes


class _Fate(Enum):
    PASS = auto()
    DROP = auto()
    REPEAT = auto()
    REORDER = auto()


@dataclass(frozen=True, slots=True)
class _Held:
    parcel: Parcel
    behind: float
    """It goes on behind the frame of this number (infinite: only by the clock)"""
    until: float
    """or at this time, whichever is first."""


class Harm:
    """Takes frames in, and says which go on when. The same seed, frames and times have the same outcome."""

    def __init__(self, rates: Rates, seed: int) -> None:
        self._rates = rates
        self._random = random.Random(seed)  # noqa: S311  # fates, not secrets
        self._held: list[_Held] = []
        self.counts = Counts()

    def offer(self, parcel: Parcel) -> list[Parcel]:
        """The next frame comes in: what goes on now, in order."""
        self.counts.seen = parcel.number
        match self._fate_of(parcel):
            case _Fate.PASS:
                gone = [parcel]
            case _Fate.DROP:
                self.counts.dropped += 1
                gone = []
            case _Fate.REPEAT:
                self.counts.repeated += 1
                self._hold(parcel, least=0)
                gone = [parcel]
            case _Fate.REORDER:
                self.counts.reordered += 1
                self._hold(parcel, least=1)
                gone = []
        return gone + self.due(parcel.arrived) if self._held else gone

    def due(self, now: float) -> list[Parcel]:
        """What has been held back long enough."""
        ready = [held for held in self._held if held.behind <= self.counts.seen or held.until <= now]
        self._held = [held for held in self._held if held not in ready]
        return [held.parcel for held in ready]

    def next_due(self) -> float:
        """When `due` has something without a further frame; infinite if nothing is held back."""
        return min((held.until for held in self._held), default=float("inf"))

    def _fate_of(self, parcel: Parcel) -> _Fate:
        if self._rates.longest is not None and len(parcel.frame) > self._rates.longest:
            return _Fate.DROP
        return self._fate()

    def _fate(self) -> _Fate:
        drawn = self._random.random()
        for share, fate in (
            (self._rates.drop, _Fate.DROP),
            (self._rates.repeat, _Fate.REPEAT),
            (self._rates.reorder, _Fate.REORDER),
        ):
            if drawn < share:
                return fate
            drawn -= share
        return _Fate.PASS

    def _hold(self, parcel: Parcel, least: int) -> None:
        if self._random.random() < self._rates.late:
            self.counts.late += 1
            self._held.append(_Held(parcel, float("inf"), parcel.arrived + LATE_SECONDS))
            return
        passing = self._random.randint(least, MOST_PASSING)
        self._held.append(_Held(parcel, parcel.number + passing, parcel.arrived + MOMENT_SECONDS))
