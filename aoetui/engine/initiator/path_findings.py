"""Judges what was measured: what is wrong on the paths, in a sentence, and its remedy. Pure."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from aoetui.engine.commands.paths import Finding, Untested
from aoetui.engine.initiator.link_findings import link_findings, slower_paths
from aoetui.engine.initiator.loss_findings import loss_findings
from aoetui.engine.protocol.devices import Sameness
from aoetui.engine.protocol.wire import (
    ATA_HEADER,
    LINUX_REFUSED_SHELF,
    MAX_SECTOR_COUNT,
    MIN_BUFFER_COUNT,
    SECTOR,
    sectors_per_frame,
)
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aoetui.engine.commands.paths import DeviceReport, InterfaceReport, PathReport
    from aoetui.engine.protocol.address import Address

BLOCK_SECTORS = 8
"""Linux does single sectors on a disk whose size is no multiple of this (EtherDrive HOWTO, 5.23)."""
GOOD_MTUS = ((1500, 2), (4200, 8), (9000, 17))
"""Usual MTUs, and the sectors that a frame then carries."""
_GRAVITY = (Severity.ALARM, Severity.WARNING, Severity.INFO)


def findings_in(
    interfaces: Sequence[InterfaceReport], devices: Sequence[DeviceReport], *, asked: Address | None
) -> tuple[Finding, ...]:
    """All that speaks against these interfaces and devices, the gravest first; `asked` is the one device that was asked for."""
    found = [*link_findings(interfaces, devices, asked=asked), *chain.from_iterable(map(device_findings, devices))]
    return tuple(sorted(found, key=lambda finding: _GRAVITY.index(finding.severity)))


def device_findings(device: DeviceReport) -> Iterator[Finding]:
    """Of one device: who it is, then its payload, then each of its paths."""
    yield from _identity_findings(device)
    yield from _count_findings(device)
    yield from _mtu_findings(device)
    yield from slower_paths(device)
    for path in device.paths:
        yield from _path_findings(device, path)


def _identity_findings(device: DeviceReport) -> Iterator[Finding]:
    subject = str(device.address)
    if device.sameness is Sameness.DIFFERENT:
        yield Finding(
            Severity.ALARM,
            subject,
            f"different disks answer at {subject} ({device.difference}): Linux takes them for one, and corrupts both",
            "give one of them another shelf or slot before anybody writes",
        )
    if device.address.shelf == LINUX_REFUSED_SHELF:
        yield Finding(
            Severity.WARNING, subject, f"Linux refuses shelf {LINUX_REFUSED_SHELF}", "give the device another shelf, below 4095"
        )
    if device.size is not None and (over := device.size // SECTOR % BLOCK_SECTORS):
        sectors = device.size // SECTOR
        yield Finding(
            Severity.WARNING,
            subject,
            f"its {sectors} sectors are no multiple of {BLOCK_SECTORS}: Linux then reads and writes 512 bytes at a time",
            f"make its backing a multiple of 4096 bytes, as {sectors + BLOCK_SECTORS - over} sectors",
        )
    for path in _first_of_each_mac(device):
        if path.buffer_count < MIN_BUFFER_COUNT:
            yield Finding(
                Severity.WARNING,
                subject,
                f"{path.mac} offers a buffer count of {path.buffer_count}: Linux halves it, and then never sends anything",
                f"set the target's buffer count (vblade and aoetui export: -b) to {MIN_BUFFER_COUNT} at least",
            )


def _first_of_each_mac(device: DeviceReport) -> list[PathReport]:
    return list({path.mac: path for path in reversed(device.paths)}.values())[::-1]


def _count_findings(device: DeviceReport) -> Iterator[Finding]:
    ours, theirs = device.interfaces, device.macs
    if len(ours) != len(theirs):
        more = f"one of {len(theirs)} MACs" if len(theirs) > 1 else "the device's one MAC"
        yield Finding(
            Severity.WARNING,
            str(device.address),
            f"mismatched number of local and remote interfaces: {', '.join(ours)} here, {', '.join(map(str, theirs))} there",
            f"give host and device the same bandwidth: as it is, {'our one interface' if len(ours) == 1 else more} sets the pace",
        )


def _mtu_findings(device: DeviceReport) -> Iterator[Finding]:
    """The two ends' MTUs, which Linux goes by, whatever gets through."""
    subject = str(device.address)
    mtus = {path.interface: path.local_mtu for path in device.paths if path.local_mtu}
    most = max(mtus.values(), default=0)
    for name, mtu in mtus.items():
        if sectors_per_frame(mtu) * SECTOR < device.payload:
            yield Finding(
                Severity.WARNING,
                subject,
                f"{name}: MTU {mtu} is not optimal: it carries {_bytes(sectors_per_frame(mtu))} a frame, and the device offers"
                f" {device.payload}",
                f"`ip link set {name} mtu {_usual_mtu(device.payload)}`, and as much on every switch port of the way"
                f" ({_table()})",
            )
        if mtu < most:
            yield Finding(
                Severity.WARNING,
                subject,
                f"{name}: MTU {mtu} differs from that of the other interfaces, {most}",
                f"`ip link set {name} mtu {most}`: Linux takes the smaller payload on all of them",
            )
    offered = {path.advertised for path in device.paths}
    if len(offered) > 1:
        least = [str(mac) for mac in sorted({path.mac for path in device.paths if path.advertised == device.payload})]
        yield Finding(
            Severity.WARNING,
            subject,
            f"its MACs offer {device.payload} to {max(offered)} bytes a frame: Linux takes the least, {device.payload}, on every"
            " path",
            f"raise the MTU of the target's interface {', '.join(least)} to {_usual_mtu(max(offered))}",
        )
    if most and device.payload < sectors_per_frame(min(mtus.values())) * SECTOR and len(offered) == 1:
        yield Finding(
            Severity.INFO,
            subject,
            f"the target offers {device.payload} bytes a frame, and our MTU of {min(mtus.values())} would carry more",
            f"raise the MTU of the target's interfaces ({_table()})",
        )


def _path_findings(device: DeviceReport, path: PathReport) -> Iterator[Finding]:
    subject = str(device.address)
    way = f"{path.interface} -> {path.mac}"
    if path.problem:
        yield Finding(
            Severity.WARNING, subject, f"{way}: {path.problem}", "check again; if it stays, look whether the target still runs"
        )
    if path.to_target.frame:
        yield from reach_findings(subject, path)
        yield from loss_findings(subject, path)


def reach_findings(subject: str, path: PathReport) -> Iterator[Finding]:
    """Where long frames do not get through, one way or the other."""
    there, back = path.to_target, path.from_target
    lost_there = there.payload < path.agreed
    lost_back = back.payload < path.agreed and not back.untested
    way = f"{path.interface} -> {path.mac}"
    if lost_there or lost_back:
        capable = min(there.payload if lost_there else path.agreed, back.payload if lost_back else path.agreed)
        ways = [_to_text(path)] * lost_there + [_from_text(path)] * lost_back
        yield Finding(
            Severity.WARNING,
            subject,
            f"the path {way} is only capable of {capable} byte payloads, of {path.agreed}: {', and '.join(ways)}",
            _narrow_remedy(path, capable),
        )
    if back.untested and back.payload < path.agreed:
        refused = back.untested is Untested.REFUSED
        yield Finding(
            Severity.WARNING if refused else Severity.INFO,
            subject,
            f"{way}: from the target {back.payload} bytes a frame are known to pass, of {path.agreed}: {back.untested}",
            "the target serves less than it offers: restart it, or raise its MTU" if refused else "check again when that is over",
        )


def _to_text(path: PathReport) -> str:
    return (
        f"frames of more than {path.to_target.frame} bytes (MTU {path.to_target.mtu}) are lost on the way to the target,"
        f" from {path.interface} (MTU {path.local_mtu}) to {path.mac}"
    )


def _from_text(path: PathReport) -> str:
    lost = path.from_target.frame + SECTOR
    return f"frames of {lost} bytes and more are lost on the way from the target, from {path.mac} to {path.interface}"


def _narrow_remedy(path: PathReport, capable: int) -> str:
    """What to set where. Linux, where long frames are lost, goes down to 1024 bytes and not to what the path could carry."""
    needs = ATA_HEADER + path.agreed
    fits = ATA_HEADER + capable
    return (
        f"set an MTU of {_usual_mtu(path.agreed)} ({needs} at least) on every switch port between the two and on the target's"
        f" interface, then run aoe-discover; or `ip link set {path.interface} mtu {max(fits, 1500) if capable >= 1024 else fits}`"
    )


def _usual_mtu(payload: int) -> int:
    """The usual MTU for such a payload; above 9000, the least that carries it."""
    sectors = min(payload // SECTOR, MAX_SECTOR_COUNT)
    return next((mtu for mtu, carried in GOOD_MTUS if carried >= sectors), ATA_HEADER + sectors * SECTOR)


def _table() -> str:
    return "; ".join(f"MTU {mtu}: {_bytes(sectors)}" for mtu, sectors in GOOD_MTUS)


def _bytes(sectors: int) -> str:
    return f"{sectors * SECTOR} bytes"
