"""What a person makes of an export's config string, mask list and reservation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, SetConfigString, SetMask, SetReservation
from aoetui.engine.protocol.changes import unique

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.facts import ExportFacts, TargetState


def edited(command: SetConfigString | SetMask | SetReservation, facts: ExportFacts) -> TargetState:
    """The export's state as the command wants it. Raises EngineError where it does not fit a reply."""
    match command:
        case SetConfigString(string=string):
            if len(string) > facts.config_limit:
                text = f"{len(string)} bytes are too long for a config string here: use at most {facts.config_limit}"
                raise EngineError(text, field="config_string")
            return replace(facts.state, config_string=string)
        case SetMask(macs=macs):
            return replace(facts.state, mask=_list(macs, facts.mask_limit, "mask"))
        case SetReservation(macs=macs):
            return replace(facts.state, reservation=_list(macs, facts.reservation_limit, "reservation"))


def _list(macs: tuple[Mac, ...], limit: int, name: str) -> tuple[Mac, ...]:
    chosen = unique(macs)
    if len(chosen) > limit:
        text = f"{len(chosen)} MACs are more than a reply holds at the MTU of its interfaces: keep at most {limit}"
        raise EngineError(text, field=name)
    for mac in chosen:
        if not mac.is_sender:
            raise EngineError(f"{mac} is no address that a frame can come from: name the initiator's own", field=name)
    return chosen
