"""Smaller questions to a device: its IDENTIFY page, a SMART command, whether it answers and how soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.api import EngineError, NoAnswerError
from aoetui.engine.commands.identify import IdentifyReport
from aoetui.engine.commands.ping import PingPath, Pong
from aoetui.engine.commands.smart import SmartAnswer
from aoetui.engine.initiator.reading import paths_by_mac, read_page
from aoetui.engine.initiator.refusals import refused
from aoetui.engine.initiator.remote_device import remote_device
from aoetui.engine.protocol.address import BROADCAST_MAC, Mac
from aoetui.engine.protocol.frames import AtaArgument, ConfigArgument, MalformedFrame, config_request, decode
from aoetui.engine.protocol.identify_page import identify_fields, words_of
from aoetui.engine.protocol.smart import SmartCommand, is_failing, smart_request
from aoetui.engine.protocol.wire import SECTOR, AtaStatus, Command

if TYPE_CHECKING:
    from aoetui.engine.commands.identify import ReadIdentify
    from aoetui.engine.commands.ping import Ping
    from aoetui.engine.commands.smart import Smart
    from aoetui.engine.core import Core
    from aoetui.engine.initiator.conversations import Conversation, Heard
    from aoetui.engine.protocol.address import Address

_FAILED = AtaStatus.BSY | AtaStatus.DF | AtaStatus.ERR
_SMART_SUPPORTED = 82, 0x0001


def read_identify(core: Core, command: ReadIdentify) -> tuple[IdentifyReport, ...]:
    """The page of each MAC of a device, or of an export of ours. Raises EngineError, NoAnswerError."""
    held = core.serving.get(command.address)
    if held is not None and held.export is not None and held.admitted:
        port = next(iter(held.admitted.values()))
        return (_report(command.address, port.facts.mac, port.interface, held.export.facts.identify),)
    with remote_device(core, command.address) as device:
        pages = [(paths[0], read_page(device, paths)) for paths in paths_by_mac(device, command.mac).values()]
    found = tuple(_report(command.address, path.mac, path.port, page) for path, page in pages if page is not None)
    if not found:
        raise NoAnswerError(f"{command.address} answers queries, and not IDENTIFY: its disk may not answer it")
    return found


def _report(address: Address, mac: Mac, interface: str, page: bytes) -> IdentifyReport:
    words = words_of(page)
    return IdentifyReport(address, mac, interface, words, identify_fields(words))


def smart(core: Core, command: Smart) -> SmartAnswer:
    """Carry out a SMART command. Raises EngineError, NoAnswerError."""
    with remote_device(core, command.address) as device:
        by_mac = paths_by_mac(device, command.mac)
        if len(by_mac) > 1 and command.command.writes:
            raise EngineError(f"{command.address} has several MACs ({', '.join(map(str, by_mac))}): name the one that is meant")
        paths = next(iter(by_mac.values()))
        page = read_page(device, paths)
        word, bit = _SMART_SUPPORTED
        if page is not None and not words_of(page)[word] & bit:
            raise EngineError(f"{command.address} has no SMART: what it serves is no disk of its own, or hides it")
        answer = device.ask(Command.ATA, smart_request(command.command, command.parameter, command.data), paths=paths)
    said, error = answer.frame.argument, answer.frame.header.error
    if error is not None or not isinstance(said, AtaArgument):
        raise EngineError(refused(command.address, error))
    if said.op_or_status & _FAILED:
        registers = f"status {said.op_or_status:#04x}, error {said.feature_or_error:#04x}"
        raise EngineError(
            f"{command.address} aborts SMART {command.command.value} ({registers}): SMART may be disabled; enable it first"
        )
    if command.command.reads and len(said.data) < SECTOR:
        raise EngineError(f"{command.address} answers SMART {command.command.value} without its data: its program is at fault")
    return SmartAnswer(
        mac=answer.path.mac,
        interface=answer.path.port,
        error=said.feature_or_error,
        sector_count=said.sector_count,
        lba_low=said.lba & 0xFF,
        lba_mid=said.lba >> 8 & 0xFF,
        lba_high=said.lba >> 16 & 0xFF,
        status=said.op_or_status,
        data=bytes(said.data[:SECTOR]) if command.command.reads else b"",
        failing=is_failing(said.lba) if command.command is SmartCommand.RETURN_STATUS else None,
    )


def ping(core: Core, command: Ping) -> tuple[Pong, ...]:
    """Query every path once. Raises EngineError where no chosen interface is open."""
    chosen = [name for name in core.interfaces or () if core.ports.get(name)]
    if not chosen and not command.paths:
        core.ports.require((core.interfaces or ("no interface",))[0])
    with core.conversations.open(first_tag=command.tag) as conversation:
        round_ = _Round(core, command.address, conversation)
        for path in command.paths or [PingPath(name, BROADCAST_MAC) for name in chosen]:
            round_.ask(path)
        round_.listen(command.wait)
        return round_.pongs(command.paths)


class _Round:
    """One query on each path, and what answered."""

    def __init__(self, core: Core, address: Address, conversation: Conversation) -> None:
        self._core = core
        self._address = address
        self._conversation = conversation
        self._asked: dict[int, tuple[PingPath, float]] = {}
        self._heard: dict[PingPath, Pong] = {}

    def ask(self, path: PingPath) -> None:
        """Send a query; on a port that is gone, none."""
        port, tag = self._core.ports.get(path.interface), self._conversation.tag()
        self._asked[tag] = path, self._core.clock.monotonic()
        if port is not None:
            frame = config_request(source=port.facts.mac, destination=path.mac, address=self._address, tag=tag)
            self._conversation.send(path.interface, [frame])

    def listen(self, seconds: float) -> None:
        """Take answers, until all who were named have answered or the time is over."""
        named = {path for path, _ in self._asked.values() if path.mac != BROADCAST_MAC}
        end = self._core.clock.monotonic() + seconds
        while (left := end - self._core.clock.monotonic()) > 0 and not (named and named <= self._heard.keys()):
            for heard in self._conversation.receive(left):
                self._take(heard)

    def _take(self, heard: Heard) -> None:
        interface, raw = heard
        now = self._core.clock.monotonic()
        try:
            frame = decode(raw)
        except MalformedFrame:
            return
        header, said = frame.header, frame.argument
        asked, sent = self._asked.get(header.tag, (None, 0.0))
        path = PingPath(interface, header.source)
        if asked is None or asked.interface != interface or asked.mac not in (header.source, BROADCAST_MAC):
            return
        if not isinstance(said, ConfigArgument) or not header.response or not header.source.is_sender:
            return
        if (header.shelf, header.slot) == (self._address.shelf, self._address.slot):
            pong = Pong(path, (now - sent) * 1e6, header.tag, said.buffer_count, said.firmware, said.sector_count)
            self._heard.setdefault(path, pong)

    def pongs(self, named: tuple[PingPath, ...]) -> tuple[Pong, ...]:
        """What came of each path, those that were not answered too."""
        tags = {path: tag for tag, (path, _) in self._asked.items()}
        missing = {path: Pong(path, None, tags[path]) for path in named}
        return tuple(pong for _, pong in sorted((missing | self._heard).items()))
