"""A transfer over paths that lose, repeat and delay: every sector right, never more than the window, and it ends."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.transfer import Transfer
from aoetui.engine.protocol.transfer_failures import Failure
from aoetui.engine.protocol.transfer_work import Ranges
from aoetui.engine.protocol.wire import CONVERSATION_TAG, AtaError
from tests.unit.protocol.fake_wire import E91, FakeDisk, Harm, World, content, path, reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aoetui.engine.protocol.transfer_path import PathFacts

SHARES = st.floats(0.0, 0.3)


def transfer(
    disk: FakeDisk,
    *paths: PathFacts,
    ranges: list[tuple[int, int]] | None = None,
    data: Callable[[int, int], bytes] | None = None,
    patience: float = 180.0,
    tags: Iterator[int] | None = None,
) -> Transfer:
    """Of the whole disk unless told otherwise."""
    return Transfer(
        E91,
        paths or (path(),),
        Ranges([(0, disk.sectors)] if ranges is None else ranges),
        identity=disk.identity,
        tags=count(CONVERSATION_TAG) if tags is None else tags,
        now=0.0,
        data=data,
        patience=patience,
    )


def new_data(lba: int, amount: int) -> bytes:
    """What the tests write: not what the disk held."""
    return b"".join(content(lba + number)[::-1] for number in range(amount))


def read_all(world: World) -> bool:
    """Whether every sector was delivered as the disk holds it."""
    return world.got == {lba: world.disk.sector(lba) for lba in range(world.disk.sectors)}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    harm=st.builds(Harm, SHARES, SHARES, SHARES),
    sectors=st.integers(1, 300),
    paths=st.lists(st.builds(path, sectors=st.integers(1, 17), window=st.integers(1, 64)), min_size=1, max_size=3),
)
def test_every_sector_is_read_right_and_once(seed: int, harm: Harm, sectors: int, paths: list[PathFacts]) -> None:
    disk = FakeDisk(sectors)
    facts = [path(number, sectors=each.sector_count, window=each.window) for number, each in enumerate(paths)]
    world = World(transfer(disk, *facts), disk, harm, seed)
    world.run()
    assert world.transfer.failure is None
    assert read_all(world)
    assert not world.transfer.remaining()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 30), harm=st.builds(Harm, SHARES, SHARES, SHARES), sectors=st.integers(1, 200))
def test_every_sector_is_written_right(seed: int, harm: Harm, sectors: int) -> None:
    disk = FakeDisk(sectors)
    world = World(transfer(disk, path(0), path(1, sectors=17), data=new_data), disk, harm, seed)
    world.run()
    assert world.transfer.failure is None
    assert disk.written == {lba: new_data(lba, 1) for lba in range(sectors)}


@settings(max_examples=40, deadline=None)
@given(frames=st.lists(st.binary(max_size=80)), cut=st.integers(0, 100), seed=st.integers(0, 1 << 30))
def test_no_bytes_confuse_it(frames: list[bytes], cut: int, seed: int) -> None:
    """Whatever arrives, whole answers cut short among it, the right sectors are delivered in the end."""
    disk = FakeDisk(20)
    world = World(transfer(disk), disk, Harm(drop=0.2), seed)
    for port, sent in world.transfer.outgoing(0.0):
        answers = [reply(each, data=b"?" * 512)[:cut] for each in sent]
        world.transfer.receive([(port, each) for each in (*answers, *frames)], 0.0)
    assert not world.transfer.delivered
    world.run()
    assert read_all(world)


def test_the_window_grows_to_the_buffer_count_and_no_further() -> None:
    disk = FakeDisk(2000)
    world = World(transfer(disk, path(window=40)), disk)
    world.run()
    assert world.most_under_way == 40


def test_a_loss_is_noticed_long_before_the_timeout() -> None:
    """Later answers tell: a lossy wire costs round trips, not timeouts."""
    disk = FakeDisk(20_000)
    world = World(transfer(disk, path(window=16)), disk, Harm(drop=0.02), seed=1)
    world.run()
    (only,) = world.transfer.paths
    assert only.lost > 100
    assert world.now < 3.0  # with the least timeout for each of some 400 losses it would be far above
    assert read_all(world)


def test_answers_of_others_do_not_count() -> None:
    disk = FakeDisk(2)
    machine = transfer(disk)
    ((port, (frame,)),) = machine.outgoing(0.0)
    sound = reply(frame, data=content(0) + content(1))
    stranger = Mac.parse("02:00:00:00:00:99").raw
    wrong = [
        ("eth9", sound),
        (port, sound[:6] + stranger + sound[12:]),
        (port, sound[:16] + b"\0\x09\x02" + sound[19:]),
        (port, sound[:19] + b"\x03" + sound[20:]),
        (port, sound[:14] + b"\x10" + sound[15:]),
        (port, sound[:14] + b"\x28" + sound[15:]),
        (port, sound[:20] + bytes(4) + sound[24:]),
        (port, sound[:-1]),
    ]
    machine.receive(wrong, 0.001)
    assert (machine.delivered, machine.ignored, machine.ended) == ([], len(wrong), False)
    machine.receive([(port, sound)], 0.002)
    assert machine.delivered == [(0, 2, sound)]
    assert machine.ended


def test_an_old_answer_whose_tag_is_used_again_does_not_count() -> None:
    disk = FakeDisk(4)
    machine = Transfer(E91, (path(window=1),), Ranges([(2, 6)]), identity=disk.identity, tags=iter([7, 8, 7]), now=0.0)
    ((port, (first,)),) = machine.outgoing(0.0)
    answer = reply(first, data=content(2) + content(3))
    machine.receive([(port, answer)], 0.001)
    machine.outgoing(0.001)
    machine.handle_timer(1.0)
    machine.outgoing(1.0)  # the second request, sent again with the first one's tag
    machine.receive([(port, answer)], 1.001)
    assert [(lba, amount) for lba, amount, _ in machine.delivered] == [(2, 2)]


def test_a_target_that_tells_no_lba_is_read_all_the_same() -> None:
    disk = FakeDisk(20)
    machine = transfer(disk, path(window=2))
    got = 0
    while not machine.ended:
        for port, frames in machine.outgoing(0.0):
            for frame in frames:
                answer = disk.answer(port, frame)
                assert answer is not None
                machine.receive([(port, answer[:28] + bytes(8) + answer[36:])], 0.001)
                got += 1
    assert got == 10
    assert machine.failure is None


def test_a_late_answer_to_an_earlier_tag_counts() -> None:
    disk = FakeDisk(2)
    machine = transfer(disk)
    ((port, (first,)),) = machine.outgoing(0.0)
    machine.handle_timer(0.3)
    ((_, (second,)),) = machine.outgoing(0.3)
    assert first[20:24] != second[20:24]
    machine.receive([(port, reply(first, data=content(0) + content(1)))], 0.31)
    assert machine.ended
    machine.receive([(port, reply(second, data=content(0) + content(1)))], 0.32)
    assert len(machine.delivered) == 1


def test_the_other_path_takes_over_and_the_dead_one_is_probed_until_it_is_back() -> None:
    disk = FakeDisk(100_000, mute=lambda port, _: port == "eth1")
    world = World(transfer(disk, path(0, window=4), path(1, window=4)), disk, latency=0.01)
    world.run(until=2.5)
    assert [each.aside for each in world.transfer.paths] == [False, True]
    disk.mute = lambda _port, _sectors: False
    world.run(until=4.0)
    assert [each.aside for each in world.transfer.paths] == [False, False]
    assert world.transfer.paths[1].answers


def test_a_port_that_is_lost_loses_no_time() -> None:
    disk = FakeDisk(40)
    world = World(transfer(disk, path(0), path(1)), disk)
    world.step()
    world.transfer.port_lost("eth0", world.now)
    disk.mute = lambda port, _: port == "eth0"
    world.run()
    assert read_all(world)
    assert world.now < 0.5


def test_it_gives_up_when_its_patience_is_over_and_says_what_is_left() -> None:
    disk = FakeDisk(1000)
    world = World(transfer(disk, path(window=4), patience=30.0), disk)
    for _ in range(50):
        world.step()
    disk.mute = lambda _port, _sectors: True
    world.run()
    assert world.transfer.failure is not None
    assert world.transfer.failure.failure is Failure.NO_ANSWER
    assert 30.0 <= world.now < 31.0
    missing = {lba for start, end in world.transfer.remaining() for lba in range(start, end)}
    assert missing | world.got.keys() == set(range(1000))
    assert not missing & world.got.keys()


def test_a_target_that_is_asleep_is_waited_for() -> None:
    disk = FakeDisk(1000, mute=lambda _port, _sectors: True)
    world = World(transfer(disk), disk)
    world.run(until=100.0)
    disk.mute = lambda _port, _sectors: False
    world.run()
    assert read_all(world)
    assert world.now < 102.0


def test_where_large_frames_do_not_pass_small_ones_are_used() -> None:
    disk = FakeDisk(500, mute=lambda _port, sectors: sectors > 2)
    world = World(transfer(disk, path(sectors=17)), disk)
    world.run()
    assert read_all(world)
    assert world.transfer.paths[0].sector_count == 2


def test_full_frames_are_tried_again() -> None:
    disk = FakeDisk(500_000, mute=lambda _port, sectors: sectors > 2)
    world = World(transfer(disk, path(sectors=17, window=1)), disk, latency=0.05)
    world.run(until=20.0)
    assert world.transfer.paths[0].sector_count == 2
    disk.mute = lambda _port, _sectors: False
    world.run(until=80.0)
    assert world.transfer.paths[0].sector_count == 17


def test_a_target_that_takes_less_than_it_said_is_asked_for_less() -> None:
    disk = FakeDisk(500, most=2)
    world = World(transfer(disk, path(sectors=17)), disk)
    world.run()
    assert world.transfer.failure is None
    assert read_all(world)


def test_bad_sectors_are_found_one_by_one_and_the_rest_is_read() -> None:
    disk = FakeDisk(200, bad=frozenset({17, 18, 99}))
    world = World(transfer(disk, path(sectors=17)), disk)
    world.run()
    assert sorted(world.transfer.bad) == [(17, 19), (99, 100)]
    assert set(world.got) == set(range(200)) - disk.bad


def test_bad_sectors_are_found_where_the_target_aborts_them_as_vblade_does() -> None:
    disk = FakeDisk(200, bad=frozenset({17, 18, 99}), bad_error=AtaError.ABRT)
    world = World(transfer(disk, path(sectors=17)), disk)
    world.run()
    assert world.transfer.failure is None
    assert sorted(world.transfer.bad) == [(17, 19), (99, 100)]
    assert set(world.got) == set(range(200)) - disk.bad


def test_a_device_that_aborts_every_read_is_given_up() -> None:
    disk = FakeDisk(1 << 40, ata_error=AtaError.ABRT)
    world = World(transfer(disk, path(sectors=17)), disk)
    world.run()
    assert world.transfer.failure is not None
    assert world.transfer.failure.failure is Failure.REFUSED
    assert world.sent < 5000


def test_a_tag_that_comes_again_while_its_request_still_waits_is_left_out() -> None:
    """Or the answer to the one would forget the other, and its sectors would count as done."""
    disk = FakeDisk(6)
    machine = transfer(disk, path(window=2), tags=iter([1, 2, 3, 4, 1, 2, 3, 4, 5]))
    machine.outgoing(0.0)
    machine.handle_timer(0.3)
    machine.paths[0].window = 2.0
    ((port, (slow, quick)),) = machine.outgoing(0.3)
    machine.receive([(port, reply(quick, data=content(2) + content(3)))], 0.31)
    ((port, (last,)),) = machine.outgoing(0.31)
    machine.receive([(port, reply(slow, data=content(0) + content(1)))], 0.32)
    assert (machine.remaining(), machine.ended) == ([(4, 6)], False)
    machine.receive([(port, reply(last, data=content(4) + content(5)))], 0.33)
    assert machine.ended


def test_what_could_not_be_had_from_the_file_remains() -> None:
    """The file ends, or its disk fails, in the middle of what is sent: all that was not sent is still to be written."""
    disk = FakeDisk(40)
    broken = False

    def data(lba: int, amount: int) -> bytes:
        if broken and lba == 38:
            raise OSError(5, "Input/output error")
        return new_data(lba, amount)

    machine = transfer(disk, path(window=8), ranges=[(38, 40), (0, 14), (20, 30)], data=data)
    machine.outgoing(0.0)
    machine.handle_timer(0.3)
    broken = True
    machine.paths[0].window = 16.0
    with pytest.raises(OSError, match="Input/output"):
        machine.outgoing(0.3)
    assert machine.remaining() == [(0, 14), (20, 30), (38, 40)]


def failure_of(disk: FakeDisk, *, write: bool = False) -> Failure | None:
    """How a transfer of it ends."""
    world = World(transfer(disk, ranges=[(0, 100)], data=new_data if write else None), disk)
    world.run()
    return None if world.transfer.failure is None else world.transfer.failure.failure


def test_errors_have_names() -> None:
    assert failure_of(FakeDisk(100)) is None
    assert failure_of(FakeDisk(100, aoe_error=6)) is Failure.RESERVED
    assert failure_of(FakeDisk(100, aoe_error=3)) is Failure.UNAVAILABLE
    assert failure_of(FakeDisk(100, aoe_error=77)) is Failure.PROTOCOL
    assert failure_of(FakeDisk(100, ata_error=AtaError.ABRT), write=True) is Failure.REFUSED
    assert failure_of(FakeDisk(100, bad=frozenset({50})), write=True) is Failure.BAD_SECTORS
    assert failure_of(FakeDisk(60)) is Failure.BEYOND_END


def test_a_device_that_became_smaller_or_another_is_not_used_again() -> None:
    for later, failure in ((FakeDisk(500), Failure.SHRUNK), (FakeDisk(1000, serial="other"), Failure.OTHER_DISK)):
        disk = FakeDisk(1000)
        world = World(transfer(disk), disk)
        for _ in range(50):
            world.step()
        world.disk = FakeDisk(1000, mute=lambda _port, _sectors: True)
        world.run(until=5.0)
        world.disk = later
        world.run()
        assert world.transfer.failure is not None
        assert world.transfer.failure.failure is failure


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("when", [1.7, 4.9, 4.999])
def test_another_disk_that_takes_the_place_at_once_is_noticed(when: float, *, write: bool) -> None:
    """A target restarted with another disk in less time than it takes to be missed: what it may have given or taken remains."""
    disk, other = FakeDisk(1000), FakeDisk(1000, serial="other")
    world = World(transfer(disk, path(window=1), path(1, window=1), data=new_data if write else None), disk, latency=0.01)
    world.run(until=when)
    assert not world.transfer.ended
    world.disk = other
    world.run()
    assert world.transfer.failure is not None
    assert world.transfer.failure.failure is Failure.OTHER_DISK
    left = {lba for start, end in world.transfer.remaining() for lba in range(start, end)}
    assert len(left) < 900
    if write:
        assert set(range(1000)) - left <= disk.written.keys()
        assert world.now < when + 1.5
    else:
        assert all(world.got[lba] == disk.sector(lba) for lba in set(range(1000)) - left)


def test_a_target_that_says_nothing_more_of_itself_ends_what_is_done() -> None:
    disk = FakeDisk(1000, mute=lambda _port, sectors: not sectors)
    world = World(transfer(disk, path(window=4)), disk, Harm(drop=0.02), latency=0.01)
    world.run()
    assert world.transfer.failure is None
    assert read_all(world)
    assert not world.transfer.remaining()


def test_28_bit_commands_for_a_disk_without_the_longer_ones() -> None:
    disk = FakeDisk(2)
    identity = disk.identity
    small = type(identity)(identity.model, identity.serial, "1", 2, lba48=False)
    machine = Transfer(E91, (path(),), Ranges([(0, 2)]), identity=small, tags=count(1), now=0.0)
    ((port, (frame,)),) = machine.outgoing(0.0)
    assert (frame[24], frame[27], frame[31]) == (0, 0x20, 0xE0)
    machine.receive([(port, reply(frame, data=content(0) + content(1)))], 0.001)
    assert machine.ended
