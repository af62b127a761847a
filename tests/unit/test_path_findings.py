"""What is said of measured paths: each case, its severity, and its remedy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aoetui.engine.commands.paths import (
    DeviceReport,
    Finding,
    InterfaceReport,
    Loss,
    PathReport,
    Pause,
    Reach,
    RoundTrips,
    Troubles,
    Untested,
)
from aoetui.engine.initiator.path_findings import GOOD_MTUS, findings_in
from aoetui.engine.link_facts import LinkFacts
from aoetui.engine.link_notes import notes_for
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.devices import Sameness
from aoetui.engine.protocol.wire import sectors_per_frame
from aoetui.engine.snapshot import Severity

E91 = Address(9, 1)
MAC1, MAC2 = Mac.parse("02:00:00:00:00:01"), Mac.parse("02:00:00:00:00:02")
QUICK = RoundTrips(60.0, 100.0, 150.0, 400.0)
PATH = PathReport(
    interface="eth1",
    mac=MAC1,
    local_mtu=9000,
    sector_count=17,
    buffer_count=64,
    to_target=Reach(9014, 9014),
    from_target=Reach(8740, 8740),
    round_trips=QUICK,
    short_frames=Loss(300, 0),
    long_frames=Loss(300, 0),
    duplicates=0,
)
OTHER = replace(PATH, interface="eth2", mac=MAC2)
NOTHING = Troubles()
ETH1 = InterfaceReport("eth1", 9000, True, True, MAC1, "8086:10fb", "ixgbe", Pause(True, True, True), NOTHING, NOTHING, ())
ETH2 = replace(ETH1, name="eth2")


def device(*paths: PathReport, address: Address = E91, size: int | None = 1 << 20, **changes: object) -> DeviceReport:
    """A device that is well but for its paths."""
    made = DeviceReport(address, size, "aoetui", "1", Sameness.SAME, "", paths)
    return replace(made, **changes)  # type: ignore[arg-type]  # the fields of a DeviceReport


def findings(*devices: DeviceReport, interfaces: tuple[InterfaceReport, ...] = (ETH1, ETH2)) -> tuple[Finding, ...]:
    """On the interfaces that the devices are seen from."""
    seen = {name for each in devices for name in each.interfaces}
    return findings_in([each for each in interfaces if each.name in seen or not devices], devices, asked=None)


def test_where_all_is_well_nothing_is_said() -> None:
    assert findings(device(PATH, OTHER)) == ()
    assert findings(device(PATH), device(PATH, address=Address(9, 2))) == ()
    assert findings_in([ETH1], [], asked=E91) == ()


def slow(median: float, p95: float = 0.0) -> RoundTrips:
    """Round trips in microseconds."""
    return RoundTrips(median, median, max(median, p95), max(median, p95))


CASES: list[tuple[str, DeviceReport, Severity, str, str]] = [
    (
        "shorter to the target",
        device(replace(PATH, to_target=Reach(1514, 9014))),
        Severity.WARNING,
        (
            "the path eth1 -> 02:00:00:00:00:01 is only capable of 1024 byte payloads, of 8704: frames of more than 1514 bytes"
            " (MTU 1500) are lost on the way to the target, from eth1 (MTU 9000) to 02:00:00:00:00:01"
        ),
        (
            "set an MTU of 9000 (8740 at least) on every switch port between the two and on the target's interface, then run"
            " aoe-discover; or `ip link set eth1 mtu 1500`"
        ),
    ),
    (
        "shorter from the target",
        device(replace(PATH, from_target=Reach(4132, 8740))),
        Severity.WARNING,
        (
            "the path eth1 -> 02:00:00:00:00:01 is only capable of 4096 byte payloads, of 8704: frames of 4644 bytes and more are"
            " lost on the way from the target, from 02:00:00:00:00:01 to eth1"
        ),
        "or `ip link set eth1 mtu 4132`",
    ),
    (
        "shorter both ways",
        device(replace(PATH, to_target=Reach(2000, 9014), from_target=Reach(4132, 8740))),
        Severity.WARNING,
        (
            "only capable of 1536 byte payloads, of 8704: frames of more than 2000 bytes (MTU 1986) are lost on the way to the"
            " target, from eth1 (MTU 9000) to 02:00:00:00:00:01, and frames of 4644 bytes and more are lost on the way from the"
        ),
        "`ip link set eth1 mtu 1572`",
    ),
    (
        "reserved",
        device(replace(PATH, from_target=Reach(548, 548, Untested.RESERVED))),
        Severity.INFO,
        "from the target 512 bytes a frame are known to pass, of 8704: the device is reserved for others, and refuses to be read",
        "check again when that is over",
    ),
    (
        "serves less than it offers",
        device(replace(PATH, from_target=Reach(1060, 8740, Untested.REFUSED))),
        Severity.WARNING,
        "1024 bytes a frame are known to pass, of 8704: the target refuses to read more sectors at once",
        "the target serves less than it offers: restart it, or raise its MTU",
    ),
    (
        "our MTU is low",
        device(replace(PATH, local_mtu=1500, to_target=Reach(1514, 1514), from_target=Reach(1060, 1060))),
        Severity.WARNING,
        "eth1: MTU 1500 is not optimal: it carries 1024 bytes a frame, and the device offers 8704",
        (
            "`ip link set eth1 mtu 9000`, and as much on every switch port of the way (MTU 1500: 1024 bytes; MTU 4200: 4096"
            " bytes; MTU 9000: 8704 bytes)"
        ),
    ),
    (
        "the target's is low",
        device(replace(PATH, sector_count=2, from_target=Reach(1060, 1060))),
        Severity.INFO,
        "the target offers 1024 bytes a frame, and our MTU of 9000 would carry more",
        "raise the MTU of the target's interfaces",
    ),
    (
        "its MACs differ",
        device(PATH, replace(OTHER, sector_count=8, from_target=Reach(4132, 4132))),
        Severity.WARNING,
        "its MACs offer 4096 to 8704 bytes a frame: Linux takes the least, 4096, on every path",
        "raise the MTU of the target's interface 02:00:00:00:00:02 to 9000",
    ),
    (
        "more of them than of us",
        device(PATH, replace(PATH, mac=MAC2)),
        Severity.WARNING,
        "mismatched number of local and remote interfaces: eth1 here, 02:00:00:00:00:01, 02:00:00:00:00:02 there",
        "our one interface sets the pace",
    ),
    (
        "more of us than of them",
        device(PATH, replace(PATH, interface="eth2")),
        Severity.WARNING,
        "mismatched number of local and remote interfaces: eth1, eth2 here, 02:00:00:00:00:01 there",
        "the device's one MAC sets the pace",
    ),
    (
        "buffer count 1",
        device(replace(PATH, buffer_count=1)),
        Severity.WARNING,
        "02:00:00:00:00:01 offers a buffer count of 1",
        "-b) to 2 at least",
    ),
    (
        "two disks",
        device(PATH, OTHER, sameness=Sameness.DIFFERENT, difference="size: a has 1, b has 2"),
        Severity.ALARM,
        "different disks answer at e9.1 (size: a has 1, b has 2): Linux takes them for one, and corrupts both",
        "give one of them another shelf or slot",
    ),
    (
        "an odd size",
        device(PATH, size=20481 * 512),
        Severity.WARNING,
        "its 20481 sectors are no multiple of 8: Linux then reads and writes 512 bytes at a time",
        "make its backing a multiple of 4096 bytes, as 20488 sectors",
    ),
    ("shelf 4095", device(PATH, address=Address(4095, 0)), Severity.WARNING, "Linux refuses shelf 4095", "another shelf"),
    (
        "1 of 100 lost",
        device(replace(PATH, short_frames=Loss(1500, 15), long_frames=Loss(1500, 15))),
        Severity.ALARM,
        "eth1 -> 02:00:00:00:00:01: 30 of 3000 frames were not answered (1 of 1000 is fine, 1 of 100 leads to closewait)",
        "turn on flow control at both ends (ethtool -A), and lower aoe_maxout",
    ),
    (
        "some lost",
        device(replace(PATH, short_frames=Loss(1500, 7), long_frames=Loss(1500, 7))),
        Severity.WARNING,
        "14 of 3000 frames were not answered",
        "look at cable",
    ),
    (
        "1 of 1000 lost",
        device(replace(PATH, short_frames=Loss(1500, 2), long_frames=Loss(1500, 1))),
        Severity.INFO,
        "3 of 3000 frames were not answered",
        "look at cable",
    ),
    (
        "twice",
        device(replace(PATH, duplicates=3)),
        Severity.WARNING,
        "eth1 -> 02:00:00:00:00:01: 3 answers came twice",
        "a loop between switches",
    ),
    (
        "a slow path",
        device(PATH, replace(OTHER, round_trips=slow(2200.0))),
        Severity.WARNING,
        "eth2 -> 02:00:00:00:00:02 is much slower than another path: its median round trip is 2.20 ms, 0.10 ms there",
        "Linux spreads requests over all paths alike",
    ),
    (
        "a wide spread",
        device(replace(PATH, round_trips=slow(200.0, p95=5000.0))),
        Severity.INFO,
        "round trips of eth1 -> 02:00:00:00:00:01 vary much: the median is 0.20 ms, 1 of 20 takes over 5.00 ms",
        "a congested link, or a busy target or host",
    ),
    (
        "not measured",
        device(replace(PATH, problem="it answers no more", to_target=Reach(0, 0), from_target=Reach(0, 0))),
        Severity.WARNING,
        "eth1 -> 02:00:00:00:00:01: it answers no more",
        "check again",
    ),
]


@pytest.mark.parametrize(("judged", "severity", "text", "remedy"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_case_of_a_device(judged: DeviceReport, severity: Severity, text: str, remedy: str) -> None:
    (finding,) = findings(judged)
    assert (finding.severity, finding.subject) == (severity, str(judged.address))
    assert text in finding.text
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    "judged",
    [
        device(replace(PATH, sector_count=8, from_target=Reach(4132, 4132), to_target=Reach(4214, 9014), local_mtu=4200)),
        device(replace(PATH, sector_count=2, local_mtu=1500, to_target=Reach(1514, 1514), from_target=Reach(1060, 1060))),
        device(replace(PATH, from_target=Reach(4132, 4132, Untested.SMALL_DISK), sector_count=8, local_mtu=4200)),
        device(replace(PATH, round_trips=slow(2090.0)), OTHER),
        device(replace(PATH, round_trips=slow(5.0)), OTHER),
        device(replace(PATH, round_trips=slow(100.0, p95=2000.0))),
        device(replace(PATH, round_trips=slow(3000.0, p95=20_000.0))),
        device(replace(PATH, round_trips=None, short_frames=Loss(), long_frames=Loss())),
        device(PATH, size=None),
        device(PATH, OTHER, sameness=Sameness.UNPROVEN),
    ],
)
def test_what_is_no_fault_is_not_told(judged: DeviceReport) -> None:
    """Frames beyond what both ends agreed on need not pass; slow but even, or quick and uneven, is no trouble."""
    assert findings(judged) == ()


def test_different_mtus_of_ours() -> None:
    low = replace(OTHER, local_mtu=4200, to_target=Reach(4214, 4214), from_target=Reach(4132, 4132))
    texts = [finding.text for finding in findings(device(PATH, low))]
    assert texts == [
        "eth2: MTU 4200 is not optimal: it carries 4096 bytes a frame, and the device offers 8704",
        "eth2: MTU 4200 differs from that of the other interfaces, 9000",
    ]


def test_long_frames_that_suffer_more() -> None:
    texts = [finding.text for finding in findings(device(replace(PATH, long_frames=Loss(3000, 10))))]
    assert texts == [
        "eth1 -> 02:00:00:00:00:01: 10 of 3300 frames were not answered (1 of 1000 is fine, 1 of 100 leads to closewait)",
        "eth1 -> 02:00:00:00:00:01: of long frames 10 of 3000 are lost, of short ones only 0 of 300",
    ]


def test_an_interface_on_which_nobody_answers() -> None:
    (finding,) = findings_in([ETH1, ETH2], [device(PATH)], asked=None)
    assert (finding.severity, finding.subject) == (Severity.WARNING, "eth2")
    assert finding.text == "no device answers on eth2, only on other interfaces"
    (finding,) = findings_in([ETH1, ETH2], [device(PATH)], asked=E91)
    assert finding.severity is Severity.INFO, "the device may have no more interfaces"
    assert finding.text == "e9.1 does not answer on eth2, only on other interfaces"


LINK = LinkFacts(name="eth1", index=2, kind="ethernet", mac=MAC1, mtu=9000, admin_up=True, carrier=True)


@pytest.mark.parametrize(
    ("interface", "severity", "text", "remedy"),
    [
        (
            replace(ETH1, during=Troubles(rx_errors=2, tx_dropped=1)),
            Severity.WARNING,
            "frames were lost in eth1 during the check: 2 received with errors, 1 dropped unsent",
            "`ethtool -S eth1` tells more",
        ),
        (
            replace(ETH1, before=Troubles(rx_dropped=7)),
            Severity.INFO,
            "frames were lost in eth1 before the check: 7 received and dropped, or wanted by nobody",
            "`ethtool -S eth1` tells more",
        ),
        (
            replace(ETH1, pause=Pause(True, False, True)),
            Severity.INFO,
            "flow control is off on eth1 (receiving)",
            "`ethtool -A eth1 rx on tx on`, and the same on the switch port",
        ),
        (
            replace(ETH1, pause=Pause(False, False, False)),
            Severity.INFO,
            "flow control is off on eth1 (receiving and sending)",
            "`ethtool -A eth1 rx on tx on`",
        ),
        (
            replace(ETH1, notes=notes_for(replace(LINK, carrier=False), chosen=True)),
            Severity.WARNING,
            "eth1 has no carrier",
            "check the cable",
        ),
        (
            replace(ETH1, notes=notes_for(replace(LINK, addresses=("2001:db8::1/64",)), chosen=True)),
            Severity.WARNING,
            "eth1 has the IP address 2001:db8::1/64",
            "`ip address del 2001:db8::1/64 dev eth1`",
        ),
        (
            replace(ETH1, notes=notes_for(replace(LINK, bridge="br0"), chosen=True)),
            Severity.WARNING,
            "eth1 is a port of br0 and hears no AoE",
            "use br0",
        ),
    ],
)
def test_each_case_of_an_interface(interface: InterfaceReport, severity: Severity, text: str, remedy: str) -> None:
    (finding,) = findings_in([interface], [device(PATH)], asked=None)
    assert (finding.severity, finding.subject) == (severity, "eth1")
    assert finding.text.startswith(text)
    assert remedy in finding.remedy


def test_flow_control_matters_where_frames_are_lost() -> None:
    lossy = device(replace(PATH, short_frames=Loss(3000, 1)))
    found = findings_in([replace(ETH1, pause=Pause(True, False, False))], [lossy], asked=None)
    assert ["flow control is off on eth1 (receiving and sending), and frames are lost" in each.text for each in found] == [
        True,
        False,
    ]


def test_the_gravest_comes_first() -> None:
    judged = device(replace(PATH, sector_count=2, duplicates=1, from_target=Reach(1060, 1060), short_frames=Loss(100, 100)))
    assert [each.severity for each in findings(judged)] == [Severity.ALARM, Severity.WARNING, Severity.INFO]


def test_the_usual_mtus_carry_what_is_said_of_them() -> None:
    assert all(sectors_per_frame(mtu) == sectors for mtu, sectors in GOOD_MTUS)
