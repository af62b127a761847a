"""Finds the paths of one address by asking for it, as it is now: nobody's memory of the SAN is trusted with data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, NoAnswerError
from aoetui.engine.protocol.frames import ConfigArgument, MalformedFrame, config_request, decode
from aoetui.engine.protocol.sightings import DEFAULT_SECTOR_COUNT

if TYPE_CHECKING:
    from aoetui.engine.core import Core
    from aoetui.engine.initiator.conversations import Conversation, Heard
    from aoetui.engine.protocol.address import Address, Mac

BROADCASTS = 4
FIRST_ANSWER = 0.5
"""Seconds that each broadcast waits for a first answer."""
FURTHER_ANSWERS = 0.2
"""Seconds after the first answer in which other paths answer too."""


@dataclass(frozen=True, slots=True, order=True)
class TargetPath:
    """One way to a target: a MAC that answers, on one port of ours."""

    port: str
    """As in port_names."""
    mac: Mac
    sector_count: int
    """Sectors of one frame, both ends considered; at least 1."""
    buffer_count: int
    """Requests that the target can queue, as it says."""


def paths_to(core: Core, address: Address, conversation: Conversation) -> tuple[TargetPath, ...]:
    """Ask for `address` on every open port that is chosen, and return who answers, sorted; never empty. Blocks 0.2 to 2 s.

    Raises NoAnswerError, EngineError where no interface is chosen or the address is served by this host alone.
    """
    chosen = [name for name in core.interfaces or () if core.ports.get(name)]
    if not chosen:
        core.ports.require((core.interfaces or ("no interface",))[0])
    found: dict[tuple[str, Mac], TargetPath] = {}
    for _ in range(BROADCASTS):
        for name in chosen:
            if (port := core.ports.get(name)) is not None:
                conversation.send(name, [config_request(source=port.facts.mac, address=address, tag=conversation.tag())])
        _collect(core, conversation, address, found, FIRST_ANSWER)
        if found:
            _collect(core, conversation, address, found, FURTHER_ANSWERS)
            return tuple(sorted(found.values()))
    held = core.serving.get(address)
    if held is not None and held.admitted:
        raise EngineError(f"{address} is served by this host: use its backing {held.spec.path}", field="address")
    raise NoAnswerError(
        f"{address} does not answer on {', '.join(chosen)}: look at the cable, the VLAN and the target's mask list"
    )


def _collect(
    core: Core, conversation: Conversation, address: Address, found: dict[tuple[str, Mac], TargetPath], seconds: float
) -> None:
    """Take answers until `seconds` are over, or, where there was none yet, until the first."""
    had, end = bool(found), core.clock.monotonic() + seconds
    while (left := end - core.clock.monotonic()) > 0 and bool(found) is had:
        for heard in conversation.receive(left):
            path = _path_of(core, address, heard)
            if path is not None:
                found[path.port, path.mac] = path


def _path_of(core: Core, address: Address, heard: Heard) -> TargetPath | None:
    """The path that an answer tells of; None if it is of another address, or no sound answer."""
    name, frame = heard
    try:
        answer = decode(frame)
    except MalformedFrame:
        return None
    port, header, said = core.ports.get(name), answer.header, answer.argument
    if port is None or not isinstance(said, ConfigArgument) or header.error is not None or header.source.is_multicast:
        return None
    if (header.shelf, header.slot) != (address.shelf, address.slot):
        return None
    sectors = min(said.sector_count or DEFAULT_SECTOR_COUNT, port.facts.sector_count)
    return TargetPath(name, header.source, max(1, sectors), said.buffer_count)
