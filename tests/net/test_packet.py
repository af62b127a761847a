"""The packet socket on real links: frames cross a cable between two namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.packet import PacketSocket

if TYPE_CHECKING:
    from tests.support.netns import VethPair


def test_frames_cross(veth_pair: VethPair) -> None:
    near = veth_pair.near.run(lambda: PacketSocket("near0"))
    far = veth_pair.far.run(lambda: PacketSocket("far0"))
    frame = far.mac.raw + near.mac.raw + b"\x88\xa2" + bytes(46)
    assert near.send([frame]) == 1
    assert far.receive(2) == [frame]
    assert far.send([far.mac.raw + frame[6:]]) == 1
    assert near.receive(0.1) == []
    near.close()
    far.close()
