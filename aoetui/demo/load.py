"""The demo's gentle load: reads and writes of what the peer's scanner finds, in waves, so that charts move."""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
from typing import TYPE_CHECKING

from aoetui.demo.disks import KEPT, STRANGER
from aoetui.engine.api import StartExport, StopExport
from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.frames import AtaArgument, ConfigArgument, Frame, ReserveArgument, encode
from aoetui.engine.protocol.header import Header, MalformedFrame, unpack_header
from aoetui.engine.protocol.wire import SECTOR, AtaFlag, AtaOp, Command, ConfigOp, ReserveOp
from aoetui.engine.snapshot import DeviceState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aoetui.engine.local import LocalEngine
    from aoetui.engine.packet import Wire
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.snapshot import DeviceSnapshot, PathSnapshot

STEP = 0.05
"""Seconds between two handfuls of requests."""
PEAK = 30
"""Requests in a handful at the top of a wave."""
WINDOW = 48
"""Requests that wait on one path at most, below every buffer count."""
_LOST = 20
"""Steps after which unanswered requests are given up."""
_SPAN = 32768
"""Sectors that are read and written over and over, so that sparse files stay small."""
_REST = Address(9, 7)
_REST_PERIOD, _REST_LENGTH = 120.0, 40.0
"""One disk of the peer's is away for 40 s of each 120: a device that falls silent, and comes back."""


class Load:
    """Uses the devices that `engine` finds on these interfaces, until stopped. Of answers it is only looked at that they came."""

    def __init__(self, engine: LocalEngine, open_wire: Callable[[str, int], Wire], interfaces: Sequence[str]) -> None:
        self._engine = engine
        self._wires: Mapping[str, Wire] = {name: open_wire(name, 1) for name in interfaces}
        self._tags = itertools.count(1)
        self._sectors = itertools.count(0, 8)
        self._waiting: dict[tuple[str, Address], int] = {}
        self._resting = False
        self._reserved = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()
        for wire in self._wires.values():
            wire.close()

    def _run(self) -> None:
        devices: list[DeviceSnapshot] = []
        for step in itertools.count():
            if self._stop.wait(STEP):
                return
            seconds = step * STEP
            if step % int(1 / STEP) == 0:
                devices = [each for each in self._engine.snapshot().devices if not each.ours and each.size]
                self._rest(seconds)
                self._visit(devices)
            if step % _LOST == 0:
                self._waiting.clear()
            for name, wire in self._wires.items():
                self._take_answers(name, wire)
            for number, device in enumerate(devices):
                self._use(device, number, seconds)

    def _take_answers(self, interface: str, wire: Wire) -> None:
        while frames := wire.receive(0):
            for frame in frames:
                with contextlib.suppress(MalformedFrame, ValueError):
                    header = unpack_header(frame)
                    path = (interface, Address(header.shelf, header.slot))
                    if header.command == Command.ATA and self._waiting.get(path):
                        self._waiting[path] -= 1

    def _rest(self, seconds: float) -> None:
        resting = seconds % _REST_PERIOD > _REST_PERIOD - _REST_LENGTH
        if resting != self._resting:
            self._resting = resting
            if resting:
                self._engine.submit(StopExport(_REST))
            else:
                self._engine.submit(StartExport(_REST))

    def _visit(self, devices: Sequence[DeviceSnapshot]) -> None:
        """A stranger asks for a disk that denies it; whoever uses that disk reserves it, once."""
        for path in (
            path for device in devices if device.address == KEPT for path in device.paths if path.interface in self._wires
        ):
            wire = self._wires[path.interface]
            asked = self._header(KEPT, path, Command.QUERY_CONFIG, STRANGER)
            frames = [encode(Frame(asked, ConfigArgument(0, 0, 0, 1, ConfigOp.READ, b"")))]
            if not self._reserved:
                self._reserved = True
                reserves = self._header(KEPT, path, Command.RESERVE, wire.mac)
                frames.append(encode(Frame(reserves, ReserveArgument(ReserveOp.SET, (wire.mac,)))))
            wire.send(frames)

    def _use(self, device: DeviceSnapshot, number: int, seconds: float) -> None:
        wave = math.sin(seconds / (5 + 3 * number) + number) ** 2
        paths = [path for path in device.paths if path.state is DeviceState.UP and path.interface in self._wires]
        for path in paths:
            key = (path.interface, device.address)
            waiting = self._waiting.get(key, 0)
            count = min(int(PEAK * wave / (1 + number)), WINDOW - waiting)
            write_share = 4 if number % 2 else 2
            frames = [self._request(device, path, write=turn % write_share == 0) for turn in range(count)]
            if frames:
                self._waiting[key] = waiting + len(frames)
                self._wires[path.interface].send(frames)

    def _request(self, device: DeviceSnapshot, path: PathSnapshot, *, write: bool) -> bytes:
        count = min(8, path.sector_count)
        header = self._header(device.address, path, Command.ATA, self._wires[path.interface].mac)
        flags = AtaFlag.EXTENDED | (AtaFlag.WRITE if write else AtaFlag(0))
        op = AtaOp.WRITE_EXT if write else AtaOp.READ_EXT
        data = bytes(count * SECTOR) if write else b""
        return encode(Frame(header, AtaArgument(int(flags), 0, count, op, next(self._sectors) % _SPAN, data)))

    def _header(self, address: Address, path: PathSnapshot, command: Command, source: Mac) -> Header:
        return Header(
            destination=path.mac,
            source=source,
            version=1,
            response=False,
            error=None,
            shelf=address.shelf,
            slot=address.slot,
            command=command,
            tag=next(self._tags) & 0x7FFF_FFFF,
        )
