"""`aoetui ping`: whether a device answers, and how soon, on each path; and SMART commands, as aoeping has them."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from itertools import count
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

import click

from aoetui.cli import running
from aoetui.cli.device_lines import hex_lines
from aoetui.cli.options import address_named, checked, device_options, mac_of, parts
from aoetui.cli.output import JSON_VERSION, print_json, print_lines
from aoetui.engine.api import EngineError, ExitCode, NoAnswerError, UsageError
from aoetui.engine.commands.ping import Ping, PingPath, Pong
from aoetui.engine.commands.smart import Smart, SmartCommand
from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.snapshot import to_json
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.api import Engine
    from aoetui.engine.commands.smart import SmartAnswer
    from aoetui.engine.protocol.address import Address, Mac

TAGS = 1 << 20
SECONDS = click.FloatRange(0.0, 3600.0)


@click.command(short_help="Whether a device answers, and how soon.")
@device_options
@click.option(
    "-c", "--count", "rounds", type=click.IntRange(1), metavar="COUNT", help="End after so many queries; else at Ctrl-C."
)
@click.option("--interval", type=SECONDS, default=1.0, show_default=True, metavar="SECONDS", help="Between two queries.")
@click.option(
    "--wait", type=SECONDS, default=1.0, show_default=True, metavar="SECONDS", help="How long each waits for its answers."
)
@click.option("--tag", type=click.IntRange(0, TAGS - 1), metavar="TAG", help="Low 20 bits of the first tag.")
@click.option("-v", "--verbose", is_flag=True, help="Say each answer's tag, buffer count, firmware and sectors too.")
@click.option("--smart", metavar="COMMAND[:N]", help="Carry out one SMART command instead; N is which log or test.")
@click.argument("address")
@click.pass_obj
def ping(
    config: Path | None,
    *,
    address: str,
    interfaces: tuple[str, ...],
    mac: str | None,
    rounds: int | None,
    interval: float,
    wait: float,
    tag: int | None,
    verbose: bool,
    smart: str | None,
    as_json: bool,
) -> int:
    """Query the device at ADDRESS again and again, on each path, and say how long the answers took.

    The SMART commands are read_data, read_thresholds, read_log:N, write_log:N (512 bytes from stdin), offline_immediate:N,
    enable, disable and return_status (exit code 1 if the disk says that it fails).
    """
    where, named = address_named(address), mac_of(mac)
    if smart is not None:
        command = _smart_command(where, smart, named)
        return _show_smart(running.carry_out(command, interfaces, config), command, as_json=as_json)
    with running.san_engine(running.chosen_interfaces(parts(interfaces), config)) as engine:
        course = _Course(engine, Ping(where, (), wait, tag), named, verbose=verbose, as_json=as_json)
        try:
            for number in range(rounds) if rounds else count():
                if number:
                    time.sleep(course.pause(interval))
                course.run(number)
        except KeyboardInterrupt:
            pass  # that is how it ends: the summary tells what was seen
        return course.sum_up()


class _Course:
    """A run of queries and what came of them, by path."""

    def __init__(self, engine: Engine, first: Ping, mac: Mac | None, *, verbose: bool, as_json: bool) -> None:
        self._engine = engine
        self._first = first
        self._address = first.address
        self._mac = mac
        self._verbose = verbose
        self._as_json = as_json
        self._answers: dict[PingPath, list[float]] = {}
        """Microseconds."""
        self._sent: dict[PingPath, int] = {}
        self._began = time.monotonic()

    def pause(self, interval: float) -> float:
        """Seconds until the next query is due: `interval` after the last, however long its answers took."""
        return max(0.0, self._began + interval - time.monotonic())

    def run(self, number: int) -> None:
        """Query every path that is known, or everybody while none is."""
        self._began = time.monotonic()
        known = tuple(self._answers)
        tag = None if self._first.tag is None else (self._first.tag + number * max(1, len(known))) % TAGS
        pongs = self._engine.submit(replace(self._first, paths=known, tag=tag)).result()
        for pong in pongs:
            if self._mac in (None, pong.path.mac):
                self._take(number, pong)
        if not pongs:
            self._say(number, None, self._none)

    def _take(self, number: int, pong: Pong) -> None:
        answers = self._answers.setdefault(pong.path, [])
        self._sent[pong.path] = self._sent.get(pong.path, 0) + 1
        if pong.rtt_us is None:
            self._say(number, pong, self._none)
            return
        answers.append(pong.rtt_us)
        about = f"  tag {pong.tag:#010x}  buffers {pong.buffer_count}  firmware {pong.firmware_version:#06x}"
        self._say(number, pong, f"{pong.rtt_us / 1000:.3f} ms{f'{about}  sectors {pong.sector_count}' if self._verbose else ''}")

    @property
    def _none(self) -> str:
        return f"no answer within {self._first.wait:g} s"

    def _say(self, number: int, pong: Pong | None, text: str) -> None:
        if self._as_json:
            told = {"version": JSON_VERSION, "address": str(self._address), "sequence": number + 1, "pong": to_json(pong)}
            click.echo(json.dumps(told))
            return
        path = "" if pong is None else f"{_words(pong.path)}  "
        click.echo(f"{self._address}  {path}{number + 1}  {text}")

    def sum_up(self) -> int:
        """Print what was seen of each path. Raises NoAnswerError if nothing was."""
        if self._as_json:
            click.echo(json.dumps({"version": JSON_VERSION, "summary": [self._summary(path) for path in sorted(self._sent)]}))
        else:
            print_lines(list(self._summary_lines()))
        if not any(self._answers.values()):
            whose = f" of {self._mac}" if self._mac else ""
            where = ", ".join(self._engine.snapshot().interfaces or ())
            text = f"{self._address} did not answer{whose} on {where}: look at the cable, the VLAN and the target's mask list"
            raise NoAnswerError(text)
        return ExitCode.DONE

    def _summary(self, path: PingPath) -> dict[str, object]:
        answers = self._answers[path]
        figures = {"min_us": min(answers), "avg_us": fmean(answers), "max_us": max(answers), "stddev_us": pstdev(answers)}
        return {
            "mac": str(path.mac),
            "interface": path.interface,
            "sent": self._sent[path],
            "answered": len(answers),
            **(figures if answers else {}),
        }

    def _summary_lines(self) -> Iterator[str]:
        for path in sorted(self._sent):
            sent, answers = self._sent[path], self._answers[path]
            lost = 100 * (sent - len(answers)) / sent
            yield f"{self._address}  {_words(path)}  {sent} sent, {len(answers)} answered, {lost:g}% lost"
            if answers:
                values = (min(answers), fmean(answers), max(answers), pstdev(answers))
                yield f"    min/avg/max/stddev {'/'.join(f'{value / 1000:.3f}' for value in values)} ms"


def _words(path: PingPath) -> str:
    return f"{path.mac} {printable(path.interface, 25)}"


def _smart_command(address: Address, text: str, mac: Mac | None) -> Smart:
    name, _, parameter = text.partition(":")
    if name not in list(SmartCommand):
        raise UsageError(f"{name!r} is no SMART command: choose {', '.join(SmartCommand)}")
    if not (parameter or "0").isdecimal() or not (parameter or "0").isascii():
        raise UsageError(f"{parameter!r} is no number: write {name}:0 to {name}:255")
    command = SmartCommand(name)
    data = sys.stdin.buffer.read(SECTOR + 1) if command.writes else b""
    return checked(lambda: Smart(address, command, int(parameter or "0"), data, mac))


def _show_smart(answer: SmartAnswer, command: Smart, *, as_json: bool) -> int:
    if as_json:
        print_json("smart", answer)
    else:
        print_lines([f"{name:>14}: {value:#04x}" for name, value in _registers(answer)])
        if answer.data:
            print_lines(["SMART data:", *hex_lines(answer.data)])
    if answer.failing:
        raise EngineError(f"{command.address} says that it exceeds a threshold: it fails; copy it while it can be read")
    return ExitCode.DONE


def _registers(answer: SmartAnswer) -> list[tuple[str, int]]:
    """By aoeping's names."""
    return [
        ("Features", answer.error),
        ("Sector Count", answer.sector_count),
        ("LBA Low", answer.lba_low),
        ("LBA Mid", answer.lba_mid),
        ("LBA High", answer.lba_high),
        ("Status", answer.status),
    ]
