"""One path of a transfer: its window, its round-trip time, what is outstanding on it, and whether it answers at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.protocol.header import FLAG_RESPONSE
from aoetui.engine.protocol.wire import ETHERTYPE_AOE, VERSION, Command

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address, Mac

FIRST_WINDOW = 8
"""Requests under way at first; doubled with each round trip until something is lost."""
FIRST_TIMEOUT = 0.25
"""Seconds to wait for an answer before a round trip was measured (aoe.h, RTTAVG_INIT)."""
LEAST_TIMEOUT = 0.05
MOST_TIMEOUT = 2.0
LEAST_GAP = 0.002
"""Seconds that a request may be overtaken by later ones before it is taken for lost."""
MOST_TOLERANCE = 16.0
SHRINK = 0.7
"""What a loss leaves of the window: a switch that is full is relieved, and a wire that merely loses frames stays in use."""
DEAF_AFTER = 2.0
"""Seconds without any answer after which a path is set aside."""
DEAD_REVIVALS = 3
"""A path that answers probes but no request so often is tried with the smallest frames."""
SMALL = 2
"""Sectors that every Ethernet carries (1024 bytes, as Linux falls back to)."""
SMALL_FOR = 60.0
"""Seconds after which full frames are tried again."""


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What a transfer is told of a path."""

    port: str
    """The name of the port, as in port_names."""
    source: Mac
    """Ours."""
    target: Mac
    sector_count: int
    """The most sectors of a frame, 1 to 255."""
    window: int
    """The most requests that may be under way, at least 1: no more than the target's buffer count."""


class Request:
    """A READ or WRITE until it is answered, however often it is sent. Times in seconds of the caller's clock."""

    __slots__ = ("begun", "count", "done", "lba", "length", "low", "older", "path", "sent", "tag")

    def __init__(self, lba: int, count: int, length: int, now: float) -> None:
        self.lba = lba
        self.count = count
        self.low = lba & 0xFFFF_FFFF
        self.length = length
        """Bytes that a sound answer has at least."""
        self.begun = now
        self.sent = now
        """The last time."""
        self.path: TransferPath
        self.tag = b""
        self.older: dict[bytes, TransferPath] | None = None
        """Earlier tags, and where each was sent: an answer to any of them counts."""
        self.done = False


class TransferPath:
    """See the module. `outstanding` is in order of sending."""

    def __init__(self, facts: PathFacts, address: Address, now: float) -> None:
        self.facts = facts
        self.port = facts.port
        self.address = address
        self.window = float(min(FIRST_WINDOW, facts.window))
        self.threshold = float(facts.window)
        self.outstanding: dict[bytes, Request] = {}
        self.heard = now
        """When it last answered anything, or was taken into use."""
        self.waiting_since = now
        """When it was last sent something while nothing was under way."""
        self.most_sectors = facts.sector_count
        """Of a frame, as target and link allow now."""
        self.reduced = now
        self.round_trip: float | None = None
        """Smoothed, in seconds; None before the first answer."""
        self.deviation = 0.0
        self.backoff = 0
        self.tolerance = 1.0
        """How much longer than expected a request may be overtaken: grows when one taken for lost was answered after all."""
        self.newest = now
        """When the newest request that was answered had been sent."""
        self.aside = False
        self.foreign = False
        """Another disk answers there: it is not used."""
        self.probe: bytes | None = None
        self.probe_at = now
        """When one that is set aside is asked next whether it is back."""
        self.probe_due = False
        """Whether one in use is to be asked who it is,"""
        self.probe_until: float | None = None
        """and how long that question takes the place of a request: the target counts both."""
        self.unsure = False
        """Whether it has not yet said, since that was last asked for, that it leads to the right disk."""
        self.revivals = 0
        """Times that a probe was answered since the last request was."""
        self.small_until: float | None = None
        self.requests = self.answers = self.lost = self.sectors = 0
        self.readdress(facts.source)

    def link_is(self, source: Mac, sector_count: int) -> None:
        """Our link's MAC, and the sectors that its frames carry, as they are now."""
        self.most_sectors = min(self.most_sectors, max(1, sector_count))
        if source != self.source:
            self.readdress(source)

    def readdress(self, source: Mac) -> None:
        """Send from this MAC from now on."""
        target, wanted = self.facts.target.raw, self.address
        where = bytes((wanted.shelf >> 8, wanted.shelf & 0xFF, wanted.slot, Command.ATA))
        ethertype = ETHERTYPE_AOE.to_bytes(2)
        self.source = source
        self.head = target + source.raw + ethertype + bytes((VERSION << 4, 0)) + where
        """The first 20 bytes of a request,"""
        self.sound = target + ethertype + bytes((VERSION << 4 | FLAG_RESPONSE, 0)) + where
        """and bytes 6 to 19 of an answer without an error."""

    @property
    def sector_count(self) -> int:
        """Sectors of one frame, as they are tried now."""
        return self.most_sectors if self.small_until is None else min(SMALL, self.most_sectors)

    @property
    def silent_since(self) -> float:
        """Since when nothing was heard although something was asked."""
        return max(self.heard, self.waiting_since)

    @property
    def room(self) -> int:
        """How many more requests may be sent."""
        return 0 if self.aside else int(self.window) - len(self.outstanding) - (self.probe_until is not None)

    @property
    def expected(self) -> float:
        """Seconds within which an answer comes, as measured."""
        return FIRST_TIMEOUT if self.round_trip is None else self.round_trip + 4 * self.deviation

    @property
    def timeout(self) -> float:
        """Seconds after which a request is sent again."""
        return min(max(self.expected, LEAST_TIMEOUT) * (1 << min(self.backoff, 6)), MOST_TIMEOUT)

    def measure(self, seconds: float) -> None:
        """Take a round trip (RFC 6298, section 2)."""
        if self.round_trip is None:
            self.round_trip, self.deviation = seconds, seconds / 2
        else:
            self.deviation += (abs(self.round_trip - seconds) - self.deviation) / 4
            self.round_trip += (seconds - self.round_trip) / 8

    def answered(self, count: int, now: float) -> None:
        """So many requests were answered: it may take more."""
        self.heard = now
        self.backoff = self.revivals = 0
        self.answers += count
        most = float(self.facts.window)
        self.window = min(most, self.window + (count if self.window < self.threshold else count / self.window))

    def lose(self, request: Request, now: float) -> None:
        """A request was not answered in time: send less, once for all that were under way together."""
        self.outstanding.pop(request.tag, None)
        self.lost += 1
        if request.sent >= self.reduced:
            self.threshold = max(2.0, self.window * SHRINK)
            self.window = max(1.0, self.window * SHRINK)
            self.reduced = now

    def overdue(self, now: float) -> list[Request]:
        """Those whose time is over: nothing that was sent after them tells that the path works."""
        timeout = self.timeout
        found: list[Request] = []
        for request in self.outstanding.values():
            if request.sent + timeout > now:
                break
            found.append(request)
        if found:
            self.backoff += 1
        return found

    def overtaken(self, now: float) -> list[Request]:
        """Those that were sent well before what has been answered since."""
        limit = min(self.newest, now - max(self.expected, LEAST_GAP) * self.tolerance)
        found: list[Request] = []
        for request in self.outstanding.values():
            if request.sent >= limit:
                break
            found.append(request)
        return found

    def tolerate(self) -> None:
        """What was taken for lost was only late."""
        self.tolerance = min(self.tolerance * 2, MOST_TOLERANCE)

    def set_aside(self, now: float) -> list[Request]:
        """Send nothing but probes from now on. Returns what was under way: it goes elsewhere."""
        self.aside = True
        self.probe_at = now
        self.probe_due, self.probe_until = False, None
        if self.small_until is None and self.revivals >= DEAD_REVIVALS:
            self.small_until = now + SMALL_FOR
        orphans = list(self.outstanding.values())
        self.outstanding.clear()
        self.lost += len(orphans)
        return orphans

    def revive(self, now: float) -> None:
        """It answered a probe: begin anew, with few requests."""
        self.aside = False
        self.probe = None
        self.heard = self.reduced = now
        self.revivals += 1
        self.backoff = 0
        self.window = min(2.0, float(self.facts.window))
        self.threshold = float(self.facts.window)

    def try_full_frames(self, now: float) -> None:
        """After a time with small frames; if the full ones are not answered still, one silence is enough to know."""
        if self.small_until is not None and now >= self.small_until:
            self.small_until = None
            self.revivals = DEAD_REVIVALS - 1
