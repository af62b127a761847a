"""Who asked an export and was not answered: counted by MAC, so that a forgotten mask list or an intruder is seen."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aoetui.engine.clock import Clock
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.silence import Silence

MAX_REFUSED = 256
"""MACs and interfaces that are listed; MACs can be made up without end."""


@dataclass(slots=True)
class Refusal:
    """One MAC on one interface. Times in seconds of the engine's clock."""

    mac: Mac
    interface: str
    why: Silence
    """Of the last refused frame."""
    count: int
    first: float
    last: float


class Refusals:
    """The refused of one export. When the table is full, the one that has been quiet longest makes room."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_mac: dict[tuple[Mac, str], Refusal] = {}
        self.total = 0
        """Frames, of all MACs that ever were refused."""

    def values(self) -> list[Refusal]:
        """Those that are listed, the latest first; any thread."""
        with self._lock:
            return sorted(self._by_mac.values(), key=lambda each: -each.last)

    def note(self, mac: Mac, interface: str, why: Silence) -> None:
        """Count a frame that was met with silence; any thread."""
        with self._lock:
            now, key = self._clock.monotonic(), (mac, interface)
            self.total += 1
            found = self._by_mac.pop(key, None) or Refusal(mac, interface, why, 0, now, now)
            found.count, found.last, found.why = found.count + 1, now, why
            self._by_mac[key] = found  # at the end: the first is the one that was quiet longest
            if len(self._by_mac) > MAX_REFUSED:
                del self._by_mac[next(iter(self._by_mac))]
