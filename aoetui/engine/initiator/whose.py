"""Whose MACs stand on a list: this host's own, the initiators of our exports, and the names of the config and of /etc/ethers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.acl import read_ethers
from aoetui.engine.commands.remote import KnownMac

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aoetui.engine.core import Core
    from aoetui.engine.protocol.address import Mac


def known_macs(core: Core, macs: Iterable[Mac]) -> tuple[KnownMac, ...]:
    """Those of `macs` that are no strangers, each once, in their order."""
    wanted = dict.fromkeys(macs)
    own = own_macs(core)
    words = {**_named(core), **_initiators(core)}
    known = (KnownMac(mac, mac in own, f"this host, {own[mac]}" if mac in own else words.get(mac, "")) for mac in wanted)
    return tuple(each for each in known if each.words)


def own_macs(core: Core) -> dict[Mac, str]:
    """This host's MACs, each with the links that have it: `eth1`, or `eth1, eth1.100`."""
    found: dict[Mac, str] = {}
    for name, link in sorted(core.links.current().items()):
        if link.mac is not None and link.mac.is_sender:
            found[link.mac] = f"{found[link.mac]}, {name}" if link.mac in found else name
    return found


def _initiators(core: Core) -> dict[Mac, str]:
    return {
        record.mac: f"uses our {held.spec.address} on {record.interface}"
        for held in core.serving.held()
        if held.export is not None
        for record in held.export.initiators.values()
    }


def _named(core: Core) -> dict[Mac, str]:
    groups = {mac: f"group {name}" for name, members in core.acl.groups.items() for mac in members}
    return groups | {mac: host for host, mac in read_ethers(core.acl.ethers).items()}
