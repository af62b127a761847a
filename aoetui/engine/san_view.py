"""The scanner's devices as the console reads them, with our own exports among them, made anew only where something changed.

Thousands of devices are looked at each second, by more than one thread, while somebody types: what stays costs next to nothing.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING

from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.snapshot import DeviceSnapshot, PathSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aoetui.engine.clock import Clock
    from aoetui.engine.protocol.address import Address
    from aoetui.engine.protocol.devices import Device, Path

_LARGEST_STEP = 0.5
"""Seconds that the wall clock may stray from the monotonic one before times are told by it anew."""


class _Times(dict[float, datetime]):
    """The wall time of each monotonic moment. Thousands of devices were heard at the same few moments."""

    def __init__(self, zero: datetime) -> None:
        super().__init__()
        self._zero = zero

    def __missing__(self, monotonic: float) -> datetime:
        time = self[monotonic] = self._zero + timedelta(seconds=monotonic)
        return time


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What the scanner knows, sorted by address."""

    devices: tuple[DeviceSnapshot, ...] = ()
    at: Mapping[Address, DeviceSnapshot] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """What the scanner knows, our own among it, and what it was put together from."""

    heard: Heard = field(default_factory=Heard)
    ours: Mapping[Address, DeviceSnapshot] = field(default_factory=dict)
    devices: tuple[DeviceSnapshot, ...] = ()


class SanView:
    """Remembers what it made. From any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._zero = clock.when(0.0)
        self._known: tuple[Device, ...] | None = ()
        self._heard = Heard()
        self._whole = _Whole()

    def heard(self, devices: tuple[Device, ...]) -> Heard:
        """One for each device. The same value as before for the same tuple, and the same object for the same device."""
        with self._lock:
            return self._of(devices)

    def whole(self, heard: Heard, ours: Iterable[DeviceSnapshot]) -> tuple[DeviceSnapshot, ...]:
        """All by address, with our own instead of what was heard there. The same tuple as before if it looks the same.

        The times of one of ours are those of when it became what it is.
        """
        with self._lock:
            before = self._whole
            own = {each.address: _as_before(before.ours.get(each.address), each) for each in ours}
            same = before.heard is heard and before.ours.keys() == own.keys()
            if not same or any(before.ours[address] is not each for address, each in own.items()):
                self._whole = _Whole(heard, own, _joined(heard, own))
            return self._whole.devices

    def _of(self, devices: tuple[Device, ...]) -> Heard:
        known, views = self._known, self._heard.devices
        zero = self._clock.when(0.0)
        if abs((zero - self._zero).total_seconds()) > _LARGEST_STEP:
            self._zero, known, views, self._whole = zero, None, (), _Whole()
        if known is not devices:
            made = {id(device): view for device, view in zip(known or (), views, strict=True)}
            times = _Times(self._zero)
            views = tuple(made.get(id(device)) or _device_view(device, times) for device in devices)
            self._known, self._heard = devices, Heard(views, {view.address: view for view in views})
        return self._heard


def _joined(heard: Heard, ours: Mapping[Address, DeviceSnapshot]) -> tuple[DeviceSnapshot, ...]:
    if not ours:
        return heard.devices
    others = (each for each in heard.devices if each.address not in ours)
    return tuple(sorted([*others, *ours.values()], key=attrgetter("address.shelf", "address.slot")))


def _as_before(before: DeviceSnapshot | None, now: DeviceSnapshot) -> DeviceSnapshot:
    """The one of before, if only its times differ."""
    return before if before is not None and _told(before) == _told(now) else now


_told = attrgetter("size", "serial", "config_string", "buffer_count", "sameness", "paths")
"""What changes of one of ours."""


def _device_view(device: Device, when: _Times) -> DeviceSnapshot:
    identity = device.identity
    return DeviceSnapshot(
        address=device.address,
        ours=False,
        state=device.state,
        size=None if identity is None else identity.sectors * SECTOR,
        model="" if identity is None else identity.model,
        serial="" if identity is None else identity.serial,
        firmware="" if identity is None else identity.firmware,
        config_string=device.config_string,
        buffer_count=device.buffer_count,
        firmware_version=device.firmware_version,
        sameness=device.sameness,
        paths=tuple(_path_view(path, when) for path in device.paths),
        first_seen=when[device.first_seen],
        last_seen=when[device.last_seen],
        flapping=device.flapping,
        changed=None if device.changed is None else when[device.changed],
        why=device.why,
    )


def _path_view(path: Path, when: _Times) -> PathSnapshot:
    return PathSnapshot(
        mac=path.mac,
        interface=path.interface,
        state=path.state,
        rtt_us=None if path.rtt is None else path.rtt * 1e6,
        sector_count=path.sector_count,
        first_seen=when[path.first_seen],
        last_seen=when[path.last_seen],
    )
