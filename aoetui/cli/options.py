"""Options and values that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from aoetui.engine.api import UsageError
from aoetui.engine.protocol.address import Address, Mac

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Decorated = TypeVar("Decorated", bound="Callable[..., object]")
Made = TypeVar("Made")
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def parts(texts: Iterable[str]) -> tuple[str, ...]:
    """Split what was given several times, or with commas, or both; each once, in order."""
    return tuple(dict.fromkeys(part.strip() for text in texts for part in text.split(",") if part.strip()))


def address_of(shelf: str, slot: str) -> Address:
    """The address of two arguments. Raises UsageError with Address's own sentence."""
    for what, text, last in (("shelf", shelf, 65534), ("slot", slot, 254)):
        if not text.removeprefix("-").isdecimal():
            raise UsageError(f"{what} {text!r} is not a number: choose 0 to {last}", field="address")
    try:
        return Address(int(shelf), int(slot))
    except ValueError as error:
        raise UsageError(str(error), field="address") from error


def address_named(text: str) -> Address:
    """The address of one argument, `e9.1` or `9.1`. Raises UsageError with Address's own sentence."""
    try:
        return Address.parse(text)
    except ValueError as error:
        raise UsageError(str(error), field="address") from error


def checked(make: Callable[[], Made]) -> Made:
    """What `make` makes; its ValueError becomes a UsageError."""
    try:
        return make()
    except ValueError as error:
        raise UsageError(str(error)) from error


def mac_of(text: str | None) -> Mac | None:
    """The MAC of `--mac`. Raises UsageError."""
    return None if text is None else macs_of([text])[0]


def macs_of(texts: Iterable[str]) -> tuple[Mac, ...]:
    """MACs as `-m` and its like take them. Raises UsageError."""
    try:
        macs = tuple(Mac.parse(text) for text in parts(texts))
    except ValueError as error:
        raise UsageError(str(error), field="mask") from error
    for mac in macs:
        if not mac.is_sender:
            raise UsageError(f"no frame can come from {mac}: name the initiator's own MAC", field="mask")
    return macs


def device_options(command: Decorated) -> Decorated:
    """`-i`, `--mac` and `--json`, as every command to one device has them."""
    json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    mac = click.option("--mac", metavar="MAC", help="The one that is meant, where several MACs answer for the address.")
    return interface_option(mac(json(command)))


def interface_option(command: Decorated) -> Decorated:
    """`-i`, which may be repeated."""
    return click.option(
        "-i", "--interface", "interfaces", multiple=True, metavar="IFACE", help="Ask on this interface; may be repeated."
    )(command)


def survey_options(command: Decorated) -> Decorated:
    """`-i`, `--wait` and `--json`, as every command that asks the wire has them."""
    json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    wait = click.option(
        "--wait",
        type=click.FloatRange(0.0, 3600.0),
        default=1.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to listen.",
    )
    return interface_option(wait(json(command)))


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The config file; `aoetui locate` names the usual one.",
)
