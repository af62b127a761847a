"""What the Linux aoe driver makes of a device, in words, and the devices that it alone knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from aoetui.engine.commands.kernel_words import in_console
from aoetui.engine.snapshot import DeviceSnapshot, DeviceState, Sameness, Severity
from aoetui.widgets import figures
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aoetui.engine.commands.kernel import KernelDevice
    from aoetui.engine.protocol.address import Address
    from aoetui.engine.snapshot import EngineSnapshot


def shown_devices(snapshot: EngineSnapshot) -> tuple[DeviceSnapshot, ...]:
    """The devices of the SAN, and among them those that only the Linux driver of this host knows, sorted by address."""
    kernel = snapshot.kernel
    if kernel is None or not kernel.here:
        return snapshot.devices
    heard = {device.address for device in snapshot.devices}
    alone = [_stand_in(device, snapshot) for device in kernel.devices if device.address not in heard]
    return tuple(sorted((*snapshot.devices, *alone), key=lambda device: device.address)) if alone else snapshot.devices


def only_in_driver(device: DeviceSnapshot) -> bool:
    """Whether it is one that nobody has heard: any other has a path, even if that is gone."""
    return device.state is DeviceState.GONE and not device.paths and not device.ours


def _stand_in(device: KernelDevice, snapshot: EngineSnapshot) -> DeviceSnapshot:
    return DeviceSnapshot(
        address=device.address,
        ours=False,
        state=DeviceState.GONE,
        size=device.size or None,
        model="",
        serial="",
        firmware="",
        config_string=b"",
        buffer_count=0,
        firmware_version=device.firmware_version or 0,
        sameness=Sameness.SAME,
        paths=(),
        first_seen=snapshot.taken,
        last_seen=snapshot.taken,
    )


def in_driver(snapshot: EngineSnapshot, address: Address) -> KernelDevice | None:
    """The device as the driver has it; None if it has not, or hears another network."""
    kernel = snapshot.kernel
    if kernel is None or not kernel.here:
        return None
    return next((device for device in kernel.devices if device.address == address), None)


def driver_lines(address: Address, snapshot: EngineSnapshot) -> Iterator[Text]:
    """The driver's view of a device; none while the driver is not there. What is wrong stands with the alarms."""
    kernel = snapshot.kernel
    if kernel is None or not kernel.here:
        return
    device = in_driver(snapshot, address)
    yield _fact("linux", _state(device) if device else Text("not in the driver"))
    if device is not None:
        yield from _facts(device)
    for remark in kernel.remarks:
        if remark.address == address and remark.severity is Severity.INFO:
            yield Text.assemble("- ", plain(in_console(remark), 300))
    if kernel.controls and device is not None:
        yield plain(kernel.controls, 300, "dim")


def _state(device: KernelDevice) -> Text:
    style = "green" if device.state == "up" else "bold red" if device.closewait else "yellow"
    return plain(", ".join([device.state or "being set up", *device.uses]), 200, style)


def _facts(device: KernelDevice) -> Iterator[Text]:
    where = ",".join(device.interfaces) or "no interface"
    payload = f"{device.payload} bytes a frame" if device.payload else "payload not told"
    yield _fact("", plain(f"{payload}, {where}", 200))
    if not device.up:
        return
    if device.size is not None:
        yield _fact("", Text(f"{figures.size(device.size)}, /dev/etherd/{device.address}"))
    if device.figures is None:
        return
    deviation = device.figures.deviation_us
    spread = "" if deviation is None else f" +- {figures.microseconds(deviation)}"
    yield _fact("", Text(f"rtt {figures.microseconds(device.figures.rtt_us)}{spread}"))
    for path in device.figures.paths:
        lost = "" if path.lost is None else f", {path.lost} lost"
        taint = "" if not path.taint else f", tainted {path.taint}"
        yield _fact("", plain(f"{path.mac} {','.join(path.interfaces)}", 200))
        yield _fact("", Text(f"  window {path.window} of {path.frames}, {path.under_way} under way{lost}{taint}"))


def _fact(name: str, value: Text) -> Text:
    return Text.assemble((f"{name:<9}", "dim"), value)
