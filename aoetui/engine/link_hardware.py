"""What stands behind an interface: its card and driver, flow control, and what the kernel counts of it now.

From ethtool's ioctls (ethtool(8); include/uapi/linux/ethtool.h), sysfs and /proc; none of it needs a privilege.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from array import array
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.commands.paths import Pause, Troubles
from aoetui.engine.link_facts import counters_by_name

if TYPE_CHECKING:
    from aoetui.engine.link_facts import LinkCounters, LinkFacts

_SIOCETHTOOL = 0x8946
_IFREQ = struct.Struct("@16sP")
_IFREQ_LENGTH = 40
_PAUSE = struct.Struct("=IIII")
"""struct ethtool_pauseparam: command, autonegotiation, receive, transmit."""
_DRIVER = struct.Struct("=I32s160x")
"""The start of struct ethtool_drvinfo: command, driver; 196 bytes in all."""
_SYSFS = Path("/sys/class/net")


class _Ethtool(IntEnum):
    GDRVINFO = 0x03
    GPAUSEPARAM = 0x12


@dataclass(frozen=True, slots=True)
class Hardware:
    """Of one interface."""

    pci_id: str = ""
    """`vendor:device` in hexadecimal; empty where there is no such card."""
    driver: str = ""
    pause: Pause | None = None
    """None where the driver tells nothing."""


def hardware_of(link: LinkFacts, sysfs: Path = _SYSFS) -> Hardware:
    """What can be read of a link in this thread's network namespace; what cannot is left empty."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        driver = ethtool_answer(asking, link.name, _DRIVER.pack(_Ethtool.GDRVINFO, b""))
        pause = ethtool_answer(asking, link.name, _PAUSE.pack(_Ethtool.GPAUSEPARAM, 0, 0, 0))
    return Hardware(pci_id(link, sysfs), driver_name(driver), pause_state(pause))


def ethtool_answer(asking: socket.socket, name: str, question: bytes) -> bytes:
    """One ethtool ioctl; empty where the driver does not answer it."""
    answer = array("B", question)
    try:
        fcntl.ioctl(asking, _SIOCETHTOOL, _IFREQ.pack(os.fsencode(name), answer.buffer_info()[0]).ljust(_IFREQ_LENGTH, b"\0"))
    except OSError:
        return b""
    return answer.tobytes()


def driver_name(answer: bytes) -> str:
    """Of an answer to GDRVINFO; empty if there is none."""
    if len(answer) < _DRIVER.size:
        return ""
    name: bytes = _DRIVER.unpack_from(answer)[1]
    return name.partition(b"\0")[0].decode("ascii", "replace")


def pause_state(answer: bytes) -> Pause | None:
    """Of an answer to GPAUSEPARAM; None if there is none."""
    if len(answer) < _PAUSE.size:
        return None
    _, autonegotiated, rx, tx = _PAUSE.unpack_from(answer)
    return Pause(bool(autonegotiated), bool(rx), bool(tx))


def pci_id(link: LinkFacts, sysfs: Path = _SYSFS) -> str:
    """As aoe-sancheck prints it. A sysfs of another network namespace may have another link of that name: it is not believed."""
    folder = sysfs / link.name
    try:
        same = (int(_read(folder / "ifindex")), _read(folder / "address")) == (link.index, str(link.mac))
        vendor, device = (int(_read(folder / "device" / part), 16) for part in ("vendor", "device"))
    except (OSError, ValueError):
        return ""
    return f"{vendor:04x}:{device:04x}" if same else ""


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()


def troubles_now() -> dict[str, Troubles]:
    """What the kernel counts at this moment, by link, in this thread's network namespace."""
    table = Path("/proc/thread-self/net/dev").read_text(encoding="utf-8", errors="replace")
    return {name: troubles_of(counters) for name, counters in counters_by_name(table).items()}


def troubles_of(counters: LinkCounters) -> Troubles:
    """The part of the counters that tells of lost frames."""
    return Troubles(counters.rx_errors, counters.rx_dropped, counters.tx_errors, counters.tx_dropped)
