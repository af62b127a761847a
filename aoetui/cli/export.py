"""`aoetui export`: one export in the foreground, with vblade's flags and order."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aoetui import logs
from aoetui.cli import running
from aoetui.cli.options import address_of, macs_of, parts
from aoetui.cli.output import complain, print_lines
from aoetui.engine.api import ExitCode, UsageError
from aoetui.engine.protocol.wire import DEFAULT_BUFFER_COUNT, SECTOR
from aoetui.engine.snapshot import Severity
from aoetui.engine.spec import Durability, ExportSpec
from aoetui.shutdown import ENGINE_SECONDS, OrderlyStop
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from aoetui.engine.api import Engine
    from aoetui.engine.snapshot import Event, ExportSnapshot

_LOOK_SECONDS = 0.5
_WITH_VALUE = frozenset({"-b", "-m", "-o", "-l", "--vlan", "--state"})


class _VbladeCommand(click.Command):
    """Takes `-1` for a (wrong) shelf or slot, as no option is a digit: the answer then names the range."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for place, text in enumerate(args):
            if text[:1] == "-" and text[1:].isdecimal() and (place == 0 or args[place - 1] not in _WITH_VALUE):
                args = [*args[:place], "--", *args[place:]]
                break
        return super().parse_args(ctx, args)


@click.command(cls=_VbladeCommand, short_help="Serve one file or block device, in the foreground.")
@click.option("-b", "buffer_count", type=int, default=DEFAULT_BUFFER_COUNT, show_default=True, metavar="N", help="Buffer count.")
@click.option("-d", "direct", is_flag=True, help="O_DIRECT: read and write past the page cache.")
@click.option("-s", "durable", is_flag=True, help="Answer a write once stable storage has it.")
@click.option("-r", "read_only", is_flag=True, help="Refuse writes.")
@click.option("-m", "mask", multiple=True, metavar="MAC,...", help="Add these initiators to the mask list. May be repeated.")
@click.option("-o", "offset", type=int, default=0, metavar="SECTORS", help="Start of the export in its backing.")
@click.option("-l", "length", type=int, metavar="SECTORS", help="Length of the export; to the end of the backing if not given.")
@click.option("--vlan", type=int, metavar="N", help="Serve frames of this VLAN, tagged by aoetui; untagged ones if not given.")
@click.option("--force", is_flag=True, help="Serve although others answer for the address.")
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Keep serial and state here.")
@click.argument("shelf")
@click.argument("slot")
@click.argument("iface")
@click.argument("path", type=click.Path(path_type=Path))
@click.pass_obj
def export(
    config: Path | None,
    *,
    shelf: str,
    slot: str,
    iface: str,
    path: Path,
    buffer_count: int,
    direct: bool,
    durable: bool,
    read_only: bool,
    mask: tuple[str, ...],
    offset: int,
    length: int | None,
    vlan: int | None,
    force: bool,
    state: Path | None,
) -> int:
    """Serve PATH, a file or a block device, as SHELF.SLOT on IFACE (one name, or several with commas) until stopped."""
    if config is not None:
        raise UsageError("export keeps no config: leave --config out, or write the export into the file and start aoetui")
    address = address_of(shelf, slot)
    try:
        spec = ExportSpec(
            address=address,
            path=path.absolute(),
            interfaces=parts([iface]),
            vlan=vlan,
            read_only=read_only,
            durability=Durability.DURABLE if durable else Durability.CACHED,
            direct=direct,
            offset=offset,
            length=length,
            buffer_count=buffer_count,
            mask=macs_of(mask),
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    return serve(spec, force=force, state=state)


def serve(spec: ExportSpec, *, force: bool, state: Path | None) -> int:
    """Serve until a signal; print vblade's line, then where it is served, then whatever goes wrong."""
    engine = running.export_engine(spec, state)
    ended, seen = threading.Event(), 0
    with OrderlyStop(engine.stop, leave=ended.set) as stop:
        try:
            engine.start()
            _announce(engine.serve(spec, force=force))
            seen = _follow(engine, ended)
        finally:
            engine.stop()
    alarms = [event.text for event in _tell(engine, seen) if event.severity is Severity.ALARM]
    if not stop.in_time:
        complain(_unfinished(engine.snapshot().exports[0], alarms))
        return ExitCode.NO
    return ExitCode.DONE


def _unfinished(export: ExportSnapshot, alarms: list[str]) -> str:
    """Why the end was not in order: a disk that failed has been told of; else it was the time that ran out."""
    address, of_ports = export.spec.address, {"", *(port.problem for port in export.ports)}
    for text in (export.problem, *alarms):
        if text not in of_ports:
            return f"{address} did not end in order: {text}"
    return (
        f"{address} did not end within {ENGINE_SECONDS:g} seconds: its disk did not finish in time."
        " What was answered has reached it, or the page cache; nothing that was left unanswered counts"
    )


def _announce(export: ExportSnapshot) -> None:
    spec = export.spec
    mode = "O_RDONLY" if spec.read_only else "O_RDWR"
    click.echo(f"pid {os.getpid()}: {spec.address}, {export.size // SECTOR} sectors {mode}")
    served = ", ".join(port.interface for port in export.ports if port.serving)
    if served:
        print_lines([f"serving on {printable(served, 200)}{_promise(spec)}"])


def _promise(spec: ExportSpec) -> str:
    if spec.read_only:
        return ", read-only"
    if spec.durability is Durability.DURABLE:
        return ", durable: a write is answered once stable storage has it"
    return ", cached: a power cut here can lose answered writes (-s prevents it)"


def _follow(engine: Engine, ended: threading.Event) -> int:
    """Print new warnings and alarms until the end is asked for; returns the last event's number."""
    seen = 0
    while True:
        last = ended.wait(_LOOK_SECONDS)
        seen = max((event.number for event in _tell(engine, seen)), default=seen)
        if last:
            return seen


def _tell(engine: Engine, seen: int) -> list[Event]:
    """The events after number `seen`, the warnings and alarms printed; not into the journal, which has all of them by the log."""
    fresh = list(engine.events(seen))
    for event in fresh:
        if event.severity is not Severity.INFO and not logs.under_journal(sys.stderr):
            complain(f"{event.subject}: {event.text}")
    return fresh
