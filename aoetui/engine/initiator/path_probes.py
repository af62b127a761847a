"""The frames that are sent on one path to measure it, and their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.commands.paths import Loss, RoundTrips
from aoetui.engine.protocol.frames import Frame, MalformedFrame, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aoetui.engine.core import Core
    from aoetui.engine.initiator.conversations import Conversation
    from aoetui.engine.protocol.address import Address, Mac

_MICROSECONDS = 1e6


@dataclass(slots=True, eq=False)
class Probe:
    """A frame that was sent."""

    sent: float
    """Seconds of the engine's clock."""
    took: float | None = None
    """Seconds until its first answer; None while there is none."""
    answer: Frame | None = None


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a path."""

    interface: str
    """A port's name."""
    mac: Mac
    """Of the target."""
    address: Address


class Probes:
    """For one thread. `frames` counts what was sent, `duplicates` the answers that came again."""

    def __init__(self, core: Core, conversation: Conversation, ends: Ends) -> None:
        self.ends = ends
        self.frames = 0
        self.duplicates = 0
        self._core = core
        self._conversation = conversation
        self._by_tag: dict[int, Probe] = {}

    def send(self, make: Callable[[Mac, int], bytes]) -> Probe:
        """Send what `make` makes of our MAC and a tag. Raises EngineError when the interface's port is not open any more.

        What the kernel does not take is lost like any other frame: on a veth that is how a smaller MTU at its other end shows.
        """
        port = self._core.ports.require(self.ends.interface)
        tag = self._conversation.tag()
        probe = self._by_tag[tag] = Probe(self._core.clock.monotonic())
        self._conversation.send(self.ends.interface, [make(port.facts.mac, tag)])
        self.frames += 1
        return probe

    def wait(self, probes: Sequence[Probe], seconds: float, *, for_all: bool = False) -> Probe | None:
        """Wait until one of these (`for_all`: each) is answered, and return the first that is; None if none is in that time."""
        end = self._core.clock.monotonic() + seconds
        enough = all if for_all else any
        while not enough(probe.took is not None for probe in probes) and (left := end - self._core.clock.monotonic()) > 0:
            for interface, frame in self._conversation.receive(left):
                self._hear(interface, frame)
        return next((probe for probe in probes if probe.took is not None), None)

    def _hear(self, interface: str, raw: bytes) -> None:
        """Take an answer, if it comes from where we asked: nobody else's counts."""
        now = self._core.clock.monotonic()
        try:
            answer = decode(raw)
        except MalformedFrame:
            return
        header, address = answer.header, self.ends.address
        probe = self._by_tag.get(header.tag)
        if probe is None or (interface, header.source) != (self.ends.interface, self.ends.mac):
            return
        if (header.shelf, header.slot) != (address.shelf, address.slot):
            return
        if probe.took is not None:
            self.duplicates += 1
            return
        probe.took, probe.answer = now - probe.sent, answer


def loss_of(probes: Sequence[Probe]) -> Loss:
    """How many were not answered."""
    return Loss(len(probes), sum(probe.took is None for probe in probes))


def round_trips_of(probes: Sequence[Probe]) -> RoundTrips | None:
    """Of those that were answered."""
    took = sorted(probe.took * _MICROSECONDS for probe in probes if probe.took is not None)
    if not took:
        return None
    last = len(took) - 1
    return RoundTrips(took[0], took[last // 2], took[round(last * 0.95)], took[last])
