"""What commands print: aoe-stat's columns, the answers of a broadcast, JSON, and lines for stderr."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
import humanize

from aoetui.engine.snapshot import DeviceSnapshot, Sameness, to_json
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aoetui.engine.commands.kernel import KernelDevice

JSON_VERSION = 1
_LONGEST = 2000
"""Columns: what makes a line longer than the exact command for a permission is not ours."""


def complain(sentence: str) -> None:
    """Say one line on stderr, with the program's name before it."""
    click.echo(f"aoetui: {printable(sentence, _LONGEST)}", err=True)


def print_json(kind: str, values: object) -> None:
    """Print one object: `{"version": 1, KIND: values}`."""
    click.echo(json.dumps({"version": JSON_VERSION, kind: to_json(values)}))


def print_object(values: Mapping[str, object]) -> None:
    """Print one object of a stream, and have it read at once: `{"version": 1, ...}`."""
    click.echo(json.dumps({"version": JSON_VERSION} | {name: to_json(value) for name, value in values.items()}))


def interfaces_of(device: DeviceSnapshot) -> str:
    """Where a device is seen, comma-separated, each interface once."""
    return ",".join(sorted({printable(path.interface) for path in device.paths}))


def stat_size(size: int | None) -> str:
    """aoe-stat's size: units of 10^9 bytes with three decimals, truncated; `(NA)` while unknown."""
    if size is None:
        return "(NA)"
    thousandths = size // 1_000_000
    return f"{thousandths // 1000}.{thousandths % 1000:03d}GB"


def stat_line(device: DeviceSnapshot) -> str:
    """aoe-stat's line: name, size, interfaces, payload in bytes, state (aoetools 36, `%10s %15s %10s %-5s %-14s`)."""
    where, size = interfaces_of(device), stat_size(device.size)
    return f"{device.address!s:>10} {size:>15} {where:>10} {device.payload:<5d} {device.state.value:<14}"


def driver_line(device: KernelDevice, devices: Iterable[KernelDevice]) -> str:
    """aoe-stat's line for a device of the Linux driver; without the payload's column where no device tells it, as aoe-stat."""
    name, size = str(device.address), stat_size(device.size)
    where = printable(",".join(device.interfaces) or ("none" if device.state else "(NA)"))
    state = printable(device.state or "(NA)")
    if all(each.payload is None for each in devices):
        return f"{name:>10} {size:>15} {where:>6} {state:<14}"
    told = [f"{state:<5}", f"{'':<14}"] if device.payload is None else [f"{device.payload:<5d}", f"{state:<14}"]
    return " ".join([f"{name:>10} {size:>15} {where:>10}", *told])


def device_lines(device: DeviceSnapshot) -> list[str]:
    """What answered a broadcast: a line for the device, then one for each path."""
    size = "size unknown" if device.size is None else humanize.naturalsize(device.size)
    about = [str(device.address), size, device.state.value, device.model, f"serial {device.serial or '(none)'}"]
    if device.config_string:
        about.append(f"config {json.dumps(device.config_string.decode('latin-1'))}")
    lines = ["  ".join(part for part in about if part)]
    for path in device.paths:
        rtt = "no rtt yet" if path.rtt_us is None else f"{path.rtt_us / 1000:.2f} ms"
        lines.append(f"    {path.mac}  {path.interface}  {rtt}  {path.payload} bytes a frame")
    if device.sameness is Sameness.DIFFERENT:
        lines.append("    different disks answer at this address: give one of them another shelf or slot")
    return [printable(line, _LONGEST) for line in lines]


def print_lines(lines: Sequence[str]) -> None:
    """Print lines to stdout."""
    for line in lines:
        click.echo(line)
