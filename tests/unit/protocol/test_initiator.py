"""The scanner's machine against fake targets in fake time."""

from __future__ import annotations

import pytest

from aoetui.engine.protocol import initiator
from aoetui.engine.protocol.address import BROADCAST_MAC, Address, Mac
from aoetui.engine.protocol.frames import MalformedFrame
from aoetui.engine.protocol.initiator import (
    DeviceChanged,
    DeviceFound,
    DeviceState,
    DeviceStateChanged,
    LocalLink,
    PathFound,
    PathStateChanged,
    Sameness,
    ScannerMachine,
)
from aoetui.engine.protocol.questions import MAX_OUTSTANDING
from aoetui.engine.protocol.wire import BROADCAST_SHELF, BROADCAST_SLOT, SCANNER_TAG_BIT, Command
from tests.unit.protocol.fake_san import LINK, FakeSan, FakeTarget, mac_of, page, twins

E9_1 = Address(9, 1)


def test_the_first_link_gets_a_broadcast_and_each_new_one_its_own() -> None:
    san = FakeSan(interfaces=("eth1",))
    san.machine.set_links({"eth1": LINK, "eth2": LINK}, san.now)
    san.carry()
    assert [interface for _, interface, _ in san.sent] == ["eth1", "eth2"]
    for _, _, frame in san.sent:
        header = frame.header
        assert (header.shelf, header.slot, header.command) == (BROADCAST_SHELF, BROADCAST_SLOT, Command.QUERY_CONFIG)
        assert (header.destination, header.source, header.response) == (BROADCAST_MAC, LINK.mac, False)
        assert header.tag & SCANNER_TAG_BIT


def test_without_links_nothing_is_sent_or_awaited() -> None:
    machine = ScannerMachine()
    machine.set_links({}, 0.0)
    machine.discover(0.0)
    assert machine.outgoing() == []
    assert machine.timer() is None


def test_broadcasts_keep_the_interval_and_a_shorter_one_brings_the_next_forward() -> None:
    san = FakeSan(interval=60.0)
    san.run(61.0)
    san.machine.set_interval(5.0, san.now)
    san.run(11.0)
    assert [time - 100.0 for time, _, _ in san.requests(Command.QUERY_CONFIG)] == [0.0, 60.0, 66.0, 71.0]
    san.machine.set_interval(60.0, san.now)
    san.run(70.0)
    assert [time - 172.0 for time, _, _ in san.requests(Command.QUERY_CONFIG)[4:]] == [4.0, 64.0]


def test_links_that_stay_change_nothing() -> None:
    """They are set once a second: a device that is told anew each time costs thousands of times as much."""
    san = FakeSan(FakeTarget())
    san.run(1.0)
    before = san.machine.devices()
    san.machine.set_links({"eth1": LINK}, san.now)
    assert san.machine.devices() is before
    san.machine.set_links({"eth1": LocalLink(LINK.mac, LINK.sector_count - 1)}, san.now)
    assert san.machine.devices() is not before


def test_many_paths_are_asked_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that answers cost the wire, both ends and whoever types no more than so many a second, however many there are."""
    monkeypatch.setattr(initiator, "ANSWERS_A_SECOND", 10)
    targets = [FakeTarget(address=Address(9, number)) for number in range(60)]
    san = FakeSan(*targets, interval=5.0)
    san.run(5.5)
    san.machine.set_interval(5.0, san.now)
    san.run(7.0)
    assert [time - 100.0 for time, _, _ in san.requests(Command.QUERY_CONFIG)] == [0.0, 5.0, 11.0]
    san.machine.discover(san.now)
    san.carry()
    assert san.requests(Command.QUERY_CONFIG)[-1][0] == san.now, "asked at once, it asks at once"


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_an_interval_must_be_above_zero(seconds: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        ScannerMachine().set_interval(seconds, 0.0)


def test_a_target_becomes_a_device_with_its_identity() -> None:
    san = FakeSan(FakeTarget(delay=0.25))
    san.run(1.0)
    device = san.device()
    assert (device.address, device.state, device.sameness) == (E9_1, DeviceState.UP, Sameness.SAME)
    assert (device.config_string, device.buffer_count, device.firmware_version) == (b"web01", 16, 0x4019)
    assert device.identity is not None
    assert (device.identity.serial, device.identity.sectors) == ("serial-1", 2048)
    (path,) = device.paths
    assert (path.mac, path.interface, path.sector_count, path.rtt) == (mac_of(1), "eth1", 8, 0.25)
    assert (path.first_seen, path.last_seen) == (100.25, 100.5)
    assert san.seen == [DeviceFound(E9_1), PathFound(E9_1, mac_of(1), "eth1")]


@pytest.mark.parametrize(("advertised", "ours", "expected"), [(0, 17, 2), (0, 1, 1), (8, 2, 2), (8, 17, 8), (255, 17, 17)])
def test_a_path_carries_what_both_ends_can(advertised: int, ours: int, expected: int) -> None:
    san = FakeSan(FakeTarget(sector_count=advertised))
    san.run(1.0)
    san.machine.set_links({"eth1": LocalLink(LINK.mac, ours)}, san.now)
    assert san.device().paths[0].sector_count == expected


@pytest.mark.parametrize("tag", [0, 0x1234, SCANNER_TAG_BIT | 0x777])
def test_any_query_config_response_is_taken(tag: int) -> None:
    san = FakeSan()
    san.receive(FakeTarget().config_answer(tag))
    assert san.device().state is DeviceState.UP


def test_the_advertisement_of_vblade_is_taken() -> None:
    """As vblade 25 sends it when it starts: version 0, and no padding."""
    san = FakeSan()
    raw = bytes.fromhex("ffffffffffff 1aa7651f8daf 88a2 0800 0009 01 01 00000000 0010 4019 0210 0000")
    san.receive(raw)
    device = san.device()
    assert (device.address, device.buffer_count, device.firmware_version) == (E9_1, 16, 0x4019)
    assert [(str(path.mac), path.sector_count) for path in device.paths] == [("1a:a7:65:1f:8d:af", 2)]


def _patched(frame: bytes, offset: int, value: bytes) -> bytes:
    return frame[:offset] + value + frame[offset + len(value) :]


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        pytest.param(16, b"\xff\xff", id="every shelf"),
        pytest.param(18, b"\xff", id="every slot"),
        pytest.param(6, b"\x53", id="multicast source"),
        pytest.param(14, b"\x10", id="a request"),
        pytest.param(14, b"\x1c", id="an error"),
        pytest.param(14, b"\x28", id="another version"),
        pytest.param(19, b"\x02", id="another command"),
    ],
)
def test_what_no_target_says_is_ignored(offset: int, value: bytes) -> None:
    san = FakeSan()
    san.receive(_patched(FakeTarget().config_answer(), offset, value))
    assert san.machine.devices() == ()
    assert san.machine.changes() == []


def test_a_frame_from_a_link_that_is_not_ours_is_ignored() -> None:
    san = FakeSan()
    san.receive(FakeTarget().config_answer(), "eth7")
    assert san.machine.devices() == ()


def test_a_malformed_frame_is_refused() -> None:
    with pytest.raises(MalformedFrame):
        ScannerMachine().receive("eth1", b"short", 0.0)


def asked_san() -> tuple[FakeSan, FakeTarget, int]:
    """A scanner that has just asked a target to identify itself, and the question's tag."""
    target = FakeTarget(identifies=False)
    san = FakeSan()
    san.targets.append(target)  # after the first broadcast, so that its answer is the only one
    san.receive(target.config_answer())
    san.carry()
    ((_, interface, frame),) = san.requests(Command.ATA)
    assert (interface, frame.header.destination) == ("eth1", target.mac)
    return san, target, frame.header.tag


def test_an_identity_is_taken_only_from_the_one_asked() -> None:
    san, target, tag = asked_san()
    san.machine.set_links({"eth1": LINK, "eth2": LINK}, san.now)
    other_mac, other_address = FakeTarget(mac=mac_of(2)), FakeTarget(address=Address(9, 2))
    for other in (other_mac, other_address):
        san.receive(other.config_answer())
    san.receive(target.config_answer(), "eth2")
    san.receive(target.identify_answer(tag ^ 0x4000))
    san.receive(target.identify_answer(tag & ~SCANNER_TAG_BIT))
    san.receive(other_mac.identify_answer(tag))
    san.receive(other_address.identify_answer(tag))
    san.receive(target.identify_answer(tag), "eth2")
    san.receive(target.identify_answer(tag), "eth7")
    assert all(path.identity is None and path.rtt is None for device in san.machine.devices() for path in device.paths)
    san.receive(target.identify_answer(tag))
    known = [(path.mac, path.interface) for device in san.machine.devices() for path in device.paths if path.identity]
    assert known == [(target.mac, "eth1")]


def test_a_short_page_is_ignored_and_a_later_whole_one_counts() -> None:
    san, target, tag = asked_san()
    san.receive(target.identify_answer(tag, target.page[:511]))
    assert san.device().paths[0].rtt is None
    san.receive(target.identify_answer(tag))
    assert san.device().identity is not None


def test_an_ata_error_leaves_the_identity_unknown_until_the_next_broadcast_answer() -> None:
    san, target, tag = asked_san()
    san.receive(target.ata_error(tag))
    san.receive(target.identify_answer(tag))
    assert san.device().identity is None
    target.identifies = True
    san.run(4.9)
    assert san.device().identity is None
    san.run(0.2)
    assert san.device().identity is not None


def test_an_aoe_error_ends_the_question_too() -> None:
    san, target, tag = asked_san()
    san.receive(target.aoe_error(Command.ATA, tag))
    san.run(4.0)
    assert len(target.asked) == 1
    assert san.device().identity is None


def test_an_unanswered_identify_is_repeated_thrice_and_again_with_the_next_broadcast_answer() -> None:
    target = FakeTarget(identifies=False, delay=0.0)
    san = FakeSan(target)
    san.run(6.0)
    assert [time - 100.0 for time in target.asked] == [0.0, 0.5, 1.0, 1.5, 5.0, 5.5, 6.0]
    tags = [frame.header.tag for _, _, frame in san.requests(Command.ATA)]
    assert len(set(tags[:4])) == 1
    assert tags[4] != tags[0]


def test_an_answer_to_a_repeated_identify_is_not_measured() -> None:
    san, target, tag = asked_san()
    san.run(0.7)
    assert len(target.asked) == 2
    san.receive(target.identify_answer(tag))
    path = san.device().paths[0]
    assert path.identity is not None
    assert path.rtt is None


def test_an_answer_slower_than_the_repetitions_still_counts() -> None:
    san = FakeSan(FakeTarget(delay=1.2))
    san.run(3.0)
    assert san.device().identity is not None
    assert san.device().paths[0].rtt is None


def test_a_duplicate_answer_is_harmless() -> None:
    san, target, tag = asked_san()
    san.run(0.1)
    for _ in range(2):
        san.receive(target.config_answer())
        san.receive(target.identify_answer(tag))
    before = san.machine.devices()
    san.carry()
    san.run(0.2)
    san.receive(target.identify_answer(tag))
    assert san.machine.devices() == before
    assert [type(change) for change in san.seen] == [DeviceFound, PathFound]
    assert len(target.asked) == 1


def test_a_flood_of_changing_answers_asks_about_once_a_second() -> None:
    target = FakeTarget()
    san = FakeSan(target, interval=60.0)
    for number in range(1000):
        target.config = str(number).encode()
        san.receive(target.config_answer())
        san.run(0.01)
    assert 5 <= len(target.asked) <= 12


def test_an_identity_is_refreshed_about_every_thirty_seconds() -> None:
    target = FakeTarget(delay=0.25)
    san = FakeSan(target)
    san.run(10.0)
    target.delay = 0.125
    san.run(85.0)
    assert len(target.asked) == 4
    assert san.device().paths[0].rtt == 0.125


def test_a_new_size_is_noticed_and_told_once_for_both_paths() -> None:
    first, second = twins()
    san = FakeSan(first, second)
    san.run(10.0)
    san.take_changes(DeviceFound)
    first.page = second.page = page(sectors=4096)
    san.run(35.0)
    assert san.seen == [DeviceChanged(E9_1, "size 1048576 -> 2097152 bytes")]
    assert san.device().sameness is Sameness.SAME


def test_a_new_config_string_is_told_and_asks_again_at_once() -> None:
    target = FakeTarget()
    san = FakeSan(target)
    san.run(3.0)
    target.config, target.page = b'a"\x1b', page(serial="other")
    san.run(3.0)
    told = [change.what for change in san.take_changes(DeviceChanged) if isinstance(change, DeviceChanged)]
    assert told == ['config string "web01" -> "a"\x1b"', 'serial "serial-1" -> "other"']
    assert len(target.asked) == 2


@pytest.mark.parametrize("stops_at", [0.0, 0.6, 2.1, 4.9])
def test_a_target_that_stops_is_silent_within_fifteen_seconds_and_gone_after_ten_minutes(stops_at: float) -> None:
    target = FakeTarget()
    san = FakeSan(target)
    san.run(20.0 + stops_at)
    assert san.take_changes(DeviceStateChanged) == []
    target.alive = False
    san.run(5.0)
    assert san.device().state is DeviceState.UP
    san.run(10.0)
    assert san.device().state is DeviceState.SILENT
    assert san.seen == [
        PathStateChanged(E9_1, target.mac, "eth1", DeviceState.UP, DeviceState.SILENT),
        DeviceStateChanged(E9_1, DeviceState.UP, DeviceState.SILENT),
    ]
    san.run(san.device().last_seen + 599.9 - san.now)
    assert san.device().state is DeviceState.SILENT
    san.run(1.2)
    assert san.device().state is DeviceState.GONE
    assert san.device().identity is not None
    san.run(3590.0)
    assert len(san.machine.devices()) == 1
    san.run(20.0)
    assert san.machine.devices() == ()
    target.alive = True
    san.take_changes(DeviceFound)
    san.run(6.0)
    assert san.take_changes(DeviceFound) == [DeviceFound(E9_1)]


def test_a_silent_target_is_not_asked_and_comes_back_with_any_answer() -> None:
    target = FakeTarget()
    san = FakeSan(target)
    san.run(1.0)
    target.alive = False
    san.run(100.0)
    requests = len(san.requests(Command.ATA))
    san.run(100.0)
    assert len(san.requests(Command.ATA)) == requests
    san.take_changes(DeviceFound)
    target.alive, target.page = True, page(sectors=8)
    san.receive(target.config_answer())
    assert san.device().state is DeviceState.UP
    assert san.take_changes(DeviceStateChanged) == [DeviceStateChanged(E9_1, DeviceState.SILENT, DeviceState.UP)]
    san.run(1.0)
    identity = san.device().identity
    assert identity is not None
    assert identity.sectors == 8


def test_a_disk_that_was_exchanged_in_a_short_silence_is_seen_at_once() -> None:
    target = FakeTarget()
    san = FakeSan(target)
    san.run(1.0)
    target.alive = False
    san.run(14.0)
    assert san.device().state is DeviceState.SILENT
    target.alive, target.page = True, page(serial="other")
    san.receive(target.config_answer())
    san.run(0.1)
    assert san.take_changes(DeviceChanged) == [DeviceChanged(E9_1, 'serial "serial-1" -> "other"')]


def test_one_missed_broadcast_is_no_silence() -> None:
    target = FakeTarget()
    san = FakeSan(target)
    for _ in range(5):
        san.run(4.5)
        target.alive = not target.alive
        san.run(0.5)
    san.run(5.0)
    assert san.take_changes(PathStateChanged) == []


def test_discovering_in_quick_succession_makes_nobody_silent() -> None:
    target = FakeTarget(delay=1.0)
    san = FakeSan(target)
    san.run(4.0)
    for _ in range(30):
        san.machine.discover(san.now)
        san.run(0.1)
    san.run(2.0)
    assert san.device().state is DeviceState.UP


def test_who_asks_hears_also_whose_first_answer_was_lost() -> None:
    """Thousands answer at once, and some answers are lost."""
    target = FakeTarget(alive=False)
    san = FakeSan(target, interval=60.0)
    san.run(10.0)
    san.machine.discover(san.now)
    san.run(0.5)
    target.alive = True
    san.run(1.1)
    assert san.device().state is DeviceState.UP
    assert [time - 100.0 for time, _, _ in san.requests(Command.QUERY_CONFIG)] == [0.0, 10.0, 11.5]
    san.run(60.0)
    assert [time - 100.0 for time, _, _ in san.requests(Command.QUERY_CONFIG)[3:]] == [71.5]


def test_discovering_all_the_time_still_shows_who_is_silent() -> None:
    target = FakeTarget()
    san = FakeSan(target)
    san.run(3.0)
    target.alive = False
    for _ in range(15):
        san.machine.discover(san.now)
        san.run(1.0)
    assert san.device().state is DeviceState.SILENT


def test_a_removed_link_silences_its_paths_at_once_and_the_device_lives_by_the_others() -> None:
    san = FakeSan(FakeTarget(), FakeTarget(interface="eth2"), interfaces=("eth1", "eth2"))
    san.run(1.0)
    san.machine.set_links({"eth2": LINK}, san.now)
    states = {path.interface: path.state for path in san.device().paths}
    assert states == {"eth1": DeviceState.SILENT, "eth2": DeviceState.UP}
    assert san.device().state is DeviceState.UP
    san.machine.set_links({}, san.now)
    assert san.device().state is DeviceState.SILENT
    san.machine.set_links({"eth1": LINK}, san.now)
    san.run(0.1)
    assert san.device().state is DeviceState.UP


def test_questions_of_a_removed_link_are_not_repeated() -> None:
    san, _, _ = asked_san()
    san.machine.set_links({}, san.now)
    san.run(10.0)
    assert len(san.requests(Command.ATA)) == 1


def test_targets_that_wait_for_their_question_are_not_asked_on_a_removed_link() -> None:
    san = FakeSan()
    for number in range(2 * MAX_OUTSTANDING):
        san.receive(FakeTarget(address=Address(1 + number // 100, number % 100)).config_answer())
    san.machine.set_links({}, san.now)
    san.run(10.0)
    assert len(san.requests(Command.ATA)) == MAX_OUTSTANDING


def test_a_link_with_a_new_mac_asks_from_it() -> None:
    san = FakeSan()
    new = LocalLink(Mac.parse("52:54:00:00:00:99"), 2)
    san.machine.set_links({"eth1": new}, san.now)
    san.carry()
    assert [frame.header.source for _, _, frame in san.sent] == [LINK.mac, new.mac]
