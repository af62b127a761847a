"""In which order the SAN lists devices, and the shelves that they stand under."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from aoetui.engine.snapshot import DeviceSnapshot, DeviceState, Sameness
from aoetui.widgets.driver import only_in_driver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

_URGENCY = {DeviceState.UP: 3, DeviceState.SILENT: 1, DeviceState.GONE: 4}
_URGENCY_OF_FLAPPING = 2


def urgency(device: DeviceSnapshot) -> int:
    """The lower the sooner somebody should look."""
    if device.sameness is Sameness.DIFFERENT:
        return 0
    return _URGENCY_OF_FLAPPING if device.flapping and device.state is DeviceState.UP else _URGENCY[device.state]


ORDERS: tuple[tuple[str, Callable[[DeviceSnapshot], float | int]], ...] = (
    ("address", lambda device: device.address.slot),
    ("size", lambda device: device.size or 0),
    ("state", urgency),
    ("payload", lambda device: device.payload),
    ("age", lambda device: float("-inf") if device.ours else -device.last_seen.timestamp()),
)
"""What `s` goes through, within each shelf."""


def is_odd(device: DeviceSnapshot) -> bool:
    """Whether it needs a look."""
    odd = device.state is not DeviceState.UP or device.flapping or device.sameness is Sameness.DIFFERENT
    return odd and not device.ours and not only_in_driver(device)


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the heading of a shelf tells."""

    number: int
    slots: int
    odd: int
    """How many need a look."""
    size: int
    """Bytes of all."""
    folded: bool

    @property
    def key(self) -> str:
        """Of its row."""
        return f"shelf {self.number}"


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """The rows of the list, and what they were made of."""

    of: tuple[object, ...]
    keys: Sequence[str] = ()
    """Of each row: the heading of a shelf, and under it its devices unless it is folded."""
    shelves: Mapping[str, Shelf] = field(default_factory=dict)
    """By their keys."""
    passing: int = 0
    """Devices that pass the filter."""


def listed(
    of: tuple[object, ...],
    devices: Sequence[tuple[str, DeviceSnapshot]],
    order: Callable[[DeviceSnapshot], float | int] | None,
    *,
    reverse: bool,
    folded: AbstractSet[int],
) -> Listing:
    """List devices, given with their keys by address; in this order within each shelf, if there is one."""
    keys: list[str] = []
    shelves: dict[str, Shelf] = {}
    for number, members in groupby(devices, key=lambda item: item[1].address.shelf):
        group = list(members)
        if order is not None:
            group.sort(key=lambda item: order(item[1]), reverse=reverse)
        odd, size = sum(is_odd(device) for _, device in group), sum(device.size or 0 for _, device in group)
        shelf = Shelf(number, len(group), odd, size, number in folded)
        shelves[shelf.key] = shelf
        keys += [shelf.key, *(() if shelf.folded else (key for key, _ in group))]
    return Listing(of, keys, shelves, len(devices))
