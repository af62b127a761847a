"""An Engine that answers from tables.

A stand-in, because pictures must not move: the real engine's ages, rates and round-trip times differ at each run. What the
engine does for a command is proven on the real one; here it only matters what the console asks for and how it shows answers.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aoetui.engine.latency import Latencies, latency_of
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.snapshot import (
    Alarm,
    Counters,
    DeviceSnapshot,
    DeviceState,
    EngineSnapshot,
    Event,
    ExportSnapshot,
    ExportState,
    InitiatorSnapshot,
    Latency,
    LinkRates,
    LinkSnapshot,
    Note,
    PathSnapshot,
    PortSnapshot,
    Rates,
    RefusedSnapshot,
    Sameness,
    Severity,
    Silence,
    StateLimits,
)
from aoetui.engine.spec import Durability, ExportSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aoetui.engine.api import Command, Result

NOW = datetime(2026, 11, 22, 10, 42, 7, tzinfo=UTC)
MONOTONIC = 1000.0
"""What the clock says: give `clock=lambda: MONOTONIC` to the app."""

GB = 1_000_000_000


def ago(seconds: float) -> datetime:
    """So long before NOW."""
    return NOW - timedelta(seconds=seconds)


def path(
    mac: str,
    interface: str,
    *,
    state: DeviceState = DeviceState.UP,
    rtt: float | None = 110.0,
    sectors: int = 17,
    age: float = 1.0,
) -> PathSnapshot:
    """One way to a device."""
    return PathSnapshot(Mac.parse(mac), interface, state, rtt, sectors, ago(7200), ago(age))


def device(address: str, *paths: PathSnapshot, **changes: Any) -> DeviceSnapshot:  # noqa: ANN401 - any field of the value
    """A device that is well, but for `changes`."""
    well = DeviceSnapshot(
        address=Address.parse(address),
        ours=False,
        state=DeviceState.UP,
        size=10_737_418_240,
        model="aoetui",
        serial="7f3a11c0",
        firmware="1",
        config_string=b"",
        buffer_count=64,
        firmware_version=1,
        sameness=Sameness.SAME,
        paths=paths,
        first_seen=ago(7200),
        last_seen=max((each.last_seen for each in paths), default=NOW),
    )
    return replace(well, **changes)


def link(name: str, index: int, mac: str | None, **changes: Any) -> LinkSnapshot:  # noqa: ANN401 - any field of the value
    """An Ethernet link that is well and not chosen, but for `changes`."""
    well = LinkSnapshot(
        name=name,
        index=index,
        kind="ethernet",
        mac=None if mac is None else Mac.parse(mac),
        mtu=1500,
        admin_up=True,
        carrier=True,
        vlan_id=None,
        parent=None,
        bridge=None,
        addresses=(),
        default_route=False,
        rates=LinkRates(),
        rx_dropped=0,
        tx_dropped=0,
        rx_errors=0,
        tx_errors=0,
        chosen=False,
        ring_dropped=0,
        foreign_vlan=0,
        truncated=0,
        send_failed=0,
        silences=(),
        data_path="",
        memory=0,
        problem="",
        notes=(),
    )
    return replace(well, **changes)


def latency(replies: Mapping[int, int]) -> Latency:
    """Of so many replies after so many microseconds each."""
    counted = Latencies()
    for microseconds, count in replies.items():
        for _ in range(count):
            counted.add(microseconds / 1e6)
    return latency_of(counted.counts)


QUICK = latency({90: 700, 130: 250, 220: 40, 410: 9, 2600: 1})
"""As of a disk whose blocks are in memory; now and then one waits."""
SLOW = latency({300: 20, 900: 300, 1400: 150, 5000: 25, 21000: 5})
"""As of a spinning disk."""


def initiator(mac: str, interface: str, *, last_io: float | None, **counted: int) -> InitiatorSnapshot:
    """One that uses an export; `last_io` in seconds before NOW. `counted` holds fields of Counters, `under_way` and `dropped`."""
    under_way, dropped = counted.pop("under_way", 0), counted.pop("dropped", 0)
    sizes = {"read_bytes": counted.get("reads", 0) * 8704, "write_bytes": counted.get("writes", 0) * 8704}
    return InitiatorSnapshot(
        mac=Mac.parse(mac),
        interface=interface,
        first_seen=ago(3600),
        last_seen=ago(30 if last_io is None else last_io),
        last_io=None if last_io is None else ago(last_io),
        counters=Counters(**({"others": 4} | sizes | counted)),
        under_way=under_way,
        dropped=dropped,
        latency=Latency() if last_io is None else QUICK,
        active=last_io is not None and last_io < 60,
    )


def refused(mac: str, interface: str, why: Silence, count: int, *, last: float) -> RefusedSnapshot:
    """One that was not answered; `last` in seconds before NOW."""
    return RefusedSnapshot(Mac.parse(mac), interface, why, count, ago(last + 3000), ago(last))


def export(address: str, backing: str, **changes: Any) -> ExportSnapshot:  # noqa: ANN401 - any field of the value
    """An export that is served on eth1 and eth2, but for `changes`."""
    spec = ExportSpec(address=Address.parse(address), path=Path(backing), interfaces=("eth1", "eth2"))
    history = tuple(Rates(2e8 + 1e6 * (n * 7 % 50), 4e7, 24000.0 + 100 * (n % 20), 5000.0) for n in range(120))
    well = ExportSnapshot(
        spec=spec,
        state=ExportState.SERVING,
        problem="",
        size=8 * GB,
        block_device=False,
        serial="51c09be2",
        ports=(PortSnapshot("eth1", True, 17, ""), PortSnapshot("eth2", True, 2, "")),
        config_string=b"",
        mask=(),
        reservation=(),
        limits=StateLimits(1024, 185, 248),
        counters=Counters(reads=120_000, writes=34_000, others=12, read_bytes=1_044_480_000, write_bytes=295_936_000),
        rates=history[-1],
        history=history,
        latency=QUICK,
        read_latency=QUICK,
        write_latency=SLOW,
        initiators=(),
        refused=(),
        refused_frames=0,
    )
    return replace(well, **changes)


EXPORTS = (
    export(
        "e20.0",
        "/srv/aoe/web01.img",
        config_string=b"web01",
        reservation=(Mac.parse("52:54:00:a0:e0:01"),),
        initiators=(
            initiator("52:54:00:a0:e0:01", "eth1", last_io=0.4, reads=100_000, writes=30_000, retransmits=90, under_way=3),
            initiator(
                "52:54:00:a0:e0:02", "eth2", last_io=240, reads=20_000, writes=4_000, retransmits=900, dropped=12, errors=2
            ),
            initiator("52:54:00:a0:e0:03", "eth1", last_io=None),
        ),
        refused=(
            refused("52:54:00:bb:00:09", "eth1", Silence.DENIED, 1200, last=3),
            refused("52:54:00:bb:00:0a", "eth2", Silence.NOT_ACCEPTED, 1, last=700),
        ),
        refused_frames=1201,
        spec=ExportSpec(
            address=Address.parse("e20.0"),
            path=Path("/srv/aoe/web01.img"),
            interfaces=("eth1", "eth2"),
            accept=("web", "52:54:00:a0:e0:03"),
            deny=("lab",),
        ),
    ),
    export(
        "e20.1",
        "/dev/vg0/db",
        block_device=True,
        size=200 * GB,
        state=ExportState.DEGRADED,
        problem="eth2 is down: bring it up with `ip link set eth2 up`.",
        ports=(PortSnapshot("eth1", True, 17, ""), PortSnapshot("eth2", False, 0, "eth2 is down")),
        rates=Rates(),
        history=(),
        spec=ExportSpec(
            address=Address.parse("e20.1"),
            path=Path("/dev/vg0/db"),
            interfaces=("eth1", "eth2"),
            durability=Durability.DURABLE,
            label="database",
        ),
    ),
    export(
        "e20.2",
        "/srv/aoe/old.img",
        state=ExportState.STOPPED,
        size=0,
        ports=(),
        rates=Rates(),
        history=(),
        counters=Counters(),
        spec=ExportSpec(
            address=Address.parse("e20.2"), path=Path("/srv/aoe/old.img"), interfaces=("eth1",), read_only=True, enabled=False
        ),
    ),
)

DEVICES = (
    device(
        "e9.1",
        path("52:54:00:00:09:01", "eth1"),
        path("52:54:00:00:09:05", "eth2", rtt=120.0),
        config_string=b"web01",
    ),
    device(
        "e9.2",
        path("52:54:00:00:09:02", "eth1", sectors=2),
        path("52:54:00:00:99:02", "eth2", sectors=2, rtt=340.0),
        size=53_687_091_200,
        model="EtherDrive(R) SATA",
        serial="",
        sameness=Sameness.DIFFERENT,
    ),
    device(
        "e9.7",
        path("52:54:00:00:09:07", "eth1", state=DeviceState.SILENT, age=41, rtt=None),
        state=DeviceState.SILENT,
        size=1000 * GB,
        model="vblade",
        serial="9.7:nas2",
        sameness=Sameness.UNPROVEN,
    ),
    device(
        "e9.8",
        path("52:54:00:00:09:08", "eth1", state=DeviceState.GONE, age=900, rtt=None),
        state=DeviceState.GONE,
        size=None,
        model="",
        serial="",
    ),
    device("e20.0", ours=True, size=8 * GB, serial="51c09be2", config_string=b"web01"),
    device("e20.1", ours=True, size=200 * GB, serial="51c09be2"),
)

LINKS = (
    link("lo", 1, None, kind="loopback", addresses=("127.0.0.1/8",)),
    link(
        "eth0",
        2,
        "52:54:00:aa:00:00",
        default_route=True,
        addresses=("192.0.2.10/24",),
        notes=(Note(Severity.WARNING, "eth0 carries the default route: AoE has no protection, choose another link for it."),),
    ),
    link(
        "eth1",
        3,
        "52:54:00:aa:00:01",
        mtu=9000,
        chosen=True,
        rates=LinkRates(2.1e8, 4.4e7, 24_000.0, 24_000.0),
        foreign_vlan=14,
        silences=((Silence.DENIED, 1200), (Silence.NOT_OURS, 340), (Silence.WRONG_VERSION, 1)),
        data_path="compiled",
        memory=62_374_368,
    ),
    link(
        "eth2",
        4,
        "52:54:00:aa:00:02",
        chosen=True,
        carrier=False,
        problem="eth2 has no carrier: look at its cable and the switch.",
        notes=(Note(Severity.INFO, "eth2 has MTU 1500: 2 sectors a frame; 9000 carries 17."),),
    ),
    link("eth1.100", 5, "52:54:00:aa:00:01", kind="vlan", vlan_id=100, parent="eth1", mtu=9000),
    link("br0", 6, "52:54:00:aa:00:03", kind="bridge", addresses=("10.0.0.1/24",)),
    link(
        "eth3",
        7,
        "52:54:00:aa:00:03",
        bridge="br0",
        notes=(Note(Severity.WARNING, "eth3 is a port of br0 and hears no AoE: use br0."),),
    ),
    link("wlan0", 8, "52:54:00:aa:00:08", kind="wireless", admin_up=False, carrier=False, rx_dropped=12),
)

ALARMS = (
    Alarm(
        Severity.ALARM,
        "e9.2",
        "Two disks answer at e9.2: Linux takes them for two paths of one and corrupts both. Give one another address.",
    ),
    Alarm(Severity.WARNING, "eth2", "eth2 has no carrier: look at its cable and the switch."),
)

EVENTS = (
    Event(1, ago(3600), Severity.INFO, "engine", "Started; 3 exports in the config."),
    Event(2, ago(3599), Severity.INFO, "e20.0", "Serving /srv/aoe/web01.img on eth1 and eth2."),
    Event(3, ago(2400), Severity.INFO, "e9.1", "Found, with 2 paths."),
    Event(4, ago(700), Severity.WARNING, "e9.8", "Silent: it missed two broadcasts."),
    Event(5, ago(41), Severity.WARNING, "eth2", "Lost its carrier."),
    Event(6, ago(12), Severity.ALARM, "e9.2", "Two disks answer here: 52:54:00:00:09:02 and 52:54:00:00:99:02."),
)

BUSY = EngineSnapshot(
    taken=NOW,
    monotonic=MONOTONIC,
    host="nas1",
    interfaces=("eth1", "eth2"),
    exports=EXPORTS,
    devices=DEVICES,
    links=LINKS,
    rates=Rates(3.3e8, 8.2e7, 30_100.0, 8_000.0),
    latency=QUICK,
    alarms=ALARMS,
    last_event=len(EVENTS),
)
"""Everything at once: devices in each state, ours, a conflict, links of many kinds."""

FIRST_RUN = replace(
    BUSY,
    interfaces=None,
    exports=(),
    devices=(),
    alarms=(),
    rates=Rates(),
    latency=Latency(),
    last_event=0,
    links=tuple(replace(each, chosen=False) for each in LINKS),
)
"""Nothing configured, nobody has chosen interfaces."""

NOTHING_ANSWERS = replace(FIRST_RUN, interfaces=("eth1",))
"""Interfaces are chosen, and no device answers."""


class FakeEngine:
    """Implements `api.Engine`. Assign `current` to change the picture, `answers[CommandType]` for what its future gives.

    An answer is a value, an exception to raise, or a function of the command that returns or raises; without one it is None.
    `commands` holds what was submitted. A type in `held` is left waiting: its future is in `waiting`.
    """

    def __init__(self, current: EngineSnapshot = BUSY, events: tuple[Event, ...] = EVENTS) -> None:
        self.current = current
        self.happened = list(events)
        self.commands: list[Command[Any]] = []
        self.answers: dict[type[Command[Any]], object] = {}
        self.held: set[type[Command[Any]]] = set()
        self.waiting: list[Future[Any]] = []
        self.failure: Exception | None = None
        """Raised by snapshot() while set."""

    def snapshot(self) -> EngineSnapshot:
        """What `current` holds."""
        if self.failure is not None:
            raise self.failure
        return self.current

    def events(self, since: int) -> list[Event]:
        """Those of `happened` that are newer."""
        return [event for event in self.happened if event.number > since]

    def happen(self, severity: Severity, subject: str, text: str) -> None:
        """Add an event, of NOW."""
        self.happened.append(Event(len(self.happened) + 1, NOW, severity, subject, text))
        self.current = replace(self.current, last_event=len(self.happened))

    def submit(self, command: Command[Result]) -> Future[Result]:
        """Record the command and answer it from the table."""
        self.commands.append(command)
        future: Future[Result] = Future()
        if type(command) in self.held:
            self.waiting.append(future)
            return future
        answer = self.answers.get(type(command))
        try:
            value = cast("Callable[[Command[Result]], Result]", answer)(command) if callable(answer) else answer
        except Exception as error:  # noqa: BLE001 - a future carries whatever the table raises
            value = error
        if isinstance(value, Exception):
            future.set_exception(value)
        else:
            future.set_result(cast("Result", value))
        return future

    def asked(self, kind: type[Command[Any]]) -> list[Command[Any]]:
        """The submitted commands of one type."""
        return [command for command in self.commands if isinstance(command, kind)]
