"""The scanner's devices as the console reads them, made anew only where something changed."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.snapshot import DeviceSnapshot, PathSnapshot

if TYPE_CHECKING:
    from aoetui.engine.clock import Clock
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


class SanView:
    """Remembers what it made. From any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._zero = clock.when(0.0)
        self._kept: tuple[tuple[Device, ...], tuple[DeviceSnapshot, ...]] = ((), ())

    def of(self, devices: tuple[Device, ...]) -> tuple[DeviceSnapshot, ...]:
        """One for each device. The same tuple as before for the same one, and the same object for the same device."""
        with self._lock:
            return self._of(devices)

    def _of(self, devices: tuple[Device, ...]) -> tuple[DeviceSnapshot, ...]:
        known, views = self._kept
        zero = self._clock.when(0.0)
        if abs((zero - self._zero).total_seconds()) > _LARGEST_STEP:
            self._zero, known, views = zero, (), ()
        if known is devices:
            return views
        made = {id(device): view for device, view in zip(known, views, strict=True)}
        times = _Times(self._zero)
        views = tuple(made.get(id(device)) or _device_view(device, times) for device in devices)
        self._kept = devices, views
        return views


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
