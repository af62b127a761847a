"""`aoetui cfg`: the config string of a device, or of all that answer."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aoetui.cli import running
from aoetui.cli.device_lines import config_lines, survey_lines, written
from aoetui.cli.options import address_named, checked, device_options, mac_of, parts
from aoetui.cli.output import complain, print_json, print_lines
from aoetui.engine.api import EngineError, ExitCode, NoAnswerError, UsageError
from aoetui.engine.commands.remote import CompareConfig, ReadRemote, SetRemoteConfig, SurveyConfig
from aoetui.widgets.escapes import unescaped


class _Request:
    """What the options ask for."""

    def __init__(self, config: Path | None, strings: dict[str, str | None], *, as_hex: bool, as_json: bool) -> None:
        given = [(name, text) for name, text in strings.items() if text is not None]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(f'--{name}' for name, _ in given)} are different things: do one at a time")
        self.config = config
        self.what, text = given[0] if given else ("", "")
        self.string = string_of(text, as_hex=as_hex)
        self.as_json = as_json
        self.show = bytes.hex if as_hex else written


@click.command(short_help="Config string of a device, or of all.")
@device_options
@click.option("--test", metavar="STRING", help="Ask whether it is STRING.")
@click.option("--prefix", metavar="STRING", help="Ask whether it begins with STRING.")
@click.option("--set", "set_", metavar="STRING", help="Set it if there is none.")
@click.option("--force", metavar="STRING", help="Set it, whatever it is.")
@click.option("--hex", "as_hex", is_flag=True, help="STRING, and what is printed, are hex digits.")
@click.option(
    "--wait",
    type=click.FloatRange(0.0, 3600.0),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Without ADDRESS: how long to listen.",
)
@click.argument("address", required=False)
@click.pass_obj
def cfg(
    config: Path | None,
    *,
    address: str | None,
    interfaces: tuple[str, ...],
    mac: str | None,
    as_hex: bool,
    wait: float,
    as_json: bool,
    test: str | None,
    prefix: str | None,
    set_: str | None,
    force: str | None,
) -> int:
    r"""Print, compare or set the config string of the device at ADDRESS; without ADDRESS, print it of all that answer.

    STRING is text; \xNN in it is a byte, \\ a backslash, and @FILE is what FILE holds (@- is stdin).
    """
    strings = {"test": test, "prefix": prefix, "set": set_, "force": force}
    request = _Request(config, strings, as_hex=as_hex, as_json=as_json)
    if address is None:
        return _survey(request, interfaces, wait)
    where = address_named(address)
    if request.what in ("test", "prefix"):
        return _compare(
            request, checked(lambda: CompareConfig(where, request.string, request.what == "prefix", mac_of(mac))), interfaces
        )
    if request.what:
        command = checked(lambda: SetRemoteConfig(where, request.string, request.what == "force", mac_of(mac)))
        state = running.carry_out(command, interfaces, config)
    else:
        state = running.carry_out(ReadRemote(where, mac_of(mac)), interfaces, config)
    if as_json:
        print_json("device", state)
    else:
        print_lines(config_lines(state, request.show))
    if state.conflict:
        complain(state.conflict)
    return ExitCode.DONE


def _compare(request: _Request, command: CompareConfig, interfaces: tuple[str, ...]) -> int:
    found = running.carry_out(command, interfaces, request.config)
    if request.as_json:
        print_json("comparison", found)
    elif found.matches:
        print_lines([request.show(found.config_string)])
    if found.matches:
        return ExitCode.DONE
    stands = request.show(found.config_string) or "empty"
    raise EngineError(f"{command.address} does not match: its config string is {stands}")


def _survey(request: _Request, interfaces: tuple[str, ...], wait: float) -> int:
    if request.what in ("set", "force"):
        raise UsageError(f"--{request.what} without an address would set it on every device: name one")
    command = checked(lambda: SurveyConfig(wait, request.string if request.what else None, request.what == "prefix"))
    chosen = running.chosen_interfaces(parts(interfaces), request.config)
    answers = running.carry_out(command, chosen, request.config)
    if request.as_json:
        print_json("config_strings", answers)
    else:
        print_lines(survey_lines(answers, request.show))
    if answers:
        return ExitCode.DONE
    if request.what:
        raise EngineError(f"no device answered within {wait:g} s that its config string matches: aoetui cfg shows them all")
    raise NoAnswerError(
        f"nobody answered on {', '.join(chosen)} within {wait:g} s: look at the cable, the VLAN and the target's mask list"
    )


def string_of(text: str, *, as_hex: bool) -> bytes:
    r"""The bytes of a STRING: text with `\xNN` for a byte, hex digits, or `@FILE`. Raises UsageError, EngineError."""
    if text.startswith("@"):
        return _contents(text[1:])
    try:
        return bytes.fromhex(text) if as_hex else unescaped(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no hex: write two digits for each byte" if as_hex else str(error)) from error


def _contents(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise EngineError(f"{name} cannot be read: {error.strerror}") from error
