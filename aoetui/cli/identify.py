"""`aoetui identify`: all that a disk says of itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aoetui.cli import running
from aoetui.cli.device_lines import field_lines
from aoetui.cli.options import address_named, device_options, mac_of, parts
from aoetui.cli.output import print_json, print_lines
from aoetui.engine.api import EngineError, UsageError
from aoetui.engine.commands.identify import ReadIdentify, identify_fields, identify_rows, parse_identify_text
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aoetui.engine.commands.identify import IdentifyField


@click.command(short_help="All that a disk says of itself.")
@device_options
@click.option("--words", is_flag=True, help="Print the page's 256 words in hex instead.")
@click.option("--fields", multiple=True, metavar="KEY,...", help="Print only these fields, as `key: value`.")
@click.option("--from-hex", "source", metavar="FILE", help="Decode a page that was printed in hex instead (- is stdin).")
@click.argument("address", required=False)
@click.pass_obj
def identify(
    config: Path | None,
    *,
    address: str | None,
    interfaces: tuple[str, ...],
    mac: str | None,
    words: bool,
    fields: tuple[str, ...],
    source: str | None,
    as_json: bool,
) -> None:
    """Print what the disk at ADDRESS answers to IDENTIFY: every field that means something.

    --from-hex takes what --words prints, what `aoeping -i` prints (512 bytes), and what `hdparm --Istdout` prints.
    """
    if (address is None) is (source is None):
        raise UsageError("name the address of a device, or --from-hex and a file")
    wanted = parts(fields)
    if source is not None:
        page = _page_of(source)
        said = _chosen(identify_fields(page), wanted)
        if as_json:
            print_json("pages", [{"words": page, "fields": said}])
        else:
            _print(page, said, words_only=words, keyed=bool(wanted))
        return
    reports = running.carry_out(ReadIdentify(address_named(address or ""), mac_of(mac)), interfaces, config)
    if as_json:
        print_json("pages", reports)
        return
    differ = len({report.words for report in reports}) > 1
    for report in reports if differ else reports[:1]:
        if differ:
            print_lines([f"{report.address}  {report.mac}"])
        _print(report.words, _chosen(report.fields, wanted), words_only=words, keyed=bool(wanted))


def _print(words: Sequence[int], fields: Sequence[IdentifyField], *, words_only: bool, keyed: bool) -> None:
    if words_only:
        print_lines(identify_rows(words))
    elif keyed:
        print_lines([f"{field.key}: {printable(field.value, 200)}" for field in fields])
    else:
        print_lines(list(field_lines(fields)))


def _chosen(fields: Sequence[IdentifyField], wanted: Sequence[str]) -> Sequence[IdentifyField]:
    """The fields of these keys, in their order; all of them if none is named."""
    by_key = {field.key: field for field in fields}
    if missing := [key for key in wanted if key not in by_key]:
        raise EngineError(f"the page says nothing of {', '.join(missing)}: it has {', '.join(by_key)}")
    return [by_key[key] for key in wanted] or fields


def _page_of(name: str) -> tuple[int, ...]:
    try:
        return parse_identify_text(sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise EngineError(f"{name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise EngineError(f"{name}: {error}") from error
