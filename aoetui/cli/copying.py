"""`aoetui read`, `write` and `verify`: a device and a file."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from aoetui.cli import running
from aoetui.cli.destroying import confirm, target_of
from aoetui.cli.following import follow
from aoetui.cli.options import macs_of, parts
from aoetui.engine.api import UsageError
from aoetui.engine.commands.copying import PATIENCE, StartCopy, TaskKind
from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.commands.copying import TaskSnapshot

Decorated = TypeVar("Decorated", bound="Callable[..., object]")


class AddressType(click.ParamType):  # type: ignore[type-arg,unused-ignore] # generic from click 8.3 on
    """`e9.1` or `9.1`."""

    name = "address"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Read it; what is wrong is a usage error."""
        try:
            return value if isinstance(value, Address) else Address.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


ADDRESS = AddressType()


def device_options(command: Decorated) -> Decorated:
    """`-i`, `--mac`, `--window`, `--patience` and `--json`, as every command that reads or writes a device has them."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON objects, one a line; the last is the result."),
        click.option(
            "--patience",
            type=click.FloatRange(1.0, 86400.0),
            default=PATIENCE,
            show_default=True,
            metavar="SECONDS",
            help="Give up after so long without an answer.",
        ),
        click.option(
            "--window",
            type=click.IntRange(1, 65535),
            metavar="N",
            help="Requests under way on each path, at most; the target's buffer count if not given, and never more.",
        ),
        click.option("--mac", "macs", multiple=True, metavar="MAC", help="Use only paths to this MAC; may be repeated."),
        click.option(
            "-i", "--interface", "interfaces", multiple=True, metavar="IFACE", help="Use this interface; may be repeated."
        ),
    ):
        command = option(command)
    return command


def range_options(command: Decorated) -> Decorated:
    """`--offset` and `--length`."""
    offset = click.option(
        "--offset", type=click.IntRange(0), default=0, metavar="SECTORS", help="The device's sector where the file begins."
    )
    length = click.option("--length", type=click.IntRange(1), metavar="SECTORS", help="How many; all if not given.")
    return offset(length(command))


FIRST = click.option(
    "--from", "first", type=click.IntRange(0), metavar="SECTOR", help="Go on from this sector of the device, as it was told."
)
YES = click.option("--yes", is_flag=True, help="Do not ask: what the device holds is lost.")
SERIAL = click.option("--serial", metavar="TEXT", help="Refuse a device that has another serial.")


@click.command(short_help="Image a device to a file.")
@device_options
@range_options
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@click.option("--resume", is_flag=True, help="Go on with FILE where an earlier read stopped.")
@click.option("--full", is_flag=True, help="Write zeros too, instead of leaving holes.")
@click.argument("address", type=ADDRESS)
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def read(
    config: Path | None,
    *,
    address: Address,
    file: Path,
    interfaces: tuple[str, ...],
    macs: tuple[str, ...],
    window: int | None,
    patience: float,
    as_json: bool,
    offset: int,
    length: int | None,
    overwrite: bool,
    resume: bool,
    full: bool,
) -> int:
    """Image the device at ADDRESS to FILE, over all of its paths."""
    if overwrite and resume:
        raise UsageError("--overwrite begins anew and --resume goes on: choose one")
    command = StartCopy(
        TaskKind.IMAGE,
        address,
        file.absolute(),
        overwrite=overwrite,
        resume=resume,
        sparse=not full,
        offset=offset,
        length=length,
        window=window,
        patience=patience,
        macs=macs_of(macs),
    )
    return copy(command, parts(interfaces), config, as_json=as_json)


@click.command(short_help="Compare a device with a file.")
@device_options
@range_options
@FIRST
@SERIAL
@click.argument("address", type=ADDRESS)
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def verify(
    config: Path | None,
    *,
    address: Address,
    file: Path,
    interfaces: tuple[str, ...],
    macs: tuple[str, ...],
    window: int | None,
    patience: float,
    as_json: bool,
    offset: int,
    length: int | None,
    first: int | None,
    serial: str | None,
) -> int:
    """Compare the device at ADDRESS with FILE: exit code 0 if they hold the same, 1 if not."""
    command = StartCopy(
        TaskKind.COMPARE,
        address,
        file.absolute(),
        offset=offset,
        length=length,
        first=first,
        serial=serial,
        window=window,
        patience=patience,
        macs=macs_of(macs),
    )
    return copy(command, parts(interfaces), config, as_json=as_json)


@click.command(short_help="Write a file to a device: what the device holds is lost.")
@device_options
@range_options
@FIRST
@SERIAL
@YES
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("address", type=ADDRESS)
@click.pass_obj
def write(
    config: Path | None,
    *,
    address: Address,
    file: Path,
    interfaces: tuple[str, ...],
    macs: tuple[str, ...],
    window: int | None,
    patience: float,
    as_json: bool,
    offset: int,
    length: int | None,
    first: int | None,
    serial: str | None,
    yes: bool,
) -> int:
    """Write FILE to the device at ADDRESS, over all of its paths. Asks for the address to be typed."""
    command = StartCopy(
        TaskKind.RESTORE,
        address,
        file.absolute(),
        offset=offset,
        length=length,
        first=first,
        serial=serial,
        window=window,
        patience=patience,
        macs=macs_of(macs),
    )
    chosen = running.chosen_interfaces(parts(interfaces), config)
    with running.san_engine(chosen) as engine:
        report = target_of(engine, address, command.macs)
        confirm(report, what=f"this overwrites {span_words(command, report.size)} of", yes=yes)
        if serial is None:
            command = replace(command, serial=report.serial, macs=command.macs or report.surely)
        return follow(engine, command, as_json=as_json, resume=lambda ended: resume_line(ended, chosen))


def span_words(command: StartCopy, size: int) -> str:
    """How much of the device is overwritten."""
    try:
        held = command.path.stat().st_size
    except OSError:
        return "all"  # what is wrong with the file is told when it is opened
    there = size // SECTOR - command.offset
    length = min(there, held // SECTOR if command.length is None else command.length)
    return "all" if not command.offset and length >= there else f"{length} sectors from sector {command.offset} on,"


def copy(command: StartCopy, interfaces: tuple[str, ...], config: Path | None, *, as_json: bool) -> int:
    """Carry it out on these interfaces, or those of the config."""
    chosen = running.chosen_interfaces(interfaces, config)
    with running.san_engine(chosen) as engine:
        return follow(engine, command, as_json=as_json, resume=lambda ended: resume_line(ended, chosen))


def resume_line(task: TaskSnapshot, interfaces: tuple[str, ...]) -> str:
    """The command that goes on with a task."""
    again = task.again
    if again is None:
        return ""
    words = ["aoetui", {TaskKind.IMAGE: "read", TaskKind.RESTORE: "write"}.get(again.kind, "verify")]
    words += [word for name in interfaces for word in ("-i", name)]
    words += [word for mac in again.macs for word in ("--mac", str(mac))]
    numbers = {"--window": again.window, "--offset": again.offset or None, "--length": again.length, "--from": again.first}
    words += [word for name, value in numbers.items() if value is not None for word in (name, str(value))]
    words += ["--patience", f"{again.patience:g}"] if again.patience != PATIENCE else []
    if again.kind is TaskKind.IMAGE:
        words += ["--resume"] + ([] if again.sparse else ["--full"])
    elif again.serial and again.serial.isprintable():
        words += ["--serial", again.serial]
    names = [str(again.address), str(again.path)]
    return shlex.join([*words, *(reversed(names) if again.kind is TaskKind.RESTORE else names)])
