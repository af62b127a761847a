"""Looks at interfaces for some seconds: asks and listens on all of them at once, in one thread."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError
from aoetui.engine.conflicts import other_programs
from aoetui.engine.doctor import card
from aoetui.engine.doctor.asking import Asker
from aoetui.engine.doctor.facts import AskedFacts, CardFacts, Counts, SideFacts
from aoetui.engine.doctor.hearing import Ears
from aoetui.engine.doctor.tap import Tap, ready
from aoetui.engine.link_hardware import hardware_of
from aoetui.engine.link_notes import port_refusal, refusal_for
from aoetui.engine.packet import PacketSocket
from aoetui.engine.port_names import port_name, split_port_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aoetui.engine.commands.doctor import Examine
    from aoetui.engine.core import Core
    from aoetui.engine.doctor.facts import HostFacts
    from aoetui.engine.doctor.hearing import Heard
    from aoetui.engine.initiator.conversations import Conversation
    from aoetui.engine.link_facts import LinkFacts
    from aoetui.engine.packet import Wire

SHORTEST, LONGEST = 1.0, 60.0
"""Seconds that an examination may be told to take."""
MAX_VLANS = 8
"""In which is asked where nobody answers outside of them."""
_PULSE = 0.02
"""Seconds between two looks at what came, at most."""


@dataclass(frozen=True, slots=True)
class _Moments:
    """When what is done, in parts of the whole time."""

    broadcasts: tuple[float, ...] = (0.1, 0.2)
    """Besides the one at the start."""
    questions: float = 0.3
    doubts: tuple[float, ...] = (0.3, 0.45, 0.6)
    in_vlans: float = 0.5
    last: float = 0.75
    """The last question: answers to it still have time."""


_WHEN = _Moments()


class Side:
    """One interface while it is looked at."""

    def __init__(self, name: str, links: Mapping[str, LinkFacts]) -> None:
        self.name = name
        self.interface, self.vlan = split_port_name(name)
        self.link = links.get(self.interface)
        self.refusal = port_refusal(name, links)
        self.tap: Tap | None = None
        self.ears: Ears | None = None
        self.asked = ""
        """The port that is asked on; empty: none."""
        self.problem = ""
        self.in_vlans: list[str] = []

    def listen(self, links: Mapping[str, LinkFacts], stack: ExitStack, *, promiscuous: bool) -> str:
        """Begin to listen, below a VLAN's own link: there the tags are seen. Returns why it cannot be done."""
        link = self.link
        if link is None or link.mac is None:
            return "it is no Ethernet interface of this host"
        vlan = self.vlan if self.vlan is not None else link.vlan_id
        below = links.get(link.parent or "", link) if link.vlan_id is not None else link
        if not below.admin_up:
            return f"{below.name} is down"
        try:
            self.tap = stack.enter_context(Tap(below.name, below.index, promiscuous=promiscuous))
        except OSError as refused:
            return refused.strerror or str(refused)
        self.ears = Ears(link.mac, vlan if self.vlan is not None or below is not link else None)
        return ""

    def hear(self) -> None:
        """Take what has come."""
        if self.tap is not None and self.ears is not None:
            for vlan, frame in self.tap.frames():
                self.ears.hear(vlan, frame)

    def heard(self) -> Heard | None:
        """All of it."""
        return None if self.tap is None or self.ears is None else self.ears.heard(self.tap.lost())


class Visit:
    """All interfaces while they are looked at."""

    def __init__(self, core: Core, command: Examine, names: tuple[str, ...], host: HostFacts, *, asking: bool) -> None:
        self._core = core
        self._command = command
        self._links = core.links.current()
        self._host = host
        self._asking = asking
        self._stack = ExitStack()
        self.seconds = min(max(command.seconds, SHORTEST), LONGEST)
        self.asker = Asker()
        self._stack.callback(self.asker.close)
        self._sides = [Side(name, self._links) for name in names]
        self._deaf: dict[str, str] = {}

    def close(self) -> None:
        """Give every socket back."""
        self._stack.close()

    def run(self, ending: Conversation) -> tuple[SideFacts, ...]:
        """Look for as long as was asked. `ending` raises EndingError once the engine ends."""
        before = card.counts()
        losses = {name: link.carrier_losses for name, link in self._links.items()}
        self._listen()
        if any(side.tap is not None or (side.asked and not side.problem) for side in self._sides):
            self._look(ending)
        after = card.counts()
        return tuple(self._facts(side, before, after, losses) for side in self._sides)

    def _listen(self) -> None:
        for side in self._sides:
            self._deaf[side.name] = self._host.refused or side.listen(self._links, self._stack, promiscuous=self._asking)
            if self._asking and not self._host.refused and not side.refusal and side.link is not None and side.link.carrier:
                side.asked, side.problem = side.name, self._open(side.name)

    def _open(self, port: str) -> str:
        """Ask on this port from now on. Returns why that cannot be done."""
        try:
            wire = self._core.open_wire(port, 1)
        except EngineError as refused:
            return str(refused)
        except OSError as failed:
            return failed.strerror or str(failed)
        _interpreted(wire)
        self.asker.add(port, wire, self._core.clock.monotonic())
        return ""

    def _look(self, ending: Conversation) -> None:
        clock, span = self._core.clock.monotonic, self.seconds
        start = clock()
        jobs: list[tuple[float, Callable[[float], None]]] = [
            (start + part * span, self.asker.broadcast) for part in _WHEN.broadcasts
        ]
        jobs.append((start + _WHEN.questions * span, lambda now: self._plan(now, start + _WHEN.last * span)))
        jobs.append((start + _WHEN.in_vlans * span, self._ask_in_vlans))
        jobs += [(start + part * span, self._doubt) for part in _WHEN.doubts]
        jobs.sort(key=lambda job: job[0])
        while (now := clock()) < start + span:
            ending.receive(0)
            while jobs and jobs[0][0] <= now:
                jobs.pop(0)[1](now)
            for side in self._sides:
                side.hear()
            self.asker.step(now)
            due = self.asker.due()
            pause = min(_PULSE, start + span - now, _PULSE if due is None else due - now)
            taps = [side.tap.fileno() for side in self._sides if side.tap is not None]
            ready([*taps, *self.asker.descriptors()], pause)
        self.asker.finish(clock())

    def _plan(self, now: float, end: float) -> None:
        self.asker.plan(now, end, self._command.address)

    def _doubt(self, _now: float) -> None:
        """Ask those that serve others and do not answer us."""
        for side in self._sides:
            heard = side.heard()
            if heard is not None and side.asked and not side.problem:
                self.asker.doubt(side.asked, [(each.address, each.mac) for each in heard.served])

    def _ask_in_vlans(self, _now: float) -> None:
        """Where nobody has answered, ask in the VLANs whose frames come in here too, and in those that have a link here."""
        for side in self._sides:
            heard = side.heard()
            if not side.asked or side.problem or heard is None or heard.vlan is not None or self.asker.answered_on(side.name):
                continue
            linked = {link.vlan_id for link in self._links.values() if link.parent == side.interface and link.vlan_id is not None}
            for vlan in sorted(heard.vlans | linked)[:MAX_VLANS]:
                port = self._port_of(side.interface, vlan)
                if port and not self._open(port):
                    side.in_vlans.append(port)

    def _port_of(self, interface: str, vlan: int) -> str:
        """The port to ask on in a VLAN: its own link, if there is one that can be used; empty if that one is examined anyway."""
        own = next((link.name for link in self._links.values() if (link.parent, link.vlan_id) == (interface, vlan)), "")
        name = own or port_name(interface, vlan)
        return "" if refusal_for(own or interface, self._links) or any(side.name == name for side in self._sides) else name

    def _facts(
        self, side: Side, before: Mapping[str, Counts], after: Mapping[str, Counts], losses: Mapping[str, int]
    ) -> SideFacts:
        name, none = side.interface, Counts()
        total = after.get(name, none)
        exports = [held for held in self._core.serving.held() if side.name in held.admitted]
        port = self._core.ports.get(side.name)
        return SideFacts(
            name=side.name,
            card=_card_facts(name, self._core.links.current(), losses.get(name, 0)),
            total=total,
            during=total.since(before.get(name, total)),
            counted=name in after,
            asked=self._asked_facts(side),
            in_vlans=tuple(self.asker.facts(port) for port in side.in_vlans),
            heard=side.heard(),
            deaf=self._deaf[side.name],
            programs=() if side.link is None else other_programs(name, side.link.index, [each.spec.address for each in exports]),
            ring_dropped=0 if port is None else port.statistics().ring_dropped,
        )

    def _asked_facts(self, side: Side) -> AskedFacts | None:
        if not side.asked:
            return None
        return AskedFacts(port=side.name, problem=side.problem) if side.problem else self.asker.facts(side.asked)


def _card_facts(name: str, links: Mapping[str, LinkFacts], losses_before: int) -> CardFacts:
    losses = links[name].carrier_losses if name in links else losses_before
    with contextlib.suppress(OSError):
        said = card.settings(name)
        return CardFacts(
            speed=said.speed,
            full_duplex=said.full_duplex,
            pause=hardware_of(links[name]).pause if name in links else None,
            carrier_losses=losses,
            carrier_losses_now=max(0, losses - losses_before),
        )
    return CardFacts(carrier_losses=losses)


def _interpreted(wire: Wire) -> None:
    """No compiled loop for a port that serves nothing."""
    if isinstance(wire, PacketSocket):
        wire.interpret("an examination asks here")
