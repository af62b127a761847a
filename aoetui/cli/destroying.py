"""The question before a device is written to: what it holds, and its address to be typed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import humanize

from aoetui.engine.api import EngineError, UsageError
from aoetui.engine.commands.copying import ReadSectors
from aoetui.engine.protocol.address import Address
from aoetui.widgets.contents import contents_words, left_out_words
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from aoetui.engine.api import Engine
    from aoetui.engine.commands.copying import SectorsReport
    from aoetui.engine.protocol.address import Mac

_SECONDS = 60.0


def target_of(engine: Engine, address: Address, macs: tuple[Mac, ...]) -> SectorsReport:
    """Who would be written to."""
    return engine.submit(ReadSectors(address, macs=macs)).result(_SECONDS)


def device_words(report: SectorsReport) -> str:
    """`e9.1, 10.7 GB, aoetui, serial 7f3a: GPT with 2 partitions (ext4 "root", swap)`."""
    about = (str(report.address), humanize.naturalsize(report.size), report.model, f"serial {report.serial or '(none)'}")
    others = left_out_words(report)
    words = f"{', '.join(part for part in about if part)}: {contents_words(report.contents)}{f'; {others}' if others else ''}"
    return printable(words, 2000)


def confirm(report: SectorsReport, *, what: str, yes: bool) -> None:
    """Say what is destroyed, and have the address typed unless `yes`.

    Raises UsageError where nobody can be asked, EngineError where something else is typed.
    """
    sentence = f"{what} {device_words(report)}"
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{sentence}; nothing was written: add --yes, or type its address on a terminal")
    click.echo(sentence, err=True)
    typed = click.prompt(f"Type {report.address} to go on", default="", show_default=False, err=True)
    try:
        agreed = Address.parse(typed) == report.address
    except ValueError:
        agreed = False
    if not agreed:
        raise EngineError(f"{typed!r} is not {report.address}: nothing was written")
