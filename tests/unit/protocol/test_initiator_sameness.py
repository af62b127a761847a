"""The scanner machine: which MACs are one disk, and how much it keeps."""

from __future__ import annotations

import pytest

from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.initiator import (
    ConflictEnded,
    ConflictFound,
    DeviceChanged,
    Sameness,
)
from aoetui.engine.protocol.questions import MAX_OUTSTANDING
from aoetui.engine.protocol.san import MAX_CHANGES, MAX_PATHS_OF_DEVICE
from tests.unit.protocol.fake_san import FakeSan, FakeTarget, mac_of, page, twins

E9_1 = Address(9, 1)
VBLADE = "Coraid EtherDrive vblade"


@pytest.mark.parametrize(
    ("model", "serial", "expected"),
    [
        ("aoetui", "7f3a11c0", Sameness.SAME),
        (VBLADE, "9.1:nas1", Sameness.UNPROVEN),
        ("EtherDrive(R) kvblade", "SN HERE", Sameness.UNPROVEN),
        ("ggaoed", "disk1", Sameness.UNPROVEN),
        ("aoetui", "", Sameness.UNPROVEN),
    ],
)
def test_equal_macs_are_one_disk_if_the_serial_proves_it(model: str, serial: str, expected: Sameness) -> None:
    first, second = twins()
    first.page = second.page = page(model=model, serial=serial)
    san = FakeSan(first, second)
    san.run(10.0)
    assert san.device().sameness is expected
    assert len(san.device().paths) == 2
    assert san.take_changes(ConflictFound) == []


def test_one_mac_on_two_of_our_links_is_one_disk() -> None:
    vblade = page(model=VBLADE, serial="9.1:nas1")
    san = FakeSan(FakeTarget(page=vblade), FakeTarget(page=vblade, interface="eth2"), interfaces=("eth1", "eth2"))
    san.run(5.0)
    assert san.device().sameness is Sameness.SAME


def test_an_unknown_identity_proves_nothing() -> None:
    san = FakeSan(*twins(identifies=False))
    san.run(4.0)
    assert san.device().sameness is Sameness.UNPROVEN


@pytest.mark.parametrize(
    ("second", "named"),
    [
        ({"config": b"db01"}, 'config string: {0} has "web01", {1} has "db01"'),
        ({"page": page(serial="serial-2")}, 'serial: {0} has "serial-1", {1} has "serial-2"'),
        ({"page": page(model="other")}, 'model: {0} has "ggmodel", {1} has "other"'),
        ({"page": page(sectors=4096)}, "size: {0} has 1048576, {1} has 2097152"),
    ],
)
def test_a_conflict_is_found_named_and_ended(second: dict[str, object], named: str) -> None:
    first, other = twins(**second)
    san = FakeSan(first, other)
    san.run(4.0)
    assert san.device().sameness is Sameness.DIFFERENT
    assert san.take_changes(ConflictFound) == [ConflictFound(E9_1, named.format(first.mac, other.mac))]
    other.config, other.page = first.config, first.page
    san.run(40.0)
    assert san.device().sameness is Sameness.SAME
    assert san.take_changes(ConflictEnded) == [ConflictEnded(E9_1)]


def test_one_disk_whose_macs_tell_its_changes_one_after_the_other_is_no_conflict() -> None:
    first, second = twins(delay=0.4)
    san = FakeSan(first, second)
    san.run(4.0)
    for target in (first, second):
        target.config, target.page = b"new", page(sectors=4096)
    san.run(10.0)
    assert san.device().config_string == b"new"
    assert san.device().sameness is Sameness.SAME
    assert san.take_changes(ConflictFound) == []


def test_a_conflict_ends_when_one_side_is_gone() -> None:
    first, other = twins(config=b"db01")
    san = FakeSan(first, other)
    san.run(4.0)
    other.alive = False
    san.run(500.0)
    assert san.device().sameness is Sameness.DIFFERENT
    san.take_changes(ConflictFound)
    san.run(110.0)
    assert san.take_changes(ConflictEnded) == [ConflictEnded(E9_1)]
    other.alive = True
    san.run(10.0)
    assert len(san.take_changes(ConflictFound)) == 1


def test_five_thousand_targets_answer_one_broadcast() -> None:
    targets = [FakeTarget(address=Address(number // 250, number % 250), mac=mac_of(number)) for number in range(5000)]
    san = FakeSan()
    by_mac = {target.mac: target for target in targets}
    san.machine.outgoing()
    for target in targets:
        san.receive(target.config_answer())
    assert [device.address for device in san.machine.devices()] == sorted(target.address for target in targets)
    rounds = 0
    while requests := [frame for _, frame in san.machine.outgoing()]:
        rounds += 1
        outstanding = {int.from_bytes(frame[20:24], "big"): frame[:6] for frame in requests}
        assert len(outstanding) == len(requests) <= MAX_OUTSTANDING
        for tag, mac in outstanding.items():
            san.receive(by_mac[Mac(mac)].identify_answer(tag))
    assert all(device.identity is not None for device in san.machine.devices())
    assert rounds >= 5000 // MAX_OUTSTANDING


def test_unanswering_targets_do_not_hold_more_than_the_outstanding_questions() -> None:
    targets = [FakeTarget(address=Address(1, number), mac=mac_of(number), identifies=False) for number in range(200)]
    san = FakeSan(*targets)
    san.run(1.9)
    assert sum(bool(target.asked) for target in targets) == MAX_OUTSTANDING
    san.run(2.0)
    assert all(target.asked for target in targets)


def test_paths_are_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aoetui.engine.protocol.san.MAX_PATHS", 10)
    san = FakeSan()
    for number in range(15):
        san.receive(FakeTarget(address=Address(1, number)).config_answer())
    assert len(san.machine.devices()) == 10
    assert san.machine.ignored_paths == 5


def test_the_paths_of_one_address_are_bounded() -> None:
    san = FakeSan()
    for number in range(MAX_PATHS_OF_DEVICE + 3):
        san.receive(FakeTarget(mac=mac_of(number)).config_answer())
    assert len(san.device().paths) == MAX_PATHS_OF_DEVICE
    assert san.machine.ignored_paths == 3


def test_changes_are_bounded_and_the_newest_stay() -> None:
    target, san = FakeTarget(), FakeSan()
    for number in range(MAX_CHANGES + 5):
        target.config = b"%d" % number
        san.receive(target.config_answer())
    changes = san.machine.changes()
    assert len(changes) == MAX_CHANGES
    assert changes[-1] == DeviceChanged(E9_1, f'config string "{MAX_CHANGES + 3}" -> "{MAX_CHANGES + 4}"')
    assert san.machine.changes() == []
