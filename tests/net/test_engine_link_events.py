"""What happens to an interface under an export is told once, and what the kernel does not send is counted and ends nothing."""

from __future__ import annotations

import fcntl
import os
import select
import struct
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.protocol.address import BROADCAST_MAC, Mac
from aoetui.engine.protocol.frames import AtaArgument, ConfigArgument, config_request, decode
from aoetui.engine.protocol.wire import SECTOR, AtaOp
from aoetui.engine.snapshot import ExportState, LinkSnapshot, Severity
from tests.support.engines import E91, PATIENCE, Held, add, disk, engine_in, spec, the_export
from tests.support.initiator import initiator
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from tests.support.netns import Namespace, VethPair

MAC, OTHER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:77"


@pytest.fixture
def serving(near: LocalEngine, tmp_path: Path) -> LocalEngine:
    """An engine at the near end that serves e9.1."""
    add(near, spec(disk(tmp_path)))
    return near


class Told:
    """What an engine tells of near0 from now on."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._since = engine.snapshot().last_event

    def all(self) -> list[str]:
        """Every sentence."""
        return [event.text for event in self._engine.events(self._since) if event.subject == "near0"]

    def until(self, count: int) -> list[str]:
        """The first `count` sentences."""
        wait_until(lambda: len(self.all()) >= count, f"{count} events")
        return self.all()

    def was_all(self, count: int) -> None:
        """Two ticks, in which alarms are judged, tell nothing more."""
        ticks = self._engine._ticks + 2
        wait_until(lambda: self._engine._ticks >= ticks, "two ticks")
        assert len(self.all()) == count, self.all()


def serves(engine: LocalEngine, pair: VethPair) -> None:
    """Wait until it is served, and use it."""
    wait_until(lambda: the_export(engine).state is ExportState.SERVING, "it is served")
    with initiator(pair.far, "far0") as ini:
        ini.find()
        assert ini.read(3, 1) == (3).to_bytes(4, "big") * (SECTOR // 4)


def test_down_and_up(serving: LocalEngine, veth_pair: VethPair) -> None:
    told = Told(serving)
    veth_pair.near.set_link("near0", state="down")
    assert told.until(1) == ["near0 was set down: bring it up with `ip link set near0 up`"]
    told.was_all(1)
    assert "near0" in {alarm.subject for alarm in serving.snapshot().alarms}
    veth_pair.near.set_link("near0", state="up")
    assert told.until(2)[1:] == ["near0 is back"]
    serves(serving, veth_pair)
    told.was_all(2)


def test_a_carrier_that_is_lost_and_found(serving: LocalEngine, veth_pair: VethPair) -> None:
    told = Told(serving)
    veth_pair.far.set_link("far0", state="down")
    assert told.until(1) == ["near0 lost its carrier: check the cable"]
    veth_pair.far.set_link("far0", state="up")
    assert told.until(2)[1:] == ["near0 is back"]
    serves(serving, veth_pair)
    told.was_all(2)


def test_a_new_mtu(serving: LocalEngine, veth_pair: VethPair) -> None:
    told = Told(serving)
    for mtu in (9000, 1500):
        veth_pair.far.set_link("far0", mtu=mtu)
        veth_pair.near.set_link("near0", mtu=mtu)
        wait_until(lambda: bool(told.all()) and f"to {mtu}" in told.all()[-1], "it is told")  # noqa: B023  # called here
    assert told.until(2) == [
        "near0's MTU went from 1500 to 9000: initiators use 17 sectors a frame from their next question on",
        "near0's MTU went from 9000 to 1500: initiators use 2 sectors a frame from their next question on",
    ]
    serves(serving, veth_pair)
    told.was_all(2)


@pytest.mark.parametrize("mac", [MAC, OTHER_MAC])
def test_a_link_that_is_deleted_and_made_again(serving: LocalEngine, veth_pair: VethPair, mac: str) -> None:
    told = Told(serving)
    veth_pair.near.delete_link("near0")
    assert told.until(1) == ["near0 was deleted: AoE goes on when there is an interface of this name again"]
    peer = {"ifname": "far0", "net_ns_fd": veth_pair.far.fileno()}
    veth_pair.near.add_link("near0", kind="veth", address=mac, peer=peer)
    again = told.until(2)[1]
    if mac == MAC:
        assert again == "near0 was made again with the same MAC; it is down yet"
    else:
        assert again.startswith(f"near0 was made again with another MAC, {OTHER_MAC} (was {MAC}): initiators learn it")
    veth_pair.far.set_link("far0", state="up")
    veth_pair.near.set_link("near0", state="up")
    assert told.until(3)[2] == "near0 is back"
    serves(serving, veth_pair)
    told.was_all(3)


def test_a_link_that_is_renamed_and_gets_its_name_back(serving: LocalEngine, veth_pair: VethPair) -> None:
    near, told = veth_pair.near, Told(serving)
    near.set_link("near0", state="down")
    told.until(1)
    near.set_link("near0", ifname="lan7")
    assert told.until(2)[1] == "near0 was renamed lan7: AoE is not spoken on lan7; choose that name, or give near0 back"
    near.set_link("lan7", ifname="near0")
    assert told.until(3)[2] == "near0 is here: lan7 was renamed so; it is down yet"
    near.set_link("near0", state="up")
    assert told.until(4)[3] == "near0 is back"
    serves(serving, veth_pair)
    told.was_all(4)


def test_an_interruption_too_short_to_be_seen_is_told_by_its_socket(serving: LocalEngine, veth_pair: VethPair) -> None:
    """Netlink says only that something changed: a link that is back when it is looked at was never away."""
    told = Told(serving)
    port = serving._core.ports.require("near0")

    def interrupt(netlink: object) -> None:
        index = port.index
        for state in ("down", "up"):
            netlink.link("set", index=index, state=state)  # type: ignore[attr-defined]

    veth_pair.near.route(interrupt)
    if told.until(1) == ["AoE stopped on near0 for a moment: Network is down"]:
        serves(serving, veth_pair)
        told.was_all(1)
    else:  # this host was so busy that it was seen
        told.was_all(2)


# ---- what the kernel does not send


def link_of(engine: LocalEngine, name: str) -> LinkSnapshot:
    """One interface as the console sees it."""
    return next(link for link in engine.snapshot().links if link.name == name)


def test_an_mtu_cut_under_replies_is_warned_of_counted_and_ends_nothing(serving: LocalEngine, veth_pair: VethPair) -> None:
    for end, name in ((veth_pair.far, "far0"), (veth_pair.near, "near0")):
        end.set_link(name, mtu=9000)
    wait_until(lambda: the_export(serving).ports[0].sector_count == 17, "17 sectors are served")
    with initiator(veth_pair.far, "far0") as ini:
        ini.find()
        assert len(ini.read(0, 17)) == 17 * SECTOR
        held = Held(serving)
        requests = [(17, 101), (17, 102), (2, 103)]
        ini.wire.send([ini.request(AtaOp.READ_EXT, 0, count, b"", tag) for count, tag in requests])
        held.waits_for(ini, len(requests))
        since = serving.snapshot().last_event
        veth_pair.near.set_link("near0", mtu=1500)
        wait_until(lambda: the_export(serving).ports[0].sector_count == 2, "2 sectors are served")
        held.go()
        answers: list[int] = []
        while 103 not in answers:
            answers += [frame.header.tag for frame in ini.heard() if isinstance(frame.argument, AtaArgument)]
        assert answers == [103], "those that still fit are answered, no part of the others"
        wait_until(lambda: link_of(serving, "near0").send_failed == 2, "the others are counted, once the batch is through")
        (event,) = [event for event in serving.events(since) if event.subject == "near0"]
        assert event.severity is Severity.WARNING
        assert f"At work here: {ini.wire.mac}" in event.text
        assert len(ini.read(0, 2)) == 2 * SECTOR


TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 2, 0x1000


@pytest.fixture
def tap(namespace: Namespace) -> Iterator[int]:
    """A tap `near0` whose queue holds two frames; nobody reads it but who has this file."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("/dev/net/tun cannot be opened here: no tap")
    # a tap belongs to the network in which its file was opened
    file = namespace.run(lambda: os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    request = struct.pack("=16sH22x", b"near0", IFF_TAP | IFF_NO_PI)
    try:
        fcntl.ioctl(file, TUNSETIFF, request)
        namespace.set_link("near0", txqlen=2)
        namespace.set_link("near0", state="up")
        yield file
    finally:
        os.close(file)


def emptied(tap: int) -> list[bytes]:
    """The frames that stood in its queue."""
    frames = []
    while True:
        try:
            frames.append(os.read(tap, 65536))
        except BlockingIOError:
            return frames


def test_a_full_queue_is_counted_and_ends_nothing(namespace: Namespace, tap: int, tmp_path: Path) -> None:
    """ENOBUFS: nobody takes the frames off the tap's queue."""
    with engine_in(namespace) as engine:
        add(engine, spec(disk(tmp_path)))
        question = config_request(source=Mac.parse(MAC), address=E91, tag=7)
        assert question[:6] == BROADCAST_MAC.raw
        for number in range(1, 6):
            before = the_export(engine).counters.others
            os.write(tap, question)
            wait_until(lambda: the_export(engine).counters.others > before, f"question {number} is answered")  # noqa: B023  # called here
        wait_until(lambda: link_of(engine, "near0").send_failed >= 5, "what was not taken is counted")
        emptied(tap)
        os.write(tap, question)
        ready = select.poll()
        ready.register(tap, select.POLLIN)
        assert ready.poll(PATIENCE * 1000)
        assert isinstance(decode(os.read(tap, 65536)).argument, ConfigArgument)
        assert the_export(engine).state is ExportState.SERVING
