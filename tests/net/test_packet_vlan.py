"""Packet sockets for a VLAN that has no link of its own, and those for untagged frames beside it, on real links."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import EngineError
from aoetui.engine.packet import PacketSocket
from aoetui.engine.protocol.wire import ETHERNET_HEADER
from tests.support.netns import veth_pair as make_veth_pair
from tests.support.tap import Seen, tap, with_tag
from tests.support.wires import next_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.netns import Namespace, VethPair

NEAR, FAR = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
BROADCAST = b"\xff" * 6
OTHER = bytes.fromhex("020000000077")
AOE = b"\x88\xa2" + bytes(46)
TAG = b"\x81\x00\x00\x64"
LAST = NEAR + FAR + b"\x88\xa2" + b"\x01" * 46
PLAIN = "near0"
VLAN = "near0 vlan 100"


@contextmanager
def port(namespace: Namespace, name: str) -> Iterator[PacketSocket]:
    """A packet socket of the engine."""
    with closing(namespace.run(lambda: PacketSocket(name))) as wire:
        yield wire


def heard(veth_pair: VethPair, name: str, *frames: bytes) -> tuple[list[bytes], int]:
    """What a port takes of frames that come, up to a last one for it, and how many it counts as of a foreign VLAN."""
    with port(veth_pair.near, name) as wire, tap(veth_pair.far, "far0") as sender:
        for frame in (*frames, LAST if name == PLAIN else with_tag(LAST, TAG)):
            sender.send(frame)
        taken: list[bytes] = []
        while LAST not in taken:
            taken += next_frames(wire)
        return taken[:-1], wire.statistics().foreign_vlan


@pytest.mark.parametrize("tag", ["81000064", "8100e064", "81001064"])
@pytest.mark.parametrize("destination", [NEAR, BROADCAST])
def test_a_vlans_frames_come_without_their_tag(veth_pair: VethPair, tag: str, destination: bytes) -> None:
    frame = destination + FAR + AOE
    tagged = with_tag(frame, bytes.fromhex(tag))
    assert heard(veth_pair, VLAN, tagged) == ([frame], 0)
    assert heard(veth_pair, PLAIN, tagged) == ([], 1)


@pytest.mark.parametrize("tag", ["", "81000000", "8100a000"])
def test_untagged_frames_are_those_with_a_priority_alone_too(veth_pair: VethPair, tag: str) -> None:
    frame = NEAR + FAR + AOE
    sent = with_tag(frame, bytes.fromhex(tag))
    assert heard(veth_pair, PLAIN, sent) == ([frame], 0)
    assert heard(veth_pair, VLAN, sent) == ([], 0)


@pytest.mark.parametrize(
    ("tags", "counted"),
    [
        ("81000065", 1),
        ("81000164", 1),
        ("88a80064", 1),  # 802.1ad
        ("8100006481000064", 0),  # two tags: no AoE frame for a socket that is not told of tags
        ("88a8006481000064", 0),
        ("8100000081000064", 1),
    ],
)
def test_other_tags_are_of_neither(veth_pair: VethPair, tags: str, counted: int) -> None:
    sent = with_tag(NEAR + FAR + AOE, bytes.fromhex(tags))
    assert heard(veth_pair, VLAN, sent) == ([], 0)
    assert heard(veth_pair, PLAIN, sent) == ([], counted)


@pytest.mark.parametrize("tag", [b"", TAG])
def test_frames_to_another_host_are_heard_by_none_and_not_called_a_vlans(veth_pair: VethPair, tag: bytes) -> None:
    sent = with_tag(OTHER + FAR + AOE, tag)
    assert heard(veth_pair, VLAN, sent) == ([], 0)
    assert heard(veth_pair, PLAIN, sent) == ([], 0)


def test_other_ethertypes_of_the_vlan_are_not_heard(veth_pair: VethPair) -> None:
    assert heard(veth_pair, VLAN, with_tag(NEAR + FAR + b"\x88\xb5" + bytes(46), TAG)) == ([], 0)


def test_what_this_host_sends_itself_is_not_heard(veth_pair: VethPair) -> None:
    with port(veth_pair.near, VLAN) as wire, tap(veth_pair.near, "near0") as here, tap(veth_pair.far, "far0") as there:
        here.send(with_tag(BROADCAST + NEAR + AOE, TAG))
        there.send(with_tag(LAST, TAG))
        assert next_frames(wire) == [LAST]


@pytest.mark.parametrize("mtu", [1500, 9000])
@pytest.mark.usefixtures("private_network")
def test_frames_of_a_whole_mtu_cross_with_their_tag(mtu: int) -> None:
    full, short = FAR + NEAR + b"\x88\xa2" + b"\x5a" * mtu, FAR + NEAR + AOE
    assert len(full) == mtu + ETHERNET_HEADER
    with make_veth_pair(mtu=mtu) as pair, port(pair.near, VLAN) as wire, tap(pair.far, "far0") as other:
        assert wire.mtu == mtu
        assert wire.send([short, full, full + b"\0", short]) == 3
        assert other.incoming(3) == [Seen(100, outgoing=False, frame=frame) for frame in (short, full, short)]
        assert wire.statistics().send_failed == 1
        back = NEAR + FAR + full[12:]
        other.send(with_tag(back, TAG))
        assert next_frames(wire) == [back]


def test_a_missing_interface_is_named(namespace: Namespace) -> None:
    with pytest.raises(EngineError, match="there is no interface eth77:"):
        namespace.run(lambda: PacketSocket("eth77 vlan 100"))
