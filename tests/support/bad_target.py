"""A target that answers as a test tells it to: soundly until then, as e9.1, with the tag of what was asked.

A stand-in, because no real target loses answers, lies or refuses on demand.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aoetui.engine.packet import PacketSocket
from aoetui.engine.protocol.ata import identify_page
from aoetui.engine.protocol.frames import (
    AtaArgument,
    ConfigArgument,
    Directive,
    Frame,
    MaskArgument,
    ReserveArgument,
    decode,
    encode,
)
from aoetui.engine.protocol.wire import SECTOR, VERSION, AoeError, AtaOp, Command, ConfigOp, DirectiveOp, MaskOp, ReserveOp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.frames import Argument
    from tests.support.netns import Namespace

    Answer = Frame | None
    Rule = Callable[[Frame, Answer], Answer]

PAGE = identify_page(sectors=2048, serial="0001", firmware="1", write_cache=True)


@dataclass
class BadTarget:
    """Keeps a config string, a mask list and a reservation, without their effects. `rules` replace answers, or lose them."""

    mac: Mac
    string: bytes = b""
    mask: list[Mac] = field(default_factory=list)
    reservation: tuple[Mac, ...] = ()
    page: bytes = PAGE
    rules: list[Rule] = field(default_factory=list)
    asked: list[Frame] = field(default_factory=list)
    """Every request, oldest first."""

    def answer(self, request: Frame) -> Answer:
        """What is sent."""
        self.asked.append(request)
        found: Answer = self._sound(request)
        for rule in self.rules:
            found = rule(request, found)
        return found

    def of(self, command: Command) -> list[Argument]:
        """The arguments of the requests of one command."""
        return [frame.argument for frame in self.asked if frame.header.command == command]

    def _sound(self, request: Frame) -> Answer:
        match request.argument:
            case ConfigArgument() as asked:
                return self._config(request, asked)
            case MaskArgument(op=op, directives=directives):
                if op == MaskOp.EDIT:
                    for line in directives:
                        self._direct(line)
                listed = tuple(Directive(DirectiveOp.NONE, mac) for mac in self.mask)
                return self.reply(request, MaskArgument(op, 0, len(listed), listed))
            case ReserveArgument(op=op, macs=macs):
                if op != ReserveOp.READ:
                    self.reservation = macs
                return self.reply(request, ReserveArgument(op, self.reservation))
            case AtaArgument(op_or_status=AtaOp.IDENTIFY):
                return self.reply(request, AtaArgument(0, 0, 0, 0x40, 0, self.page))
            case _:
                return self.reply(request, AtaArgument(0, 4, 0, 0x41, 0, b""))

    def _config(self, request: Frame, asked: ConfigArgument) -> Answer:
        error = None
        match asked.op:
            case ConfigOp.TEST if asked.string != self.string:
                return None
            case ConfigOp.TEST_PREFIX if not self.string.startswith(asked.string):
                return None
            case ConfigOp.SET if self.string and self.string != asked.string:
                error = AoeError.CONFIG_STRING_PRESENT
            case ConfigOp.SET | ConfigOp.FORCE_SET:
                self.string = asked.string
        return self.reply(request, ConfigArgument(64, 0x4019, 2, VERSION, asked.op, self.string), error)

    def _direct(self, line: Directive) -> None:
        if line.op == DirectiveOp.ADD and line.mac not in self.mask:
            self.mask.append(line.mac)
        elif line.op == DirectiveOp.DELETE and line.mac in self.mask:
            self.mask.remove(line.mac)

    def reply(self, request: Frame, argument: Argument, error: int | None = None) -> Frame:
        """An answer to a request."""
        asked = request.header
        head = replace(asked, destination=asked.source, source=self.mac, response=True, error=error, shelf=9, slot=1)
        return Frame(head, argument)


def losing(command: Command, op: int, count: int) -> Rule:
    """Does what is asked, and loses the first `count` answers to this sub-command."""
    left = [count]

    def rule(request: Frame, answer: Answer) -> Answer:
        if request.header.command == command and getattr(request.argument, "op", None) == op and left[0]:
            left[0] -= 1
            return None
        return answer

    return rule


@contextlib.contextmanager
def bad_target(namespace: Namespace, link: str) -> Iterator[BadTarget]:
    """It listens on a link until the end."""
    wire = namespace.run(lambda: PacketSocket(link))
    target = BadTarget(wire.mac)
    ended = threading.Event()

    def body() -> None:
        while not ended.is_set():
            for raw in wire.receive(0.05):
                request = decode(raw)
                if request.header.response:
                    continue
                if (answer := target.answer(request)) is not None:
                    wire.send([encode(answer)])

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield target
    finally:
        ended.set()
        thread.join()
        wire.close()


def holding(byte: int) -> Rule:
    """A disk all of whose bytes are this one, whatever is written to it."""

    def rule(request: Frame, answer: Answer) -> Answer:
        asked = request.argument
        if answer is None or not isinstance(asked, AtaArgument):
            return answer
        if asked.op_or_status in {AtaOp.READ, AtaOp.READ_EXT}:
            data = bytes([byte]) * (asked.sector_count * SECTOR)
            return replace(answer, argument=AtaArgument(0, 0, asked.sector_count, 0x40, asked.lba, data))
        if asked.op_or_status in {AtaOp.WRITE, AtaOp.WRITE_EXT}:
            return replace(answer, argument=AtaArgument(0, 0, 0, 0x40, asked.lba, b""))
        return answer

    return rule
