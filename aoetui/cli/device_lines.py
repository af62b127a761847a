"""What others' devices keep and say, as lines: config strings, lists of MACs, IDENTIFY pages, hex."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from aoetui.widgets.escapes import escaped
from aoetui.widgets.plain import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aoetui.engine.commands.identify import IdentifyField
    from aoetui.engine.commands.remote import ConfigAnswer, RemoteState, RemoteTarget
    from aoetui.engine.protocol.address import Mac

_LONGEST = 5000
"""Columns: a config string of which every byte is escaped."""


def written(string: bytes) -> str:
    """A config string on one line, as `cfg` takes it too."""
    return printable(escaped(string), _LONGEST)


def config_lines(state: RemoteState, show: Callable[[bytes], str]) -> list[str]:
    """The string alone, as aoecfg prints it; where MACs differ, a line for each."""
    strings = {target.config_string for target in state.targets}
    if len(strings) == 1:
        return [show(strings.pop())]
    return [f"{target.mac}\t{show(target.config_string)}" for target in state.targets]


def survey_lines(answers: Sequence[ConfigAnswer], show: Callable[[bytes], str]) -> list[str]:
    """`shelf.slot<TAB>string`, as aoecfg prints it: a line for a device, or for each of its strings if its MACs differ."""
    lines = (f"{answer.address.shelf}.{answer.address.slot}\t{show(answer.config_string)}" for answer in answers)
    return list(dict.fromkeys(lines))


def mask_lines(state: RemoteState) -> list[str]:
    """Whom it answers."""
    return _lists(state, lambda target: target.mask, "answers every initiator: its mask list is empty", "answers only")


def reservation_lines(state: RemoteState) -> list[str]:
    """Who may read and write."""
    return _lists(state, lambda target: target.reservation, "is reserved for nobody: all may read and write", "is reserved for")


def _lists(state: RemoteState, of: Callable[[RemoteTarget], tuple[Mac, ...] | None], empty: str, full: str) -> list[str]:
    """One list where all MACs of the device keep the same; else one for each."""
    same = len({of(target) for target in state.targets}) == 1
    lines: list[str] = []
    for target in state.targets[:1] if same else state.targets:
        who = str(state.address) if same else f"{state.address} ({target.mac})"
        macs = of(target)
        if macs is None:
            lines.append(f"{who} answers nothing about it: its program has no such list")
        elif not macs:
            lines.append(f"{who} {empty}")
        else:
            lines += [f"{who} {full} {len(macs)} MAC{'s' if len(macs) > 1 else ''}:", *_mac_lines(state, macs)]
    return lines


def _mac_lines(state: RemoteState, macs: Sequence[Mac]) -> Iterator[str]:
    for mac in macs:
        yield f"    {mac}  {printable(state.who(mac), 80)}".rstrip()


def field_lines(fields: Sequence[IdentifyField]) -> Iterator[str]:
    """Group by group, the names in a column."""
    width = max((len(field.name) for field in fields), default=0)
    for group, members in groupby(fields, key=lambda field: field.group):
        yield group
        yield from (f"  {field.name:<{width}}  {printable(field.value, 200)}" for field in members)


def hex_lines(data: bytes) -> list[str]:
    """As aoeping prints them: 16 bytes to a line."""
    return [data[first : first + 16].hex(" ") for first in range(0, len(data), 16)]
