"""Paths measured over a real wire: each direction by itself, loss, what cannot be measured, and what is said of it.

Between the two ends stands a wire that drops frames above a length in one direction, as a switch port of a smaller MTU does.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import ChooseInterfaces, EngineError, SetReservation
from aoetui.engine.commands.paths import CheckPaths, DeviceReport, PathReport, PathsReport, Untested
from aoetui.engine.initiator import path_measure
from aoetui.engine.packet import PacketSocket
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.ata import identify_page
from aoetui.engine.protocol.devices import Sameness
from aoetui.engine.protocol.frames import AtaArgument, ConfigArgument, Frame, decode, encode
from aoetui.engine.protocol.header import Header
from aoetui.engine.protocol.wire import SECTOR, VERSION, AtaOp
from aoetui.engine.snapshot import Severity
from tests.support.engines import E91, PATIENCE, add, disk, engine_in, spec
from tests.support.lossy import LossyWire, Rates
from tests.support.netns import Namespace, join

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aoetui.engine.local import LocalEngine
    from tests.support.netns import VethPair

PROBES = 20
NO_HARM = Rates(0, 0, 0)
NO_DISK = Path("nothing writes here")
WHOLE = 17 * SECTOR
OTHER = Mac.parse("02:00:00:00:00:99")


def check(engine: LocalEngine, address: Address | None = E91, probes: int = PROBES) -> PathsReport:
    """Carried out to its end."""
    return engine.submit(CheckPaths(address, probes)).result(PATIENCE)


def the_device(report: PathsReport) -> DeviceReport:
    """The only one."""
    (device,) = report.devices
    return device


def the_path(report: PathsReport) -> PathReport:
    """The only one."""
    (path,) = the_device(report).paths
    return path


def told(report: PathsReport) -> str:
    """All findings."""
    return "\n".join(f"{each.severity} {each.subject} {each.text}; {each.remedy}" for each in report.findings)


@dataclass(frozen=True, slots=True)
class Far:
    """A target of ours at the other end of a wire of MTU 9000."""

    wire: LossyWire
    asking: LocalEngine
    serving: LocalEngine


@pytest.fixture
def far(private_network: None, tmp_path: Path) -> Iterator[Far]:  # noqa: ARG001  # it may skip
    """It serves e9.1."""
    with contextlib.ExitStack() as stack:
        here, middle, there = (stack.enter_context(Namespace()) for _ in range(3))
        join(here, "end", middle, "left", mtu=9000)
        join(there, "end", middle, "right", mtu=9000)
        wire = stack.enter_context(LossyWire(middle, ("left", "right"), NO_DISK, NO_HARM, seed=1))
        asking, serving = (stack.enter_context(engine_in(each)) for each in (here, there))
        asking.submit(ChooseInterfaces(("end",))).result(PATIENCE)
        add(serving, spec(disk(tmp_path), interfaces=("end",)))
        yield Far(wire, asking, serving)


def test_where_all_is_well_the_whole_mtu_gets_through(far: Far) -> None:
    report = check(far.asking)
    path = the_path(report)
    assert (path.interface, path.local_mtu, path.sector_count, path.buffer_count) == ("end", 9000, 17, 64)
    assert (path.to_target.frame, path.to_target.mtu, path.to_target.payload) == (9014, 9000, WHOLE)
    assert (path.from_target.frame, path.from_target.payload, path.from_target.untested) == (36 + WHOLE, WHOLE, "")
    assert (path.loss.lost, path.loss.sent, path.duplicates, path.problem) == (0, 2 * PROBES, 0, "")
    assert path.round_trips is not None
    assert 0 < path.round_trips.least_us <= path.round_trips.median_us <= path.round_trips.p95_us <= path.round_trips.most_us
    device = the_device(report)
    assert (device.address, device.size, device.model, device.sameness) == (E91, 1 << 20, "aoetui", Sameness.SAME)
    assert (device.payload, device.agreed) == (WHOLE, WHOLE)
    assert not report.wrong, told(report)


def test_to_the_target_only_shorter_frames_pass(far: Far) -> None:
    far.wire.requests.fare(Rates(0, 0, 0, longest=4014))
    report = check(far.asking)
    path = the_path(report)
    assert (path.to_target.frame, path.to_target.payload) == (4014, 7 * SECTOR)
    assert path.from_target.payload == WHOLE
    assert path.loss.lost == 0
    assert f"only capable of 3584 byte payloads, of {WHOLE}: frames of more than 4014 bytes (MTU 4000)" in told(report)
    assert "on the way to the target, from end" in told(report)
    assert "on the way from" not in told(report)


def test_from_the_target_only_shorter_frames_pass(far: Far) -> None:
    far.wire.replies.fare(Rates(0, 0, 0, longest=4200))
    report = check(far.asking)
    path = the_path(report)
    assert path.to_target.frame == 9014
    assert (path.from_target.frame, path.from_target.tried, path.from_target.payload) == (4132, 36 + WHOLE, 8 * SECTOR)
    assert f"only capable of 4096 byte payloads, of {WHOLE}: frames of 4644 bytes and more are lost" in told(report)
    assert "on the way to the target" not in told(report)


def test_each_way_has_its_own_limit(far: Far) -> None:
    far.wire.requests.fare(Rates(0, 0, 0, longest=2000))
    far.wire.replies.fare(Rates(0, 0, 0, longest=1514))
    path = the_path(check(far.asking))
    assert (path.to_target.frame, path.from_target.frame) == (2000, 1060)


def test_loss_is_counted_and_not_taken_for_length(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_measure, "STREAM_SECONDS", 1.0)
    far.wire.requests.fare(Rates(0.05, 0, 0), seed=3)
    far.wire.replies.fare(Rates(0.05, 0, 0), seed=4)
    path = the_path(report := check(far.asking))
    assert (path.to_target.frame, path.from_target.payload) == (9014, WHOLE)
    assert 0 < path.loss.rate < 0.5
    assert path.loss.sent > 2 * PROBES, "more are sent where some are lost"
    assert any(each.severity is Severity.ALARM and "were not answered" in each.text for each in report.findings), told(report)


def test_what_comes_twice_is_counted_and_is_no_loss(far: Far) -> None:
    far.wire.replies.fare(Rates(0, 1, 0, late=0))
    path = the_path(report := check(far.asking))
    assert path.duplicates > PROBES
    assert path.loss.lost == 0
    assert "came twice" in told(report)


def test_a_reserved_device_is_not_read(far: Far) -> None:
    far.serving.submit(SetReservation(E91, (OTHER,))).result(PATIENCE)
    path = the_path(report := check(far.asking))
    assert path.to_target.frame == 9014
    assert (path.from_target.frame, path.from_target.untested) == (548, Untested.RESERVED)
    assert path.loss.lost == 0
    assert "512 bytes a frame are known to pass, of 8704: the device is reserved for others" in told(report)
    assert not report.wrong, told(report)


def test_a_disk_of_few_sectors_is_read_as_far_as_it_goes(far: Far, tmp_path: Path) -> None:
    add(far.serving, spec(disk(tmp_path, "small.img", 5 * SECTOR), address=Address(9, 2), interfaces=("end",)))
    path = the_path(report := check(far.asking, Address(9, 2)))
    assert (path.from_target.payload, path.from_target.untested) == (5 * SECTOR, Untested.SMALL_DISK)
    assert "its 5 sectors are no multiple of 8" in told(report)
    both = check(far.asking, None)
    assert [each.address for each in both.devices] == [E91, Address(9, 2)]


def test_who_does_not_answer_is_in_no_report(far: Far) -> None:
    report = check(far.asking, Address(9, 9))
    assert (report.devices, report.wrong, [each.name for each in report.interfaces]) == ((), False, ["end"])


def test_without_an_interface_it_says_so(near: LocalEngine) -> None:
    with pytest.raises(EngineError, match="no interface"):
        check(near)


def test_two_disks_at_one_address_are_an_alarm(veth_pair: VethPair, tmp_path: Path) -> None:
    join(veth_pair.near, "near1", veth_pair.far, "far1", mtu=4200)
    with contextlib.ExitStack() as stack:
        asking = stack.enter_context(engine_in(veth_pair.far))
        asking.submit(ChooseInterfaces(("far0", "far1"))).result(PATIENCE)
        for name, size in (("near0", 1 << 20), ("near1", 1 << 19)):
            serving = stack.enter_context(engine_in(veth_pair.near))
            add(serving, spec(disk(tmp_path, f"{name}.img", size), interfaces=(name,)), force=True)
        report = check(asking)
    device = the_device(report)
    assert device.sameness is Sameness.DIFFERENT
    assert report.findings[0].severity is Severity.ALARM
    assert "different disks answer at e9.1" in report.findings[0].text
    assert (device.payload, device.interfaces, len(device.macs)) == (1024, ("far0", "far1"), 2)
    assert "far0: MTU 1500 differs from that of the other interfaces, 4200" in told(report)


class GoneError(Exception):
    """The target answers no more."""


@contextlib.contextmanager
def responder(pair: VethPair, answer: Callable[[Header, AtaArgument], Frame | None]) -> Iterator[None]:
    """A target at the near end that offers 17 sectors, and answers ATA by `answer`, until that raises GoneError."""
    wire = pair.near.run(lambda: PacketSocket(pair.near_link))
    ended = threading.Event()

    def body() -> None:
        with contextlib.suppress(GoneError, OSError):
            answer_all()

    def answer_all() -> None:
        while not ended.is_set():
            for raw in wire.receive(0.05):
                asked = decode(raw)
                reply: Frame | None = Frame(reply_to(asked.header, wire.mac), ConfigArgument(64, 1, 17, VERSION, 0, b""))
                if isinstance(asked.argument, AtaArgument):
                    reply = answer(reply_to(asked.header, wire.mac), asked.argument)
                if reply is not None:
                    wire.send([encode(reply)])

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        wire.close()


def reply_to(asked: Header, mac: Mac, error: int | None = None) -> Header:
    """Of e9.1."""
    return Header(asked.source, mac, VERSION, response=True, error=error, shelf=9, slot=1, command=asked.command, tag=asked.tag)


PAGE = AtaArgument(0, 0, 0, 0x40, 0, identify_page(sectors=800, serial="1", firmware="1", write_cache=False))


@pytest.fixture
def asking(veth_pair: VethPair) -> Iterator[LocalEngine]:
    """An engine at the far end, of MTU 9000, that has chosen its interface."""
    for space, name in ((veth_pair.near, "near0"), (veth_pair.far, "far0")):
        space.set_link(name, mtu=9000)
    with engine_in(veth_pair.far) as engine:
        engine.submit(ChooseInterfaces(("far0",))).result(PATIENCE)
        yield engine


def test_a_target_that_offers_more_than_it_serves(asking: LocalEngine, veth_pair: VethPair) -> None:
    def answer(header: Header, asked: AtaArgument) -> Frame:
        if asked.op_or_status == AtaOp.IDENTIFY:
            return Frame(header, PAGE)
        if asked.sector_count > 2:
            refused = Header(
                header.destination, header.source, VERSION, response=True, error=2, shelf=9, slot=1, command=0, tag=header.tag
            )
            return Frame(refused, AtaArgument(0, 0, 0, 0, 0, b""))
        return Frame(header, AtaArgument(0, 0, 0, 0x40, 0, bytes(asked.sector_count * SECTOR)))

    with responder(veth_pair, answer):
        report = check(asking)
    path = the_path(report)
    assert (path.from_target.payload, path.from_target.untested) == (1024, Untested.REFUSED)
    assert "the target serves less than it offers" in told(report)
    assert report.wrong


def test_a_disk_that_fails_is_told(asking: LocalEngine, veth_pair: VethPair) -> None:
    def answer(header: Header, asked: AtaArgument) -> Frame:
        return Frame(header, PAGE if asked.op_or_status == AtaOp.IDENTIFY else AtaArgument(0, 0x40, 1, 0x41, 0, b""))

    with responder(veth_pair, answer):
        path = the_path(check(asking))
    assert (path.from_target.frame, path.from_target.untested) == (548, Untested.UNREADABLE)


def test_a_target_that_ends_meanwhile_is_told_and_nothing_is_concluded(asking: LocalEngine, veth_pair: VethPair) -> None:
    def answer(header: Header, asked: AtaArgument) -> Frame:
        if asked.op_or_status == AtaOp.READ:
            raise GoneError
        return Frame(header, PAGE)

    with responder(veth_pair, answer):
        report = check(asking)
    path = the_path(report)
    assert "does not any more" in path.problem
    assert (path.to_target.frame, path.from_target.frame) == (0, 0)
    assert [each.text for each in report.findings if each.subject == "e9.1" and each.severity is not Severity.INFO] == [
        f"far0 -> {path.mac}: {path.problem}"
    ]


def test_an_interface_that_is_lost_meanwhile_is_told(asking: LocalEngine, veth_pair: VethPair) -> None:
    def answer(header: Header, asked: AtaArgument) -> Frame:
        if asked.op_or_status == AtaOp.READ:
            veth_pair.far.set_link("far0", state="down")
            raise GoneError
        return Frame(header, PAGE)

    with responder(veth_pair, answer):
        report = check(asking)
    assert "far0 is down" in the_path(report).problem
    assert "far0 is down; bring it up with" in told(report)


def test_identify_without_an_answer(asking: LocalEngine, veth_pair: VethPair) -> None:
    with responder(veth_pair, lambda _header, _asked: None):
        path = the_path(check(asking))
    assert "not IDENTIFY" in path.problem
    assert path.to_target.frame == 0


def test_identify_without_its_page(asking: LocalEngine, veth_pair: VethPair) -> None:
    with responder(veth_pair, lambda header, _asked: Frame(header, AtaArgument(0, 0, 0, 0x40, 0, bytes(100)))):
        path = the_path(check(asking))
    assert "512 bytes, not" in path.problem


def test_anothers_answers_do_not_count(asking: LocalEngine, veth_pair: VethPair) -> None:
    """From another MAC, to another slot: it carries the tag of what was asked."""

    def answer(header: Header, asked: AtaArgument) -> Frame:
        if asked.op_or_status == AtaOp.IDENTIFY:
            return Frame(header, PAGE)
        data = AtaArgument(0, 0, 0, 0x40, 0, bytes(asked.sector_count * SECTOR))
        source, slot = (OTHER, 1) if asked.sector_count % 2 else (header.source, 2)
        wrong = Header(
            header.destination, source, VERSION, response=True, error=None, shelf=9, slot=slot, command=0, tag=header.tag
        )
        return Frame(wrong, data)

    with responder(veth_pair, answer):
        path = the_path(check(asking, probes=2))
    assert path.to_target.frame == 9014
    assert (path.from_target.frame, path.from_target.tried, path.long_frames.lost) == (548, 36 + WHOLE, path.long_frames.sent)
