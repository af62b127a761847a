"""What is known of one device, in words: the SAN's right-hand side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.snapshot import Alarm, DeviceSnapshot, DeviceState, ExportSnapshot, Sameness, Severity
from aoetui.widgets import figures
from aoetui.widgets.driver import driver_lines, only_in_driver
from aoetui.widgets.durability import mode_sentence
from aoetui.widgets.export_details import shortened
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from aoetui.engine.snapshot import EngineSnapshot, PathSnapshot

WIDE = 50
"""Columns from which a path has its facts in one line."""

GLYPHS = {
    DeviceState.UP: ("* up", "green"),
    DeviceState.SILENT: ("x silent", "yellow"),
    DeviceState.GONE: ("- gone", "dim"),
}

SAMENESS = {
    Sameness.SAME: "one disk: its paths agree",
    Sameness.UNPROVEN: "probably one disk: no unique serial proves it",
    Sameness.DIFFERENT: "TWO DISKS at one address",
}


def state_word(device: DeviceSnapshot) -> Text:
    """Glyph, word and colour: each alone tells it."""
    return Text(*state_and_style(device))


def state_and_style(device: DeviceSnapshot) -> tuple[str, str]:
    """Glyph and word, and their colour."""
    if device.sameness is Sameness.DIFFERENT:
        return "! conflict", "bold red"
    if device.ours:
        return "= ours", "cyan"
    if only_in_driver(device):
        return "? linux", "yellow"
    if device.flapping and device.state is not DeviceState.GONE:
        return "~ flapping", "yellow"
    return GLYPHS[device.state]


def device_lines(device: DeviceSnapshot, snapshot: EngineSnapshot, width: int) -> Text:
    """Everything about `device`, alarms first, in lines of at most `width` columns where they cannot be wrapped."""
    export = next((each for each in snapshot.exports if each.spec.address == device.address), None) if device.ours else None
    lines = [_title(device), *_alarms(device, snapshot)]
    lines += _unheard(snapshot) if only_in_driver(device) else _facts(device, snapshot.taken)
    lines += _served(export, width) if export else []
    lines += driver_lines(device.address, snapshot)
    lines += (_narrow_paths if width < WIDE else _wide_paths)(device.paths, snapshot.taken)
    return Text("\n").join(lines)


def _title(device: DeviceSnapshot) -> Text:
    size = "size unknown" if device.size is None else figures.size(device.size)
    return Text.assemble((str(device.address), "bold"), "  ", state_word(device), "  ", (size, "bold"))


def _alarms(device: DeviceSnapshot, snapshot: EngineSnapshot) -> list[Text]:
    return [alarm_line(alarm) for alarm in snapshot.alarms if alarm.subject == str(device.address)]


def alarm_line(alarm: Alarm) -> Text:
    """An alarm with its glyph; it may be wrapped."""
    style = "bold red" if alarm.severity is Severity.ALARM else "yellow"
    line = Text("! ", style)
    return line.append_text(Text(plain(alarm.text, 300).plain, style))


def _fact(name: str, value: Text) -> Text:
    return Text.assemble((f"{name:<9}", "dim"), value)


def _facts(device: DeviceSnapshot, now: datetime) -> Iterator[Text]:
    yield _fact("model", plain(device.model or "not told", 40))
    yield _fact("serial", plain(device.serial or "not told", 40))
    yield _fact("firmware", Text.assemble(plain(device.firmware or "not told", 20), f"   AoE {device.firmware_version:#06x}"))
    yield _fact("config", plain(device.config_string, 200) if device.config_string else Text("none"))
    yield _fact("buffers", Text(str(device.buffer_count)))
    yield _fact("paths", Text(_path_words(device)))
    if not device.ours or device.paths:
        last = figures.ago((now - device.last_seen).total_seconds())
        yield _fact("seen", Text(f"{last}, first {device.first_seen.astimezone():%d %b %H:%M}"))
    if device.changed is not None:
        when = figures.ago((now - device.changed).total_seconds())
        yield _fact("changed", Text.assemble(f"{when}: ", plain(device.why, 120)))


def _unheard(snapshot: EngineSnapshot) -> Iterator[Text]:
    """Of a device that the Linux driver alone knows."""
    names = ", ".join(plain(name, 15).plain for name in snapshot.interfaces or ()) or "any interface: none is chosen"
    yield _fact("wire", Text(f"not heard on {names}"))


def _path_words(device: DeviceSnapshot) -> str:
    if device.ours:
        return "served by this host" + (f", and {figures.many(len(device.paths), 'foreign path')}" if device.paths else "")
    words = figures.many(len(device.paths), "path")
    return f"{words}, {SAMENESS[device.sameness]}" if len(device.paths) > 1 else words


def _served(export: ExportSnapshot, width: int) -> Iterator[Text]:
    yield _fact("backing", shortened(str(export.spec.path), width - 9) if width < WIDE else plain(str(export.spec.path), 120))
    yield _fact("writes", Text(mode_sentence(export.spec)))
    yield _fact("state", plain(f"{export.state}. {export.problem}" if export.problem else str(export.state), 200))
    for port in export.ports:
        told = f"{figures.payload(port.sector_count * SECTOR)} payload" if port.serving else f"not served: {port.problem}"
        yield _fact("on", Text.assemble(plain(port.interface, 25), "  ", plain(told, 120)))
    active = len(export.active_initiators)
    yield _fact("used by", Text(figures.many(active, "initiator") if active else "nobody now"))


def _wide_paths(paths: tuple[PathSnapshot, ...], now: datetime) -> Iterator[Text]:
    if not paths:
        return
    yield Text("")
    yield Text(f"{'path':<17}  {'via':<9} {'rtt':>8} {'payload':>8} {'seen':>5}", "dim")
    for path in paths:
        via = plain(path.interface, 9).plain
        line = f"{path.mac!s:<17}  {via:<9} {figures.microseconds(path.rtt_us):>8} {figures.payload(path.payload):>8}"
        yield Text(f"{line} {figures.age((now - path.last_seen).total_seconds()):>5}", _path_style(path))


def _narrow_paths(paths: tuple[PathSnapshot, ...], now: datetime) -> Iterator[Text]:
    """Two lines for a path."""
    if paths:
        yield Text("")
    for path in paths:
        yield Text(f"{path.mac} {plain(path.interface, 12).plain}", _path_style(path))
        rtt, payload = figures.microseconds(path.rtt_us), figures.payload(path.payload)
        yield Text(f"  {rtt:<8} {payload} payload  {figures.age((now - path.last_seen).total_seconds())}", _path_style(path))


def _path_style(path: PathSnapshot) -> str:
    return "" if path.state is DeviceState.UP else GLYPHS[path.state][1]
