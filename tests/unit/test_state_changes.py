"""Changes of an export's state that the network repeats: none undoes a newer one, and no initiator is taken for the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import pytest

from aoetui.engine.clock import Clock
from aoetui.engine.current_facts import CurrentFacts
from aoetui.engine.events import EventLog
from aoetui.engine.initiators import InitiatorRecord
from aoetui.engine.jobs import Job
from aoetui.engine.protocol.changes import Change, EditMask, SetConfig, SetReservation
from aoetui.engine.protocol.frames import Directive
from aoetui.engine.protocol.repeats import MEMORY_SECONDS, TagUse
from aoetui.engine.protocol.wire import Command, ConfigOp, DirectiveOp, ReserveOp
from aoetui.engine.state import StateStore
from aoetui.engine.state_changes import StateChanges
from tests.support.engines import E91
from tests.unit.protocol import golden

if TYPE_CHECKING:
    from aoetui.engine.ports import Port
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.facts import TargetState
    from aoetui.engine.protocol.replies import Reply

NOW = 100.0
ME, OTHER = golden.INITIATOR, golden.SOMEONE


@dataclass(frozen=True, slots=True)
class _Link:
    interface: str = "eth1"


class Target:
    """The state of an export, changed by frames that arrive at a time of the test's choosing."""

    def __init__(self) -> None:
        clock = Clock(monotonic=lambda: NOW)
        self.facts = CurrentFacts(golden.export(config_string=b""))
        self.events = EventLog(clock)
        self.tags = TagUse()
        self._changes = StateChanges(self.facts, StateStore(None).open(E91, "file:1"), self.events, clock)

    @property
    def state(self) -> TargetState:
        """As it is now."""
        return self.facts.now.state

    def hear(self, change: Change, *, arrived: float = NOW) -> Reply | None:
        """A frame has come."""
        record = InitiatorRecord(change.header.source, "eth1", arrived, tags=self.tags)
        return self._changes.carry_out(Job(cast("Port", _Link()), change, record, arrived, self.state), change)


def string(text: bytes, tag: int, source: Mac = ME) -> SetConfig:
    """Set the config string whatever it is."""
    header = replace(golden.request(Command.QUERY_CONFIG), tag=tag, source=source)
    return SetConfig(header, golden.PORT, ConfigOp.FORCE_SET, text)


def mask(op: DirectiveOp, tag: int, source: Mac = ME) -> EditMask:
    """Add OTHER to the mask list, or delete it."""
    header = replace(golden.request(Command.MAC_MASK), tag=tag, source=source)
    return EditMask(header, golden.PORT, (Directive(op, OTHER),))


def reserve(macs: tuple[Mac, ...], tag: int, source: Mac = ME, op: ReserveOp = ReserveOp.SET) -> SetReservation:
    """Reserve for `macs`."""
    return SetReservation(replace(golden.request(Command.RESERVE), tag=tag, source=source), golden.PORT, op, macs)


@pytest.fixture
def target() -> Target:
    """With no state yet."""
    return Target()


def test_a_repeated_frame_does_not_undo_a_newer_change(target: Target) -> None:
    target.hear(string(b"old", 1))
    target.hear(string(b"new", 2))
    assert target.hear(string(b"old", 1)) is None
    assert target.state.config_string == b"new"


def test_a_repeated_edit_does_not_undo_a_newer_one(target: Target) -> None:
    target.hear(mask(DirectiveOp.ADD, 1))
    target.hear(mask(DirectiveOp.DELETE, 2))
    assert target.hear(mask(DirectiveOp.ADD, 1)) is None
    assert target.state.mask == ()


def test_a_frame_that_changed_nothing_is_known_again(target: Target) -> None:
    target.hear(string(b"", 1))
    target.hear(string(b"new", 2, OTHER))
    assert target.hear(string(b"", 1)) is None
    assert target.state.config_string == b"new"


def test_a_repeated_frame_is_answered_while_nothing_newer_came(target: Target) -> None:
    first = target.hear(string(b"box", 1))
    assert first is not None
    assert target.hear(string(b"box", 1)) == first


def test_one_tag_for_all_frames_is_served(target: Target) -> None:
    for text in (b"one", b"two", b"one"):
        assert target.hear(string(text, 7)) is not None
        assert target.state.config_string == text


def test_a_tag_of_another_request_since_is_served(target: Target) -> None:
    """This initiator has one tag for all it asks: its frame is no network's repeat."""
    target.hear(string(b"old", 7))
    target.hear(string(b"new", 1, OTHER))
    target.tags.note(7, golden.CONFIG_READ)
    target.tags.note(7, golden.MASK_READ)
    assert target.hear(string(b"old", 7)) is not None
    assert target.state.config_string == b"old"


def test_after_the_memory_s_end_a_frame_is_new(target: Target) -> None:
    target.hear(string(b"old", 1))
    target.hear(string(b"new", 2))
    assert target.hear(string(b"old", 1), arrived=NOW + MEMORY_SECONDS + 0.01) is not None
    assert target.state.config_string == b"old"


def test_who_was_refused_may_ask_again_with_the_same_tag(target: Target) -> None:
    target.hear(reserve((OTHER,), 1, OTHER))
    refused = target.hear(reserve((ME,), 7))
    assert refused is not None
    assert refused.error
    target.hear(reserve((), 2, OTHER))
    granted = target.hear(reserve((ME,), 7))
    assert granted is not None
    assert not granted.error
    assert target.state.reservation == (ME,)


def test_a_repeated_reservation_tells_who_holds_it_now(target: Target) -> None:
    """Taken over by force meanwhile: the repeat is refused, and nobody is told that it was granted."""
    target.hear(reserve((ME,), 7))
    target.hear(reserve((OTHER,), 1, OTHER, ReserveOp.FORCE_SET))
    repeated = target.hear(reserve((ME,), 7))
    assert repeated is not None
    assert repeated.error
    assert target.state.reservation == (OTHER,)


def test_who_changed_it_is_told_whatever_is_shown_of_it(target: Target) -> None:
    """Of a long list the first MACs are shown: one that changes behind them is told of as well."""
    macs = tuple(replace(ME, raw=ME.raw[:5] + bytes([number])) for number in range(6))
    target.hear(reserve(macs[:5], 1, macs[0]))
    target.hear(reserve((*macs[:4], macs[5]), 2, macs[0]))
    told = [event.text for event in target.events.since(0)]
    assert len(told) == 2
    assert all(text.startswith("reservation set to ") and text.endswith(f" and 2 more by {macs[0]} on eth1") for text in told)
