"""What an AoE error of another's target means to a person (AoEr11, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.protocol.wire import AoeError

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address

_MEANINGS = {
    AoeError.UNRECOGNISED_COMMAND: "its program knows no such command",
    AoeError.BAD_ARGUMENT: "it finds the request wrong, or too long for it",
    AoeError.DEVICE_UNAVAILABLE: "it cannot keep it now",
    AoeError.UNSUPPORTED_VERSION: "it speaks another version of AoE",
}


def refused(address: Address, error: int | None) -> str:
    """A sentence on an AoE error."""
    meaning = next((text for code, text in _MEANINGS.items() if code == error), "it does not say why")
    return f"{address} refuses that with AoE error {error}: {meaning}"
