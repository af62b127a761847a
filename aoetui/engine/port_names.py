"""The names of ports: `eth1` for an interface's untagged frames, `eth1 vlan 100` for those of a VLAN that we tag ourselves.

Linux allows no space in an interface's name (net/core/dev.c, dev_valid_name): the two kinds never meet. Whatever is kept by port
(where an export is served, claims, paths, initiators) is kept by this name, and people read it.
"""

from __future__ import annotations

from functools import lru_cache

_BETWEEN = " vlan "
_NAMES = 1024
"""More than a host has ports: each is taken apart many times a second."""


def port_name(interface: str, vlan: int | None) -> str:
    """The port for frames of `vlan` on an interface; with None, for untagged ones."""
    return interface if vlan is None else f"{interface}{_BETWEEN}{vlan}"


@lru_cache(_NAMES)
def split_port_name(name: str) -> tuple[str, int | None]:
    """Interface and VLAN of a port."""
    interface, _, number = name.rpartition(_BETWEEN)
    return (interface, int(number)) if number.isdecimal() and interface else (name, None)


def interface_of(name: str) -> str:
    """The interface of a port."""
    return split_port_name(name)[0]
