"""The lossy wire itself: a thread between two links of one namespace."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from .harm import Counts, Harm, Parcel, Rates
from .ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.netns import Namespace

AOE = 0x88A2
LARGEST_FRAME = 9100
BATCH = 64
"""Frames taken from one side before the other has its turn."""
IDLE_SECONDS = 0.1
"""How long the thread waits at most before it looks whether it shall end."""
BUFFER_BYTES = 16 << 20
_SO_RCVBUFFORCE, _SOL_PACKET, _STATISTICS, _QDISC_BYPASS = 33, 263, 6, 20


@dataclass(frozen=True, slots=True)
class Accidents:
    """Frames of one direction that were lost without intent."""

    unheard: int
    """The receiving socket had no room."""
    refused: int
    """The kernel would not send them."""


class LossyWire:
    """Carries AoE frames both ways between an initiator's link and a target's, from `with` to its end."""

    def __init__(self, namespace: Namespace, links: tuple[str, str], disk: Path, rates: Rates, seed: int) -> None:
        """`links`: the initiator's and the target's, in `namespace`; `disk`: what the target serves."""
        self.ledger = Ledger(disk)
        near, far = namespace.run(lambda: (_open(links[0]), _open(links[1])))
        self.requests = Way(near, far, Harm(rates, seed), self.ledger.request, self.ledger.goes_on)
        self.replies = Way(far, near, Harm(rates, seed + 1), self.ledger.reply, lambda _parcel, _now: True)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()
        for way in (self.requests, self.replies):
            way.close()

    def _run(self) -> None:
        ways = {way.fileno(): way for way in (self.requests, self.replies)}
        poll = select.poll()
        for number in ways:
            poll.register(number, select.POLLIN)
        while not self._ended.is_set():
            due = min(way.harm.next_due() for way in ways.values()) - time.monotonic()
            for number, _ in poll.poll(1000 * max(0.0, min(due, IDLE_SECONDS))):
                ways[number].carry()
            for way in ways.values():
                way.release()


class Way:
    """One direction: frames heard on one link, harmed, and sent on the other."""

    def __init__(
        self,
        heard: socket.socket,
        onward: socket.socket,
        harm: Harm,
        note: Callable[[Parcel], None],
        goes_on: Callable[[Parcel, float], bool],
    ) -> None:
        self.harm = harm
        self._heard, self._onward = heard, onward
        self._note, self._goes_on = note, goes_on
        self._refused = self._unheard = 0

    @property
    def counts(self) -> Counts:
        """What was done on purpose."""
        return self.harm.counts

    def fare(self, rates: Rates, seed: int = 1) -> None:
        """Let other things befall its frames from now on."""
        counts, self.harm = self.harm.counts, Harm(rates, seed)
        self.harm.counts = counts

    def accidents(self) -> Accidents:
        """What was not. Not to be asked after `close`."""
        self._unheard += struct.unpack("=II", self._heard.getsockopt(_SOL_PACKET, _STATISTICS, 8))[1]  # which sets it to 0
        return Accidents(self._unheard, self._refused)

    def fileno(self) -> int:
        """Of the socket that hears."""
        return self._heard.fileno()

    def carry(self) -> None:
        """Take what has been heard."""
        for _ in range(BATCH):
            try:
                frame = self._heard.recv(LARGEST_FRAME, socket.MSG_DONTWAIT)
            except OSError:  # nothing more is there; or the link went down, which the kernel says once
                return
            parcel = Parcel(self.counts.seen + 1, time.monotonic(), frame)
            self._note(parcel)
            self._send(self.harm.offer(parcel))

    def release(self) -> None:
        """Send what has been held back long enough."""
        self._send(self.harm.due(time.monotonic()))

    def _send(self, parcels: list[Parcel]) -> None:
        for parcel in parcels:
            if self._goes_on(parcel, time.monotonic()):
                try:
                    self._onward.send(parcel.frame)
                except OSError:  # a queue is full (ENOBUFS), or a link is down: a wire loses what it cannot carry
                    self._refused += 1

    def close(self) -> None:
        """Let the socket that hears go; the other belongs to the other way."""
        self._heard.close()


def _open(link: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER_BYTES)
    except PermissionError:  # root of a user namespace alone: as much as anybody may have
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    made.setsockopt(_SOL_PACKET, _QDISC_BYPASS, 1)  # a queue of the kernel's would lose frames uncounted
    made.bind((link, AOE))
    return made
