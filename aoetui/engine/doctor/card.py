"""What a network card says of itself: speed, duplex, its own counters (include/uapi/linux/ethtool.h).

By ioctl and not from /sys, which shows the interfaces of whoever mounted it, perhaps of another network namespace.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from aoetui.engine.doctor.facts import Counts
from aoetui.engine.link_hardware import ethtool_answer

_GET_SETTINGS, _GET_STRINGS, _GET_STATISTICS, _GET_SET_INFO = 0x01, 0x1B, 0x1D, 0x37
_STATISTICS_SET = 1
_SETTINGS, _SPEED_AT, _HIGH_SPEED_AT = 44, 12, 28
"""Bytes of struct ethtool_cmd; where the halves of its speed are, and the duplex behind the lower one."""
_NAME = 32
_MOST = 4096
"""Statistics that are read of one card."""
_UNKNOWN_SPEEDS = (0, 0xFFFF_FFFF)


@dataclass(frozen=True, slots=True)
class Settings:
    """Of the link at the card's end."""

    speed: int | None
    """Mbit/s; None while there is no link, or the driver does not say."""
    full_duplex: bool | None


def settings(interface: str) -> Settings:
    """Speed and duplex; None each where they are not told."""
    answer = _ask(interface, struct.pack("=I", _GET_SETTINGS).ljust(_SETTINGS, b"\0"))
    if answer is None:
        return Settings(None, None)
    low, duplex = struct.unpack_from("=HB", answer, _SPEED_AT)
    (high,) = struct.unpack_from("=H", answer, _HIGH_SPEED_AT)
    speed = low | high << 16
    return Settings(None if speed in _UNKNOWN_SPEEDS else speed, {0: False, 1: True}.get(duplex))


def statistics(interface: str) -> dict[str, int]:
    """The card's own counters by the driver's names, as `ethtool -S` prints them; empty where it has none."""
    answer = _ask(interface, struct.pack("=IIQI", _GET_SET_INFO, 0, 1 << _STATISTICS_SET, 0))
    if answer is None or not struct.unpack("=IIQI", answer)[2]:
        return {}
    count = min(struct.unpack("=IIQI", answer)[3], _MOST)
    names = _ask(interface, struct.pack("=III", _GET_STRINGS, _STATISTICS_SET, count).ljust(12 + _NAME * count, b"\0"))
    values = _ask(interface, struct.pack("=II", _GET_STATISTICS, count).ljust(8 + 8 * count, b"\0"))
    if names is None or values is None:
        return {}
    texts = (names[12 + _NAME * n : 12 + _NAME * (n + 1)].split(b"\0")[0].decode("ascii", "replace") for n in range(count))
    return dict(zip(texts, struct.unpack_from(f"={count}Q", values, 8), strict=True))


def counts() -> dict[str, Counts]:
    """Of every interface of this network namespace (net/core/net-procfs.c, dev_seq_printf_stats)."""
    found = {}
    for line in Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]:
        name, _, figures = line.rpartition(":")
        read = [int(figure) for figure in figures.split()]
        found[name.strip()] = Counts(
            received=read[1],
            receive_errors=read[2],
            receive_dropped=read[3],
            overruns=read[4],
            framing=read[5],
            sent=read[9],
            send_errors=read[10],
            send_dropped=read[11],
            carrier_errors=read[14],
        )
    return found


def _ask(interface: str, question: bytes) -> bytes | None:
    """Have the kernel fill `question` in. None where the driver has no answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        return ethtool_answer(asking, interface, question) or None
