"""Has a transfer carried out: its requests out on the ports, the answers in, what came of it to whoever takes it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from aoetui.engine.commands.copying import TaskPath

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.core import Core
    from aoetui.engine.initiator.conversations import Conversation
    from aoetui.engine.protocol.transfer import Transfer

LOOK_EVERY = 0.25
"""Seconds between two looks at links, and at whether someone has cancelled."""

Delivered = list[tuple[int, int, bytes]]
"""As Transfer.delivered."""


class Watch(Protocol):
    """Who follows a transfer."""

    @property
    def cancelled(self) -> bool:
        """Whether it is to stop."""
        ...

    def progress(self, transfer: Transfer) -> None:
        """Look at it; called a few times a second."""
        ...


@dataclass(slots=True)
class Cancel:
    """Lets another thread stop a transfer."""

    asked: threading.Event = field(default_factory=threading.Event)
    wake: Callable[[], None] | None = None
    """Lets the transfer notice at once."""

    def __call__(self) -> None:
        """Stop it."""
        self.asked.set()
        if self.wake is not None:
            self.wake()


def carry_out(
    core: Core, conversation: Conversation, transfer: Transfer, take: Callable[[Delivered], None], watch: Watch
) -> None:
    """Until the transfer has ended or is cancelled. `take` is called with what was delivered.

    Raises what `take` and the transfer's data raise, and EndingError when the engine ends: what `take` could not take is in
    `delivered` then, and all else that is not done in `remaining`.
    """
    clock = core.clock.monotonic
    look_at = clock()
    while not transfer.ended and not watch.cancelled:
        now = clock()
        if now >= look_at:
            look_at = now + LOOK_EVERY
            _look_at_links(core, transfer)
            watch.progress(transfer)
        for port, frames in transfer.outgoing(now):
            if not conversation.send(port, frames):
                transfer.port_lost(port, now)
        due = min(transfer.timer() or now, look_at)
        heard = conversation.receive(due - clock())
        now = clock()
        transfer.receive(heard, now)
        transfer.handle_timer(now)
        if transfer.delivered:
            take(transfer.delivered)
            transfer.delivered.clear()
    watch.progress(transfer)


def _look_at_links(core: Core, transfer: Transfer) -> None:
    """MAC and MTU may have changed; a port that is gone is noticed when something is sent there."""
    for path in transfer.paths:
        port = core.ports.get(path.port)
        if port is not None:
            transfer.link_is(path.port, port.facts.mac, port.facts.sector_count)


def paths_of(transfer: Transfer) -> tuple[TaskPath, ...]:
    """Its paths, as they are now."""
    return tuple(
        TaskPath(
            interface=path.port,
            mac=path.facts.target,
            answers=not path.aside,
            window=int(path.window),
            requests=path.requests,
            lost=path.lost,
            bytes=path.sectors * 512,
            rtt_us=None if path.round_trip is None else path.round_trip * 1e6,
        )
        for path in transfer.paths
    )
