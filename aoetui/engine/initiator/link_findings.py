"""Judges our own interfaces, and paths beside each other. Pure."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from aoetui.engine.commands.paths import Finding, Troubles
from aoetui.engine.snapshot import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aoetui.engine.commands.paths import DeviceReport, InterfaceReport
    from aoetui.engine.protocol.address import Address

SLOWER = 3
SLOWER_US = 2000.0
"""A path is slow if its median is so many times that of the quickest, and so many microseconds more."""
SPREAD = 10
SPREAD_US = 2000.0
"""Round trips vary much if the slowest twentieth takes so many times the median, and so many microseconds more."""
_WORDS = {
    "rx_errors": "received with errors",
    "rx_dropped": "received and dropped, or wanted by nobody",
    "tx_errors": "not sent for errors",
    "tx_dropped": "dropped unsent",
}
_COUNTER_REMEDY = "`ethtool -S {name}` tells more: look at cable, duplex and ring sizes (ethtool -g), and at flow control"


def link_findings(
    interfaces: Sequence[InterfaceReport], devices: Sequence[DeviceReport], *, asked: Address | None
) -> Iterator[Finding]:
    """Of each interface."""
    answered = {name for device in devices for name in device.interfaces}
    lossy = {path.interface for device in devices for path in device.paths if path.loss.lost}
    for interface in interfaces:
        for note in interface.notes:
            problem, _, remedy = note.text.partition(": ")
            if remedy:  # a hint without one is of the MTU, which is judged by what the devices offer
                yield Finding(note.severity, interface.name, problem, remedy)
        if interface.name not in answered and devices:
            who = "no device answers" if asked is None else f"{asked} does not answer"
            yield Finding(
                Severity.WARNING if asked is None else Severity.INFO,  # the device may have no more interfaces
                interface.name,
                f"{who} on {interface.name}, only on other interfaces",
                "look at its cable and VLAN, and at the targets' mask lists; or do not choose it",
            )
        yield from _counter_findings(interface)
        yield from _pause_findings(interface, lossy=interface.name in lossy)


def _counter_findings(interface: InterfaceReport) -> Iterator[Finding]:
    remedy = _COUNTER_REMEDY.format(name=interface.name)
    if told := _troubles(interface.during):
        yield Finding(Severity.WARNING, interface.name, f"frames were lost in {interface.name} during the check: {told}", remedy)
    if told := _troubles(interface.before):
        yield Finding(Severity.INFO, interface.name, f"frames were lost in {interface.name} before the check: {told}", remedy)


def _troubles(troubles: Troubles) -> str:
    counted = ((_WORDS[each.name], getattr(troubles, each.name)) for each in fields(Troubles))
    return ", ".join(f"{count} {words}" for words, count in counted if count > 0)


def _pause_findings(interface: InterfaceReport, *, lossy: bool) -> Iterator[Finding]:
    pause = interface.pause
    if pause is None or (pause.rx and pause.tx):
        return
    off = " and ".join([*(["receiving"] if not pause.rx else []), *(["sending"] if not pause.tx else [])])
    yield Finding(
        Severity.WARNING if lossy else Severity.INFO,
        interface.name,
        f"flow control is off on {interface.name} ({off})" + (", and frames are lost" if lossy else ""),
        f"`ethtool -A {interface.name} rx on tx on`, and the same on the switch port",
    )


def slower_paths(device: DeviceReport) -> Iterator[Finding]:
    """Round trips of a device's paths, each by itself and beside the quickest."""
    timed = [(path, path.round_trips) for path in device.paths if path.round_trips is not None]
    quickest = min((trips.median_us for _, trips in timed), default=0.0)
    for path, trips in timed:
        way = f"{path.interface} -> {path.mac}"
        if trips.median_us > SLOWER * quickest and trips.median_us > quickest + SLOWER_US:
            yield Finding(
                Severity.WARNING,
                str(device.address),
                f"{way} is much slower than another path: its median round trip is {_ms(trips.median_us)}, {_ms(quickest)} there",
                "look what else this path carries, and at its speed and duplex: Linux spreads requests over all paths alike",
            )
        if trips.p95_us > SPREAD * trips.median_us and trips.p95_us > trips.median_us + SPREAD_US:
            yield Finding(
                Severity.INFO,  # it may be this host that is busy: what it takes to hear of an answer is in them
                str(device.address),
                f"round trips of {way} vary much: the median is {_ms(trips.median_us)}, 1 of 20 takes over {_ms(trips.p95_us)}",
                "a congested link, or a busy target or host: look at all of them under the load of every day",
            )


def _ms(microseconds: float) -> str:
    return f"{microseconds / 1000:.2f} ms"
