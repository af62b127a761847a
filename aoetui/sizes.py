"""Sizes as people write them, in bytes. Suffixes mean what coreutils' truncate(1) makes of them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from aoetui.engine.protocol.wire import SECTOR

MAX_SIZE: Final = 2**63 - 1
"""Bytes; the largest offset that the kernel takes."""

_SIZE = re.compile(r"(\d{1,19}(?:\.\d{1,6})?)\s*([kmgtp]?)((?:i?b)?)", re.ASCII | re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def parse_size(text: str) -> int:
    """Read `10G`, `512 MiB`, `1.5T` or `10000000` as bytes.

    K, M, G, T and P (or KiB, MiB, ...) are powers of 1024; kB, MB, GB, TB and PB are powers of 1000, as in truncate(1).
    Raises ValueError, with a sentence for the user, unless it is a whole number of sectors (512 bytes), at least one.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or found[2] + found[3] in ("iB", "ib", "IB", "Ib"):
        raise ValueError(f"{text!r} is not a size: write a number and a unit, as 10G or 512M")
    base = 1000 if found[3] in ("b", "B") else 1024
    size = Decimal(found[1]) * base ** _POWERS[found[2].lower()]
    if size > MAX_SIZE:
        raise ValueError(f"size {text.strip()} is out of range: choose at most 8191P")
    if size < SECTOR or size % SECTOR:
        near = (int(size) // SECTOR + 1) * SECTOR
        raise ValueError(f"size {text.strip()} is not a whole number of {SECTOR}-byte sectors: the next that is one is {near}")
    return int(size)
