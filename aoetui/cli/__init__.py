"""The command line: parse, call the engine, print. No logic of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import aoetui
from aoetui.cli import running
from aoetui.cli.access import mask, reserve
from aoetui.cli.cfg import cfg
from aoetui.cli.check import check
from aoetui.cli.copying import read, verify, write
from aoetui.cli.discover import discover, stat
from aoetui.cli.doctor import doctor
from aoetui.cli.errors import guarded
from aoetui.cli.export import export
from aoetui.cli.identify import identify
from aoetui.cli.kernel import kernel
from aoetui.cli.looking import bench, sectors
from aoetui.cli.options import CONTEXT, config_option
from aoetui.cli.output import print_json, print_lines
from aoetui.cli.ping import ping
from aoetui.cli.trace import trace
from aoetui.engine.api import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@click.group(context_settings=CONTEXT, invoke_without_command=True)
@click.option("--demo", is_flag=True, help="Show the console over a small network of its own; needs no root, touches no disk.")
@click.option("--read-only", is_flag=True, help="Show everything and change nothing.")
@config_option
@click.version_option(aoetui.__version__, prog_name="aoetui", message="%(prog)s %(version)s")
@click.pass_context
def root(ctx: click.Context, demo: bool, read_only: bool, config: Path | None) -> int | None:
    """Serve disks over ATA over Ethernet, find them, and see who uses them. Without a command: the console."""
    ctx.obj = config
    running.start_log()
    if ctx.invoked_subcommand is not None:
        if demo or read_only:
            raise UsageError(f"--demo and --read-only belong to the console: leave them out with {ctx.invoked_subcommand}")
        return None
    if demo and config is not None:
        raise UsageError("--demo has exports of its own: leave --config out")
    from aoetui.cli import console  # noqa: PLC0415  it loads textual, which no other command needs

    return console.run_demo(read_only=read_only) if demo else console.run(config, read_only=read_only)


@click.command(short_help="Where the config, the state and the log are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def locate(config: Path | None, as_json: bool) -> None:
    """Print where the config file, the state folder and the log file are, whether they exist yet or not."""
    found = running.places(config)
    if as_json:
        print_json("places", found)
    else:
        print_lines([f"{name:<7} {path}" for name, path in found.items()])


_FOR_THE_SAN = (discover, stat, check, cfg, mask, reserve, identify, ping, read, write, verify, sectors, bench)
for _command in (export, *_FOR_THE_SAN, kernel, doctor, trace, locate):
    root.add_command(_command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command line (this process's own if None) and return its exit code; see `api.ExitCode`."""

    def act() -> int | None:
        code = root.main(arguments, prog_name="aoetui", standalone_mode=False)
        return code if isinstance(code, int) else None

    return guarded(act)
