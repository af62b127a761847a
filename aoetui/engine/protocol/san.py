"""All that the scanner knows: the records, and what follows when a path answers, misses a broadcast or leaves."""

from __future__ import annotations

from collections import deque
from operator import is_
from typing import TYPE_CHECKING

from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.devices import (
    Change,
    ConflictEnded,
    ConflictFound,
    Device,
    DeviceChanged,
    DeviceFound,
    DeviceState,
    DeviceStateChanged,
    PathFound,
    PathStateChanged,
    Sameness,
)
from aoetui.engine.protocol.sightings import Advertised, DeviceRecord, PathRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.protocol.ata import Identity
    from aoetui.engine.protocol.questions import Questions

MISSES_TO_SILENT = 2
GONE_AFTER = 600.0
"""Seconds without any answer."""
FORGOTTEN_AFTER = GONE_AFTER + 3600.0
SETTLING_TIME = 1.0
"""Seconds for which MACs must seem to be different disks before it is believed: one disk grows on all its MACs at once, but is
not seen to on all at once."""
FLAPS = 3
FLAPPING_WITHIN = 300.0
"""A device that answers again after a silence so many times within so many seconds is flapping."""
CALM_AFTER = 600.0
"""Seconds without such a return after which it is not any more."""
_ONE_RETURN = 2.0
"""Seconds within which the paths of a device come back together."""
MAX_PATHS = 20_000
MAX_PATHS_OF_DEVICE = 256
"""Keeps the judgement of one address cheap, whoever forges MACs for it."""
MAX_CHANGES = 10_000


class San:
    """Devices and paths by what they answered. Asks `questions` whatever it needs to know."""

    def __init__(self, questions: Questions) -> None:
        self.ignored_paths = 0
        """Answers that would have made a path beyond the bounds, since the start."""
        self.changes: deque[Change] = deque(maxlen=MAX_CHANGES)
        self._questions = questions
        self._devices: dict[tuple[int, int], DeviceRecord] = {}
        self._path_count = 0
        self._doubted: set[DeviceRecord] = set()
        self._flapping: set[DeviceRecord] = set()
        self._order: list[DeviceRecord] | None = []
        """Sorted by address; None once a device came or went."""
        self._values: tuple[Device, ...] = ()

    def __len__(self) -> int:
        return len(self._devices)

    @property
    def answering(self) -> int:
        """Paths that are up."""
        return sum(path.state is DeviceState.UP for path in self.paths())

    def paths(self) -> list[PathRecord]:
        """Every path, of all devices."""
        return [path for device in self._devices.values() for path in device.paths.values()]

    def find(self, shelf: int, slot: int, mac: Mac, interface: str) -> PathRecord | None:
        """The path, if it is known."""
        device = self._devices.get((shelf, slot))
        return None if device is None else device.paths.get((mac, interface))

    def values(self) -> tuple[Device, ...]:
        """Every device, frozen, sorted by address. The same tuple as before while nothing changed."""
        if self._order is None:
            self._order = [self._devices[key] for key in sorted(self._devices)]
        values = tuple(device.value() for device in self._order)
        if len(values) != len(self._values) or not all(map(is_, values, self._values)):
            self._values = values
        return self._values

    def add(
        self, shelf: int, slot: int, mac: Mac, interface: str, advertised: Advertised, *, link_sector_count: int, now: float
    ) -> None:
        """Keep a path that answered for the first time, unless there are too many."""
        device = self._devices.get((shelf, slot))
        if self._path_count >= MAX_PATHS or (device is not None and len(device.paths) >= MAX_PATHS_OF_DEVICE):
            self.ignored_paths += 1
            return
        if device is None:
            device = self._devices[shelf, slot] = DeviceRecord(Address(shelf, slot), first_seen=now)
            self._order = None
            self.changes.append(DeviceFound(device.address))
        path = PathRecord(device, mac, interface, advertised, link_sector_count, first_seen=now, last_seen=now)
        device.paths[mac, interface] = path
        device.forget_value()
        self._path_count += 1
        self.changes.append(PathFound(device.address, mac, interface))
        self._update_state(device)
        self._judge(device, now)
        self._questions.ask(path, now)

    def hear(self, path: PathRecord, now: float) -> None:
        """Note that `path` answered. One that comes back is asked who it is: it may be another disk by now."""
        path.last_seen = now
        path.misses = 0
        if path.state is DeviceState.UP:
            return
        was_gone = path.state is DeviceState.GONE
        self._set_state(path, DeviceState.UP, now, "answers again")
        self._note_return(path.device, now)
        self._questions.want(path, now)
        if was_gone:
            self._judge(path.device, now)

    def learn_config(self, path: PathRecord, advertised: Advertised, now: float) -> None:
        """Take what `path` advertises; ask it again who it is if that is new, or if it has not told yet."""
        if path.advertised != advertised:
            self._learn(path, advertised, path.identity, now)
            self._questions.want(path, now)
        elif path.identity is None and not path.asking:
            self._questions.want(path, now)

    def learn_identity(self, path: PathRecord, identity: Identity, now: float) -> None:
        """Take what `path` answered to IDENTIFY."""
        if path.identity != identity:
            self._learn(path, path.advertised, identity, now)

    def miss(self, asked: Mapping[str, float], now: float) -> None:
        """Count a miss for each path that has not answered since its interface's broadcast, of the time in `asked`."""
        for path in self.paths():
            started = asked.get(path.interface)
            if started is None or path.last_seen >= started:
                continue
            path.misses += 1
            if path.misses >= MISSES_TO_SILENT:
                self.fall_silent(path, now, f"did not answer {MISSES_TO_SILENT} broadcasts")

    def fall_silent(self, path: PathRecord, now: float, why: str) -> None:
        """Hold `path` for silent, unless it is gone already."""
        if path.state is DeviceState.UP:
            self._set_state(path, DeviceState.SILENT, now, why)

    def sweep(self, now: float) -> None:
        """Do what time brings: paths are lost and forgotten, asked again, and doubted devices judged. About once a second."""
        for path in self.paths():
            unheard = now - path.last_seen
            if unheard >= GONE_AFTER:
                self._lose(path, now)
                if unheard >= FORGOTTEN_AFTER:
                    self._forget(path)
            elif path.state is DeviceState.UP and path.ask_after <= now:
                self._questions.ask(path, now)
        for device in list(self._doubted):
            self._judge(device, now)
        for device in [each for each in self._flapping if now - each.returns[-1] >= CALM_AFTER]:
            device.flapping = False
            self._flapping.discard(device)

    def _learn(self, path: PathRecord, advertised: Advertised, identity: Identity | None, now: float) -> None:
        before = path.facts()
        path.advertised, path.identity = advertised, identity
        device = path.device
        for what in device.changes_from(before, path):
            self.changes.append(DeviceChanged(device.address, what))
            device.changed, device.why = now, what
        self._judge(device, now)

    def _judge(self, device: DeviceRecord, now: float) -> None:
        """See whether the device's MACs are one disk. A new difference is doubted at first, and every path asked again."""
        sameness, detail = device.compare()
        if sameness is not Sameness.DIFFERENT:
            self._settle(device, sameness, now)
        elif device.sameness is Sameness.DIFFERENT:
            return
        elif device.doubted_since is None:
            self._doubt(device, now)
        elif now >= device.doubted_since + SETTLING_TIME:
            self._settle(device, sameness, now)
            self.changes.append(ConflictFound(device.address, detail))
            device.changed, device.why = now, "two disks answer"

    def _doubt(self, device: DeviceRecord, now: float) -> None:
        device.doubted_since = now
        device.sameness = Sameness.UNPROVEN
        self._doubted.add(device)
        for path in device.paths.values():
            if path.state is DeviceState.UP:
                self._questions.want(path, now)

    def _settle(self, device: DeviceRecord, sameness: Sameness, now: float) -> None:
        if device.sameness is Sameness.DIFFERENT:
            self.changes.append(ConflictEnded(device.address))
            device.changed, device.why = now, "one disk answers again"
        device.doubted_since = None
        device.sameness = sameness
        self._doubted.discard(device)

    def _set_state(self, path: PathRecord, new: DeviceState, now: float, why: str) -> None:
        old, path.state = path.state, new
        self.changes.append(PathStateChanged(path.device.address, path.mac, path.interface, old, new))
        device = path.device
        device.changed, device.why = now, why if len(device.paths) == 1 else f"{path.mac} on {path.interface} {why}"
        self._update_state(device)

    def _note_return(self, device: DeviceRecord, now: float) -> None:
        returns = device.returns
        if returns and now - returns[-1] < _ONE_RETURN:
            return
        returns.append(now)
        if len(returns) > FLAPS:
            returns.popleft()
        if len(returns) == FLAPS and now - returns[0] <= FLAPPING_WITHIN:
            device.flapping = True
            self._flapping.add(device)

    def _update_state(self, device: DeviceRecord) -> None:
        old, device.state = device.state, device.best_state()
        if old is not device.state:
            self.changes.append(DeviceStateChanged(device.address, old, device.state))

    def _lose(self, path: PathRecord, now: float) -> None:
        if path.state is not DeviceState.GONE:
            self._set_state(path, DeviceState.GONE, now, f"no answer for {GONE_AFTER / 60:.0f} minutes")
            self._judge(path.device, now)

    def _forget(self, path: PathRecord) -> None:
        device = path.device
        del device.paths[path.mac, path.interface]
        device.forget_value()
        self._path_count -= 1
        if not device.paths:
            del self._devices[device.address.shelf, device.address.slot]
            self._flapping.discard(device)
            self._order = None
