"""Compares config strings: of one device, or of all that answer a broadcast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.api import NoAnswerError
from aoetui.engine.commands.remote import Comparison, ConfigAnswer
from aoetui.engine.initiator.reading import paths_by_mac, read_config
from aoetui.engine.initiator.remote_device import remote_device
from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.frames import ConfigArgument, MalformedFrame, config_request, decode
from aoetui.engine.protocol.wire import MAX_SHELF, MAX_SLOT, VERSION, Command, ConfigOp

if TYPE_CHECKING:
    from aoetui.engine.commands.remote import CompareConfig, SurveyConfig
    from aoetui.engine.core import Core
    from aoetui.engine.initiator.conversations import Conversation, Heard
    from aoetui.engine.initiator.finding import TargetPath
    from aoetui.engine.initiator.remote_device import RemoteDevice

COMPARISONS = 3
PATIENCE = 0.3
"""Seconds: silence is the answer no, and must not take long; whether the question was lost is told by reading the string."""
BROADCASTS = 2


def compare_config(core: Core, command: CompareConfig) -> Comparison:
    """Whether every MAC that answers for the address has the string. Raises NoAnswerError if none answers at all."""
    with remote_device(core, command.address) as device:
        found = [_compare(device, paths, command) for paths in paths_by_mac(device, command.mac).values()]
    return next((each for each in found if not each.matches), found[0])


def _compare(device: RemoteDevice, paths: tuple[TargetPath, ...], command: CompareConfig) -> Comparison:
    op = ConfigOp.TEST_PREFIX if command.prefix else ConfigOp.TEST
    question = ConfigArgument(0, 0, 0, VERSION, op, command.string)
    try:
        frame = device.ask(Command.QUERY_CONFIG, question, paths=paths, attempts=COMPARISONS, patience=PATIENCE).frame
    except NoAnswerError:
        pass
    else:
        if frame.header.error is None and isinstance(said := frame.argument, ConfigArgument):
            return Comparison(matches=True, answered=True, config_string=said.string)
    string = read_config(device, paths).string
    matches = string.startswith(command.string) if command.prefix else string == command.string
    return Comparison(matches=matches, answered=False, config_string=string)


def survey_config(core: Core, command: SurveyConfig) -> tuple[ConfigAnswer, ...]:
    """What answers a broadcast on the chosen interfaces. Raises EngineError where none is open."""
    chosen = [name for name in core.interfaces or () if core.ports.get(name)]
    if not chosen:
        core.ports.require((core.interfaces or ("no interface",))[0])
    found: dict[tuple[Address, str, str], ConfigAnswer] = {}
    with core.conversations.open() as conversation:
        for _ in range(BROADCASTS):
            for name in chosen:
                _broadcast(core, conversation, name, command)
            end = core.clock.monotonic() + command.wait / BROADCASTS
            while (left := end - core.clock.monotonic()) > 0:
                for heard in conversation.receive(left):
                    if (answer := _answer(heard)) is not None:
                        found[answer.address, str(answer.mac), answer.interface] = answer
    return tuple(found[key] for key in sorted(found))


def _broadcast(core: Core, conversation: Conversation, name: str, command: SurveyConfig) -> None:
    port = core.ports.get(name)
    if port is None:
        return  # lost meanwhile
    compared = ConfigOp.TEST_PREFIX if command.prefix else ConfigOp.TEST
    op = ConfigOp.READ if command.string is None else compared
    frame = config_request(source=port.facts.mac, address=None, tag=conversation.tag(), op=op, string=command.string or b"")
    conversation.send(name, [frame])


def _answer(heard: Heard) -> ConfigAnswer | None:
    name, raw = heard
    try:
        frame = decode(raw)
    except MalformedFrame:
        return None
    header, said = frame.header, frame.argument
    if not isinstance(said, ConfigArgument) or header.error is not None or not header.source.is_sender:
        return None
    if header.shelf > MAX_SHELF or header.slot > MAX_SLOT:
        return None
    return ConfigAnswer(Address(header.shelf, header.slot), header.source, name, said.string)
