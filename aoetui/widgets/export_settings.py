"""What an export is set to, and which key changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from aoetui.widgets import figures
from aoetui.widgets.durability import mode_sentence
from aoetui.widgets.escapes import escaped
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.snapshot import ExportSnapshot
    from aoetui.engine.spec import ExportSpec

MOST_SHOWN = 180
"""Columns of a config string; its dialog shows all of it."""

MOST_HOLDERS = 8
"""Holders of a reservation that are told about one by one."""


def settings_part(export: ExportSnapshot, now: datetime, *, read_only: bool) -> Table:
    """Three columns: name, value, key. A console that is `read_only` has no such keys."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=13, style="dim")
    table.add_column(ratio=1, overflow="fold")
    table.add_column(width=7, justify="right")
    editable = export.size > 0 and not read_only
    for name, value, key in _state(export, now):
        table.add_row(name, _wrapping(value), Text.assemble((key, "yellow"), " edits") if editable else "")
    for name, value in _spec(export):
        table.add_row(name, _wrapping(value), "")
    return table


def _wrapping(value: Text) -> Text:
    value = value.copy()
    value.no_wrap = False
    return value


def _state(export: ExportSnapshot, now: datetime) -> Iterator[tuple[str, Text, str]]:
    if not export.size:
        yield "state", Text("known once it is started", "dim"), ""
        return
    yield "config string", config_words(export.config_string), "c"
    everybody = Text("empty: every initiator is answered")
    yield "mask list", _macs(export.mask) if export.mask else everybody, "m"
    yield "reservation", _holders(export, now) if export.reservation else Text("nobody holds it: all may read and write"), "r"


def config_words(value: bytes) -> Text:
    r"""`"web01", 5 bytes`; what cannot be read stands as `\xNN`."""
    if not value:
        return Text("empty")
    return Text.assemble('"', plain(escaped(value), MOST_SHOWN), f'", {figures.many(len(value), "byte")}')


def _macs(macs: tuple[Mac, ...]) -> Text:
    return Text(f"{figures.many(len(macs), 'MAC')}: {', '.join(map(str, macs))}")


def _holders(export: ExportSnapshot, now: datetime) -> Text:
    if len(export.reservation) > MOST_HOLDERS:
        return _macs(export.reservation)
    return Text("\n").join(Text(f"{mac}, {_seen(export, mac, now)}") for mac in export.reservation)


def _seen(export: ExportSnapshot, mac: Mac, now: datetime) -> str:
    """`on eth1, last I/O 3s ago`; of one that never came, so."""
    known = [each for each in export.initiators if each.mac == mac]
    if not known:
        return "not seen yet"
    latest = max(known, key=lambda each: each.last_seen)
    seen = figures.ago((now - latest.last_seen).total_seconds())
    via = plain(latest.interface, 25).plain
    return f"on {via}, {'reads or writes' if latest.active else 'idle'}, seen {seen}"


def _spec(export: ExportSnapshot) -> Iterator[tuple[str, Text]]:
    spec = export.spec
    yield "writes", Text(mode_sentence(spec))
    yield "backing", plain(str(spec.path), 300)
    yield "window", Text(_window(spec))
    yield "interfaces", plain(", ".join(spec.interfaces), 200)
    yield "VLAN", Text("untagged frames" if spec.vlan is None else f"{spec.vlan}, tagged by us")
    yield "buffers", Text(f"{spec.buffer_count} requests of one initiator on one interface; what is beyond is dropped")
    yield "accept", _words(spec.accept, "everybody")
    yield "deny", _words(spec.deny, "nobody")
    yield "serial", plain(export.serial or "known once it is started", 40)
    if spec.label:
        yield "label", plain(spec.label, 80)


def _words(words: tuple[str, ...], without: str) -> Text:
    """As they stand in the config, and as long as they are."""
    return plain(", ".join(words), 5000) if words else Text(without)


def _window(spec: ExportSpec) -> str:
    if not spec.offset and spec.length is None:
        return "all of the backing"
    end = "to its end" if spec.length is None else f"{figures.many(spec.length, 'sector')} on ({figures.size(spec.length * 512)})"
    return f"from sector {spec.offset}, {end}"
