"""A device of somebody else: found on its paths, and asked one question after the other."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

from aoetui.engine.api import NoAnswerError
from aoetui.engine.initiator.finding import paths_to
from aoetui.engine.protocol.frames import Frame, MalformedFrame, decode, encode
from aoetui.engine.protocol.header import Header
from aoetui.engine.protocol.wire import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aoetui.engine.core import Core
    from aoetui.engine.initiator.conversations import Conversation
    from aoetui.engine.initiator.finding import TargetPath
    from aoetui.engine.protocol.address import Address
    from aoetui.engine.protocol.frames import Argument
    from aoetui.engine.protocol.wire import Command

ATTEMPTS = 6
PATIENCE = 0.5
"""Seconds that one attempt waits for its answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a target answered, over which path, and how long after the frame that it answers."""

    frame: Frame
    path: TargetPath
    round_trip: float
    """Seconds. Each attempt has a tag of its own, so it is known which one was answered."""


@contextmanager
def remote_device(core: Core, address: Address) -> Iterator[RemoteDevice]:
    """Find a device, to use it. Raises what `finding.paths_to` raises."""
    with core.conversations.open() as conversation:
        yield RemoteDevice(core, conversation, address, paths_to(core, address, conversation))


class RemoteDevice:
    """For one thread."""

    def __init__(self, core: Core, conversation: Conversation, address: Address, paths: tuple[TargetPath, ...]) -> None:
        self.address = address
        self.paths = paths
        """As it answered on them when it was found; never empty."""
        self._core = core
        self._conversation = conversation
        self._asked: dict[int, tuple[TargetPath, float]] = {}

    def ask(
        self,
        command: Command,
        argument: Argument,
        *,
        paths: tuple[TargetPath, ...] | None = None,
        attempts: int = ATTEMPTS,
        patience: float = PATIENCE,
    ) -> Answer:
        """Ask over these paths (all of them if None), one after the other, until one answers. Raises NoAnswerError.

        An answer to an earlier attempt counts too. What the question changes may be changed by each attempt again: it must be
        such that this does no harm.
        """
        self._asked.clear()
        for _, path in zip(range(attempts), cycle(paths or self.paths), strict=False):
            self._send(command, argument, path)
            answer = self._await(command, patience)
            if answer is not None:
                return answer
        macs = ", ".join(sorted({str(path.mac) for path in paths or self.paths}))
        raise NoAnswerError(
            f"{self.address} ({macs}) did not answer within {attempts * patience:g} s:"
            " look at its mask list, and at the wire for loss"
        )

    def _send(self, command: Command, argument: Argument, path: TargetPath) -> None:
        port = self._core.ports.get(path.port)
        if port is None:
            return  # lost meanwhile: the attempt waits for it to come back
        tag = self._conversation.tag()
        header = Header(
            destination=path.mac,
            source=port.facts.mac,
            version=VERSION,
            response=False,
            error=None,
            shelf=self.address.shelf,
            slot=self.address.slot,
            command=command,
            tag=tag,
        )
        self._asked[tag] = path, self._core.clock.monotonic()
        self._conversation.send(path.port, [encode(Frame(header, argument))])

    def _await(self, command: Command, patience: float) -> Answer | None:
        end = self._core.clock.monotonic() + patience
        while (left := end - self._core.clock.monotonic()) > 0:
            for port, frame in self._conversation.receive(left):
                answer = self._answer(port, frame, command)
                if answer is not None:
                    return answer
        return None

    def _answer(self, port: str, raw: bytes, command: Command) -> Answer | None:
        """The answer in a frame, if it is one of the target that was asked: nobody else's counts."""
        try:
            frame = decode(raw)
        except MalformedFrame:
            return None
        header = frame.header
        path, sent = self._asked.get(header.tag, (None, 0.0))
        if path is None or (port, header.source, header.command) != (path.port, path.mac, command) or not header.response:
            return None
        if (header.shelf, header.slot) != (self.address.shelf, self.address.slot):
            return None
        return Answer(frame, path, self._core.clock.monotonic() - sent)
