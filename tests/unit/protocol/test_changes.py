"""Any change of any state: what holds of the new state and of the reply, whatever was asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.protocol.changes import Change, EditMask, SetConfig, SetReservation, carry_out, not_kept
from aoetui.engine.protocol.facts import ExportFacts, PortFacts, TargetState
from aoetui.engine.protocol.frames import ConfigArgument, Directive, MaskArgument, ReserveArgument, decode
from aoetui.engine.protocol.wire import ConfigOp, MaskError, ReserveOp
from tests.unit.protocol import golden
from tests.unit.protocol.asking import ADD, DELETE, macs
from tests.unit.protocol.golden import INITIATOR, SOMEONE, TARGET, export

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Mac

FEW = (INITIATOR, SOMEONE, *macs(4))
MANY = (*FEW, *macs(300, first=0x200))
LIMITS = st.sampled_from([82, 120, 548, 1514, 9014])
"""Bytes of a frame: of the least MTU that Linux allows, of small ones, and of the usual two."""


@st.composite
def lists(draw: st.DrawFn) -> tuple[Mac, ...]:
    """A few MACs in any order, or as many as there may be."""
    few = draw(st.lists(st.sampled_from(FEW), unique=True))
    return (*few, *MANY[len(FEW) :][: draw(st.sampled_from([0, 0, 0, 60, 180, 245, 249]))])


STATES = st.builds(TargetState, st.binary(max_size=8) | st.binary(min_size=40, max_size=1024), lists(), lists())
PORTS = st.builds(PortFacts, st.just(TARGET), st.just(2), LIMITS)
WHATS = st.sampled_from([0, ADD, ADD, ADD, DELETE, DELETE, 3, 255])
DIRECTIVES = st.lists(st.builds(Directive, WHATS, st.sampled_from(MANY)), max_size=255)
CONFIGS = st.builds(
    SetConfig,
    st.just(golden.request(1)),
    PORTS,
    st.sampled_from([ConfigOp.SET, ConfigOp.FORCE_SET]),
    st.binary(max_size=8) | st.binary(min_size=40, max_size=1024),
)
EDITS = st.builds(EditMask, st.just(golden.request(2)), PORTS, DIRECTIVES.map(tuple))
RESERVATIONS = st.builds(
    SetReservation,
    st.just(golden.request(3)),
    PORTS,
    st.sampled_from([ReserveOp.SET, ReserveOp.FORCE_SET]),
    st.lists(st.sampled_from(MANY), max_size=255).map(tuple),
)
CHANGES = st.one_of(CONFIGS, EDITS, RESERVATIONS)


@st.composite
def facts(draw: st.DrawFn) -> ExportFacts:
    """An export in any state, its lists perhaps longer than its frames carry since an MTU was cut."""
    return replace(export(), frame_limit=draw(LIMITS)).with_state(draw(STATES))


def argument(frame: bytes) -> tuple[int | None, object]:
    """The AoE error of a reply, and its argument."""
    decoded = decode(frame)
    return decoded.header.error, decoded.argument


@given(CHANGES, facts())
def test_others_keep_their_parts(change: Change, before: ExportFacts) -> None:
    after = carry_out(change, before).state
    match change:
        case SetConfig():
            assert after == replace(before.state, config_string=after.config_string)
        case EditMask():
            assert after == replace(before.state, mask=after.mask)
        case SetReservation():
            assert after == replace(before.state, reservation=after.reservation)


@given(CHANGES, facts())
def test_nothing_twice_and_nothing_beyond_the_limits(change: Change, before: ExportFacts) -> None:
    after = before.with_state(carry_out(change, before).state)
    assert len(after.masked) == len(after.state.mask) <= max(len(before.state.mask), before.mask_limit)
    assert len(after.holders) == len(after.state.reservation)
    if after.state.config_string != before.state.config_string:
        assert len(after.state.config_string) <= min(before.config_limit, change.port.frame_limit - 32)
    if after.state.reservation != before.state.reservation:
        assert len(after.state.reservation) <= min(before.reservation_limit, (change.port.frame_limit - 26) // 6)


@given(CHANGES, facts())
def test_reply_tells_the_new_state(change: Change, before: ExportFacts) -> None:
    made = carry_out(change, before)
    assert 60 <= len(made.reply.frame) <= change.port.frame_limit
    match argument(made.reply.frame):
        case None, ConfigArgument(string=string, op=op):
            assert isinstance(change, SetConfig)
            assert (string, op) == (made.state.config_string, change.op)
            assert string == change.string
        case None, MaskArgument(error=MaskError.NONE, count=count, directives=directives):
            assert (count, directives) == (len(made.state.mask), tuple(Directive(0, mac) for mac in made.state.mask))
        case None, MaskArgument(error=error, count=failing, directives=()):
            assert isinstance(change, EditMask)
            assert error == (MaskError.BAD_DIRECTIVE if change.directives[failing].op > DELETE else MaskError.LIST_FULL)
            assert made.reply.error
        case None, ReserveArgument(op=op, macs=holders):
            assert isinstance(change, SetReservation)
            assert (op, holders, set(holders)) == (change.op, made.state.reservation, set(change.macs))
        case error, _:
            assert error in {2, 3, 4, 6}
            assert made.reply.error


@given(CHANGES, facts())
def test_after_an_aoe_error_nothing_is_changed(change: Change, before: ExportFacts) -> None:
    made = carry_out(change, before)
    error, told = argument(made.reply.frame)
    if error is not None:
        assert made.state == before.state
    match error, told:
        case 4, ConfigArgument(string=string):
            assert string == before.state.config_string
        case 6, ReserveArgument(macs=holders):
            assert holders == before.state.reservation
            assert INITIATOR not in holders


@given(EDITS, facts())
def test_an_edit_is_what_came_before_the_directive_that_failed(edit: EditMask, before: ExportFacts) -> None:
    made = carry_out(edit, before)
    error, told = argument(made.reply.frame)
    if error is None and isinstance(told, MaskArgument) and told.error:
        first_part = replace(edit, directives=edit.directives[: told.count])
        wide = replace(edit.port, frame_limit=9014)
        assert carry_out(replace(first_part, port=wide), replace(before, frame_limit=9014)).state == made.state


@given(CHANGES, facts())
def test_a_change_that_comes_twice_is_answered_twice_alike(change: Change, before: ExportFacts) -> None:
    """The reply was lost. Only who reserves for others is told that the export is theirs, and an edit may meet its own end."""
    made = carry_out(change, before)
    again = carry_out(change, before.with_state(made.state))
    match change:
        case SetReservation(op=ReserveOp.SET, macs=chosen) if chosen and INITIATOR not in chosen:
            assert again.state == made.state
        case EditMask(directives=directives) if len({line.mac for line in directives}) < len(directives) or made.reply.error:
            pass
        case _:
            assert again == made


@given(CHANGES, facts())
def test_what_cannot_be_kept_is_error_3(change: Change, before: ExportFacts) -> None:
    assert argument(not_kept(change, before).frame)[0] == 3
    assert len(not_kept(change, before).frame) == 60
