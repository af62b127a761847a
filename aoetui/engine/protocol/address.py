"""Where things are on the wire: the MAC of an interface, the shelf and slot of an export."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from aoetui.engine.protocol.wire import BROADCAST_SHELF, BROADCAST_SLOT, MAX_SHELF, MAX_SLOT

_ADDRESS = re.compile(r"e?(\d{1,6})\.(\d{1,4})", re.ASCII)
_MAC = re.compile(r"[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Mac:
    """An Ethernet address, six bytes. Written lower-case with colons."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 6:
            raise ValueError(f"a MAC has 6 bytes, not {len(self.raw)}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `52:54:00:a0:e0:01` (any case, `-` for `:`, leading zeros optional) or twelve hex digits. Raises ValueError."""
        low = text.strip().lower().replace("-", ":")
        if re.fullmatch(r"[0-9a-f]{12}", low, re.ASCII):
            return cls(bytes.fromhex(low))
        if _MAC.fullmatch(low) is None:
            raise ValueError(f"{text!r} is not a MAC: write six pairs of hex digits, as 52:54:00:a0:e0:01")
        return cls(bytes(int(part, 16) for part in low.split(":")))

    @property
    def is_multicast(self) -> bool:
        """Whether the group bit is set (true of broadcast too): no frame may come from such an address."""
        return bool(self.raw[0] & 1)

    @property
    def is_sender(self) -> bool:
        """Whether a frame may come from it: it is neither a group nor all zeros."""
        return not self.is_multicast and any(self.raw)

    def __str__(self) -> str:
        return self.raw.hex(":")


BROADCAST_MAC = Mac(b"\xff" * 6)


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A shelf (0 to 65534) and a slot (0 to 254), written `e9.1`."""

    shelf: int
    slot: int

    def __post_init__(self) -> None:
        if not 0 <= self.shelf <= MAX_SHELF:
            raise ValueError(f"shelf {self.shelf} is out of range: choose 0 to {MAX_SHELF} ({BROADCAST_SHELF} means every shelf)")
        if not 0 <= self.slot <= MAX_SLOT:
            raise ValueError(f"slot {self.slot} is out of range: choose 0 to {MAX_SLOT} ({BROADCAST_SLOT} means every slot)")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `e9.1` or `9.1`. Raises ValueError with a sentence for the user."""
        found = _ADDRESS.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is not an address: write shelf.slot, as e9.1")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"e{self.shelf}.{self.slot}"
