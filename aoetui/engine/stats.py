"""Counters into rates: sampled once a second, kept for two minutes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from aoetui.engine.snapshot import LinkRates, Rates

if TYPE_CHECKING:
    from aoetui.engine.links import LinkCounters
    from aoetui.engine.snapshot import Counters

HISTORY = 120
"""Samples kept for each export, one a second."""


def add_rates(rates: list[Rates]) -> Rates:
    """Add rates up, field by field."""
    return Rates(
        read_bytes=sum(each.read_bytes for each in rates),
        write_bytes=sum(each.write_bytes for each in rates),
        reads=sum(each.reads for each in rates),
        writes=sum(each.writes for each in rates),
    )


class RateMeter:
    """Turns one export's running counters into rates and their history."""

    def __init__(self) -> None:
        self._before: tuple[float, Counters] | None = None
        self.rates = Rates()
        self.history: deque[Rates] = deque(maxlen=HISTORY)

    def sample(self, counters: Counters, now: float) -> bool:
        """Take the counters of `now` (monotonic seconds), and say if they moved. The first sample only sets the base."""
        before, self._before = self._before, (now, counters)
        if before is None or now <= before[0]:
            return True
        seconds, then = now - before[0], before[1]
        self.rates = Rates(
            read_bytes=(counters.read_bytes - then.read_bytes) / seconds,
            write_bytes=(counters.write_bytes - then.write_bytes) / seconds,
            reads=(counters.reads - then.reads) / seconds,
            writes=(counters.writes - then.writes) / seconds,
        )
        self.history.append(self.rates)
        return counters != then


class LinkMeter:
    """Turns one link's counters, as the kernel keeps them, into rates."""

    def __init__(self) -> None:
        self._before: tuple[float, LinkCounters] | None = None
        self.rates = LinkRates()

    def sample(self, counters: LinkCounters, now: float) -> None:
        """Take the counters of `now`. Counters that fell (a link made again) start anew."""
        before, self._before = self._before, (now, counters)
        if before is None or now <= before[0] or counters.rx_bytes < before[1].rx_bytes or counters.tx_bytes < before[1].tx_bytes:
            self.rates = LinkRates()
            return
        seconds, then = now - before[0], before[1]
        self.rates = LinkRates(
            rx_bytes=(counters.rx_bytes - then.rx_bytes) / seconds,
            tx_bytes=(counters.tx_bytes - then.tx_bytes) / seconds,
            rx_packets=(counters.rx_packets - then.rx_packets) / seconds,
            tx_packets=(counters.tx_packets - then.tx_packets) / seconds,
        )
