"""What happened to the interfaces that AoE is spoken on: two looks at the links compared, and told as events once each."""

from __future__ import annotations

import threading
from enum import Enum
from typing import TYPE_CHECKING

from aoetui.engine.link_notes import MIN_MTU
from aoetui.engine.port_names import interface_of
from aoetui.engine.protocol.wire import sectors_per_frame
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from aoetui.engine.clock import Clock
    from aoetui.engine.events import EventLog
    from aoetui.engine.link_facts import LinkFacts
    from aoetui.engine.protocol.address import Mac

_SAME_MATTER = 2.0
"""Seconds between a socket's error and the change of its link that explains it."""
MAX_GONE = 256
"""Links that are remembered after they have gone."""
_Happening = tuple[Severity, str]


class _State(Enum):
    """Of a link that is there. The value ends the sentence that it was made again in this state."""

    UP = ""
    NO_CARRIER = "; it has no carrier yet"
    DOWN = "; it is down yet"


class LinkHistory:
    """Tells of links. `lost` may be called in any thread, the rest in the engine's."""

    def __init__(self, events: EventLog, clock: Clock, users: Callable[[str], Collection[Mac]]) -> None:
        """`users` names the initiators that are at work on an interface."""
        self._events = events
        self._clock = clock
        self._users = users
        self._links: Mapping[str, LinkFacts] | None = None
        self._spoken: frozenset[str] = frozenset()
        self._gone: dict[str, LinkFacts] = {}
        """Links that AoE was spoken on and that are no more, or not by this name."""
        self._troubled: set[str] = set()
        self._fresh: set[str] = set()
        self._told: dict[str, float] = {}
        self._losses: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def lost(self, interface: str, reason: str) -> None:
        """A port's socket failed. Told only if no change of its link explains it."""
        with self._lock:
            self._losses.setdefault(interface_of(interface), (self._clock.monotonic(), reason))

    def see(self, links: Mapping[str, LinkFacts], spoken: Collection[str]) -> None:
        """Compare with the look before. `spoken`: the ports that AoE is to be spoken on now."""
        before, self._links = self._links, links
        now = frozenset(interface_of(port) for port in spoken)
        interesting, self._spoken = self._spoken | now | self._troubled, now
        if before is not None and before is not links:
            for name in sorted(interesting):
                self._compare(name, before, links)
        self._tell_losses()
        while len(self._gone) > MAX_GONE:
            self._forget(next(iter(self._gone)))

    def _forget(self, name: str) -> None:
        del self._gone[name]
        self._told.pop(name, None)
        self._troubled.discard(name)

    def take_told(self) -> frozenset[str]:
        """The interfaces whose trouble of now was told here, or that were told of since this was last asked."""
        told, self._fresh = frozenset(self._troubled | self._fresh), set()
        return told

    def _compare(self, name: str, before: Mapping[str, LinkFacts], links: Mapping[str, LinkFacts]) -> None:
        happened = list(self._happened(before.get(name), links.get(name), before, links))
        for severity, text in happened:
            self._events.add(severity, name, text)
            self._fresh.add(name)
            self._told[name] = self._clock.monotonic()
        if _carries(links.get(name)):
            self._troubled.discard(name)
        elif happened:
            self._troubled.add(name)

    def _happened(
        self, old: LinkFacts | None, new: LinkFacts | None, before: Mapping[str, LinkFacts], links: Mapping[str, LinkFacts]
    ) -> Iterator[_Happening]:
        if new is None:
            if old is not None:
                self._gone[old.name] = old
                yield _left(old, _named(old.index, links), self._spoken)
        elif old is None or old.index != new.index:
            former = _named(new.index, before)
            previous = self._gone.pop(new.name, old)
            if former not in self._spoken:  # else told of its former name
                yield _came(new, previous, former)
        else:
            yield from _changed(old, new, self._users)

    def _tell_losses(self) -> None:
        now = self._clock.monotonic()
        with self._lock:
            for name, (at, reason) in list(self._losses.items()):
                explained = name in self._troubled or abs(self._told.get(name, float("-inf")) - at) < _SAME_MATTER
                if explained or name not in self._spoken:
                    del self._losses[name]
                elif now - at > _SAME_MATTER:
                    del self._losses[name]
                    self._events.add(Severity.WARNING, name, f"AoE stopped on {name} for a moment: {reason}")


def _state(link: LinkFacts) -> _State:
    if not link.admin_up:
        return _State.DOWN
    return _State.UP if link.carrier else _State.NO_CARRIER


def _carries(link: LinkFacts | None) -> bool:
    return link is not None and link.bridge is None and _state(link) is _State.UP


def _named(index: int, links: Mapping[str, LinkFacts]) -> str:
    return next((name for name, link in links.items() if link.index == index), "")


def _left(old: LinkFacts, other: str, spoken: Collection[str]) -> _Happening:
    """`other`: what it is called now; empty if it is no more."""
    name = old.name
    if not other:
        return Severity.WARNING, f"{name} was deleted: AoE goes on when there is an interface of this name again"
    remedy = "" if other in spoken else f": AoE is not spoken on {other}; choose that name, or give {name} back"
    return Severity.WARNING, f"{name} was renamed {other}{remedy}"


def _came(new: LinkFacts, previous: LinkFacts | None, former: str) -> _Happening:
    """`previous`: what had this name before. `former`: what this one was called before; empty if it is new."""
    name, state = new.name, _state(new)
    if former:
        happened = f"{name} is here: {former} was renamed so"
    elif previous is None:
        happened = f"{name} is here, with the MAC {new.mac}"
    elif previous.mac == new.mac:
        happened = f"{name} was made again with the same MAC"
    else:
        happened = (
            f"{name} was made again with another MAC, {new.mac} (was {previous.mac}):"
            " initiators learn it as one more path from our advertisement, and give the old one up"
        )
    return Severity.INFO if state is _State.UP else Severity.WARNING, happened + state.value


def _changed(old: LinkFacts, new: LinkFacts, users: Callable[[str], Collection[Mac]]) -> Iterator[_Happening]:
    name = new.name
    if _state(old) is not _state(new):
        yield _turned(name, _state(old), _state(new))
    if old.bridge != new.bridge:
        if new.bridge is None:
            yield Severity.INFO, f"{name} is no port of {old.bridge} any more"
        else:
            yield Severity.WARNING, f"{name} became a port of {new.bridge} and hears no AoE: use {new.bridge}"
    if old.mac != new.mac:
        text = f"{name}'s MAC went from {old.mac} to {new.mac}: initiators learn it as one more path from our advertisement"
        yield Severity.INFO, text
    if old.mtu != new.mtu:
        yield _resized(old, new, users)


def _turned(name: str, old: _State, new: _State) -> _Happening:
    match new:
        case _State.UP:
            return Severity.INFO, f"{name} is back"
        case _State.DOWN:
            return Severity.WARNING, f"{name} was set down: bring it up with `ip link set {name} up`"
        case _State.NO_CARRIER if old is _State.DOWN:
            return Severity.WARNING, f"{name} is up but has no carrier: check the cable"
        case _State.NO_CARRIER:
            return Severity.WARNING, f"{name} lost its carrier: check the cable"


def _resized(old: LinkFacts, new: LinkFacts, users: Callable[[str], Collection[Mac]]) -> _Happening:
    went = f"{new.name}'s MTU went from {old.mtu} to {new.mtu}"
    before, now = sectors_per_frame(old.mtu), sectors_per_frame(new.mtu)
    at_work = ", ".join(str(mac) for mac in (users(new.name) if now < before else ()))
    if new.mtu < MIN_MTU:
        stops = f"{went}, at which a frame carries no sector: AoE stops here until it is raised, to 1500 or at least {MIN_MTU}"
        return Severity.WARNING, f"{stops}. At work here: {at_work}" if at_work else stops
    sectors = f"{now} {'sector' if now == 1 else 'sectors'} a frame"
    if before == now:
        return Severity.INFO, f"{went}: AoE carries {sectors} as before"
    text = f"{went}: initiators use {sectors} from their next question on"
    if not at_work:
        return Severity.INFO, text
    return (
        Severity.WARNING,
        f"{text}. At work here: {at_work}; what they had asked for in larger frames fails, so see that they go on",
    )
