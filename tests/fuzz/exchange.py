"""Batches of frames to a running target, and the replies that must come: those and no others."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from tests.fuzz import layout
from tests.fuzz.findings import Finding
from tests.fuzz.listening import is_question
from tests.fuzz.mutations import MARK
from tests.fuzz.requests import AOE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.fuzz.far_end import FarEnd
    from tests.fuzz.findings import Figures
    from tests.fuzz.oracle import Oracle

PATIENCE = 20.0
"""Seconds within which replies come; only failures wait that long."""
_LOOK_AFTER = 1.0
"""Seconds of silence before the target is asked whether it raised."""


class Exchange:
    """Sends frames in batches, and sees that exactly the expected replies come."""

    def __init__(
        self, far: FarEnd, oracles: Mapping[int, Oracle], figures: Figures, look: Callable[[], None], *, batch: int
    ) -> None:
        """`oracles` by VLAN; `look` raises if something was raised in the target."""
        self._oracles = oracles
        self._disks = [disk for oracle in oracles.values() for disk in oracle.disks]
        self._look = look
        self._far = far
        self._figures = figures
        self._size = batch
        self._batch: list[bytes] = []
        self._expected: Counter[bytes] = Counter()
        self._written: set[tuple[bytes, bytes]] = set()
        self._recent: deque[bytes] = deque(maxlen=4 * batch)
        self._tag = 0

    def put(self, frame: bytes) -> None:
        """One frame. A change of lists ends its batch: what comes after it would be judged before it or after it, none knows."""
        frame = self._stamped(frame)
        if (write := written_by(frame)) in self._written:
            self.flush()
        if write is not None:
            self._written.add(write)
        before = [disk.state for disk in self._disks]
        self._figures.count(self._expect(frame))
        if len(self._batch) >= self._size or before != [disk.state for disk in self._disks]:
            self.flush()

    def _expect(self, frame: bytes) -> list[bytes]:
        """Into the batch. Returns the replies that must come, without tags."""
        vlan, untagged = as_received(frame)
        replies = self._oracles[vlan].replies(untagged) if vlan in self._oracles else []
        self._batch.append(frame)
        self._expected.update(with_tag(reply, vlan) for reply in replies)
        return replies

    def flush(self) -> None:
        """Send what waits, and take all the replies. Raises Finding."""
        self._far.send(self._batch)
        self._recent.extend(self._batch)
        end = time.monotonic() + PATIENCE
        while self._expected:
            heard = self._far.receive(min(end, time.monotonic() + _LOOK_AFTER))
            if not heard:
                self._look()
            if not heard and time.monotonic() > end:
                missing = "\n  ".join(reply.hex() for reply in self._expected)
                raise self._finding(f"not answered within {PATIENCE:.0f} s\n  {missing}", next(iter(self._expected)))
            self._take(heard)
        self._batch.clear()
        self._written.clear()

    def settle(self) -> None:
        """Return when the target has taken every frame, and see that it answers none that it must not."""
        for window in layout.FENCES:
            head = self._oracles[window.vlan].mac + layout.FENCE + AOE + b"\x10\0" + window.shelf.to_bytes(2)
            self._expect(self._stamped(with_tag(head + bytes((window.slot, 1)) + bytes(12), window.vlan)))
        self.flush()
        self._take(self._far.receive(0.0))

    def _take(self, heard: Iterable[bytes]) -> None:
        for reply in heard:
            if MARK in reply:
                raise self._finding("a reply holds what no field of its frame covers", reply)
            if self._expected[reply] > 0:
                self._expected[reply] -= 1
                self._expected += Counter()  # forget those that are all there
            elif not (reply[6:12] == self._oracles[0].mac and is_question(as_received(reply)[1])):
                expected = "\n  ".join(each.hex() for each in self._expected if tag_of(each) == tag_of(reply))
                raise self._finding(f"answered\n  {reply.hex()}\nand not\n  {expected or 'at all'}", reply)

    def _finding(self, what: str, reply: bytes) -> Finding:
        states = ", ".join(f"e{disk.shelf}.{disk.slot} {disk.state}" for disk in self._disks)
        frame = next((frame for frame in self._recent if tag_of(frame) == tag_of(reply)), b"")
        return Finding(f"{what}\nstates after the batch: {states}", frame)

    def _stamped(self, frame: bytes) -> bytes:
        """With a tag that no other request has: a reply tells its request, and no write is the network's repeat of another."""
        at = 24 if frame[12:13] == b"\x81" else 20
        if len(frame) < at + 4 or frame[at - 6] & 8:
            return frame
        self._tag = (self._tag + 1) & 0xFFFF_FFFF
        return frame[:at] + self._tag.to_bytes(4) + frame[at + 4 :]


def as_received(frame: bytes) -> tuple[int, bytes]:
    """VLAN (0 if there is none) and frame, as the kernel hands it up: without its outer tag."""
    if frame[12:14] not in (b"\x81\0", b"\x88\xa8"):
        return 0, frame
    vlan = int.from_bytes(frame[14:16]) & 0x0FFF
    return (-1 if vlan and frame[12] == 0x88 else vlan), frame[:12] + frame[16:]


def with_tag(frame: bytes, vlan: int) -> bytes:
    """As it is sent in a VLAN."""
    return frame[:12] + b"\x81\0" + vlan.to_bytes(2) + frame[12:] if vlan else frame


def tag_of(frame: bytes) -> bytes:
    """What the initiator chose to know the reply by."""
    return as_received(frame)[1][20:24]


def written_by(frame: bytes) -> tuple[bytes, bytes] | None:
    """Whose write it is, where and of what: the same again in one batch looks like a repeat, and is rightly not executed."""
    _, frame = as_received(frame)
    if len(frame) < 36 or frame[19] or frame[27] not in (0x30, 0x34):
        return None
    return frame[6:12] + frame[26:34], frame[36 : 36 + 512 * frame[26]]
