"""Conversations with targets: each has tags of its own, and gets whatever answer carries one of them.

Many go on at once over the ports that are open: a copy, a path check, a person's question. The scanner hears nothing of them.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from itertools import chain, count, repeat
from typing import TYPE_CHECKING, Self

from aoetui.engine.conflicts import EndingError
from aoetui.engine.protocol.wire import CONVERSATION_TAG, HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aoetui.engine.ports import Port, Ports

MAX_OPEN = 1024
_SEQUENCE_BITS = 20
_SEQUENCES = 1 << _SEQUENCE_BITS
_MARK = CONVERSATION_TAG >> 24
_TAG_AT = 20
_INBOX_LIMIT = 16384
"""Answers of one conversation that wait; beyond it the oldest are dropped, and asked for again."""

Heard = tuple[str, bytes]
"""The port's name, and a frame."""


class Conversation:
    """One user of the wire. Made by `Conversations.open`; `tag` and `receive` are for one thread, the rest for any."""

    def __init__(self, conversations: Conversations, ports: Ports, number: int, first_tag: int | None = None) -> None:
        self._conversations = conversations
        self._ports = ports
        self.number = number
        self._base = CONVERSATION_TAG | number << _SEQUENCE_BITS
        # At random, so that late answers to whoever had this number before are not taken for its own.
        first = secrets.randbelow(_SEQUENCES) if first_tag is None else first_tag
        every = range(_SEQUENCES)
        self.tags: Iterator[int] = map(self._base.__or__, chain(every[first:], chain.from_iterable(repeat(every))))
        """One after the other; each comes again after a million."""
        self._inbox: deque[Heard] = deque(maxlen=_INBOX_LIMIT)
        self._wake = threading.Event()
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def tag(self) -> int:
        """The next tag."""
        return next(self.tags)

    def send(self, port: str, frames: Sequence[bytes]) -> int:
        """Send on the port of this name. Returns how many the kernel took: 0 where the port is not open."""
        found = self._ports.get(port)
        return 0 if found is None else found.send(frames)

    def receive(self, timeout: float) -> list[Heard]:
        """Wait up to `timeout` seconds for answers, and take all that came; empty on timeout and after `wake`.

        Raises EndingError once the engine ends.
        """
        if not self._inbox and timeout > 0:
            self._wake.wait(timeout)
        self._wake.clear()
        if self._ended:
            raise EndingError
        return [self._inbox.popleft() for _ in range(len(self._inbox))]

    def wake(self) -> None:
        """Let a `receive` that waits, or the next one, return at once."""
        self._wake.set()

    def close(self) -> None:
        """Give the tags back; answers that still come are dropped."""
        self._conversations.closed(self)

    def hear(self, answers: Sequence[Heard]) -> None:
        """Take answers, from a port's thread."""
        self._inbox.extend(answers)
        self._wake.set()

    def end(self) -> None:
        """The engine ends."""
        self._ended = True
        self._wake.set()


class Conversations:
    """All that are open. `heard` is fed with every response that any port receives."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._lock = threading.Lock()
        self._open: dict[int, Conversation] = {}
        self._numbers = count(secrets.randbelow(MAX_OPEN))
        self._ended = False

    def open(self, *, first_tag: int | None = None) -> Conversation:
        """Begin one, with `first_tag` as the low 20 bits of its first tag; None: any.

        Raises EndingError once the engine ends; with MAX_OPEN of them open, RuntimeError.
        """
        with self._lock:
            if self._ended:
                raise EndingError
            if len(self._open) >= MAX_OPEN:
                raise RuntimeError(f"{MAX_OPEN} conversations are open: one of their users does not close them")
            number = next(each for each in (value % MAX_OPEN for value in self._numbers) if each not in self._open)
            made = self._open[number] = Conversation(self, self._ports, number, first_tag)
            return made

    def closed(self, conversation: Conversation) -> None:
        """Forget one."""
        with self._lock:
            if self._open.get(conversation.number) is conversation:
                del self._open[conversation.number]

    def heard(self, port: Port, frames: list[bytes]) -> list[bytes]:
        """Hand each answer to the conversation whose tag it carries. Returns those that carry none's: they are for others."""
        mine: dict[int, list[Heard]] = {}
        others: list[bytes] = []
        for frame in frames:
            if len(frame) >= HEADER and frame[_TAG_AT] & _MARK == _MARK:
                number = int.from_bytes(frame[_TAG_AT : _TAG_AT + 4]) >> _SEQUENCE_BITS & MAX_OPEN - 1
                mine.setdefault(number, []).append((port.interface, frame))
            else:
                others.append(frame)
        for number, answers in mine.items():
            if (conversation := self._open.get(number)) is not None:
                conversation.hear(answers)
        return others

    def stop(self) -> None:
        """Let everybody who waits for an answer, now and later, hear that the engine ends."""
        with self._lock:
            self._ended = True
            ending = list(self._open.values())
        for conversation in ending:
            conversation.end()
