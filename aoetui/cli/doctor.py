"""`aoetui doctor`: why nothing is seen, and what to do."""

from __future__ import annotations

import shutil
import sys
from dataclasses import fields
from pathlib import Path

import click

from aoetui.cli import running
from aoetui.cli.options import parts
from aoetui.cli.output import print_json, print_lines
from aoetui.engine.api import EngineError, ExitCode, UsageError
from aoetui.engine.commands.doctor import SECONDS, Bundle, Examine, MakeBundle, Report
from aoetui.engine.protocol.address import Address
from aoetui.widgets.plain import printable

_LONGEST = 4000
"""Columns of one line that is not wrapped."""
_SPARE = 30.0
"""Seconds that an examination may take beyond those it listens."""


@click.command(short_help="Why is nothing seen? Looks at everything, says what to do.")
@click.option("-i", "--interface", "interfaces", multiple=True, metavar="IFACE", help="Ask on this interface; may be repeated.")
@click.option(
    "--wait",
    type=click.FloatRange(1.0, 60.0),
    default=SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to ask and listen.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also gather everything that helps to help into FILE (a new .tar.gz, with nothing secret in it).",
)
@click.argument("address", required=False)
@click.pass_obj
def doctor(
    config: Path | None, *, interfaces: tuple[str, ...], wait: float, as_json: bool, bundle: Path | None, address: str | None
) -> int:
    """Look at permission, links, VLANs, other programs, and at what answers; say what is wrong and what to do.

    ADDRESS is a device that should be there, as e9.1. Nothing is written to any device. Where nobody has chosen an
    interface, every one is listened on and none is asked.
    """
    wanted = None if address is None else _address(address)
    if bundle is not None and bundle.exists():
        raise EngineError(f"{bundle} exists: name a file that does not", field="path")
    names = running.named_or_configured(parts(interfaces), config)
    with running.watching_engine(names) as engine:
        report = engine.submit(Examine(names, wanted, wait)).result(wait + _SPARE)
        made = None
        if bundle is not None:
            place = running.places(config)["config"]
            made = engine.submit(MakeBundle(bundle.absolute(), report, place)).result(_SPARE)
    _print(report, made, as_json=as_json)
    return ExitCode.DONE if report.healthy else ExitCode.NO


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise UsageError(str(error), field="address") from error


def _print(report: Report, made: Bundle | None, *, as_json: bool) -> None:
    if as_json:
        found = {field.name: getattr(report, field.name) for field in fields(report)}
        print_json("report", {"healthy": report.healthy, **found, "bundle": made})
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    print_lines([printable(line, _LONGEST) for line in report.lines(width)])
    if made is not None:
        print_lines(
            ["", f"{printable(str(made.path), _LONGEST)}: {len(made.files)} files, {made.size} bytes; MANIFEST says what and why"]
        )
