"""An initiator that sets config string, mask list and reservation one after the other, and asks again until it is answered."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from aoetui.engine.packet import PacketSocket
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.facts import TargetState
from aoetui.engine.protocol.frames import Argument, ConfigArgument, Directive, MaskArgument, ReserveArgument
from aoetui.engine.protocol.wire import VERSION, Command, ConfigOp, DirectiveOp, MaskOp, ReserveOp
from tests.support.initiator import Initiator
from tests.support.program import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aoetui.engine.protocol.address import Address
    from tests.support.netns import Namespace

FRIEND = Mac.parse("02:00:00:00:00:77")
_PATIENCE = 0.2
"""Seconds without an answer, after which it asks again."""


class Setter:
    """`answered` is the last state whose change was answered without an error, `asked` the one that was asked for since."""

    def __init__(self, namespace: Namespace, interface: str, target: Mac, address: Address) -> None:
        self._wire = namespace.run(lambda: PacketSocket(interface))
        self._ini = Initiator(self._wire, address)
        self._ini.target = target
        self._tags = itertools.count(1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.answered = self.asked = TargetState()
        self.answers = 0
        self._requests = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()
        self._wire.close()

    def until_quiet(self) -> None:
        """Wait until every answer that a killed target sent has been heard: two requests later."""
        seen = self._requests
        until(lambda: self._requests >= seen + 2, "two more requests")

    def until_answered(self, more: int) -> None:
        """Wait for so many more answers."""
        wanted = self.answers + more
        until(lambda: self.answers >= wanted, f"{more} more answered changes")

    def _run(self) -> None:
        for command, argument, state in self._changes():
            self.asked = state
            while not self._ask(command, argument):
                if self._ended.is_set():
                    return
            self.answered = state
            self.answers += 1

    def _changes(self) -> Iterator[tuple[Command, Argument, TargetState]]:
        state, mine = self.answered, self._wire.mac
        for number in itertools.count():
            odd = number % 2
            state = replace(state, config_string=str(number).encode() * (1 + number % 200))
            yield Command.QUERY_CONFIG, ConfigArgument(0, 0, 0, VERSION, ConfigOp.FORCE_SET, state.config_string), state
            state = replace(state, mask=(mine, FRIEND) if odd else (mine,))
            lines = (Directive(DirectiveOp.ADD, mine), Directive(DirectiveOp.ADD if odd else DirectiveOp.DELETE, FRIEND))
            yield Command.MAC_MASK, MaskArgument(MaskOp.EDIT, 0, 2, lines), state
            state = replace(state, reservation=(FRIEND, mine) if odd else (mine,))
            yield Command.RESERVE, ReserveArgument(ReserveOp.FORCE_SET, state.reservation), state

    def _ask(self, command: Command, argument: Argument) -> bool:
        """Whether it was answered without an error; an error is asked again too."""
        tag = next(self._tags)
        self._wire.send([self._ini.frame(command, argument, tag)])
        self._requests += 1
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            for frame in self._ini.decoded(self._wire.receive(0.05)):
                if frame.header.response and frame.header.tag == tag and frame.header.command == command:
                    return frame.header.error is None
        return False
