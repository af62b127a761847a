"""The lossy wire between two cables, with frames that cross it."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.packet_ring import SOL_PACKET, PacketOption
from tests.support.lossy import LossyWire, Rates
from tests.support.netns import Namespace, join
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

AOE = 0x88A2
FRAMES, BATCH = 2000, 50
NO_HARM = Rates(0, 0, 0)
NO_DISK = Path("nothing writes here")


class Ends:
    """An initiator's namespace, the wire's and a target's, in a row."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        initiator, self.middle, target = (stack.enter_context(Namespace()) for _ in range(3))
        join(initiator, "end", self.middle, "left")
        join(target, "end", self.middle, "right")
        self.initiator, self.target = (stack.enter_context(space.run(self._open)) for space in (initiator, target))

    @staticmethod
    def _open() -> socket.socket:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        made.setsockopt(
            SOL_PACKET, PacketOption.QDISC_BYPASS, 1
        )  # the queue of a link that has just come up loses frames in silence
        made.bind(("end", AOE))
        made.setblocking(False)
        return made

    def wire(self, rates: Rates, seed: int = 1) -> LossyWire:
        """The wire, to be entered."""
        return LossyWire(self.middle, ("left", "right"), NO_DISK, rates, seed)


@pytest.fixture
def ends(private_network: None) -> Iterator[Ends]:  # noqa: ARG001  # it may skip
    """The namespaces, cabled."""
    with contextlib.ExitStack() as stack:
        yield Ends(stack)


def frame(number: int) -> bytes:
    """An AoE frame that is no request that the wire knows."""
    return struct.pack(">6s6sHBBHBBI", b"\x02" * 6, b"\x02" * 6, AOE, 0x10, 0, 9, 1, 0xF0, number)


def number_of(sent: bytes) -> int:
    """The number that `frame` was given."""
    return int.from_bytes(sent[20:24], "big")


def hear(listener: socket.socket, heard: list[int]) -> int:
    """Take what is there; how many were heard so far."""
    with contextlib.suppress(BlockingIOError):
        while True:
            heard.append(number_of(listener.recv(2048)))
    return len(heard)


def send(ends: Ends, wire: LossyWire, first: int, heard: list[int]) -> None:
    """Send BATCH frames, and take what has come through, so that no queue fills up."""
    for number in range(first, first + BATCH):
        ends.initiator.send(frame(number))
    wait_until(lambda: wire.requests.counts.seen == first + BATCH - 1, "the wire has taken what was sent")
    hear(ends.target, heard)


def cross(ends: Ends, rates: Rates, seed: int = 1) -> tuple[LossyWire, list[int]]:
    """Send FRAMES frames; returns the wire, and the numbers that came through."""
    heard: list[int] = []
    with ends.wire(rates, seed) as wire:
        for first in range(1, FRAMES + 1, BATCH):
            send(ends, wire, first, heard)
        expected = FRAMES - wire.requests.counts.dropped + wire.requests.counts.repeated
        wait_until(lambda: hear(ends.target, heard) >= expected, "what the wire has not dropped")
    hear(ends.target, heard)
    return wire, heard


def test_a_good_wire_carries_both_ways_in_order(ends: Ends) -> None:
    back: list[int] = []
    with ends.wire(NO_HARM) as wire:
        for number in range(50):
            ends.target.send(frame(number))
        wait_until(lambda: hear(ends.initiator, back) == 50, "the frames that went back")
        assert (wire.replies.counts.seen, wire.requests.counts.seen) == (50, 0)
    assert back == list(range(50))
    assert cross(ends, NO_HARM)[1] == list(range(1, FRAMES + 1))


def test_it_does_what_it_counts(ends: Ends) -> None:
    wire, heard = cross(ends, Rates(drop=0.05, repeat=0.05, reorder=0.05))
    counts = wire.requests.counts
    assert min(counts.dropped, counts.repeated, counts.reordered, counts.late) > 0
    assert Counter(Counter(heard).values()) == {1: FRAMES - counts.dropped - counts.repeated, 2: counts.repeated}
    assert heard != sorted(heard)


def test_the_seed_decides_which_frames_are_lost(ends: Ends) -> None:
    lost = [set(range(FRAMES)) - set(cross(ends, Rates(), seed)[1]) for seed in (5, 5, 6)]
    assert lost[0] == lost[1] != lost[2]


def test_what_it_loses_by_accident_is_counted(ends: Ends) -> None:
    with ends.wire(NO_HARM) as wire:
        ends.middle.set_link("right", state="down")
        ends.initiator.send(frame(1))
        wait_until(lambda: wire.requests.accidents().refused == 1, "the frame that could not go on")
