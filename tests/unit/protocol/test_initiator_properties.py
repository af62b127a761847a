"""Whatever arrives, in whatever order: the scanner raises MalformedFrame at most, and stays consistent and bounded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aoetui.engine.protocol import questions, san
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.devices import Change, ConflictEnded, ConflictFound, DeviceStateChanged, PathFound, PathStateChanged
from aoetui.engine.protocol.frames import MalformedFrame, decode
from aoetui.engine.protocol.initiator import Device, DeviceState, Path, Sameness, ScannerMachine
from aoetui.engine.protocol.wire import Command
from tests.unit.protocol.fake_san import LINK, FakeTarget, mac_of, page

INTERFACES = ("eth1", "eth2", "eth3")
BEST_FIRST = (DeviceState.UP, DeviceState.SILENT, DeviceState.GONE)
PAGES = (page(), page(serial="other"), page(sectors=4096), page(model="ggaoed"))


@dataclass(frozen=True)
class Answer:
    """A good frame of one of a few targets; `question` picks one of the questions sent lately."""

    interface: str
    target: FakeTarget
    identify: bool
    question: int


@dataclass(frozen=True)
class Mutated:
    """A good frame with some bytes replaced and its end cut off."""

    answer: Answer
    bytes_at: dict[int, int]
    length: int


@dataclass(frozen=True)
class Raw:
    """Any bytes."""

    interface: str
    frame: bytes


@dataclass(frozen=True)
class Wait:
    """Time passes; the timer is served when due, or late."""

    seconds: float
    late: bool


@dataclass(frozen=True)
class Links:
    """Interfaces come and go."""

    names: frozenset[str]


@dataclass(frozen=True)
class Discover:
    """Someone presses the key."""


Step = Answer | Mutated | Raw | Wait | Links | Discover

targets = st.builds(
    FakeTarget,
    address=st.sampled_from([Address(1, 0), Address(1, 1)]),
    mac=st.sampled_from([mac_of(1), mac_of(2)]),
    config=st.sampled_from([b"", b"web01"]),
    page=st.sampled_from(PAGES),
)
answers = st.builds(Answer, st.sampled_from(INTERFACES), targets, st.booleans(), st.integers(0, 3))
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        answers,
        st.builds(Mutated, answers, st.dictionaries(st.integers(0, 80), st.integers(0, 255), max_size=4), st.integers(0, 560)),
        st.builds(Raw, st.sampled_from(INTERFACES), st.binary(max_size=80)),
        st.builds(Wait, st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0, 20.0, 650.0, 4300.0]), st.booleans()),
        st.builds(Links, st.frozensets(st.sampled_from(INTERFACES))),
        st.just(Discover()),
    ),
    max_size=60,
)


class Checker:
    """A scanner, all that it sent and told, and what must hold after every step."""

    def __init__(self) -> None:
        self.machine = ScannerMachine()
        self.now = 0.0
        self.tags: list[int] = [0]
        self.told: dict[tuple[Address, Mac, str], DeviceState] = {}
        self.conflicts: set[Address] = set()
        self.states: dict[Address, DeviceState] = {}
        self.machine.set_interval(5.0, 0.0)
        self.machine.set_links(dict.fromkeys(INTERFACES, LINK), 0.0)
        self.links = frozenset(INTERFACES)

    def do(self, step: Step) -> None:
        """One step."""
        match step:
            case Answer():
                self.machine.receive(step.interface, self.frame_of(step), self.now)
            case Mutated(answer, bytes_at, length):
                frame = bytearray(self.frame_of(answer)[:length])
                for offset, value in bytes_at.items():
                    frame[offset : offset + 1] = bytes([value])
                with suppress(MalformedFrame):
                    self.machine.receive(answer.interface, bytes(frame), self.now)
            case Raw(interface, raw):
                with suppress(MalformedFrame):
                    self.machine.receive(interface, raw, self.now)
            case Wait(seconds, late):
                self.wait(seconds, late=late)
            case Links(names):
                self.links = names
                self.machine.set_links(dict.fromkeys(names, LINK), self.now)
            case Discover():
                self.machine.discover(self.now)

    def frame_of(self, answer: Answer) -> bytes:
        """Its bytes."""
        tag = self.tags[-1 - answer.question % len(self.tags)]
        return answer.target.identify_answer(tag) if answer.identify else answer.target.config_answer(tag)

    def wait(self, seconds: float, *, late: bool) -> None:
        """Serve the timer on time, or once at the end. Each service must bring the timer forward."""
        end = self.now + seconds
        while not late and (timer := self.machine.timer()) is not None and timer <= end:
            self.now = max(self.now, timer)
            self.machine.handle_timer(self.now)
            following = self.machine.timer()
            assert following is None or following > self.now
            self.drain()
        self.now = end
        self.machine.handle_timer(end)

    def drain(self) -> None:
        """Check what was sent, and follow what was told."""
        for interface, raw in self.machine.outgoing():
            header = decode(raw).header
            assert not header.response
            assert header.source == LINK.mac
            assert header.tag >> 31
            assert interface in INTERFACES
            if header.command == Command.ATA:
                self.tags.append(header.tag)
        for change in self.machine.changes():
            self.follow(change)

    def follow(self, change: Change) -> None:
        """Each change must follow from the one before."""
        match change:
            case PathFound(address, mac, interface):
                self.told[address, mac, interface] = DeviceState.UP
                self.states.setdefault(address, DeviceState.UP)
            case PathStateChanged(address, mac, interface, old, new):
                assert self.told[address, mac, interface] is old
                assert old is not new
                self.told[address, mac, interface] = new
            case DeviceStateChanged(address, old, new):
                assert self.states[address] is old
                self.states[address] = new
            case ConflictFound(address):
                assert address not in self.conflicts
                self.conflicts.add(address)
            case ConflictEnded(address):
                self.conflicts.remove(address)
            case _:
                pass

    def check(self) -> None:
        """What holds at any time."""
        self.drain()
        devices = self.machine.devices()
        assert [device.address for device in devices] == sorted({device.address for device in devices})
        for device in devices:
            self.check_device(device)
        assert self.conflicts == {device.address for device in devices if device.sameness is Sameness.DIFFERENT}
        for forgotten in self.states.keys() - {device.address for device in devices}:
            assert self.states.pop(forgotten) is DeviceState.GONE

    def check_device(self, device: Device) -> None:
        """One device fits its paths, and what was told of it."""
        assert device.paths
        assert device.state is min((path.state for path in device.paths), key=BEST_FIRST.index)
        assert self.states[device.address] is device.state
        assert device.first_seen <= device.last_seen <= self.now
        macs = {path.mac for path in device.paths if path.state is not DeviceState.GONE}
        if len(macs) < 2:
            assert device.sameness is Sameness.SAME
        for path in device.paths:
            self.check_path(device.address, path)

    def check_path(self, address: Address, path: Path) -> None:
        """One path is what was told of it."""
        assert self.told[address, path.mac, path.interface] is path.state
        assert path.state is not DeviceState.UP or path.interface in self.links
        assert not path.mac.is_multicast
        assert path.rtt is None or 0 <= path.rtt <= self.now
        assert 1 <= path.sector_count <= LINK.sector_count


@settings(max_examples=150, deadline=None)
@given(steps)
def test_only_malformed_frame_escapes_and_all_stays_consistent(history: list[Step]) -> None:
    checker = Checker()
    for step in history:
        checker.do(step)
        checker.check()
    checker.wait(san.FORGOTTEN_AFTER + 5, late=True)
    checker.check()
    assert checker.machine.devices() == ()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8), st.integers(0, 3)), max_size=150))
def test_memory_is_bounded(answers: list[tuple[int, int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(san, "MAX_PATHS", 20)
        patch.setattr(san, "MAX_PATHS_OF_DEVICE", 4)
        patch.setattr(questions, "MAX_OUTSTANDING", 3)
        machine = ScannerMachine()
        machine.set_links({"eth1": LINK}, 0.0)
        machine.outgoing()
        paths = set()
        for number, (slot, mac, config) in enumerate(answers):
            target = FakeTarget(address=Address(1, slot), mac=mac_of(mac), config=bytes([config]))
            machine.receive("eth1", target.config_answer(), number * 0.001)
            paths.add((slot, mac))
        kept = [path for device in machine.devices() for path in device.paths]
        assert len(kept) <= 20
        assert all(len(device.paths) <= 4 for device in machine.devices())
        assert (machine.ignored_paths > 0) == (len(kept) < len(paths))
        assert len(machine.outgoing()) == min(3, len(kept))
