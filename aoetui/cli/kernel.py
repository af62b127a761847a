"""`aoetui kernel`: the Linux aoe driver, as aoe-stat, aoe-discover, aoe-flush and their kin show it and tell it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

import aoetui
from aoetui.cli import running
from aoetui.cli.options import CONTEXT, address_named, parts, survey_options
from aoetui.cli.output import complain, driver_line, print_json, print_lines, print_object
from aoetui.engine.api import EngineError, NoPermissionError, UsageError
from aoetui.engine.commands.kernel import (
    FlushAll,
    FlushDevice,
    FlushDown,
    KernelDiscover,
    LoadModule,
    MakeNodes,
    ReadDriverVersions,
    ReadKernel,
    ReadKernelErrors,
    Revalidate,
    SetKernelInterfaces,
)
from aoetui.engine.commands.kernel_words import comes_back, on_command_line
from aoetui.engine.protocol.wire import MAX_SHELF
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aoetui.engine.api import Command
    from aoetui.engine.commands.kernel import KernelSnapshot
    from aoetui.engine.protocol.address import Address

_FOLLOWED = 0.25
"""Seconds between two looks at the driver's messages; it cannot tell that there is a new one."""
_WIDEST = 300


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the driver's files are, and the config."""

    config: Path | None
    root: Path | None

    def ask(self, command: Command[running.Result]) -> running.Result:
        """Have one thing done by an engine that speaks on no interface."""
        with running.san_engine((), self.root) as engine:
            return running.ask(engine, command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(invoke_without_command=True, context_settings=CONTEXT, short_help="The Linux aoe driver of this host.")
@survey_options
@click.option("--match", metavar="PATTERN", help="Print only the lines that match this regular expression.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Look for the driver's files below DIR: for a container that has the host's files there.",
)
@click.pass_context
def kernel(
    ctx: click.Context, *, interfaces: tuple[str, ...], wait: float, as_json: bool, match: str | None, root: Path | None
) -> None:
    """What the Linux aoe driver has, in aoe-stat's columns: name, size, interfaces, payload, state.

    Where it differs from what answers on the interfaces of -i, or else of the config, stderr says so, with the remedy.
    """
    place = _Place(ctx.obj, root)
    if ctx.invoked_subcommand is None:
        _stat(place, interfaces, wait, as_json=as_json, match=match)
    elif interfaces or as_json or match:
        raise UsageError(f"-i, --json and --match belong to `aoetui kernel` itself: give them after {ctx.invoked_subcommand}")
    ctx.obj = place


def _stat(place: _Place, interfaces: Sequence[str], wait: float, *, as_json: bool, match: str | None) -> None:
    wanted = _pattern(match)
    found = _read(place, _asked(place, interfaces), wait)
    lines = {each: driver_line(each, found.devices) for each in found.devices}
    shown = sorted(line for line in lines.values() if wanted.search(line))
    if as_json:
        print_json("kernel", found)
    else:
        print_lines(shown)
        for remark in found.remarks:
            complain(on_command_line(remark))
    if not lines:
        raise EngineError("the Linux driver has no device: `aoetui kernel discover` has it ask for some")
    if not shown:
        raise EngineError(f"the Linux driver has {len(lines)}, and none matches {match!r}")


def _pattern(match: str | None) -> re.Pattern[str]:
    try:
        return re.compile(match or "")
    except re.error as error:
        raise UsageError(f"{match!r} is not a regular expression: {error}") from error


def _asked(place: _Place, named: Sequence[str]) -> tuple[str, ...]:
    """The interfaces to compare with. Those of the config are left out, with a line on stderr, where they cannot be asked."""
    if named:
        return running.chosen_interfaces(parts(named), place.config)
    if place.root is not None:
        return ()
    try:
        return running.chosen_interfaces((), place.config)
    except UsageError:
        return ()  # nobody chose: the driver alone is what was asked for
    except EngineError as error:
        complain(f"not compared with the wire: {error}")
        return ()


def _read(place: _Place, asked: Sequence[str], wait: float) -> KernelSnapshot:
    with running.san_engine(asked, place.root) as engine:
        if asked:
            running.listen(engine, wait)
        return running.ask(engine, ReadKernel())


@kernel.command(short_help="Have the driver broadcast, and take up what answers.")
@click.pass_obj
def discover(place: _Place) -> None:
    """Have the driver broadcast on its interfaces, and take up what answers. Prints nothing."""
    place.ask(KernelDiscover())


@kernel.command(short_help="Have the driver ask a device again what it is.")
@click.argument("address")
@click.pass_obj
def revalidate(place: _Place, address: str) -> None:
    """Have the driver ask ADDRESS (e9.1) again what it is, and take its size over while it is open.

    A device that got smaller fails under whoever uses what is gone. Prints nothing.
    """
    place.ask(Revalidate(address_named(address)))


@kernel.command(short_help="Have the driver forget devices.")
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--down", is_flag=True, help="Every device that is down and not open; this is what no ADDRESS means too.")
@click.option("-a", "--all", "everything", is_flag=True, help="Every device that is not open.")
@click.option(
    "--force", is_flag=True, help="Also one that is in use: its users get errors, and Linux may fail when they close it."
)
@json_option
@click.pass_obj
def flush(place: _Place, *, addresses: tuple[str, ...], down: bool, everything: bool, force: bool, as_json: bool) -> int | None:
    """Have the driver forget devices: each ADDRESS (e9.1), and exactly that.

    One whose target still answers comes back with the next discovery, within a minute.
    """
    if bool(addresses) + down + everything > 1:
        raise UsageError("name addresses, or give --down or --all: one of the three")
    wanted = [address_named(each) for each in addresses]
    with running.san_engine((), place.root) as engine:
        if not wanted:
            some: Command[tuple[Address, ...]] = FlushAll() if everything else FlushDown()
            flushed = running.ask(engine, some)
            _say_flushed(flushed, as_json=as_json)
            return None
        known = {device.address for device in running.ask(engine, ReadKernel()).devices}
        if strangers := [str(each) for each in wanted if each not in known]:
            raise EngineError(f"the Linux driver has no {', '.join(strangers)}: nothing is flushed")
        gone: list[Address] = []
        failed = 0
        for address in wanted:
            try:
                running.ask(engine, FlushDevice(address, force=force))
                gone.append(address)
            except EngineError as error:
                complain(str(error))
                failed = int(error.exit_code)
        _say_flushed(gone, as_json=as_json)
        return failed


def _say_flushed(gone: Sequence[Address], *, as_json: bool) -> None:
    if as_json:
        print_json("flushed", gone)
    else:
        print_lines([comes_back(each) for each in gone])


@kernel.command(short_help="Which interfaces the driver uses.")
@click.argument("names", nargs=-1, metavar="[IFACE]...")
@click.option("-c", "--clear", is_flag=True, help="Have the driver use every interface.")
@json_option
@click.pass_obj
def interfaces(place: _Place, names: tuple[str, ...], clear: bool, as_json: bool) -> None:
    """Print the interfaces that the driver uses (an empty line: every one), or have it use each IFACE alone.

    The driver forgets the list when the module is unloaded: `aoetui kernel load --persist -i IFACE` has it kept.
    """
    if clear and names:
        raise UsageError("--clear takes no interface")
    if clear or names:
        place.ask(SetKernelInterfaces(parts(names)))
        return
    known = place.ask(ReadKernel()).interfaces
    if known is None:
        raise NoPermissionError("only root may know the driver's interfaces: run it with sudo")
    if as_json:
        print_json("interfaces", known)
    else:
        print_lines([printable(" ".join(known), _WIDEST)])


@kernel.command(short_help="What the driver noted of retransmissions and odd answers.")
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; with --follow one for each line.")
@click.pass_obj
def errors(place: _Place, follow: bool, as_json: bool) -> None:
    """Take the messages that the driver keeps, 100 at most, the oldest first. Nobody else reads them afterwards.

    `retransmit e9.1` is a request that was not answered in time; `unexpected rsp e9.1` an answer that came too late.
    """
    with running.san_engine((), place.root) as engine:
        lines = running.ask(engine, ReadKernelErrors())
        if as_json and not follow:
            print_json("errors", lines)
            return
        _print_errors(lines, as_json=as_json)
        while follow:
            time.sleep(_FOLLOWED)
            lines = running.ask(engine, ReadKernelErrors())
            _print_errors(lines, as_json=as_json)


def _print_errors(lines: Sequence[str], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            print_object({"line": line})
        else:
            print_lines([printable(line, _WIDEST)])


@kernel.command(short_help="Load the aoe module.")
@click.option("-i", "--interface", "named", multiple=True, metavar="IFACE", help="Use this interface; may be repeated.")
@click.option("--all-interfaces", is_flag=True, help="Use every interface, and broadcast on each at once.")
@click.option("--persist", is_flag=True, help="Also at each start: /etc/modules-load.d/aoe.conf and /etc/modprobe.d/aoe.conf.")
@json_option
@click.pass_obj
def load(place: _Place, named: tuple[str, ...], all_interfaces: bool, persist: bool, as_json: bool) -> None:
    """Load the aoe module, for the interfaces of -i, or else of the config.

    The driver broadcasts as soon as it is loaded, so it has to be told where. With --persist an `aoe` line in /etc/modules, or a
    file in /etc/modules-load.d, is left as it is, and so are options in /etc/modprobe.d.
    """
    if named and all_interfaces:
        raise UsageError("name interfaces, or give --all-interfaces")
    chosen = parts(named) or (() if all_interfaces else running.configured_interfaces(place.config))
    said = place.ask(LoadModule(chosen, everywhere=all_interfaces, persist=persist))
    if as_json:
        print_json("loaded", said)
    else:
        print_lines([printable(line, _WIDEST) for line in said])


@kernel.command(short_help="Which drivers are installed and running.")
@json_option
@click.pass_obj
def version(place: _Place, as_json: bool) -> None:
    """Print aoe-version's three lines: this program, the installed aoe driver, the running one."""
    found = place.ask(ReadDriverVersions())
    if as_json:
        print_json("versions", {"aoetui": aoetui.__version__, "installed": found.installed, "running": found.running})
        return
    lines = {"aoetui": aoetui.__version__, "installed aoe driver": found.installed, "running aoe driver": found.running}
    print_lines([f"{what:>22}:\t{printable(told)}" for what, told in lines.items()])


@kernel.command(short_help="Make static device nodes, on a host without udev.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.argument("shelf", required=False, type=click.IntRange(0, MAX_SHELF))
@click.option(
    "--shelves", type=click.IntRange(1, MAX_SHELF + 1), default=10, show_default=True, envvar="n_shelves", help="Shelves."
)
@click.option(
    "--partitions", type=click.IntRange(1, 256), default=16, show_default=True, envvar="n_partitions", help="Of each device."
)
@click.pass_obj
def nodes(place: _Place, folder: Path, shelf: int | None, shelves: int, partitions: int) -> None:
    """Make the control nodes and those of the first shelves in DIR, or those of SHELF alone. Prints nothing.

    For a driver with static device numbers on a host without udev; refused anywhere else, for they would be of wrong devices.
    """
    wanted = tuple(range(shelves)) if shelf is None else (shelf,)
    place.ask(MakeNodes(folder, wanted, partitions, controls=shelf is None))
