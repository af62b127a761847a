"""`aoetui mask` and `aoetui reserve`: whom others' targets answer, and who may read and write there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aoetui.cli import running
from aoetui.cli.device_lines import mask_lines, reservation_lines
from aoetui.cli.options import address_named, checked, device_options, mac_of, macs_of
from aoetui.cli.output import complain, print_json, print_lines
from aoetui.engine.api import UsageError
from aoetui.engine.commands.remote import EditRemoteMask, ReadRemote, SetRemoteReservation

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.commands.remote import RemoteState


@click.command(short_help="Mask list of a device: whom it answers.")
@device_options
@click.option("--add", multiple=True, metavar="MAC,...", help="Put these on the list. May be repeated.")
@click.option("--delete", multiple=True, metavar="MAC,...", help="Take these off it. May be repeated.")
@click.option("--set", "whole", multiple=True, metavar="MAC,...", help="Make these the whole list. May be repeated.")
@click.option("--clear", is_flag=True, help="Empty the list: every initiator is answered.")
@click.option("--force", is_flag=True, help="Do it although this host would be answered no more.")
@click.argument("address")
@click.pass_obj
def mask(
    config: Path | None,
    *,
    address: str,
    interfaces: tuple[str, ...],
    mac: str | None,
    add: tuple[str, ...],
    delete: tuple[str, ...],
    whole: tuple[str, ...],
    clear: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Print or edit the mask list of the device at ADDRESS: where it holds a MAC, only the MACs on it are answered."""
    where, named = address_named(address), mac_of(mac)
    kinds = [bool(add or delete), bool(whole), clear]
    if sum(kinds) > 1:
        raise UsageError("--set and --clear make a new list, --add and --delete edit the old one: do one or the other")
    if not any(kinds):
        if force:
            raise UsageError("--force has nothing to do: say what is to become of the list")
        command: EditRemoteMask | ReadRemote = ReadRemote(where, named)
    else:
        adding, deleting = macs_of([*add, *whole]), macs_of(delete)
        replaces = bool(whole) or clear
        command = checked(lambda: EditRemoteMask(where, adding, deleting, replaces, force, named))
    _show(running.carry_out(command, interfaces, config), as_json=as_json, mask=True)


@click.command(short_help="Reservation of a device: who may read and write.")
@device_options
@click.option("--set", "own", is_flag=True, help="Reserve it for this host: for its MACs on the interfaces that are asked.")
@click.option("--for", "others", multiple=True, metavar="MAC,...", help="Reserve it for these instead. May be repeated.")
@click.option("--release", is_flag=True, help="Release it: all may read and write.")
@click.option("--force", is_flag=True, help="Do it although others hold it.")
@click.argument("address")
@click.pass_obj
def reserve(
    config: Path | None,
    *,
    address: str,
    interfaces: tuple[str, ...],
    mac: str | None,
    own: bool,
    others: tuple[str, ...],
    release: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Print, take or release the reservation of the device at ADDRESS: where it is held, only its holders read and write."""
    where, named = address_named(address), mac_of(mac)
    if own + bool(others) + release > 1:
        raise UsageError("--set, --for and --release are different things: do one at a time")
    if own or others or release:
        holders = None if own else macs_of(others)
        command: SetRemoteReservation | ReadRemote = checked(lambda: SetRemoteReservation(where, holders, force, named))
    elif force:
        raise UsageError("--force has nothing to do: say --set, --for or --release")
    else:
        command = ReadRemote(where, named)
    _show(running.carry_out(command, interfaces, config), as_json=as_json, mask=False)


def _show(state: RemoteState, *, as_json: bool, mask: bool) -> None:
    if as_json:
        print_json("device", state)
    else:
        print_lines(mask_lines(state) if mask else reservation_lines(state))
    if state.conflict:
        complain(state.conflict)
