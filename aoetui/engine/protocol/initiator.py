"""The scanner: finds the devices of the SAN by broadcast, asks each path to identify itself, and notices what falls silent.

The caller hands in frames and times, sends what `outgoing` holds, and calls `handle_timer` when `timer` says so.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from aoetui.engine.protocol.ata import parse_identify
from aoetui.engine.protocol.devices import (
    Change,
    ConflictEnded,
    ConflictFound,
    Device,
    DeviceChanged,
    DeviceFound,
    DeviceState,
    DeviceStateChanged,
    Path,
    PathFound,
    PathStateChanged,
    Sameness,
)
from aoetui.engine.protocol.frames import AtaArgument, ConfigArgument, config_request, decode, identify_request
from aoetui.engine.protocol.questions import Questions
from aoetui.engine.protocol.san import San
from aoetui.engine.protocol.sightings import Advertised
from aoetui.engine.protocol.wire import (
    BROADCAST_SHELF,
    BROADCAST_SLOT,
    SCANNER_TAG_BIT,
    SCANNER_TAGS,
    SECTOR,
    VERSION,
    AtaStatus,
    Command,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.header import Header
    from aoetui.engine.protocol.sightings import PathRecord

__all__ = [
    "Change",
    "ConflictEnded",
    "ConflictFound",
    "Device",
    "DeviceChanged",
    "DeviceFound",
    "DeviceState",
    "DeviceStateChanged",
    "LocalLink",
    "Path",
    "PathFound",
    "PathStateChanged",
    "Sameness",
    "ScannerMachine",
]

DEFAULT_INTERVAL = 60.0
"""Seconds between two broadcasts, as Linux does (aoemain.c, discover_timer)."""
AGAIN = 1.5
"""Seconds between the two broadcasts of one who asks."""
ANSWERS_A_SECOND = 250
"""Paths that are asked to answer broadcasts in a second, taken over time: where there are more, broadcasts come less often."""
ANSWER_TIME = 2.0
"""Seconds within which a broadcast is answered, or missed."""
SWEEP_INTERVAL = 1.0
MAX_OUTGOING = 10_000

_FAILED = AtaStatus.BSY | AtaStatus.DF | AtaStatus.DRQ | AtaStatus.ERR
"""As Linux has it (aoecmd.c, ktiocomplete)."""


@dataclass(frozen=True, slots=True)
class LocalLink:
    """One of our interfaces that the scanner uses."""

    mac: Mac
    sector_count: int
    """Sectors of one frame, as our own MTU allows."""


@dataclass(frozen=True, slots=True)
class _Round:
    """A broadcast whose answers are awaited."""

    started: float
    deadline: float


class ScannerMachine:
    """What is known of the SAN. Not thread-safe. Every `now` is in seconds of one clock that never goes back."""

    def __init__(self, *, first_tag: int = 1) -> None:
        self._links: dict[str, LocalLink] = {}
        self._rounds: dict[str, _Round] = {}
        self._interval = DEFAULT_INTERVAL
        self._broadcast_at: float | None = None
        self._sweep_at: float | None = None
        self._tags = count(first_tag)
        self._questions = Questions(self._send_identify, self._next_tag)
        self._san = San(self._questions)
        self._outgoing: deque[tuple[str, bytes]] = deque(maxlen=MAX_OUTGOING)

    @property
    def ignored_paths(self) -> int:
        """Answers that would have made a path beyond the bounds on paths, since the start."""
        return self._san.ignored_paths

    def set_links(self, links: Mapping[str, LocalLink], now: float) -> None:
        """Scan on these interfaces from now on. A new one, or one with another MAC, gets its broadcast at once."""
        if links == self._links:  # as nearly each second: what is known of thousands of devices stays as it is told
            return
        changed = [name for name, link in links.items() if name not in self._links or self._links[name].mac != link.mac]
        removed = self._links.keys() - links.keys()
        self._links = dict(links)
        for path in self._san.paths():
            if path.interface in removed:
                self._san.fall_silent(path, now, "is not asked any more: its interface is not scanned")
            elif path.interface in links:
                path.link_sector_count = links[path.interface].sector_count
        for name in removed:
            self._rounds.pop(name, None)
        for name in changed:
            self._broadcast(name, now)
        if not links:
            self._broadcast_at = None
        elif self._broadcast_at is None:
            self._broadcast_at = now + self._interval

    def set_interval(self, seconds: float, now: float) -> None:
        """Broadcast every `seconds` from now on, or less often: see ANSWERS_A_SECOND. Raises ValueError if not above 0.

        The next broadcast comes no later than it would if the last were sent now.
        """
        if not seconds > 0:
            raise ValueError(f"an interval of {seconds} seconds is out of range: it must be above 0")
        self._interval = seconds
        if self._broadcast_at is not None:
            self._broadcast_at = min(self._broadcast_at, now + self._pause)

    def discover(self, now: float) -> None:
        """Broadcast on every link now, and once more soon: whose answer was lost among thousands is heard then."""
        self._ask_all(now)
        if self._links:
            self._broadcast_at = now + min(AGAIN, self._interval)

    def receive(self, interface: str, frame: bytes, now: float) -> None:
        """Take a frame that `interface` received; whatever is no answer of a target is ignored. Raises MalformedFrame only."""
        decoded = decode(frame)
        header = decoded.header
        if interface not in self._links or not _comes_from_a_target(header):
            return
        match decoded.argument:
            case ConfigArgument(buffers, firmware, sectors, _, _, string) if header.error is None:
                self._take_config(header, interface, Advertised(string, buffers, firmware, sectors), now)
            case argument if header.command == Command.ATA:
                ata = argument if isinstance(argument, AtaArgument) and header.error is None else None
                self._take_identify(header, interface, ata, now)

    def timer(self) -> float | None:
        """When `handle_timer` is due; None if nothing is awaited."""
        times = [self._broadcast_at, self._sweep_at, self._questions.timer(), *(each.deadline for each in self._rounds.values())]
        return min((time for time in times if time is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Do what is due; harmless when nothing is."""
        self._judge_rounds(now)
        if self._broadcast_at is not None and self._broadcast_at <= now:
            self._ask_all(now)
            self._broadcast_at = now + self._pause
        self._questions.handle_timer(now)
        if self._sweep_at is not None and self._sweep_at <= now:
            self._san.sweep(now)
            self._sweep_at = now + SWEEP_INTERVAL if self._san else None

    def outgoing(self) -> list[tuple[str, bytes]]:
        """Take the frames to send, each with its interface, oldest first."""
        frames = list(self._outgoing)
        self._outgoing.clear()
        return frames

    def changes(self) -> list[Change]:
        """Take what changed since the last call, oldest first; the newest 10,000 of them are kept."""
        changes = list(self._san.changes)
        self._san.changes.clear()
        return changes

    def devices(self) -> tuple[Device, ...]:
        """Every device that is not forgotten, sorted by address."""
        return self._san.values()

    @property
    def _pause(self) -> float:
        """Seconds between two broadcasts, as many as there are to answer."""
        return max(self._interval, min(self._san.answering / ANSWERS_A_SECOND, DEFAULT_INTERVAL))

    def _next_tag(self) -> int:
        return SCANNER_TAG_BIT | next(self._tags) % SCANNER_TAGS

    def _ask_all(self, now: float) -> None:
        for name in self._links:
            self._broadcast(name, now)

    def _broadcast(self, name: str, now: float) -> None:
        request = config_request(source=self._links[name].mac, address=None, tag=self._next_tag())
        self._outgoing.append((name, request))
        # A broadcast soon after another belongs to its round: pressing "discover" often makes nobody silent sooner, or later.
        self._rounds.setdefault(name, _Round(now, now + min(ANSWER_TIME, self._interval)))

    def _send_identify(self, path: PathRecord, tag: int) -> None:
        source = self._links[path.interface].mac
        request = identify_request(source=source, destination=path.mac, address=path.device.address, tag=tag)
        self._outgoing.append((path.interface, request))

    def _take_config(self, header: Header, interface: str, advertised: Advertised, now: float) -> None:
        path = self._san.find(header.shelf, header.slot, header.source, interface)
        if path is not None:
            self._san.hear(path, now)
            self._san.learn_config(path, advertised, now)
            return
        sectors = self._links[interface].sector_count
        self._san.add(header.shelf, header.slot, header.source, interface, advertised, link_sector_count=sectors, now=now)
        if self._sweep_at is None:
            self._sweep_at = now + SWEEP_INTERVAL

    def _take_identify(self, header: Header, interface: str, answer: AtaArgument | None, now: float) -> None:
        """Match an answer with our question; `answer` is None when the target refused with an AoE error."""
        path = self._san.find(header.shelf, header.slot, header.source, interface)
        page = answer.data if answer is not None and not answer.op_or_status & _FAILED else None
        if path is None or (page is not None and len(page) < SECTOR):
            return
        if not self._questions.answered(header.tag, path, now):
            return
        self._san.hear(path, now)
        if page is not None:
            self._san.learn_identity(path, parse_identify(page), now)

    def _judge_rounds(self, now: float) -> None:
        over = {name: each.started for name, each in self._rounds.items() if each.deadline <= now}
        for name in over:
            del self._rounds[name]
        if over:
            self._san.miss(over, now)


def _comes_from_a_target(header: Header) -> bool:
    if not header.response or header.source.is_multicast:
        return False
    # vblade 25 advertises itself with version 0 and tag 0. Linux takes that: it looks at no answer's version (aoenet_rcv).
    if header.version != VERSION and (header.version, header.tag, header.command) != (0, 0, Command.QUERY_CONFIG):
        return False
    return header.shelf != BROADCAST_SHELF and header.slot != BROADCAST_SLOT
