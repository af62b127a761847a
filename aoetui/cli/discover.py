"""`aoetui discover` and `aoetui stat`: one broadcast, and what answered it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from aoetui.cli import running
from aoetui.cli.options import parts, survey_options
from aoetui.cli.output import device_lines, print_json, print_lines, stat_line
from aoetui.engine.api import EngineError, NoAnswerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aoetui.engine.snapshot import DeviceSnapshot


@click.command(short_help="Broadcast once and say what answered.")
@survey_options
@click.pass_obj
def discover(config: Path | None, interfaces: tuple[str, ...], wait: float, as_json: bool) -> None:
    """Broadcast once and say what answered: address, size, model, serial, config string, and each path to it."""
    devices = _ask(config, interfaces, wait, as_json=as_json)
    if as_json:
        print_json("devices", devices)
        return
    for device in devices:
        print_lines(device_lines(device))


@click.command(short_help="The same in aoe-stat's columns.")
@survey_options
@click.argument("pattern", required=False)
@click.pass_obj
def stat(config: Path | None, interfaces: tuple[str, ...], wait: float, as_json: bool, pattern: str | None) -> None:
    """Broadcast once and print what answered in aoe-stat's columns: name, size, interfaces, payload, state.

    PATTERN is a regular expression that a line must contain.
    """
    wanted = _compiled(pattern)
    lines = {device: stat_line(device) for device in _ask(config, interfaces, wait, as_json=as_json)}
    shown = sorted((device for device, line in lines.items() if wanted.search(line)), key=lines.__getitem__)
    if as_json:
        print_json("devices", shown)
    else:
        print_lines([lines[device] for device in shown])
    if not shown:
        raise EngineError(f"{len(lines)} answered, and none matches {pattern!r}")


def _compiled(pattern: str | None) -> re.Pattern[str]:
    try:
        return re.compile(pattern or "")
    except re.error as error:
        raise UsageError(f"{pattern!r} is not a regular expression: {error}") from error


def _ask(config: Path | None, interfaces: Sequence[str], wait: float, *, as_json: bool) -> tuple[DeviceSnapshot, ...]:
    """What answered, sorted by address; NoAnswerError (after an empty list, where JSON was asked for) if nothing did."""
    chosen = running.chosen_interfaces(parts(interfaces), config)
    devices = running.survey(chosen, wait)
    if not devices:
        if as_json:
            print_json("devices", ())
        raise NoAnswerError(
            f"nobody answered on {', '.join(chosen)} within {wait:g} s: look at the cable, the VLAN and the target's mask list"
        )
    return devices
