"""The demo without namespaces: both engines in this process, joined by a wire in memory that stands in for packet sockets."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from aoetui.demo import disks
from aoetui.demo.load import Load
from aoetui.demo.peer import CABLES, OURS, THEIRS
from aoetui.engine.links import LinkCounters, LinkFacts
from aoetui.engine.local import LocalEngine
from aoetui.engine.protocol.address import BROADCAST_MAC, Mac
from aoetui.engine.receive_queue import WireStatistics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from aoetui.engine.config import ConfigFile

_FIRST_INDEX = 1_000_001
"""Beyond any real link's: what this host's packet sockets are bound to is never one of these."""
_INBOX = 1024
_MOST = 256


class MemoryWire:
    """One end of a cable. Several wires may listen at one end, as several packet sockets may on one link."""

    def __init__(self, cable: Cable, end: int) -> None:
        self._cable = cable
        self._end = end
        self._inbox: deque[bytes] = deque(maxlen=_INBOX)
        self._ready = threading.Event()
        self._received = 0
        self._dropped = 0
        self.mac = cable.macs[end]
        self.mtu = cable.mtu
        cable.listeners[end].append(self)

    @property
    def needs_reopen(self) -> bool:
        """Never: the MTU does not change."""
        return False

    @property
    def lanes(self) -> tuple[()]:
        """There is no ring that a compiled loop could work on."""
        return ()

    def lane_of(self, mac: Mac) -> None:
        """None of them."""

    @property
    def interpreted(self) -> str:
        """Why not."""
        return "the wire is in memory"

    @property
    def memory(self) -> int:
        """A full inbox."""
        return _INBOX * self.mtu

    def filenos(self) -> tuple[()]:
        """There are no descriptors."""
        return ()

    def receive(self, timeout: float) -> list[bytes]:
        """Wait up to `timeout` seconds for at least one frame; at most 256 are returned."""
        self._ready.wait(timeout)
        self._ready.clear()
        frames = [self._inbox.popleft() for _ in range(min(len(self._inbox), _MOST))]
        if self._inbox:
            self._ready.set()
        self._received += len(frames)
        return frames

    def send(self, frames: Sequence[bytes]) -> int:
        """Hand frames to whoever listens at the other end and is meant."""
        for wire in list(self._cable.listeners[1 - self._end]):
            wire.take([frame for frame in frames if frame[:6] in (wire.mac.raw, BROADCAST_MAC.raw)])
        return len(frames)

    def take(self, frames: Sequence[bytes]) -> None:
        """Frames from the other end; what does not fit is dropped and counted, as a full ring does."""
        self._dropped += max(0, len(self._inbox) + len(frames) - _INBOX)
        self._inbox.extend(frames)
        self._ready.set()

    def statistics(self) -> WireStatistics:
        """What was counted."""
        return WireStatistics(received=self._received, ring_dropped=self._dropped)

    def refresh(self) -> None:
        """Nothing to read again."""

    def wake(self) -> None:
        """Make `receive` return."""
        self._ready.set()

    def let_hear(self, *, others: bool) -> None:
        """Nobody listens at our own end."""

    def close(self) -> None:
        """Listen no more."""
        if self in self._cable.listeners[self._end]:
            self._cable.listeners[self._end].remove(self)


class Cable:
    """Two ends and their MACs."""

    def __init__(self, number: int, mtu: int) -> None:
        self.mtu = mtu
        self.macs = (Mac(bytes((2, 0xA0, 0xE0, 0, 0, number))), Mac(bytes((2, 0xA0, 0xE0, 0, 1, number))))
        self.listeners: tuple[list[MemoryWire], list[MemoryWire]] = ([], [])


class FixedLinks:
    """The LinkSource of links that never change."""

    def __init__(self, links: Mapping[str, LinkFacts]) -> None:
        self._links = links

    def start(self, on_change: Callable[[Mapping[str, LinkFacts]], None]) -> None:
        """They are known from the first."""
        on_change(self._links)

    def current(self) -> Mapping[str, LinkFacts]:
        """What they are; their counters stand still."""
        return self._links

    def stop(self) -> None:
        """Nothing runs."""


def start(folder: Path) -> tuple[LocalEngine, Callable[[], None]]:
    """Start both engines here. Returns ours, and what ends the other."""
    cables = [Cable(number, mtu) for number, (_, _, mtu) in enumerate(CABLES)]
    own, other = folder / "ours", folder / "theirs"
    own.mkdir()
    other.mkdir()
    engine = _engine(disks.ours(own, OURS), cables, 0, OURS)
    disks.name_them(engine)
    peer = _engine(disks.theirs(other, THEIRS), cables, 1, THEIRS)
    load = Load(peer, _opener(cables, 1, THEIRS), THEIRS)
    load.start()

    def end() -> None:
        load.stop()
        peer.stop()

    return engine, end


def _opener(cables: Sequence[Cable], end: int, names: Sequence[str]) -> Callable[[str, int], MemoryWire]:
    return lambda name, _queues: MemoryWire(cables[names.index(name)], end)


def _engine(config: ConfigFile, cables: Sequence[Cable], end: int, names: Sequence[str]) -> LocalEngine:
    links = {
        name: LinkFacts(
            name=name,
            index=_FIRST_INDEX + 2 * number + end,
            kind="memory",
            mac=cable.macs[end],
            mtu=cable.mtu,
            admin_up=True,
            carrier=True,
            vlan_id=None,
            parent=None,
            bridge=None,
            addresses=(),
            default_route=False,
            counters=LinkCounters(),
        )
        for number, (name, cable) in enumerate(zip(names, cables, strict=True))
    }
    engine = LocalEngine(config=config, open_wire=_opener(cables, end, names), links=FixedLinks(links), host=disks.NO_DRIVER)
    engine.start()
    return engine
