"""Targets on fake links, made of frames: what a scanner sends is answered after a delay, in fake time."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.frames import AtaArgument, ConfigArgument, Frame, Header, UnknownArgument, decode, encode
from aoetui.engine.protocol.initiator import Change, Device, LocalLink, ScannerMachine
from aoetui.engine.protocol.wire import BROADCAST_SHELF, BROADCAST_SLOT, VERSION, AtaError, AtaStatus, Command

LINK = LocalLink(Mac.parse("52:54:00:00:00:01"), sector_count=17)


def mac_of(number: int) -> Mac:
    """A unicast MAC, one for each number."""
    return Mac(b"\x52\x55" + number.to_bytes(4, "big"))


def page(*, model: str = "ggmodel", serial: str = "serial-1", sectors: int = 2048) -> bytes:
    """An IDENTIFY page of any maker."""
    words = [0] * 256
    for first, length, text in ((10, 20, serial), (23, 8, "V1"), (27, 40, model)):
        words[first : first + length // 2] = struct.unpack(f">{length // 2}H", text.encode("ascii").ljust(length))
    words[83] = 0x4400
    words[100:102] = sectors & 0xFFFF, sectors >> 16
    return struct.pack("<256H", *words)


@dataclass
class FakeTarget:
    """One target's port. Attributes may be changed while it runs."""

    address: Address = field(default_factory=lambda: Address(9, 1))
    mac: Mac = field(default_factory=lambda: mac_of(1))
    interface: str = "eth1"
    config: bytes = b"web01"
    sector_count: int = 8
    page: bytes = field(default_factory=page)
    alive: bool = True
    identifies: bool = True
    delay: float = 0.001
    asked: list[float] = field(default_factory=list)
    """When each IDENTIFY came."""

    def header(self, command: Command, tag: int, *, destination: Mac = LINK.mac, error: int | None = None) -> Header:
        """Of a response."""
        shelf, slot = self.address.shelf, self.address.slot
        return Header(
            destination, self.mac, VERSION, response=True, error=error, shelf=shelf, slot=slot, command=command, tag=tag
        )

    def config_answer(self, tag: int = 0) -> bytes:
        """To query config; without a tag, an advertisement."""
        argument = ConfigArgument(16, 0x4019, self.sector_count, VERSION, 0, self.config)
        return encode(Frame(self.header(Command.QUERY_CONFIG, tag), argument))

    def identify_answer(self, tag: int, data: bytes | None = None) -> bytes:
        """To IDENTIFY."""
        argument = AtaArgument(0, 0, 0, AtaStatus.DRDY, 0, self.page if data is None else data)
        return encode(Frame(self.header(Command.ATA, tag), argument))

    def ata_error(self, tag: int) -> bytes:
        """To IDENTIFY, by a disk that fails."""
        argument = AtaArgument(0, AtaError.ABRT, 0, AtaStatus.DRDY | AtaStatus.ERR, 0, b"")
        return encode(Frame(self.header(Command.ATA, tag), argument))

    def aoe_error(self, command: Command, tag: int) -> bytes:
        """The bare header with the error flag."""
        return encode(Frame(self.header(command, tag, error=3), UnknownArgument(b"")))

    def answer(self, request: Frame, now: float) -> bytes | None:
        """To a frame on its link; None for silence."""
        header = request.header
        ours = header.shelf in {self.address.shelf, BROADCAST_SHELF} and header.slot in {self.address.slot, BROADCAST_SLOT}
        if not (self.alive and ours and header.destination.raw in {self.mac.raw, b"\xff" * 6}):
            return None
        if header.command == Command.QUERY_CONFIG:
            return self.config_answer(header.tag)
        self.asked.append(now)
        return self.identify_answer(header.tag) if self.identifies else None


class FakeSan:
    """A scanner and its targets, in fake time that starts at 100 s."""

    def __init__(self, *targets: FakeTarget, interval: float = 5.0, interfaces: tuple[str, ...] = ("eth1",)) -> None:
        self.now = 100.0
        self.targets = list(targets)
        self.machine = ScannerMachine()
        self.sent: list[tuple[float, str, Frame]] = []
        self.seen: list[Change] = []
        self._flying: list[tuple[float, int, str, bytes]] = []
        self._numbers = count()
        self.machine.set_interval(interval, self.now)
        self.machine.set_links(dict.fromkeys(interfaces, LINK), self.now)
        self.carry()

    def carry(self) -> None:
        """Let the targets hear what the scanner has sent."""
        for interface, raw in self.machine.outgoing():
            frame = decode(raw)
            self.sent.append((self.now, interface, frame))
            for target in self.targets:
                if target.interface == interface and (answer := target.answer(frame, self.now)) is not None:
                    heappush(self._flying, (self.now + target.delay, next(self._numbers), interface, answer))
        self.seen += self.machine.changes()

    def receive(self, frame: bytes, interface: str = "eth1") -> None:
        """Give the scanner one frame now; what it then sends waits for `carry`."""
        self.machine.receive(interface, frame, self.now)

    def run(self, seconds: float) -> None:
        """Let time pass, in order of what happens in it."""
        end = self.now + seconds
        self.carry()
        while True:
            timer = self.machine.timer()
            arrival = self._flying[0][0] if self._flying else end + 1
            self.now = max(self.now, min(arrival, end + 1 if timer is None else timer))
            if self.now > end:
                self.now = end
                return
            if arrival <= self.now:
                _, _, interface, frame = heappop(self._flying)
                self.machine.receive(interface, frame, self.now)
            else:
                self.machine.handle_timer(self.now)
            self.carry()

    def device(self) -> Device:
        """The only one."""
        (device,) = self.machine.devices()
        return device

    def take_changes(self, kind: type[Change]) -> list[Change]:
        """Those of one kind seen since the last call; all others are dropped."""
        self.carry()
        found = [change for change in self.seen if isinstance(change, kind)]
        self.seen.clear()
        return found

    def requests(self, command: Command) -> list[tuple[float, str, Frame]]:
        """Every request of one command that was sent: when, where, what."""
        return [each for each in self.sent if each[2].header.command == command]


def twins(**second: object) -> tuple[FakeTarget, FakeTarget]:
    """Two MACs at one address, equal but for what `second` says."""
    return FakeTarget(), FakeTarget(mac=mac_of(2), **second)  # type: ignore[arg-type]  # names of FakeTarget's own fields
