"""Where the driver and the wire differ: each difference, its weight, and what helps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aoetui.engine.alarms import alarms_of
from aoetui.engine.commands.kernel import (
    Difference,
    KernelDevice,
    KernelFigures,
    KernelPath,
    KernelRemark,
    KernelSnapshot,
    Remedy,
)
from aoetui.engine.commands.kernel_words import in_console, on_command_line
from aoetui.engine.kernel.differences import Patience, remarks_of
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.snapshot import DeviceSnapshot, DeviceState, Sameness, Severity
from tests.tui.fake_engine import device as wire_device
from tests.tui.fake_engine import path

MAC, OTHER = "52:54:00:00:09:01", "52:54:00:00:09:02"
ADDRESS = Address(9, 1)
SIZE = 10_737_418_240
ASKED = ("eth1", "eth2")


def driver_path(mac: str = MAC, *interfaces: str) -> KernelPath:
    """One path of the driver's, on eth1 unless told otherwise."""
    return KernelPath(Mac.parse(mac), interfaces or ("eth1",), 0, 64, 64, 32, None, 0, 100, 100)


def driver_device(**changes: object) -> KernelDevice:
    """As the driver has the device of `on_wire`."""
    well = KernelDevice(
        address=ADDRESS,
        state="up",
        size=SIZE,
        macs=(Mac.parse(MAC),),
        interfaces=("eth1",),
        payload=8704,
        firmware_version=1,
        number="152:16",
        wrong_node=False,
        partitions=(),
        mounted_on=(),
        holders=(),
        figures=KernelFigures(100.0, 10.0, 0, 0, (driver_path(),)),
    )
    return replace(well, **changes)  # type: ignore[arg-type]  # any field of the value


def driver(*devices: KernelDevice, **changes: object) -> KernelSnapshot:
    """The driver with these."""
    well = KernelSnapshot("85", (), 180, 64, dynamic_numbers=True, starts="", here=True, controls="", devices=devices)
    return replace(well, **changes)  # type: ignore[arg-type]  # any field of the value


def on_wire(**changes: object) -> DeviceSnapshot:
    """The device as it answers."""
    return replace(wire_device("e9.1", path(MAC, "eth1")), **changes)  # type: ignore[arg-type]  # any field of the value


def the_remark(kernel: KernelSnapshot, *wire: DeviceSnapshot, asked: tuple[str, ...] = ASKED) -> KernelRemark:
    """The only one."""
    (remark,) = remarks_of(kernel, wire, asked)
    return remark


def test_where_they_agree_there_is_nothing_to_say() -> None:
    assert remarks_of(driver(driver_device()), [on_wire()], ASKED) == ()


@pytest.mark.parametrize(
    ("changes", "difference", "severity", "remedy", "text"),
    [
        (
            {"size": SIZE - 4096},
            Difference.SIZE,
            Severity.WARNING,
            Remedy.REVALIDATE,
            f"{SIZE} bytes, the Linux driver {SIZE - 4096}",
        ),
        (
            {"payload": 1024},
            Difference.PAYLOAD,
            Severity.INFO,
            Remedy.DISCOVER,
            "sends 1024 bytes a frame, the path carries 8704",
        ),
        ({"payload": 16384}, Difference.PAYLOAD, Severity.WARNING, Remedy.DISCOVER, "the path carries only 8704"),
        ({"state": "up,kickme"}, Difference.KICKME, Severity.INFO, Remedy.DISCOVER, "no path that takes one"),
        ({"wrong_node": True}, Difference.WRONG_NODE, Severity.ALARM, Remedy.NOTHING, "/dev/etherd/e9.1 is the node of another"),
    ],
)
def test_a_device_that_differs(
    changes: dict[str, object], difference: Difference, severity: Severity, remedy: Remedy, text: str
) -> None:
    remark = the_remark(driver(driver_device(**changes)), on_wire())
    assert (remark.address, remark.difference, remark.severity, remark.remedy) == (ADDRESS, difference, severity, remedy)
    assert text in remark.what


def test_closewait_names_who_has_it_open() -> None:
    """And the wire, when the target is back, adds that it could be up."""
    failed = driver_device(state="down,closewait", size=0, mounted_on=("/srv",))
    remark = the_remark(driver(failed), asked=())
    assert (remark.difference, remark.severity, remark.remedy) == (Difference.CLOSEWAIT, Severity.ALARM, Remedy.CLOSE)
    assert "(mounted on /srv)" in remark.what
    back = remarks_of(driver(failed), [on_wire()], ASKED)
    assert [each.difference for each in back] == [Difference.CLOSEWAIT, Difference.DOWN]
    assert back[1].remedy is Remedy.CLOSE


def test_down_is_a_warning_only_if_the_device_answers() -> None:
    failed = driver(driver_device(state="down", size=0))
    assert the_remark(failed).severity is Severity.INFO
    worst = remarks_of(failed, [on_wire()], ASKED)[0]
    assert (worst.severity, worst.remedy) == (Severity.WARNING, Remedy.REVALIDATE)


@pytest.mark.parametrize("wire", [(), (on_wire(state=DeviceState.SILENT),), (on_wire(state=DeviceState.GONE),)])
def test_up_and_silent_on_the_wire(wire: tuple[DeviceSnapshot, ...]) -> None:
    remark = the_remark(driver(driver_device()), *wire)
    assert (remark.difference, remark.severity, remark.remedy) == (Difference.NOT_ON_WIRE, Severity.WARNING, Remedy.FLUSH)
    remark = the_remark(driver(driver_device(mounted_on=("/srv",))), *wire)
    assert (remark.severity, remark.remedy) == (Severity.ALARM, Remedy.LOOK)


def test_where_nobody_asks_silence_says_nothing() -> None:
    remark = the_remark(driver(driver_device(interfaces=("eth7",))))
    assert (remark.difference, remark.severity) == (Difference.NOT_ON_WIRE, Severity.INFO)
    assert "eth7, where aoetui does not ask" in remark.what


@pytest.mark.parametrize(
    ("wire", "changes", "severity", "remedy", "text"),
    [
        (on_wire(), {}, Severity.INFO, Remedy.DISCOVER, "has not got it yet"),
        (on_wire(), {"interfaces": None}, Severity.INFO, Remedy.DISCOVER, "has not got it yet"),
        (on_wire(), {"interfaces": ("eth7",)}, Severity.INFO, Remedy.INTERFACES, "uses eth7 alone, and it answers on eth1"),
        (on_wire(buffer_count=1), {}, Severity.WARNING, Remedy.LOOK, "its buffer count is 1"),
        (on_wire(address=Address(4095, 1)), {}, Severity.WARNING, Remedy.NOTHING, "Linux refuses shelf 4095"),
    ],
)
def test_on_the_wire_and_not_in_the_driver(
    wire: DeviceSnapshot, changes: dict[str, object], severity: Severity, remedy: Remedy, text: str
) -> None:
    remark = the_remark(driver(**changes), wire)
    assert (remark.difference, remark.severity, remark.remedy) == (Difference.NOT_IN_DRIVER, severity, remedy)
    assert text in remark.what


@pytest.mark.parametrize("wire", [on_wire(ours=True), on_wire(state=DeviceState.SILENT)])
def test_what_the_driver_need_not_have(wire: DeviceSnapshot) -> None:
    """Our own export, which this host's driver cannot hear; a device that does not answer."""
    assert remarks_of(driver(), [wire], ASKED) == ()


def test_a_conflict_has_an_alarm_of_its_own() -> None:
    different = on_wire(sameness=Sameness.DIFFERENT, size=SIZE + 512)
    assert remarks_of(driver(driver_device()), [different], ASKED) == ()


def test_a_mac_that_does_not_answer_any_more() -> None:
    figures = KernelFigures(100.0, 10.0, 0, 0, (driver_path(), driver_path(OTHER)))
    remark = the_remark(driver(driver_device(figures=figures)), on_wire())
    assert (remark.difference, remark.severity, remark.remedy) == (Difference.PATHS, Severity.WARNING, Remedy.FLUSH)
    assert OTHER in remark.what


def test_a_mac_where_nobody_asks_is_not_missed() -> None:
    figures = KernelFigures(100.0, 10.0, 0, 0, (driver_path(), driver_path(OTHER, "eth7")))
    assert remarks_of(driver(driver_device(figures=figures)), [on_wire()], ASKED) == ()


def test_a_path_that_the_driver_does_not_use() -> None:
    both = replace(on_wire(), paths=(path(MAC, "eth1"), path(MAC, "eth2")))
    remark = the_remark(driver(driver_device()), both)
    assert (remark.difference, remark.severity, remark.remedy) == (Difference.PATHS, Severity.INFO, Remedy.DISCOVER)
    assert f"{MAC} on eth2" in remark.what


def test_without_debugfs_paths_are_not_compared() -> None:
    both = replace(on_wire(), paths=(path(MAC, "eth1"), path(OTHER, "eth2")))
    assert remarks_of(driver(driver_device(figures=None)), [both], ASKED) == ()


def test_a_size_that_makes_linux_slow() -> None:
    remark = the_remark(driver(driver_device(size=SIZE + 512)), on_wire(size=SIZE + 512))
    assert (remark.difference, remark.severity) == (Difference.ODD_SIZE, Severity.INFO)


@pytest.mark.parametrize(("lost", "said"), [(0, False), (1, False), (10, True)])
def test_loss(lost: int, said: bool) -> None:
    figures = KernelFigures(100.0, 10.0, 0, 0, (replace(driver_path(), lost=lost, reads=1000, writes=0),))
    found = remarks_of(driver(driver_device(figures=figures)), [on_wire()], ASKED)
    assert [each.difference for each in found] == [Difference.LOSS] * said


def test_in_another_network_nothing_is_compared() -> None:
    """What the driver itself tells is told all the same."""
    found = remarks_of(driver(driver_device(state="down,closewait", size=0), here=False), [on_wire(address=Address(9, 2))], ASKED)
    assert [each.difference for each in found] == [Difference.CLOSEWAIT, Difference.HERE]


def test_why_the_driver_cannot_be_told_anything() -> None:
    assert the_remark(driver(controls="run `sudo aoetui`")).what == "run `sudo aoetui`"


def test_an_absence_is_said_when_it_has_stood() -> None:
    patience, remarks = Patience(5.0), remarks_of(driver(driver_device(wrong_node=True)), [], ASKED)
    assert [each.difference for each in patience.stood(remarks, 100.0)] == [Difference.WRONG_NODE]
    assert [each.difference for each in patience.stood(remarks, 104.9)] == [Difference.WRONG_NODE]
    assert len(patience.stood(remarks, 105.0)) == 2
    assert patience.stood((), 106.0) == ()
    assert len(patience.stood(remarks, 107.0)) == 1


def test_alarms_are_what_is_wrong_and_no_more() -> None:
    devices = (driver_device(state="down,closewait", size=0), driver_device(address=Address(9, 2), payload=1024))
    kernel = driver(*devices)
    wire = (wire_device("e9.2", path(MAC, "eth1")),)
    alarms = alarms_of([], wire, [], [], replace(kernel, remarks=remarks_of(kernel, wire, ())))
    assert [(alarm.severity, alarm.subject) for alarm in alarms] == [(Severity.ALARM, "e9.1")]
    assert alarms[0].text.endswith("unmount or close it, then press v to revalidate it once the target answers, or F to flush it")


@pytest.mark.parametrize("remedy", Remedy)
def test_every_remedy_has_its_words(remedy: Remedy) -> None:
    remark = KernelRemark(ADDRESS, Difference.SIZE, Severity.WARNING, "it differs", remedy)
    assert in_console(remark).startswith("it differs")
    assert on_command_line(remark).startswith("e9.1: it differs")
    assert "{" not in on_command_line(remark)
