"""What is known of one device, in words: the SAN's right-hand side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from aoetui.engine.snapshot import Alarm, DeviceSnapshot, DeviceState, ExportSnapshot, Sameness, Severity
from aoetui.widgets import figures
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aoetui.engine.snapshot import EngineSnapshot, PathSnapshot

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
    if device.sameness is Sameness.DIFFERENT:
        return Text("! conflict", "bold red")
    if device.ours:
        return Text("= ours", "cyan")
    return Text(*GLYPHS[device.state])


def device_lines(device: DeviceSnapshot, snapshot: EngineSnapshot, width: int) -> Text:
    """Everything about `device`, alarms first, in lines of at most `width` columns where they cannot be wrapped."""
    export = next((each for each in snapshot.exports if each.spec.address == device.address), None) if device.ours else None
    lines = [_title(device), *_alarms(device, snapshot)]
    lines += _facts(device)
    lines += _served(export) if export else []
    lines += _paths(device.paths, width)
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


def _facts(device: DeviceSnapshot) -> Iterator[Text]:
    yield _fact("model", plain(device.model or "not told", 40))
    yield _fact("serial", plain(device.serial or "not told", 40))
    yield _fact("firmware", Text.assemble(plain(device.firmware or "not told", 20), f"   AoE {device.firmware_version}"))
    yield _fact("config", plain(device.config_string, 200) if device.config_string else Text("none"))
    yield _fact("buffers", Text(str(device.buffer_count)))
    yield _fact("paths", Text(_path_words(device)))
    if not device.ours or device.paths:
        yield _fact("seen", Text(f"{_seen(device.age)}, first {device.first_seen.astimezone():%d %b %H:%M}"))


def _seen(age: float) -> str:
    shown = figures.age(age)
    return shown if shown == "now" else f"{shown} ago"


def _path_words(device: DeviceSnapshot) -> str:
    if device.ours:
        return "served by this host" + (f", and {figures.many(len(device.paths), 'foreign path')}" if device.paths else "")
    words = figures.many(len(device.paths), "path")
    return f"{words}, {SAMENESS[device.sameness]}" if len(device.paths) > 1 else words


def _served(export: ExportSnapshot) -> Iterator[Text]:
    yield _fact("backing", plain(str(export.spec.path), 120))
    yield _fact("state", plain(f"{export.state}. {export.problem}" if export.problem else str(export.state), 200))
    for port in export.ports:
        told = f"served, {figures.payload(port.sector_count * 512)} a frame" if port.serving else f"not served: {port.problem}"
        yield _fact("on", Text.assemble(plain(port.interface, 15), "  ", plain(told, 120)))
    active = len(export.active_initiators)
    yield _fact(
        "used by", Text(f"{figures.many(active, 'active initiator')}: enter on 2 Exports tells who" if active else "nobody now")
    )


def _paths(paths: tuple[PathSnapshot, ...], width: int) -> Iterator[Text]:
    if not paths:
        return
    narrow = width < 50
    yield Text("")
    yield Text(_columns("path", "via", "rtt", "data", "seen", narrow=narrow), "dim")
    for path in paths:
        mac = str(path.mac)
        line = _columns(
            f"{mac[:5]}..{mac[-5:]}" if narrow else mac,
            plain(path.interface, 5 if narrow else 9).plain,
            "-" if path.rtt_us is None else f"{path.rtt_us / 1000:.2f}",
            figures.payload(path.payload),
            figures.age(path.age),
            narrow=narrow,
        )
        yield Text(line, "" if path.state is DeviceState.UP else GLYPHS[path.state][1])


def _columns(mac: str, via: str, rtt: str, data: str, seen: str, *, narrow: bool) -> str:
    if narrow:
        return f"{mac:<12} {via:<5}{rtt:>5}{data:>5} {seen:>4}"
    return f"{mac:<17}  {via:<9} {rtt:>7} {data:>5} {seen:>5}"
