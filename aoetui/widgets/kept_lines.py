"""What a target keeps, as lines: config string, mask list, reservation, and who is on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from aoetui.widgets import figures
from aoetui.widgets.escapes import escaped
from aoetui.widgets.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aoetui.engine.commands.remote import RemoteState, RemoteTarget
    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.snapshot import ExportSnapshot


def remote_lines(state: RemoteState) -> Iterator[Text]:
    """Of a device of somebody else: once, if all its MACs keep the same; else for each."""
    if state.conflict:
        yield Text.assemble(("! ", "bold red"), Text(plain(state.conflict, 500).plain, "bold red"))
        yield Text("Nothing can be changed here until that is settled.", "bold red")
        yield Text()
    for target in state.targets:
        yield Text.assemble((str(target.mac), "bold"), "  over ", plain(", ".join(target.interfaces), 60))
        yield from _target_lines(state, target)
        yield Text()


def _target_lines(state: RemoteState, target: RemoteTarget) -> Iterator[Text]:
    sectors = figures.many(target.sector_count or 2, "sector")
    yield _fact("target", Text(f" {target.buffer_count} buffers, {sectors} a frame, AoE firmware {target.firmware_version:#06x}"))
    yield _config(target.config_string)
    yield from _list("mask list", target.mask, "empty: every initiator is answered", state.who)
    yield from _list("reservation", target.reservation, "nobody holds it: all may read and write", state.who)


def export_lines(export: ExportSnapshot) -> Iterator[Text]:
    """Of an export of ours."""
    users = {each.mac: f"on {each.interface}{', reads or writes now' if each.active else ''}" for each in export.initiators}
    yield _config(export.config_string)
    yield from _list("mask list", export.mask, "empty: every initiator is answered", lambda mac: users.get(mac, ""))
    yield from _list("reservation", export.reservation, "nobody holds it: all may read and write", lambda mac: users.get(mac, ""))


def _fact(name: str, value: Text) -> Text:
    return Text.assemble((f"{name:<13}", "dim"), value)


def _config(string: bytes) -> Text:
    shown = plain(escaped(string), 4000) if string else Text("empty", "dim")
    shown.no_wrap = False
    return _fact("config string", Text.assemble(" ", shown))


def _list(name: str, macs: tuple[Mac, ...] | None, empty: str, who: Callable[[Mac], str]) -> Iterator[Text]:
    if macs is None:
        yield _fact(name, Text(" not known to its program", "yellow"))
    elif not macs:
        yield _fact(name, Text(f" {empty}"))
    else:
        yield _fact(name, Text(f" {figures.many(len(macs), 'MAC')}"))
        for mac in macs:
            yield Text.assemble(f"  {mac}  ", plain(who(mac), 60))
