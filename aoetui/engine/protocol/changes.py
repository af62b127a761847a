"""Config string, mask list and reservation: what is answered at once, and what changes them.

A change is an intent: it is carried out in order, in the export's own thread, and answered once what it made is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aoetui.engine.protocol.frames import CONFIG_LAYOUT, MASK_LAYOUT, RESERVE_LAYOUT, Directive, decode_mask, decode_reserve
from aoetui.engine.protocol.header import MalformedFrame
from aoetui.engine.protocol.replies import Reply, config_argument, mask_argument, refusal, reply_with, reserve_argument
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.wire import (
    CONFIG_HEADER,
    HEADER,
    MASK_HEADER,
    MAX_CONFIG_STRING,
    RESERVE_HEADER,
    AoeError,
    ConfigOp,
    DirectiveOp,
    MaskError,
    MaskOp,
    ReserveOp,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.facts import ExportFacts, PortFacts, TargetState
    from aoetui.engine.protocol.header import Header


@dataclass(frozen=True, slots=True)
class SetConfig:
    """Set the config string: always, or if there is none (`op`)."""

    header: Header
    port: PortFacts
    op: ConfigOp
    string: bytes


@dataclass(frozen=True, slots=True)
class EditMask:
    """Add MACs to the mask list and delete some, in order."""

    header: Header
    port: PortFacts
    directives: tuple[Directive, ...]


@dataclass(frozen=True, slots=True)
class SetReservation:
    """Reserve the export for `macs`, or release it if there are none: always, or if the requester may (`op`)."""

    header: Header
    port: PortFacts
    op: ReserveOp
    macs: tuple[Mac, ...]


Change = SetConfig | EditMask | SetReservation


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change comes to."""

    state: TargetState
    """To be kept before the reply is sent. The one that was, if nothing changes."""
    reply: Reply


# ---- in a port's thread: what is asked


def answer_config(header: Header, frame: bytes | memoryview, facts: ExportFacts, port: PortFacts) -> Reply | SetConfig | Silence:
    """Query config (AoEr11, section 3.2)."""
    if len(frame) < CONFIG_HEADER:
        return Silence.MALFORMED
    _, _, _, verop, length = CONFIG_LAYOUT.unpack_from(frame, HEADER)
    if length > MAX_CONFIG_STRING or CONFIG_HEADER + length > len(frame):
        return Silence.MALFORMED
    op = verop & 0x0F  # the nibble above is the version, which Linux sends as 0
    given = bytes(frame[CONFIG_HEADER : CONFIG_HEADER + length])
    current = facts.state.config_string
    match op:
        case ConfigOp.TEST if given != current:
            return Silence.CONFIG_MISMATCH
        case ConfigOp.TEST_PREFIX if given != current[:length]:
            return Silence.CONFIG_MISMATCH
        case ConfigOp.READ | ConfigOp.TEST | ConfigOp.TEST_PREFIX:
            return reply_with(header, config_argument(facts, port, op), facts, port)
        case ConfigOp.SET | ConfigOp.FORCE_SET:
            return SetConfig(header, port, ConfigOp(op), given)
        case _:
            return reply_with(header, config_argument(facts, port, op), facts, port, AoeError.BAD_ARGUMENT)


def answer_mask(header: Header, frame: bytes | memoryview, facts: ExportFacts, port: PortFacts) -> Reply | EditMask | Silence:
    """MAC mask list (AoEr11, section 3.3)."""
    if len(frame) < MASK_HEADER:
        return Silence.MALFORMED
    match MASK_LAYOUT.unpack_from(frame, HEADER)[0]:
        case MaskOp.READ:
            return _mask_reply(header, facts, port, MaskOp.READ)
        case MaskOp.EDIT:
            try:
                return EditMask(header, port, decode_mask(frame, response=False).directives)
            except MalformedFrame:
                return refusal(header, facts.address, port, AoeError.BAD_ARGUMENT)
        case _:
            return refusal(header, facts.address, port, AoeError.BAD_ARGUMENT)


def answer_reserve(
    header: Header, frame: bytes | memoryview, facts: ExportFacts, port: PortFacts
) -> Reply | SetReservation | Silence:
    """Reserve/release (AoEr11, section 3.4)."""
    if len(frame) < RESERVE_HEADER:
        return Silence.MALFORMED
    match RESERVE_LAYOUT.unpack_from(frame, HEADER)[0]:
        case ReserveOp.READ:
            return _reserve_reply(header, facts, port, ReserveOp.READ)
        case ReserveOp.SET | ReserveOp.FORCE_SET as op:
            try:
                return SetReservation(header, port, ReserveOp(op), decode_reserve(frame).macs)
            except MalformedFrame:
                return refusal(header, facts.address, port, AoeError.BAD_ARGUMENT)
        case _:
            return refusal(header, facts.address, port, AoeError.BAD_ARGUMENT)


# ---- in the export's thread: what comes of it


def carry_out(change: Change, facts: ExportFacts) -> Changed:
    """What the export's state becomes by a change, and the reply, as the facts are now.

    An AoE error means that nothing is changed: what the reply's own interface does not carry is refused, though the export may
    not know yet that its MTU was cut.
    """
    facts = replace(facts, frame_limit=min(facts.frame_limit, change.port.frame_limit))
    match change:
        case SetConfig():
            return _set_config(change, facts)
        case EditMask():
            return _edit_mask(change, facts)
        case SetReservation():
            return _set_reservation(change, facts)


def not_kept(change: Change, facts: ExportFacts) -> Reply:
    """The reply where the new state could not be kept: AoE error 3, and nothing has changed."""
    return refusal(change.header, facts.address, change.port, AoeError.DEVICE_UNAVAILABLE)


def _set_config(change: SetConfig, facts: ExportFacts) -> Changed:
    state, header, port = facts.state, change.header, change.port

    def refused(error: AoeError) -> Changed:
        return Changed(state, reply_with(header, config_argument(facts, port, change.op), facts, port, error))

    if len(change.string) > facts.config_limit:
        return refused(AoeError.BAD_ARGUMENT)
    # The same string again is a repeat of a request whose reply was lost.
    if change.op is ConfigOp.SET and state.config_string and state.config_string != change.string:
        return refused(AoeError.CONFIG_STRING_PRESENT)
    after = facts.with_state(replace(state, config_string=change.string))
    return Changed(after.state, reply_with(header, config_argument(after, port, change.op), after, port))


def _edit_mask(change: EditMask, facts: ExportFacts) -> Changed:
    """Directives before a failing one stay applied (AoEr11, section 3.3)."""
    macs = dict.fromkeys(facts.state.mask)
    for number, directive in enumerate(change.directives):
        error = _direct(macs, directive, facts.mask_limit)
        if error is not MaskError.NONE:
            argument = MASK_LAYOUT.pack(MaskOp.EDIT, error, number)
            reply = reply_with(change.header, argument, facts, change.port)
            return Changed(replace(facts.state, mask=tuple(macs)), Reply(reply.frame, error=True))
    after = facts.with_state(replace(facts.state, mask=tuple(macs)))
    reply = _mask_reply(change.header, after, change.port, MaskOp.EDIT)
    return Changed(facts.state if reply.error else after.state, reply)


def _direct(macs: dict[Mac, None], directive: Directive, limit: int) -> MaskError:
    """Carry one directive out. To add what is there, and to delete what is not, is success."""
    match directive.op:
        case DirectiveOp.NONE:
            pass
        case DirectiveOp.ADD if directive.mac not in macs and len(macs) >= limit:
            return MaskError.LIST_FULL
        case DirectiveOp.ADD:
            macs[directive.mac] = None
        case DirectiveOp.DELETE:
            macs.pop(directive.mac, None)
        case _:
            return MaskError.BAD_DIRECTIVE
    return MaskError.NONE


def _set_reservation(change: SetReservation, facts: ExportFacts) -> Changed:
    macs = unique(change.macs)
    if change.op is ReserveOp.SET and facts.holders and change.header.source not in facts.holders:
        reply = _reserve_reply(change.header, facts, change.port, change.op, AoeError.TARGET_RESERVED)
        return Changed(facts.state, reply)
    if len(macs) > facts.reservation_limit:
        return Changed(facts.state, refusal(change.header, facts.address, change.port, AoeError.BAD_ARGUMENT))
    after = facts.with_state(replace(facts.state, reservation=macs))
    return Changed(after.state, _reserve_reply(change.header, after, change.port, change.op))


def unique(macs: Iterable[Mac]) -> tuple[Mac, ...]:
    """Each MAC once, in the order in which it came first."""
    return tuple(dict.fromkeys(macs))


def _mask_reply(header: Header, facts: ExportFacts, port: PortFacts, op: MaskOp) -> Reply:
    return reply_with(header, mask_argument(op, facts.state.mask), facts, port)


def _reserve_reply(header: Header, facts: ExportFacts, port: PortFacts, op: ReserveOp, error: AoeError | None = None) -> Reply:
    return reply_with(header, reserve_argument(op, facts.state.reservation), facts, port, error)
