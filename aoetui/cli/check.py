"""`aoetui check`: what the paths can really carry, both ways; aoe-sancheck's summaries and more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aoetui.cli import running
from aoetui.cli.options import address_named, parts
from aoetui.cli.output import print_json, print_lines
from aoetui.engine.api import ExitCode, NoAnswerError
from aoetui.engine.commands.paths import MAX_PROBES, PROBES, CheckPaths, PathReport, PathsReport
from aoetui.engine.snapshot import Severity
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from aoetui.engine.commands.paths import Finding, InterfaceReport
    from aoetui.engine.protocol.address import Address

_SECONDS = 360.0
"""More than the check takes at most."""
_MARKS = {Severity.INFO: "-", Severity.WARNING: "!", Severity.ALARM: "!!"}
_LONGEST = 2000


@click.command(short_help="Measure the paths to the devices, and say what is wrong with them.")
@click.option("-i", "--interface", "interfaces", multiple=True, metavar="IFACE", help="Ask on this interface; may be repeated.")
@click.option(
    "-n",
    "--probes",
    type=click.IntRange(1, MAX_PROBES),
    default=PROBES,
    show_default=True,
    metavar="N",
    help="Frames of each kind on each path, by which loss and round trips are measured.",
)
@click.option("-v", "--verbose", is_flag=True, help="Print more of each path and interface.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("address", required=False)
@click.pass_obj
def check(
    config: Path | None, *, interfaces: tuple[str, ...], probes: int, verbose: bool, as_json: bool, address: str | None
) -> int:
    """Measure every path to the device at ADDRESS (`e9.1` or `9.1`), or to every device, and say what is wrong with it.

    How long frames get through in each direction, loss, round trips. Each finding has its remedy. Nothing is written.
    """
    wanted = None if address is None else address_named(address)
    chosen = running.chosen_interfaces(parts(interfaces), config)
    with running.san_engine(chosen) as engine:
        report = engine.submit(CheckPaths(wanted, probes)).result(_SECONDS)
    if as_json:
        print_json("check", report)
    else:
        print_lines([printable(line, _LONGEST) for line in report_lines(report, verbose=verbose)])
    if not report.devices:
        raise _nobody(chosen, wanted)
    return ExitCode.NO if report.wrong else ExitCode.DONE


def _nobody(chosen: Sequence[str], wanted: Address | None) -> NoAnswerError:
    who = "nobody answered" if wanted is None else f"{wanted} did not answer"
    return NoAnswerError(f"{who} on {', '.join(chosen)}: look at the cable, the VLAN and the target's mask list")


def report_lines(report: PathsReport, *, verbose: bool) -> Iterator[str]:
    """The summaries as aoe-sancheck has them, then the paths, then the findings."""
    yield "INTERFACE SUMMARY"
    yield from table(
        ("Name", "Status", "MTU", "PCI ID", *(("Driver", "Flow control") if verbose else ())),
        [_interface_cells(each, verbose=verbose) for each in report.interfaces],
    )
    yield ""
    yield "DEVICE SUMMARY"
    yield from table(
        ("Device", "Macs", "Payload", "Local Interfaces"),
        [(str(each.address), str(len(each.macs)), str(each.payload), ",".join(each.interfaces)) for each in report.devices],
    )
    if report.devices:
        yield ""
        yield "PATHS"
        yield from _path_lines(report, verbose=verbose)
    yield ""
    yield "FINDINGS" if report.findings else "Nothing is wrong."
    for finding in report.findings:
        yield from finding_lines(finding)


def _interface_cells(interface: InterfaceReport, *, verbose: bool) -> tuple[str, ...]:
    cells = (interface.name, "UP" if interface.up else "DOWN", str(interface.mtu), interface.pci_id)
    if not verbose:
        return cells
    pause = interface.pause
    told = "" if pause is None else f"rx {'on' if pause.rx else 'off'}, tx {'on' if pause.tx else 'off'}"
    return (*cells, interface.driver, told)


def _path_lines(report: PathsReport, *, verbose: bool) -> Iterator[str]:
    titles: tuple[str, ...] = ("Device", "Interface", "Mac", "To target", "From target", "Lost", "RTT ms", "p95", "Most")
    titles += ("Least", "Frame to", "Frame from", "Buffers", "Twice") if verbose else ()
    rows = [(str(device.address), *path_cells(path, verbose=verbose)) for device in report.devices for path in device.paths]
    yield from table(titles, rows)


def path_cells(path: PathReport, *, verbose: bool) -> tuple[str, ...]:
    """Of one path: bytes of payload each way, loss, round trips."""
    trips = path.round_trips
    most = ("-", "-", "-", "-") if trips is None else map(_ms, (trips.median_us, trips.p95_us, trips.most_us, trips.least_us))
    median, p95, largest, least = most
    back = f"{path.from_target.payload}{'+' if path.from_target.untested else ''}"
    loss = path.loss
    cells = (path.interface, str(path.mac), str(path.to_target.payload), back, f"{loss.lost}/{loss.sent}", median, p95, largest)
    if not verbose:
        return cells
    frames = (str(path.to_target.frame), str(path.from_target.frame))
    return (*cells, least, *frames, str(path.buffer_count), str(path.duplicates))


def _ms(microseconds: float) -> str:
    return f"{microseconds / 1000:.2f}"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their longest cell; nothing trails."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def finding_lines(finding: Finding) -> Iterator[str]:
    """What is wrong, and under it the remedy."""
    start = "" if finding.subject in finding.text else f"{finding.subject}: "
    yield f"{_MARKS[finding.severity]:<2} {start}{finding.text}"
    yield f"     {finding.remedy}"
