"""The packet socket on real links: frames cross a cable between two namespaces."""

from __future__ import annotations

import errno
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.protocol.wire import ETHERNET_HEADER
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wires import next_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.packet import PacketSocket
    from tests.net.conftest import Cable
    from tests.support.netns import Namespace

BROADCAST = b"\xff" * 6


def take(wire: PacketSocket, count: int) -> list[bytes]:
    """Receive until there are `count` frames."""
    frames: list[bytes] = []
    while len(frames) < count:
        frames += next_frames(wire)
    return frames


def send_raw(namespace: Namespace, link: str, *frames: bytes) -> None:
    """Send from a plain socket, whatever the frames are."""

    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
            raw.bind((link, 0))
            for frame in frames:
                raw.send(frame)

    namespace.run(send)


def in_background(call: Callable[[], object]) -> Callable[[], object]:
    """Start a call in a thread; what is returned waits for it and gives its result or its exception."""
    outcome: list[object] = []

    def body() -> None:
        try:
            outcome.append(call())
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=body)
    thread.start()

    def result() -> object:
        thread.join(DEADLINE)
        assert not thread.is_alive()
        return outcome[0]

    return result


def test_frames_cross_both_ways_and_nobody_hears_itself(cable: Cable) -> None:
    there = [cable.frame(bytes([n]) * 46, to_near=False) for n in range(3)]
    back = [cable.frame(bytes([n]) * 46) for n in range(3)]
    assert cable.near.send(there) == 3
    assert take(cable.far, 3) == there
    assert cable.far.send(back) == 3
    assert take(cable.near, 3) == back
    assert cable.near.statistics().received == 3


def test_mac_and_mtu_are_those_of_the_link(cable: Cable) -> None:
    assert (str(cable.near.mac), cable.near.mtu) == (cable.pair.near_mac, 1500)


def test_an_unpadded_frame_keeps_its_length(cable: Cable) -> None:
    request = cable.frame(bytes(18))
    cable.far.send([request])
    assert take(cable.near, 1) == [request]


def test_nothing_to_send_sends_nothing(cable: Cable) -> None:
    assert cable.near.send([]) == 0


def test_more_frames_than_one_system_call_takes_keep_their_order(cable: Cable) -> None:
    frames = [cable.frame(n.to_bytes(2, "big") * 23) for n in range(300)]
    assert cable.far.send(frames) == 300
    assert take(cable.near, 300) == frames


@pytest.mark.usefixtures("interpreted")  # a compiled loop empties the ring
def test_a_full_ring_drops_and_counts_the_rest_and_garbles_nothing(jumbo_cable: Cable) -> None:
    slots = jumbo_cable.near._queues[0].ring.slots
    sent = [jumbo_cable.frame(n.to_bytes(2, "big") * 1024) for n in range(slots + 88)]
    assert jumbo_cable.far.send(sent) == len(sent)
    wait_until(lambda: jumbo_cable.near.statistics().ring_dropped >= 88, "the drops of a full ring")
    assert take(jumbo_cable.near, slots) == sent[:slots]
    for at in range(0, slots, 100):  # again around the ring
        more = sent[at : at + 100]
        jumbo_cable.far.send(more)
        assert take(jumbo_cable.near, len(more)) == more
    assert jumbo_cable.near.statistics().ring_dropped == 88


def test_the_largest_frame_of_a_jumbo_link_crosses(jumbo_cable: Cable) -> None:
    frame = jumbo_cable.frame(bytes(range(250)) * 36)
    assert len(frame) == 9000 + ETHERNET_HEADER
    assert jumbo_cable.far.send([frame]) == 1
    assert take(jumbo_cable.near, 1) == [frame]


def test_a_frame_beyond_the_mtu_is_counted_and_the_others_go(cable: Cable) -> None:
    small, large = cable.frame(bytes(46)), cable.frame(bytes(2000))
    assert cable.far.send([small, large, small]) == 2
    assert take(cable.near, 2) == [small, small]
    assert cable.far.statistics().send_failed == 1


def test_an_mtu_that_grew_wants_a_new_wire(cable: Cable) -> None:
    assert not cable.near.needs_reopen
    for end, link in ((cable.pair.near, cable.pair.near_link), (cable.pair.far, cable.pair.far_link)):
        end.set_link(link, mtu=9000)
    cable.near.refresh()
    assert (cable.near.mtu, cable.near.needs_reopen) == (9000, True)
    small = cable.frame(bytes(46))
    cable.far.send([cable.frame(bytes(9000)), small])
    assert take(cable.near, 1) == [small]
    assert cable.near.statistics().truncated == 1


def test_a_changed_mac_is_read_again(cable: Cable) -> None:
    cable.pair.near.set_link(cable.pair.near_link, address="02:00:00:00:00:99")
    cable.near.refresh()
    assert str(cable.near.mac) == "02:00:00:00:00:99"


@pytest.mark.parametrize("broadcast", [False, True])
@pytest.mark.parametrize("tag", [b"\x00\x64", b"\xe0\x64", b"\x0f\xfe"])
def test_a_frame_of_a_foreign_vlan_is_refused_and_counted(cable: Cable, tag: bytes, broadcast: bool) -> None:
    ours = cable.frame(bytes(46))
    destination = BROADCAST if broadcast else ours[:6]
    tagged = destination + ours[6:12] + b"\x81\x00" + tag + ours[12:]
    send_raw(cable.pair.far, cable.pair.far_link, tagged, ours)
    assert take(cable.near, 1) == [ours]
    assert cable.near.statistics().foreign_vlan == 1


def test_vlan_0_counts_as_untagged(cable: Cable) -> None:
    ours = cable.frame(bytes(46))
    send_raw(cable.pair.far, cable.pair.far_link, ours[:12] + b"\x81\x00\xa0\x00" + ours[12:])
    assert take(cable.near, 1) == [ours]
    assert cable.near.statistics().foreign_vlan == 0


def test_a_frame_to_another_host_is_refused(cable: Cable) -> None:
    ours = cable.frame(bytes(46))
    send_raw(cable.pair.far, cable.pair.far_link, b"\x02\x00\x00\x00\x00\x77" + ours[6:], ours)
    assert take(cable.near, 1) == [ours]


def test_other_ethertypes_are_not_heard(cable: Cable) -> None:
    ours = cable.frame(bytes(46))
    send_raw(cable.pair.far, cable.pair.far_link, ours[:12] + b"\x88\xb5" + ours[14:], ours)
    assert take(cable.near, 1) == [ours]


def test_down_is_told_once_and_the_wire_works_on_when_up_again(cable: Cable) -> None:
    cable.pair.near.set_link(cable.pair.near_link, state="down")
    with pytest.raises(OSError, match="near0") as down:
        cable.near.receive(DEADLINE)
    assert down.value.errno == errno.ENETDOWN
    assert cable.near.receive(0) == []
    cable.pair.near.set_link(cable.pair.near_link, state="up")
    frames = [cable.frame(bytes(46)), cable.frame(bytes(46), to_near=False)]
    assert cable.far.send(frames[:1]) == 1
    assert take(cable.near, 1) == frames[:1]
    assert cable.near.send(frames[1:]) == 1
    assert take(cable.far, 1) == frames[1:]


def test_an_interruption_nobody_noticed_costs_no_frame(cable: Cable) -> None:
    for state in ("down", "up"):
        cable.pair.near.set_link(cable.pair.near_link, state=state)
    reply = cable.frame(bytes(46), to_near=False)
    assert cable.near.send([reply]) == 1
    assert take(cable.far, 1) == [reply]


@pytest.mark.parametrize("end", ["near", "far"])
def test_what_cannot_be_sent_is_counted_not_raised(cable: Cable, end: str) -> None:
    # down itself at the near end; without carrier at the far end
    cable.pair.near.set_link(cable.pair.near_link, state="down")
    wire = cable.near if end == "near" else cable.far
    assert wire.send([bytes(60), bytes(60)]) == 0
    assert wire.statistics().send_failed == 2


def test_a_deleted_link_is_told_every_time(cable: Cable) -> None:
    cable.pair.near.delete_link(cable.pair.near_link)
    for _ in range(2):
        with pytest.raises(OSError, match="No such device") as gone:
            cable.near.receive(DEADLINE)
        assert gone.value.errno == errno.ENODEV
    assert cable.near.send([bytes(60)]) == 0
    with pytest.raises(OSError, match="No such device"):
        cable.near.refresh()


def test_a_link_that_is_deleted_while_down_is_told(cable: Cable) -> None:
    cable.pair.near.set_link(cable.pair.near_link, state="down")
    with pytest.raises(OSError, match="near0"):
        cable.near.receive(DEADLINE)
    cable.pair.near.delete_link(cable.pair.near_link)
    with pytest.raises(OSError, match="No such device"):
        cable.near.receive(0)


def test_wake_ends_a_wait(cable: Cable) -> None:
    result = in_background(lambda: cable.near.receive(10 * DEADLINE))
    cable.near.wake()
    assert result() == []


def test_close_ends_a_wait_and_may_be_repeated(cable: Cable) -> None:
    result = in_background(lambda: cable.near.receive(10 * DEADLINE))
    cable.near.close()
    outcome = result()
    assert outcome == [] or (isinstance(outcome, OSError) and outcome.errno == errno.EBADF)
    cable.near.close()
    cable.near.wake()
    assert cable.near.send([bytes(60)]) == 0
    assert cable.near.statistics().send_failed == 1
    with pytest.raises(OSError, match="closed"):
        cable.near.receive(0)


def test_threads_send_at_once_and_no_frame_is_lost_or_mixed(cable: Cable) -> None:
    batches = [[cable.frame(bytes([which, n]) * 23) for n in range(100)] for which in range(4)]
    results = [in_background(lambda batch=batch: cable.far.send(batch)) for batch in batches]  # type: ignore[misc]  # a bound default
    assert [result() for result in results] == [100] * 4
    frames = take(cable.near, 400)
    assert [[frame for frame in frames if frame in batch] for batch in batches] == batches
