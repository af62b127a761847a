"""Who listens to everything on an interface: a trace of ours, or a program such as tcpdump.

Frames that a port sends past the queue, which is quicker, pass by those who listen as well. Whoever looks for what is wrong would
see requests and no answers, so a port lets them hear as long as somebody listens.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.vlan_tags import ETHERTYPE_ALL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aoetui.engine.ports import Port

_LIST = Path("/proc/thread-self/net/packet")


def listeners() -> dict[int, set[int]]:
    """The sockets (inodes) that hear every protocol, by the index of their interface; 0: on all. Empty if it is not told."""
    found: dict[int, set[int]] = {}
    try:
        lines = _LIST.read_text().splitlines()[1:]
    except OSError:
        return found
    for line in lines:
        _, _, _, protocol, interface, _, _, _, inode = line.split()[:9]
        if int(protocol, 16) == ETHERTYPE_ALL:
            found.setdefault(int(interface), set()).add(int(inode))
    return found


def let_hear(ports: Iterable[Port]) -> None:
    """See to it that ports are heard where somebody listens beside them, and send the quick way elsewhere."""
    ports = list(ports)
    if not ports:
        return
    found, own = listeners(), frozenset[int]().union(*(port.inodes for port in ports))
    for port in ports:
        port.let_hear(others=bool((found.get(port.index, set()) | found.get(0, set())) - own))
