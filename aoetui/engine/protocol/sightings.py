"""The scanner's records of devices and paths: what each answered, and whether the MACs of a device are one disk."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from aoetui.engine.protocol.devices import Device, DeviceState, Path, Sameness
from aoetui.engine.protocol.wire import SECTOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aoetui.engine.protocol.address import Address, Mac
    from aoetui.engine.protocol.ata import Identity

Fact = str | int | bytes

DEFAULT_SECTOR_COUNT = 2
"""What an advertised sector count of 0 means (AoEr11; Linux aoecmd.c, aoecmd_cfg_rsp)."""
MODELS_WITHOUT_UNIQUE_SERIAL = frozenset({"Coraid EtherDrive vblade", "EtherDrive(R) kvblade", "ggaoed"})
"""vblade's serial is shelf.slot:hostname, kvblade's a constant, ggaoed's a name in its config file: copies share them."""
SERIALS_OF_NOBODY = frozenset({"", "SN HERE"})
FACTS_OF_A_DISK = ("model", "serial", "size", "config string")
"""What two MACs of one disk cannot answer differently."""
_SHOWN_LENGTH = 64
_BEST_FIRST = (DeviceState.UP, DeviceState.SILENT, DeviceState.GONE)
_Record = TypeVar("_Record")


def _told(forget: Callable[[Any], None], *names: str) -> Callable[[type[_Record]], type[_Record]]:
    """Of all that changes in a record, a frozen value holds these fields: to set one calls `forget`.

    Only they cost more than a slot: a `__setattr__` is called for every field of thousands of records that are made at once.
    """

    def telling(slot: Any) -> property:  # noqa: ANN401  # a slot's descriptor has no name
        def change(record: object, value: object) -> None:
            slot.__set__(record, value)
            forget(record)

        return property(slot.__get__, change)

    def decorate(record: type[_Record]) -> type[_Record]:
        for name in names:
            setattr(record, name, telling(vars(record)[name]))
        return record

    return decorate


@dataclass(frozen=True, slots=True)
class Advertised:
    """What a query-config response says, apart from its address."""

    config_string: bytes
    buffer_count: int
    firmware_version: int
    sector_count: int
    """As on the wire: 0 stands for 2."""


@_told(lambda path: path.device.forget_value(), "state", "rtt", "link_sector_count", "advertised", "identity", "last_seen")
@dataclass(slots=True, eq=False)
class PathRecord:
    """One path, as it changes. Times in seconds of the caller's clock."""

    device: DeviceRecord
    mac: Mac
    interface: str
    advertised: Advertised
    link_sector_count: int
    first_seen: float
    last_seen: float
    state: DeviceState = DeviceState.UP
    rtt: float | None = None
    identity: Identity | None = None
    misses: int = 0
    """Broadcasts in a row that it has not answered."""
    asking: bool = False
    """Whether an IDENTIFY is queued or outstanding."""
    asked_at: float = float("-inf")
    """When the last IDENTIFY was first sent."""
    ask_after: float = float("-inf")
    """When the next IDENTIFY is due by itself."""

    @property
    def sector_count(self) -> int:
        """Sectors of one frame, both ends considered."""
        return min(self.advertised.sector_count or DEFAULT_SECTOR_COUNT, self.link_sector_count)

    def facts(self) -> dict[str, Fact]:
        """What it answered, by the name a person reads; what is unknown is missing."""
        return facts_of(self.advertised, self.identity)

    def value(self) -> Path:
        """Freeze."""
        return Path(
            mac=self.mac,
            interface=self.interface,
            state=self.state,
            rtt=self.rtt,
            sector_count=self.sector_count,
            first_seen=self.first_seen,
            last_seen=self.last_seen,
            identity=self.identity,
        )


@_told(lambda device: device.forget_value(), "state", "sameness", "flapping", "changed", "why")
@dataclass(slots=True, eq=False)
class DeviceRecord:
    """One address, as it changes. It has at least one path, but for the moment of its making."""

    address: Address
    first_seen: float
    state: DeviceState = DeviceState.UP
    sameness: Sameness = Sameness.SAME
    doubted_since: float | None = None
    """Since when its MACs seem to be different disks, before that is believed."""
    changed: float | None = None
    """When something about it changed last; None since it was found."""
    why: str = ""
    """What that was, in words. It may hold text from the wire."""
    flapping: bool = False
    returns: deque[float] = field(default_factory=deque)
    """When it answered again after it, or one of its paths, had been silent: the latest, as many as make it flapping."""
    paths: dict[tuple[Mac, str], PathRecord] = field(default_factory=dict)
    """Whoever changes it has to `forget_value`."""
    _value: Device | None = None

    def forget_value(self) -> None:
        """What is told of it is not true any more."""
        self._value = None

    def best_state(self) -> DeviceState:
        """The best of its paths' states."""
        states = {path.state for path in self.paths.values()}
        return next((state for state in _BEST_FIRST if state in states), DeviceState.GONE)

    def changes_from(self, before: dict[str, Fact], path: PathRecord) -> Iterator[str]:
        """Sentences on what `path` answers otherwise than `before`, without what another path has told already."""
        others = [other.facts() for other in self.paths.values() if other is not path and other.state is not DeviceState.GONE]
        for name, new in path.facts().items():
            old = before.get(name)
            if old is not None and old != new and not any(other.get(name) == new for other in others):
                yield f"{name} {_show(old)} -> {_show(new)}{' bytes' if name == 'size' else ''}"

    def compare(self) -> tuple[Sameness, str]:
        """Judge whether its MACs are one disk; with DIFFERENT comes a text that names the MACs and what each answers."""
        return compare_facts(self._facts_by_mac()) if len(self.paths) > 1 else (Sameness.SAME, "")

    def _facts_by_mac(self) -> dict[Mac, dict[str, Fact]]:
        present = (path for path in self.paths.values() if path.state is not DeviceState.GONE)
        by_mac: dict[Mac, dict[str, Fact]] = {}
        for path in sorted(present, key=lambda path: path.last_seen):
            by_mac.setdefault(path.mac, {}).update(path.facts())
        return by_mac

    def value(self) -> Device:
        """Freeze. The same object as before unless something changed: thousands of devices are looked at each second."""
        if self._value is None:
            self._value = self._frozen()
        return self._value

    def _best_and_last_heard(self) -> tuple[PathRecord, float]:
        """Its best and oldest path, and when any was heard last."""
        if len(self.paths) == 1:  # as of nearly all in a SAN of thousands, which are all made anew after each broadcast
            (only,) = self.paths.values()
            return only, only.last_seen
        paths = self.paths.values()
        best = min(paths, key=lambda path: (_BEST_FIRST.index(path.state), path.identity is None, path.first_seen))
        return best, max(path.last_seen for path in paths)

    def _frozen(self) -> Device:
        best, heard = self._best_and_last_heard()
        return Device(
            address=self.address,
            state=self.state,
            identity=best.identity,
            config_string=best.advertised.config_string,
            buffer_count=best.advertised.buffer_count,
            firmware_version=best.advertised.firmware_version,
            sameness=self.sameness,
            paths=tuple(self.paths[key].value() for key in sorted(self.paths)),
            first_seen=self.first_seen,
            last_seen=heard,
            flapping=self.flapping,
            changed=self.changed,
            why=self.why,
        )


def facts_of(said: Advertised, disk: Identity | None) -> dict[str, Fact]:
    """What a path answered, by the name a person reads; what is unknown is missing."""
    facts: dict[str, Fact] = {
        "config string": said.config_string,
        "buffer count": said.buffer_count,
        "firmware version": said.firmware_version,
        "sector count": said.sector_count,
    }
    if disk is not None:
        facts |= {"size": disk.sectors * SECTOR, "model": disk.model, "serial": disk.serial, "firmware": disk.firmware}
    return facts


def compare_facts(by_mac: Mapping[Mac, Mapping[str, Fact]]) -> tuple[Sameness, str]:
    """Judge by what each MAC of an address answered, as `PathRecord.facts` names it, whether they are one disk.

    With DIFFERENT comes a text that names the MACs and what each answers.
    """
    if differences := [text for name in FACTS_OF_A_DISK if (text := _difference(name, by_mac))]:
        return Sameness.DIFFERENT, "; ".join(differences)
    proven = len(by_mac) < 2 or all(_has_unique_serial(facts) for facts in by_mac.values())
    return (Sameness.SAME if proven else Sameness.UNPROVEN), ""


def _difference(name: str, by_mac: Mapping[Mac, Mapping[str, Fact]]) -> str:
    known = [(mac, by_mac[mac][name]) for mac in sorted(by_mac) if name in by_mac[mac]]
    for mac, fact in known[1:]:
        first, other = known[0]
        if fact != other:
            return f"{name}: {first} has {_show(other)}, {mac} has {_show(fact)}"
    return ""


def _has_unique_serial(facts: Mapping[str, Fact]) -> bool:
    if "serial" not in facts:
        return False
    return facts["model"] not in MODELS_WITHOUT_UNIQUE_SERIAL and facts["serial"] not in SERIALS_OF_NOBODY


def _show(fact: Fact) -> str:
    if isinstance(fact, int):
        return str(fact)
    text = fact if isinstance(fact, str) else fact.decode("ascii", "backslashreplace")
    return f'"{text[:_SHOWN_LENGTH]}..."' if len(text) > _SHOWN_LENGTH else f'"{text}"'
