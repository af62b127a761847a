"""Which address to propose for the next export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.wire import LINUX_REFUSED_SHELF, MAX_SHELF, MAX_SLOT

if TYPE_CHECKING:
    from collections.abc import Collection

FIRST_SHELF: Final = 1


def propose_address(taken: Collection[Address], last_shelf: int | None = None) -> Address | None:
    """Return the lowest free slot of `last_shelf` (0 to 65534), or of the next shelf above it that has one, wrapping round once.

    Without `last_shelf` the search starts at shelf 1. Shelf 4095 is never proposed: Linux refuses it. None if all is taken.
    """
    start = FIRST_SHELF if last_shelf is None else last_shelf
    for step in range(MAX_SHELF + 1):
        shelf = (start + step) % (MAX_SHELF + 1)
        if shelf == LINUX_REFUSED_SHELF:
            continue
        for slot in range(MAX_SLOT + 1):
            if (free := Address(shelf, slot)) not in taken:
                return free
    return None
