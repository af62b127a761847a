"""Where the driver and the wire differ, and what to do about it. Pure: two pictures in, remarks out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoetui.engine.commands.kernel import Difference, KernelRemark, Remedy
from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.snapshot import DeviceState, Sameness, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from aoetui.engine.commands.kernel import KernelDevice, KernelSnapshot
    from aoetui.engine.protocol.address import Address
    from aoetui.engine.snapshot import DeviceSnapshot

REFUSED_SHELF = 4095
"""Linux takes it for a dip switch that nobody has set (aoecmd.c)."""
LEAST_BUFFERS = 2
"""With fewer the driver has no request to spare, and its device does nothing (addtgt in aoecmd.c)."""
LOSSY = 1 / 1000
"""Of the frames; from one in a hundred on devices are given up."""
_UNEVEN = 8 * SECTOR
_NAMED = 3


def remarks_of(kernel: KernelSnapshot, devices: Iterable[DeviceSnapshot], asked: Collection[str]) -> tuple[KernelRemark, ...]:
    """Every remark, the worst first. `asked`: the interfaces that we have broadcast on, and listened long enough."""
    found = list(_of_driver(kernel))
    wire = {device.address: device for device in devices} if kernel.here else {}
    for each in kernel.devices:
        found += _alone(each)
        if kernel.here:
            found += _compared(each, wire.get(each.address), asked)
    known = {each.address for each in kernel.devices}
    found += [remark for device in wire.values() if device.address not in known for remark in _missing(device, kernel)]
    order = {Severity.ALARM: 0, Severity.WARNING: 1, Severity.INFO: 2}
    return tuple(sorted(found, key=lambda remark: order[remark.severity]))


@dataclass(frozen=True, slots=True)
class _About:
    """Makes remarks about one device."""

    address: Address

    def info(self, difference: Difference, what: str, remedy: Remedy) -> KernelRemark:
        return KernelRemark(self.address, difference, Severity.INFO, what, remedy)

    def warning(self, difference: Difference, what: str, remedy: Remedy) -> KernelRemark:
        return KernelRemark(self.address, difference, Severity.WARNING, what, remedy)

    def alarm(self, difference: Difference, what: str, remedy: Remedy) -> KernelRemark:
        return KernelRemark(self.address, difference, Severity.ALARM, what, remedy)


def _of_driver(kernel: KernelSnapshot) -> Iterator[KernelRemark]:
    if not kernel.here:
        what = "the Linux driver hears the host's first network namespace alone, and aoetui runs in another: nothing is compared"
        yield KernelRemark(None, Difference.HERE, Severity.INFO, what, Remedy.NOTHING)
    elif kernel.controls:
        yield KernelRemark(None, Difference.HERE, Severity.INFO, kernel.controls, Remedy.NOTHING)


def _alone(device: KernelDevice) -> Iterator[KernelRemark]:
    """What the driver itself tells, whatever is on the wire."""
    about = _About(device.address)
    if device.wrong_node:
        what = f"/dev/etherd/{device.address} is the node of another device, so its users read and write a wrong disk: remove it"
        yield about.alarm(Difference.WRONG_NODE, what, Remedy.NOTHING)
    if device.closewait:
        users = f" ({', '.join(device.uses)})" if device.uses else ""
        what = f"closewait: the Linux driver gave it up while it was open{users}, and its users get I/O errors"
        yield about.alarm(Difference.CLOSEWAIT, what, Remedy.CLOSE)
    elif not device.up and device.state:
        yield about.info(Difference.DOWN, "down: the Linux driver gave it up, and its next answer brings it back", Remedy.FLUSH)
    if device.kickme:
        what = "kickme: the Linux driver has requests for it, and no path that takes one"
        yield about.info(Difference.KICKME, what, Remedy.DISCOVER)
    if device.size and device.size % _UNEVEN:
        what = "its size is no multiple of 8 sectors, so Linux reads and writes it in pieces of 512 bytes, slowly"
        yield about.info(Difference.ODD_SIZE, what, Remedy.NOTHING)
    loss = device.figures.loss if device.figures else None
    if loss is not None and loss > LOSSY:
        what = f"the Linux driver lost {loss:.1%} of its frames: 0.1% is usual, 1% ends in closewait"
        yield about.warning(Difference.LOSS, what, Remedy.LOOK)


def _compared(device: KernelDevice, wire: DeviceSnapshot | None, asked: Collection[str]) -> Iterator[KernelRemark]:
    about = _About(device.address)
    if wire is None or (wire.state is not DeviceState.UP and not wire.ours):
        yield from _silent(about, device, asked)
        return
    if wire.ours or wire.sameness is Sameness.DIFFERENT:  # which has an alarm of its own
        return
    if not device.up and device.state:
        what = "the Linux driver has it down although it answers"
        yield about.warning(Difference.DOWN, what, Remedy.CLOSE if device.closewait else Remedy.REVALIDATE)
    elif wire.size is not None and device.size is not None and wire.size != device.size:
        what = f"the target has {wire.size} bytes, the Linux driver {device.size}"
        yield about.warning(Difference.SIZE, what, Remedy.REVALIDATE)
    yield from _payload(about, device, wire)
    yield from _paths(about, device, wire, asked)


def _silent(about: _About, device: KernelDevice, asked: Collection[str]) -> Iterator[KernelRemark]:
    where = [name for name in device.interfaces if name in asked]
    if not device.up:
        return
    if device.interfaces and not where:
        what = f"the Linux driver has it on {', '.join(device.interfaces)}, where aoetui does not ask"
        yield about.info(Difference.NOT_ON_WIRE, what, Remedy.NOTHING)
    elif where:
        on = ", ".join(where)
        what = f"the Linux driver has it up, and nobody answers on {on}: reads and writes wait until it gives up"
        make = about.alarm if device.uses else about.warning
        yield make(Difference.NOT_ON_WIRE, what, Remedy.LOOK if device.uses else Remedy.FLUSH)


def _payload(about: _About, device: KernelDevice, wire: DeviceSnapshot) -> Iterator[KernelRemark]:
    if not device.up or not device.payload or not wire.payload or device.payload == wire.payload:
        return
    sends = f"the Linux driver sends {device.payload} bytes a frame"
    if device.payload < wire.payload:
        yield about.info(Difference.PAYLOAD, f"{sends}, the path carries {wire.payload}", Remedy.DISCOVER)
    else:
        what = f"{sends}, the path carries only {wire.payload}: reads and writes may hang"
        yield about.warning(Difference.PAYLOAD, what, Remedy.DISCOVER)


def _paths(about: _About, device: KernelDevice, wire: DeviceSnapshot, asked: Collection[str]) -> Iterator[KernelRemark]:
    """Only where debugfs tells every path; sysfs tells one MAC."""
    if device.figures is None or not device.figures.paths:
        return
    answering = {path.mac for path in wire.paths if path.state is DeviceState.UP}
    stale = [path.mac for path in device.figures.paths if path.mac not in answering and set(path.interfaces) & set(asked)]
    if stale and answering:
        what = f"the Linux driver also sends to {_listed(stale)}, which does not answer; once nobody uses the device"
        yield about.warning(Difference.PATHS, what, Remedy.FLUSH)
    known = {(path.mac, name) for path in device.figures.paths for name in path.interfaces}
    unused = [path for path in wire.paths if path.state is DeviceState.UP and (path.mac, path.interface) not in known]
    if unused:
        what = f"the Linux driver does not use {_listed([f'{path.mac} on {path.interface}' for path in unused])}"
        yield about.info(Difference.PATHS, what, Remedy.DISCOVER)


def _missing(device: DeviceSnapshot, kernel: KernelSnapshot) -> Iterator[KernelRemark]:
    """Why a device on the wire is none of the driver's."""
    about = _About(device.address)
    if device.ours or device.state is not DeviceState.UP:
        return
    on = {path.interface for path in device.paths if path.state is DeviceState.UP}
    if device.address.shelf == REFUSED_SHELF:
        what = f"Linux refuses shelf {REFUSED_SHELF}: give the target another one"
        yield about.warning(Difference.NOT_IN_DRIVER, what, Remedy.NOTHING)
    elif device.buffer_count < LEAST_BUFFERS:
        what = f"its buffer count is {device.buffer_count}, and Linux cannot use a device with less than {LEAST_BUFFERS}"
        yield about.warning(Difference.NOT_IN_DRIVER, what, Remedy.LOOK)
    elif kernel.interfaces and not on & set(kernel.interfaces):
        what = f"the Linux driver uses {', '.join(kernel.interfaces)} alone, and it answers on {', '.join(sorted(on))}"
        yield about.info(Difference.NOT_IN_DRIVER, what, Remedy.INTERFACES)
    else:
        yield about.info(Difference.NOT_IN_DRIVER, "the Linux driver has not got it yet", Remedy.DISCOVER)


def _listed(values: Sequence[object]) -> str:
    shown = ", ".join(str(value) for value in values[:_NAMED])
    return f"{shown} and {len(values) - _NAMED} more" if len(values) > _NAMED else shown


class Patience:
    """Holds a remark on an absence back until it has stood for some seconds: who has just been asked may still answer."""

    ABSENCES = frozenset({Difference.NOT_ON_WIRE, Difference.NOT_IN_DRIVER, Difference.PATHS, Difference.DOWN, Difference.KICKME})
    """And what mends itself within a moment."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: Mapping[tuple[Address | None, Difference], float] = {}

    def stood(self, remarks: Iterable[KernelRemark], now: float) -> tuple[KernelRemark, ...]:
        """Those that are to be shown at this moment."""
        listed = list(remarks)
        before = self._since
        self._since = {
            (each.address, each.difference): before.get((each.address, each.difference), now)
            for each in listed
            if each.difference in self.ABSENCES
        }
        return tuple(
            each
            for each in listed
            if now - self._since.get((each.address, each.difference), now - self._seconds) >= self._seconds
        )
