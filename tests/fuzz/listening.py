"""The scanner's machine, fed with the same frames: it raises MalformedFrame at most, and believes nothing that was not sent."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.frames import MalformedFrame
from aoetui.engine.protocol.initiator import LocalLink, ScannerMachine
from tests.fuzz.findings import Finding
from tests.fuzz.requests import AOE, EVERYONE, Place

if TYPE_CHECKING:
    from tests.fuzz.dice import Dice
    from tests.fuzz.requests import World

OURS = bytes.fromhex("020000000009")
_LINKS = {name: LocalLink(mac=Mac(OURS), sector_count=2) for name in ("eth1", "eth2")}
_PASSING = (0.0, 0.0, 0.0, 0.001, 0.1, 0.6, 5.0, 700.0)


class Listener:
    """One scanner, what it was told, and what it asks."""

    def __init__(self, rng: Dice, world: World) -> None:
        self._rng = rng
        self._world = world
        self._machine = ScannerMachine()
        self._machine.set_links(_LINKS, 0.0)
        self._now = 0.0
        self._told: dict[tuple[int, int, bytes], set[bytes]] = {}

    def hear(self, frame: bytes) -> None:
        """One frame."""
        self._note(frame)
        with suppress(MalformedFrame):
            self._machine.receive(self._rng.pick(("eth1", "eth2", "eth9")), frame, self._now)

    def look(self) -> None:
        """Let time pass, and check all that the scanner holds and asks. Raises Finding."""
        self._now += self._rng.pick(_PASSING)
        self._machine.handle_timer(self._now)
        del self._world.questions[:-8]
        for _, frame in self._machine.outgoing():
            self._check_question(frame)
        self._machine.changes()
        for device in self._machine.devices():
            for path in device.paths:
                self._check_path(device.address.shelf, device.address.slot, path.mac.raw, device.config_string)

    def _note(self, frame: bytes) -> None:
        if len(frame) >= 32 and frame[12:14] == AOE and frame[14] & 8 and frame[19] == 1:
            length = int.from_bytes(frame[30:32])
            if 32 + length <= len(frame):
                key = int.from_bytes(frame[16:18]), frame[18], frame[6:12]
                self._told.setdefault(key, set()).add(frame[32 : 32 + length])

    def _check_question(self, frame: bytes) -> None:
        if frame[6:12] != OURS or not is_question(frame):
            raise Finding("the scanner sent no question", frame)
        if frame[19] == 0:
            place = Place(int.from_bytes(frame[16:18]), frame[18], 64)
            self._world.questions.append((frame[20:24], frame[0:6], place))

    def _check_path(self, shelf: int, slot: int, mac: bytes, string: bytes) -> None:
        if (shelf, slot, mac) not in self._told:
            raise Finding(f"the scanner lists e{shelf}.{slot} of {mac.hex(':')}, which never answered")
        if not any(string in strings for key, strings in self._told.items() if key[:2] == (shelf, slot)):
            raise Finding(f"the scanner shows a config string of e{shelf}.{slot} that nobody sent: {string!r}")


def is_question(frame: bytes) -> bool:
    """Whether this is an IDENTIFY to one target or a query config to all, as the scanner sends them."""
    fixed = frame[12:16] == AOE + b"\x10\0" and frame[20] & 0x80 and len(frame) == 60
    return bool(fixed) and frame[19] <= 1 and (frame[0:6] == EVERYONE) == (frame[19] == 1)
