"""Asks whoever is there, on several ports at once, and keeps count of every answer: a scanner of its own beside the engine's.

Queries only: config, IDENTIFY, mask list and reservation, each to be read.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import cycle, islice
from statistics import median
from typing import TYPE_CHECKING

from aoetui.engine.doctor.facts import AskedFacts, PathFacts
from aoetui.engine.doctor.hearing import DOCTOR_TAG, TAG_MASK
from aoetui.engine.packet_ring import MAX_BATCH
from aoetui.engine.protocol.address import BROADCAST_MAC, Address, Mac
from aoetui.engine.protocol.frames import (
    AtaArgument,
    ConfigArgument,
    Frame,
    MalformedFrame,
    MaskArgument,
    ReserveArgument,
    config_request,
    decode,
    encode,
)
from aoetui.engine.protocol.header import Header, unpack_header
from aoetui.engine.protocol.initiator import LocalLink, ScannerMachine
from aoetui.engine.protocol.wire import HEADER, SCANNER_TAG_BIT, VERSION, Command, MaskOp, ReserveOp, sectors_per_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aoetui.engine.packet import Wire
    from aoetui.engine.protocol.devices import Device
    from aoetui.engine.protocol.frames import Argument

MAX_PATHS = 64
"""That are asked one by one; a broadcast asks all."""
QUESTIONS_OF_A_PATH = 50
QUESTIONS = 400
"""Asked one by one, at most, on all ports together."""
GAP = 0.004
"""Seconds between two of them: nobody's buffers shall overflow."""
MAX_KNOWN = 20_000
"""Paths, as the scanner."""
_FIRST_QUESTION = 1 << 24
"""The scanner machine's tags are below it, those of questions asked one by one above."""


@dataclass(slots=True)
class _Path:
    """One MAC that answers for an address on a port, as it is learnt."""

    address: Address
    mac: Mac
    port: str
    config: ConfigArgument
    answers: dict[int, bytes] = field(default_factory=dict)
    """By tag, of queries for the config: what followed the header."""
    identities: dict[int, bytes] = field(default_factory=dict)
    identify_frames: int = 0
    """Sent to it."""
    asked: dict[int, float] = field(default_factory=dict)
    round_trips: list[float] = field(default_factory=list)
    doubled: int = 0
    torn: str = ""
    mask: tuple[Mac, ...] | None = None
    reservation: tuple[Mac, ...] | None = None


@dataclass(slots=True)
class _Port:
    wire: Wire
    broadcasts: set[int] = field(default_factory=set)
    frames: int = 0
    not_sent: int = 0
    doubted: set[tuple[Address, Mac]] = field(default_factory=set)
    inbox: deque[bytes] = field(default_factory=deque)
    problem: str = ""


class Asker:
    """For one thread. Times in seconds of the caller's clock."""

    def __init__(self) -> None:
        self._machine = ScannerMachine(first_tag=DOCTOR_TAG & ~SCANNER_TAG_BIT)
        self._ports: dict[str, _Port] = {}
        self._paths: dict[tuple[str, Mac, Address], _Path] = {}
        self._tag = DOCTOR_TAG | _FIRST_QUESTION
        self._plan: deque[tuple[float, _Path, Command]] = deque()

    def add(self, port: str, wire: Wire, now: float) -> None:
        """Ask on this port too, by a broadcast at once."""
        self._ports[port] = _Port(wire)
        links = {name: LocalLink(each.wire.mac, sectors_per_frame(each.wire.mtu)) for name, each in self._ports.items()}
        self._machine.set_links(links, now)
        self._send_out()

    def broadcast(self, now: float) -> None:
        """Ask everybody, on every port."""
        self._machine.discover(now)
        self._send_out()

    def plan(self, start: float, end: float, wanted: Address | None) -> None:
        """Ask those that have answered one by one in this time, the device that is looked for first: whether each answer comes
        back, and whom they let in."""
        paths = sorted(self._paths.values(), key=lambda path: (path.address != wanted, path.address, path.mac))[:MAX_PATHS]
        if not paths or end <= start:
            return
        count = min(QUESTIONS, QUESTIONS_OF_A_PATH * len(paths), int((end - start) / GAP))
        questions = [(path, Command.QUERY_CONFIG) for path in islice(cycle(paths), count)]
        lists = [(path, command) for command in (Command.MAC_MASK, Command.RESERVE) for path in paths]
        gap = (end - start) / (len(questions) + len(lists))
        self._plan = deque((start + place * gap, *each) for place, each in enumerate((*lists, *questions)))

    def doubt(self, port: str, served: Iterable[tuple[Address, Mac]]) -> None:
        """Ask those by their own MAC that were heard to serve an address, and have not answered for it."""
        asked = self._ports[port]
        for address, mac in served:
            if (port, mac, address) not in self._paths and len(asked.doubted) < MAX_PATHS:
                asked.doubted.add((address, mac))
                self._tag += 1
                self._send(asked, config_request(source=asked.wire.mac, destination=mac, address=address, tag=self._tag))

    def answered_on(self, port: str) -> bool:
        """Whether anybody has answered there."""
        return any(name == port for name, _, _ in self._paths)

    def descriptors(self) -> list[int]:
        """To wait on."""
        found = [number for port in self._ports.values() if not port.problem for number in port.wire.filenos()]
        return [number for number in found if number >= 0]

    def due(self) -> float | None:
        """When `step` has something to do besides new answers."""
        if any(port.inbox for port in self._ports.values()):
            return 0.0
        times = [self._machine.timer(), self._plan[0][0] if self._plan else None]
        return min((time for time in times if time is not None), default=None)

    def finish(self, now: float) -> None:
        """Look at all that came; nothing is sent any more."""
        for name, port in self._ports.items():
            if not port.problem:
                self._take(name, port, now, MAX_KNOWN)

    def step(self, now: float) -> None:
        """Take what came, and send what is due."""
        for name, port in self._ports.items():
            if not port.problem:
                self._take(name, port, now, MAX_BATCH)
        while self._plan and self._plan[0][0] <= now:
            _, path, command = self._plan.popleft()
            self._ask(path, command, now)
        self._machine.handle_timer(now)
        self._send_out()

    def facts(self, port: str) -> AskedFacts:
        """What came of it there."""
        asked = self._ports[port]
        return AskedFacts(
            port=port,
            mac=asked.wire.mac,
            problem=asked.problem,
            frames=asked.frames,
            not_sent=asked.not_sent,
            doubted=frozenset(asked.doubted),
            paths=tuple(_path_facts(path, asked.broadcasts) for path in self._of(port)),
            ring_dropped=asked.wire.statistics().ring_dropped,
        )

    def devices(self) -> tuple[Device, ...]:
        """What answered, judged."""
        return self._machine.devices()

    def close(self) -> None:
        """Give the wires back."""
        for port in self._ports.values():
            port.wire.close()

    def _of(self, port: str) -> Iterator[_Path]:
        paths = sorted(self._paths.items(), key=lambda item: (item[0][2], item[0][1]))
        return (path for (name, _, _), path in paths if name == port)

    def _send_out(self) -> None:
        for name, frame in self._machine.outgoing():
            if frame[:6] == BROADCAST_MAC.raw:
                self._ports[name].broadcasts.add(int.from_bytes(frame[HEADER - 4 : HEADER]))
            elif (asked := self._path_asked(name, frame)) is not None:
                asked.identify_frames += 1
            self._send(self._ports[name], frame)

    def _path_asked(self, name: str, frame: bytes) -> _Path | None:
        header = unpack_header(frame)
        return self._paths.get((name, header.destination, Address(header.shelf, header.slot)))

    @staticmethod
    def _send(port: _Port, frame: bytes) -> None:
        port.frames += 1
        port.not_sent += 1 - port.wire.send([frame])

    def _ask(self, path: _Path, command: Command, now: float) -> None:
        port = self._ports[path.port]
        self._tag += 1
        if command is Command.QUERY_CONFIG:
            path.asked[self._tag] = now
            frame = config_request(source=port.wire.mac, destination=path.mac, address=path.address, tag=self._tag)
        else:
            argument: Argument = (
                MaskArgument(MaskOp.READ, 0, 0, ()) if command is Command.MAC_MASK else ReserveArgument(ReserveOp.READ, ())
            )
            frame = encode(Frame(_header(port.wire.mac, path, command, self._tag), argument))
        self._send(port, frame)

    def _take(self, name: str, port: _Port, now: float, most: int) -> None:
        """Empty the wire, which has little room, and look at some of what came from it so far."""
        try:
            while frames := port.wire.receive(0.0):
                port.inbox += frames
                if len(frames) < MAX_BATCH or len(port.inbox) > MAX_KNOWN:
                    break
        except OSError as lost:
            port.problem = lost.strerror or str(lost)
        for _ in range(min(most, len(port.inbox))):
            raw = port.inbox.popleft()
            try:
                frame = decode(raw)
                self._machine.receive(name, raw, now)
            except MalformedFrame:
                continue
            if frame.header.response and frame.header.tag & TAG_MASK == DOCTOR_TAG and frame.header.error is None:
                self._hear(name, frame, raw, now)

    def _hear(self, name: str, frame: Frame, raw: bytes, now: float) -> None:
        header = frame.header
        if header.source.is_multicast or len(self._paths) >= MAX_KNOWN:
            return
        try:
            address = Address(header.shelf, header.slot)
        except ValueError:
            return
        key = name, header.source, address
        path = self._paths.get(key)
        match frame.argument:
            case ConfigArgument() as config:
                path = path or self._paths.setdefault(key, _Path(address, header.source, name, config))
                path.config = config
                _note_config(path, header.tag, raw[HEADER:], now)
            case AtaArgument() if path is not None:
                if path.identities.setdefault(header.tag, raw[HEADER:]) != raw[HEADER:]:
                    path.torn = "who they are (IDENTIFY)"
            case MaskArgument(_, 0, _, directives) if path is not None:
                path.mask = tuple(each.mac for each in directives)
            case ReserveArgument(_, macs) if path is not None:
                path.reservation = macs


def _note_config(path: _Path, tag: int, body: bytes, now: float) -> None:
    first = path.answers.setdefault(tag, body)
    if first is not body:
        path.doubled += 1
        if first != body:
            path.torn = path.torn or "their config"
    elif tag in path.asked:
        path.round_trips.append(now - path.asked[tag])


def _header(source: Mac, path: _Path, command: Command, tag: int) -> Header:
    return Header(
        destination=path.mac,
        source=source,
        version=VERSION,
        response=False,
        error=None,
        shelf=path.address.shelf,
        slot=path.address.slot,
        command=command,
        tag=tag,
    )


def _path_facts(path: _Path, broadcasts: set[int]) -> PathFacts:
    return PathFacts(
        address=path.address,
        mac=path.mac,
        port=path.port,
        sector_count=path.config.sector_count,
        buffer_count=path.config.buffer_count,
        broadcasts=len(broadcasts),
        broadcasts_answered=len(broadcasts & path.answers.keys()),
        unicasts=len(path.asked),
        unicasts_answered=len(path.asked.keys() & path.answers.keys()),
        rtt=median(path.round_trips) if path.round_trips else None,
        doubled=path.doubled,
        torn=path.torn,
        identified=True if path.identities else False if path.identify_frames > 1 else None,
        mask=path.mask,
        reservation=path.reservation,
    )
