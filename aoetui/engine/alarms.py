"""What is wrong now, judged from the views alone, and the events that tell when it began and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.commands.kernel_words import in_console
from aoetui.engine.port_names import interface_of
from aoetui.engine.snapshot import Alarm, DeviceState, ExportState, Sameness, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from aoetui.engine.commands.kernel import KernelSnapshot
    from aoetui.engine.events import EventLog
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.snapshot import DeviceSnapshot, ExportSnapshot, LinkSnapshot
    from aoetui.engine.views import Standing

_SHOWN_MACS = 3
_FLAPS = "it comes and goes: three silences within five minutes; look at its cables, its switch port, and how busy it is"
_CORRUPTS = "Linux takes them for paths of one disk and corrupts both; end one of them or change its address"


def alarms_of(
    exports: Iterable[Standing | ExportSnapshot],
    devices: Iterable[DeviceSnapshot],
    links: Iterable[LinkSnapshot],
    missing: Iterable[tuple[str, str]],
    kernel: KernelSnapshot | None = None,
) -> tuple[Alarm, ...]:
    """Every alarm, the worst first. `missing` names chosen interfaces that are no links, with why."""
    listed, known = list(exports), list(links)
    macs = {link.name: link.mac for link in known if link.mac is not None}
    ours = {export.spec.address: export for export in listed}
    found = [_export_alarm(export) for export in listed]
    found += [Alarm(Severity.ALARM, str(each.spec.address), port.rival) for each in listed for port in each.ports if port.rival]
    found += [_device_alarm(device, ours.get(device.address), macs) for device in devices if is_ailing(device)]
    found += [alarm for link in known for alarm in _link_alarms(link)]
    found += [Alarm(Severity.WARNING, name, text) for name, text in missing]
    found += _driver_alarms(kernel) if kernel else []
    alarms = [alarm for alarm in found if alarm is not None]
    return tuple(sorted(alarms, key=lambda alarm: (alarm.severity is not Severity.ALARM, alarm.subject)))


def _export_alarm(export: Standing | ExportSnapshot) -> Alarm | None:
    match export.state:
        case ExportState.SERVING | ExportState.STOPPED:
            return None
        case ExportState.DEGRADED | ExportState.WAITING:
            return Alarm(Severity.ALARM, str(export.spec.address), export.problem) if export.problem else None


def is_ailing(device: DeviceSnapshot) -> bool:
    """Whether there is an alarm of it, by itself: thousands are asked this each second."""
    return device.flapping or device.sameness is Sameness.DIFFERENT


def _device_alarm(device: DeviceSnapshot, export: Standing | ExportSnapshot | None, link_macs: Mapping[str, Mac]) -> Alarm | None:
    if device.sameness is not Sameness.DIFFERENT:
        return Alarm(Severity.WARNING, str(device.address), _FLAPS) if device.flapping and not device.ours else None
    macs = [path.mac for path in device.paths if path.state is not DeviceState.GONE]
    if device.ours:
        ports = [interface_of(port.interface) for port in export.ports if port.serving] if export is not None else []
        own = _named(link_macs[link] for link in ports if link in link_macs)
        text = f"others answer for our address ({_named(macs)}, beside our {own}): {_CORRUPTS}"
    else:
        text = different_disks(macs)
    return Alarm(Severity.ALARM, str(device.address), text)


def different_disks(macs: Iterable[Mac]) -> str:
    """The sentence on MACs that answer for one address as different disks."""
    return f"different disks answer at one address ({_named(macs)}): {_CORRUPTS}"


def _driver_alarms(kernel: KernelSnapshot) -> list[Alarm]:
    """What is wrong with the Linux driver's devices; what is merely to be known stands in their detail."""
    return [
        Alarm(remark.severity, str(remark.address or "linux"), in_console(remark))
        for remark in kernel.remarks
        if remark.severity is not Severity.INFO
    ]


def _named(macs: Iterable[Mac]) -> str:
    """The first few: whoever shares the Ethernet can make up any number of them."""
    found = [str(mac) for mac in dict.fromkeys(macs)]
    more = [f"{len(found) - _SHOWN_MACS} more"] if len(found) > _SHOWN_MACS else []
    return " and ".join([*found[:_SHOWN_MACS], *more])


def _link_alarms(link: LinkSnapshot) -> list[Alarm | None]:
    if not link.chosen:
        return []
    problem = [Alarm(Severity.WARNING, link.name, link.problem)] if link.problem else []
    return [
        *problem,
        *(
            Alarm(note.severity, link.name, note.text)
            for note in link.notes
            if note.severity is not Severity.INFO and not problem
        ),
    ]


class AlarmWatch:
    """Turns alarms that come and go into events."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._standing: frozenset[tuple[str, str]] = frozenset()
        self._ailing: set[str] = set()
        """The subjects of whose alarms one was told here, until the last has gone."""

    def see(self, alarms: Iterable[Alarm], told: Collection[str] = ()) -> None:
        """Compare with what stood before. What begins at a subject of `told` was told there, and so will be its end."""
        now = {(alarm.subject, alarm.text): alarm for alarm in alarms}
        for key, alarm in now.items():
            if key not in self._standing and alarm.subject not in told:
                self._events.add(alarm.severity, alarm.subject, alarm.text)
                self._ailing.add(alarm.subject)
        for subject in self._ailing - {subject for subject, _ in now}:
            self._events.add(Severity.INFO, subject, "well again")
            self._ailing.discard(subject)
        self._standing = frozenset(now)
