"""Whose MACs an export knows, to pick from, and whom a list would shut out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.widgets import figures
from aoetui.widgets.plain import printable
from aoetui.widgets.silences import refusing_list

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aoetui.engine.protocol.address import Mac
    from aoetui.engine.snapshot import ExportSnapshot, InitiatorSnapshot


def known_macs(export: ExportSnapshot, listed: Sequence[Mac], now: datetime) -> dict[Mac, str]:
    """Each MAC with what is known of it: those on the list, those that use the export, those that asked, the refused."""
    words: dict[Mac, str] = {}
    for each in sorted(export.initiators, key=lambda each: (not each.active, each.mac)):
        words.setdefault(each.mac, _initiator_words(each, now))
    for refused in export.refused:
        last = figures.ago((now - refused.last).total_seconds())
        words.setdefault(refused.mac, f"refused {last} on {printable(refused.interface, 15)}: {refusing_list(refused.why)}")
    return {mac: words.get(mac, "not seen") for mac in dict.fromkeys((*listed, *words))}


def _initiator_words(each: InitiatorSnapshot, now: datetime) -> str:
    last = figures.ago((now - each.last_seen).total_seconds())
    return f"on {printable(each.interface, 25)}, {'reads or writes' if each.active else f'seen {last}'}"


def shut_out(export: ExportSnapshot, before: Sequence[Mac], after: Sequence[Mac]) -> list[InitiatorSnapshot]:
    """Who reads or writes now, may do so by the list as it was, and may not by the new one. An empty list lets everybody."""
    return [each for each in export.active_initiators if after and each.mac not in after and (not before or each.mac in before)]
