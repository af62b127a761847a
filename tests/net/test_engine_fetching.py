"""Reads that wait for the disk in the compiled path's own threads: right, in order, and in nobody's way."""

from __future__ import annotations

import errno
import itertools
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import AddExport, DeleteExport, StartExport, StopExport
from aoetui.engine.disk_trouble import SLOW
from aoetui.engine.fast_path import fast_path
from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.frames import AtaArgument
from aoetui.engine.protocol.wire import SECTOR, AtaOp, AtaStatus
from tests.support.engines import E91, PATIENCE, PREPARING, add, at_work, disk, engine_in, spec
from tests.support.initiator import initiator
from tests.support.slow_disk.skipping import slow_disk
from tests.support.stalled import queued
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.fast.lane import Lane
    from aoetui.engine.local import LocalEngine
    from tests.support.initiator import Initiator
    from tests.support.netns import VethPair
    from tests.support.slow_disk import Kind, SlowDisk

E92 = Address(9, 2)
FIRST, SECOND = b"\x11" * SECTOR, b"\x22" * SECTOR
SIZE = 4 << 20
APART = 16
"""Sectors between requests that share no page."""


@pytest.fixture(autouse=True)
def _compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip, with the reason, where there is no compiled data path. One read that waits is worth a fetcher."""
    if not fast_path.wait(PREPARING):
        pytest.skip(fast_path.why_not)
    monkeypatch.setattr("aoetui.engine.fast.fetchers.WORTH_IT", 1)


@pytest.fixture(params=["cached", "direct"])
def slow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SlowDisk]:
    """A disk that outlives the engine; the kernel caches what it holds, or not."""
    with slow_disk(tmp_path, SIZE, direct_io=request.param == "direct") as made:
        disk(tmp_path, made.medium.name, SIZE)
        yield made


def content(lba: int) -> bytes:
    """What stands in a sector at first."""
    return lba.to_bytes(4, "big") * (SECTOR // 4)


def served(lane: Lane) -> int:
    """What the compiled path answered."""
    from aoetui.engine.fast.tables import SERVED

    return int(lane.tables.port[SERVED])


def lane_of(engine: LocalEngine) -> Lane:
    """The compiled loop of e9.1."""
    fast = at_work(engine).fast
    wait_until(lambda: bool(fast.lanes), "the compiled loop")
    (lane,) = fast.lanes
    return lane


def has_fetcher(engine: LocalEngine, lane: Lane) -> bool:
    """Whether the loop knows of a fetcher for e9.1."""
    from aoetui.engine.fast.tables import X_FETCHER

    return bool(lane.tables.exports[at_work(engine).fast._rows[lane], X_FETCHER] >= 0)


def fetched(lane: Lane) -> int:
    """When a read last came to the only fetcher."""
    from aoetui.engine.fast.tables import T_LAST

    return int(lane.tables.fetchers[0, T_LAST])


def fetching(engine: LocalEngine, ini: Initiator, lba: int = 4000) -> Lane:
    """Have e9.1's reads wait in a fetcher: one of them came to the reference path before."""
    ini.find()
    fast, lane = at_work(engine).fast, lane_of(engine)

    def begun() -> bool:
        assert ini.read(lba, 1) == content(lba)
        fast.refresh()
        return has_fetcher(engine, lane)

    wait_until(begun, "a fetcher")

    def answers() -> bool:
        before = served(lane)
        return ini.read(lba, 1) == content(lba) and served(lane) > before

    wait_until(answers, "an answer of the fetcher")
    return lane


def threads_of(name: str = "fetch-") -> int:
    """Fetchers' threads of this process."""
    return sum(thread.name.startswith(name) for thread in threading.enumerate())


def asked(ini: Initiator, op: AtaOp, lba: int, tag: int, data: bytes = b"") -> bytes:
    """A request for one sector."""
    return ini.request(op, lba, 1, data, tag)


def found(ini: Initiator, tags: list[int], status: AtaStatus = AtaStatus.DRDY) -> dict[int, bytes]:
    """What the answers to these tags bring; each must have this status."""
    answers = {}
    for frame in ini.answers(tags):
        assert isinstance(frame.argument, AtaArgument)
        assert frame.argument.op_or_status & status == status
        answers[frame.header.tag] = bytes(frame.argument.data)
    return answers


def with_the_disk(slow: SlowDisk, count: int) -> None:
    """Wait until it has so many requests that it has not answered."""
    wait_until(lambda: slow.counts().under_way >= count, f"{count} requests with the disk")


@contextmanager
def a_read_kept(slow: SlowDisk, ini: Initiator, *kinds: Kind) -> Iterator[None]:
    """The disk, stalled, has a read of the first sector, with tag 1000; it goes on at the end."""
    slow.stall(*kinds)
    try:
        ini.wire.send([asked(ini, AtaOp.READ_EXT, 0, 1000)])
        with_the_disk(slow, 1)
        yield
    finally:
        slow.go()


def test_many_reads_are_with_the_disk_at_once_and_each_is_right(slow: SlowDisk, near: LocalEngine, ini: Initiator) -> None:
    add(near, spec(slow.path))
    lane = fetching(near, ini)
    before, reads = served(lane), at_work(near).initiators.total().reads
    slow.stall()
    try:
        tags = list(range(1000, 1048))
        ini.wire.send([asked(ini, AtaOp.READ_EXT, APART * at, tag) for at, tag in enumerate(tags)])
        with_the_disk(slow, 32)
        assert at_work(near).initiators.values()[0].waiting == len(tags)
    finally:
        slow.go()
    got = found(ini, tags)
    assert {tag: data[:SECTOR] for tag, data in got.items()} == {tag: content(APART * at) for at, tag in enumerate(tags)}
    assert served(lane) - before == len(tags), "all by the fetcher"
    assert at_work(near).initiators.total().reads - reads == len(tags)
    assert at_work(near).initiators.values()[0].waiting == 0


@pytest.mark.parametrize("slow", ["direct"], indirect=True)
def test_neighbours_share_a_call(slow: SlowDisk, near: LocalEngine, ini: Initiator) -> None:
    add(near, spec(slow.path))
    fetching(near, ini)
    slow.stall()
    try:
        # all threads are kept, so that the rest waits together
        first = list(range(1000, 1032))
        ini.wire.send([asked(ini, AtaOp.READ_EXT, APART * at, tag) for at, tag in enumerate(first)])
        with_the_disk(slow, 32)
        before = slow.counts()
        rest = list(range(2000, 2016))
        ini.wire.send([asked(ini, AtaOp.READ_EXT, 2048 + at, tag) for at, tag in enumerate(rest)])
        two = ini.request(AtaOp.READ_EXT, 2048 + len(rest), 2, b"", 3000)
        ini.wire.send([two, asked(ini, AtaOp.READ_EXT, 2050 + len(rest), 3001)])
        ini.meanwhile()
    finally:
        slow.go()
    got = found(ini, [*first, *rest, 3000, 3001])
    assert [got[tag][:SECTOR] for tag in rest] == [content(2048 + at) for at in range(len(rest))]
    assert got[3000][: 2 * SECTOR] == content(2064) + content(2065)
    assert got[3001][:SECTOR] == content(2066)
    assert slow.counts().reads - before.reads - before.under_way == 1


def test_a_write_waits_for_the_read_before_it(slow: SlowDisk, near: LocalEngine, ini: Initiator) -> None:
    """The disk does last what came first: what was with it at once would come out in the wrong order."""
    add(near, spec(slow.path))
    fetching(near, ini)
    with a_read_kept(slow, ini):
        ini.wire.send([asked(ini, AtaOp.WRITE_EXT, 0, 1001, SECOND), asked(ini, AtaOp.READ_EXT, 0, 1002)])
        queued(at_work(near), 3)  # a hold and the two
        wait_until(lambda: at_work(near)._disk.trouble.owes() > 0, "a thread waits for the read")
        assert slow.counts().under_way == 1, "the write is not with it"
        slow.turn()
    got = found(ini, [1000, 1001, 1002])
    assert got[1000][:SECTOR] == content(0)
    assert got[1002][:SECTOR] == SECOND
    assert ini.read(0, 1) == SECOND


def test_a_read_that_is_stuck_holds_up_no_other_sectors(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    with slow_disk(tmp_path, SIZE, direct_io=True) as slow:
        disk(tmp_path, slow.medium.name, SIZE)
        add(near, spec(slow.path))
        fetching(near, ini)
        with a_read_kept(slow, ini, "read"):
            assert ini.write(2048, SECOND) == AtaStatus.DRDY
            assert ini.write(1, SECOND) == AtaStatus.DRDY
            ini.wire.send([asked(ini, AtaOp.WRITE_EXT, 0, 1001, FIRST)])
            assert ini.write(2, SECOND) == AtaStatus.DRDY
            assert ini.meanwhile() == []
        assert found(ini, [1000, 1001])[1000][:SECTOR] == content(0)
        near.submit(StopExport(E91)).result(PATIENCE)
        written = slow.medium.read_bytes()
    assert [written[lba * SECTOR :][:SECTOR] for lba in (0, 1, 2, 3, 2048)] == [FIRST, SECOND, SECOND, content(3), SECOND]


def test_the_loop_leaves_a_write_to_the_queue_that_meets_a_read(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    """No disk whose cache can be asked can be made slow here: a read stands in the tables as if the disk kept it."""
    from aoetui.engine.fast import tables

    path = disk(tmp_path)
    add(near, spec(path))
    ini.find()
    lane, export = lane_of(near), at_work(near)
    wait_until(lambda: ini.write(100, FIRST) == AtaStatus.DRDY and served(lane) > 0, "the loop writes")
    t, row = lane.tables, export.fast._rows[lane]
    t.exports[row, tables.X_MISSES] = 1
    wait_until(lambda: export.fast.refresh() or has_fetcher(near, lane), "a fetcher")  # type: ignore[func-returns-value]
    kept = t.fetches[0, 0]
    kept[[tables.M_LBA, tables.M_COUNT, tables.M_INITIATOR, tables.M_ARRIVED]] = 8, 4, -1, time.monotonic_ns()
    kept[tables.M_TAKEN] = 1
    t.fetchers[0, tables.T_FREE] -= 1
    assert export.fast.waits() > 0
    before = served(lane)
    assert ini.write(7, SECOND) == AtaStatus.DRDY
    assert ini.write(12, SECOND) == AtaStatus.DRDY
    assert served(lane) - before == 2
    ini.wire.send([asked(ini, AtaOp.WRITE_EXT, 11, 1000, SECOND)])
    queued(export, 2)
    assert ini.meanwhile() == []
    kept[tables.M_TAKEN] = 0
    t.fetchers[0, tables.T_FREE] += 1
    found(ini, [1000])
    written = path.read_bytes()
    assert [written[lba * SECTOR :][:SECTOR] for lba in (7, 8, 11, 12)] == [SECOND, content(8), SECOND, SECOND]


def test_a_stalled_disk_is_told_and_holds_up_no_other_export(slow: SlowDisk, veth_pair: VethPair, tmp_path: Path) -> None:
    with (
        engine_in(veth_pair.near) as engine,
        initiator(veth_pair.far, "far0") as ini,
        initiator(veth_pair.far, "far0", "e9.2") as other,
    ):
        add(engine, spec(slow.path))
        fetching(engine, ini)
        export = at_work(engine)
        add(engine, spec(disk(tmp_path, "good.img"), address=E92))
        other.find()
        slow.stall()
        try:
            tags = list(range(1000, 1048))
            ini.wire.send([asked(ini, AtaOp.READ_EXT, APART * at, tag) for at, tag in enumerate(tags)])
            with_the_disk(slow, 32)
            for lba in range(0, 64, 8):
                assert other.write(lba, SECOND) == AtaStatus.DRDY
                assert other.read(lba, 1) == SECOND
            assert export.problem == ""
            waits = export.fast.waits
            wait_until(lambda: waits() > 0, "it is known for how long the disk owes an answer")
            export._disk.trouble.owes_elsewhere = lambda: waits() + SLOW
            assert f"{slow.path} has not answered for {SLOW:.0f} seconds" in export.problem
        finally:
            slow.go()
        assert set(found(ini, tags)) == set(tags), "each is answered once the disk is"
        export._disk.trouble.owes_elsewhere = waits
        assert (export.problem, waits()) == ("", 0.0)


def test_what_waits_when_an_export_ends_is_never_answered(
    slow: SlowDisk, near: LocalEngine, ini: Initiator, tmp_path: Path
) -> None:
    """Another disk has the address by the time it could be."""
    add(near, spec(disk(tmp_path, "other.img"), address=E92))  # the port, and its loop, stay
    add(near, spec(slow.path))
    lane = fetching(near, ini)
    with a_read_kept(slow, ini, "read"):
        near.submit(StopExport(E91)).result(PATIENCE)
        near.submit(DeleteExport(E91)).result(PATIENCE)
        near.submit(AddExport(spec(disk(tmp_path, "good.img")))).result(PATIENCE)
        ini.find()
        assert lane_of(near) is lane
    wait_until(lambda: threads_of() == 0, "the threads have ended")
    assert ini.meanwhile() == []
    assert ini.read(8, 1) == content(8)


def test_what_the_disk_fails_is_told_to_the_initiator(slow: SlowDisk, near: LocalEngine, ini: Initiator) -> None:
    add(near, spec(slow.path))
    lane = fetching(near, ini)
    before = served(lane)
    slow.fail(errno.EIO, 100, "read")
    ini.wire.send([asked(ini, AtaOp.READ_EXT, 0, 1000)])
    found(ini, [1000], AtaStatus.ERR)
    slow.fail(errno.EIO, 0, "read")
    assert "failed: Input/output error" in at_work(near).problem
    assert served(lane) == before
    assert ini.read(0, 1) == content(0)


def test_what_an_initiator_may_not_read_any_more_is_judged_anew(slow: SlowDisk, near: LocalEngine, ini: Initiator) -> None:
    add(near, spec(slow.path))
    lane = fetching(near, ini)
    export, before = at_work(near), served(lane)
    with a_read_kept(slow, ini):
        # a change by a person waits for the read: a file of groups that is read anew does not
        denied = replace(export.facts.policy, deny=frozenset({ini.wire.mac}))
        export._facts.change(lambda facts: replace(facts, policy=denied))
    wait_until(lambda: bool(export.refusals.values()), "it is refused")
    assert ini.wire.receive(0.0) == []
    assert served(lane) == before


def test_requests_beyond_the_buffer_count_are_dropped(slow: SlowDisk, near: LocalEngine, ini: Initiator) -> None:
    add(near, spec(slow.path, buffer_count=8))
    fetching(near, ini)
    slow.stall()
    try:
        tags = list(range(1000, 1012))
        for at, tag in enumerate(tags):
            ini.wire.send([asked(ini, AtaOp.READ_EXT, APART * at, tag)])
        with_the_disk(slow, 8)
        wait_until(lambda: at_work(near).initiators.values()[0].dropped_everywhere == 4, "four are dropped")
    finally:
        slow.go()
    assert set(found(ini, tags[:8])) == set(tags[:8])
    assert ini.meanwhile() == []


def test_more_reads_than_a_fetcher_has_room_for_take_the_reference_path(
    slow: SlowDisk, near: LocalEngine, ini: Initiator
) -> None:
    from aoetui.engine.fast.tables import FETCH

    add(near, spec(slow.path, buffer_count=256))
    fetching(near, ini)
    slow.stall()
    try:
        tags = list(range(1000, 1000 + FETCH + 40))
        ini.wire.send([asked(ini, AtaOp.READ_EXT, APART * at, tag) for at, tag in enumerate(tags)])
        with_the_disk(slow, 33)
    finally:
        slow.go()
    got = found(ini, tags)
    assert {tag: data[:SECTOR] for tag, data in got.items()} == {tag: content(APART * at) for at, tag in enumerate(tags)}


def test_a_fetcher_that_has_nothing_to_do_is_taken_back(
    slow: SlowDisk, near: LocalEngine, ini: Initiator, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(near, spec(slow.path))
    lane = fetching(near, ini)
    wait_until(lambda: threads_of() >= 2, "one reads, and one waits for the next")
    monkeypatch.setattr("aoetui.engine.fast.fetchers.LINGER_NS", 0)
    fast = at_work(near).fast

    def over() -> bool:
        fast.refresh()
        return not has_fetcher(near, lane) and threads_of() == 0

    wait_until(over, "it is taken back")
    monkeypatch.setattr("aoetui.engine.fast.fetchers.LINGER_NS", 10**10)
    fetching(near, ini)


def test_a_file_whose_pages_the_kernel_has_dropped_is_fetched(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    """On a file system whose cache can be asked the loop writes meanwhile."""
    path = disk(tmp_path, size=SIZE)
    add(near, spec(path))
    descriptor = os.open(path, os.O_RDWR)

    def forget() -> None:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    ini.find()
    lane = lane_of(near)

    fresh = itertools.count(2000, 64)  # a page that was sent out of the mapping once is not dropped

    def begun() -> bool:
        forget()
        lba = next(fresh)
        assert ini.read(lba, 1) == content(lba)
        at_work(near).fast.refresh()
        return has_fetcher(near, lane)

    try:
        wait_until(begun, "a fetcher")
        before, last = served(lane), fetched(lane)
        for base in range(0, 1600, 160):
            forget()
            tags = list(range(10_000 + base, 10_010 + base))
            ini.wire.send(
                [asked(ini, AtaOp.READ_EXT, base + APART * at, tag) for at, tag in enumerate(tags)]
                + [asked(ini, AtaOp.WRITE_EXT, base + APART * at + 8, tag + 50_000, FIRST) for at, tag in enumerate(tags)]
            )
            got = found(ini, tags + [tag + 50_000 for tag in tags])
            assert [got[tag][:SECTOR] for tag in tags] == [content(base + APART * at) for at in range(10)]
        assert fetched(lane) > last
        assert served(lane) - before > 100, "more than the reads: writes too, though some may meet a gate that is still closed"
    finally:
        os.close(descriptor)
    written = path.read_bytes()
    assert all(written[lba * SECTOR :][:SECTOR] == FIRST for lba in range(8, 1600, APART))


def test_an_engine_ends_though_its_fetcher_waits(slow: SlowDisk, veth_pair: VethPair) -> None:
    with engine_in(veth_pair.near) as engine, initiator(veth_pair.far, "far0") as ini:
        add(engine, spec(slow.path))
        fetching(engine, ini)
        slow.stall("read")
        ini.wire.send([asked(ini, AtaOp.READ_EXT, 0, 1000)])
        with_the_disk(slow, 1)
    slow.go()
    wait_until(lambda: threads_of() == 0, "its threads have let it go")


@pytest.mark.parametrize("slow", ["direct"], indirect=True)
def test_a_disk_that_cannot_be_opened_again_holds_up_nobody(
    slow: SlowDisk, near: LocalEngine, ini: Initiator, tmp_path: Path
) -> None:
    """The threads' own descriptor is asked of a server that does not answer."""
    add(near, spec(slow.path))
    ini.find()
    lane, export = lane_of(near), at_work(near)
    add(near, spec(disk(tmp_path, "good.img"), address=E92))
    slow.stall("open")
    try:

        def is_asked() -> bool:
            assert ini.read(0, 1) == content(0)
            export.fast.refresh()
            return slow.counts().under_way > 0

        wait_until(is_asked, "it is to be opened")
        assert not has_fetcher(near, lane)
        assert ini.read(8, 1) == content(8)
        near.submit(StopExport(E91)).result(PATIENCE)
        near.submit(StopExport(E92)).result(PATIENCE)
    finally:
        slow.go()
    wait_until(lambda: threads_of() == 0, "the thread has ended")
    near.submit(StartExport(E91)).result(PATIENCE)
    fetching(near, ini)


def test_a_fetcher_that_can_have_no_thread_leaves_reads_to_the_reference_path(
    slow: SlowDisk, near: LocalEngine, ini: Initiator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that refuses a thread cannot be had without refusing the test's own."""
    begin = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("fetch-"):
            raise RuntimeError("can't start new thread")
        begin(thread)

    add(near, spec(slow.path))
    ini.find()
    lane, export = lane_of(near), at_work(near)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for lba in range(8):
            assert ini.read(lba, 1) == content(lba)
            export.fast.refresh()
        assert not has_fetcher(near, lane)
    fetching(near, ini)


@pytest.mark.parametrize("slow", ["direct"], indirect=True)
def test_rows_and_numbers_are_used_again(slow: SlowDisk, near: LocalEngine, ini: Initiator) -> None:
    add(near, spec(slow.path))
    for _ in range(20):
        fetching(near, ini)
        near.submit(StopExport(E91)).result(PATIENCE)
        near.submit(StartExport(E91)).result(PATIENCE)
    wait_until(lambda: threads_of() == 0, "the threads have ended")
    from aoetui.engine.fast.tables import FETCHERS

    assert len(lane_of(near).fetchers._free) == FETCHERS


def test_a_port_that_is_made_anew_answers_on(slow: SlowDisk, veth_pair: VethPair, near: LocalEngine, ini: Initiator) -> None:
    add(near, spec(slow.path))
    lane = fetching(near, ini)
    with a_read_kept(slow, ini, "read"):
        for namespace, link in ((veth_pair.near, "near0"), (veth_pair.far, "far0")):
            namespace.set_link(link, mtu=4000)
        wait_until(lambda: lane_of(near) is not lane, "a new loop")
    wait_until(lambda: ini.read(0, 1) == content(0), "it answers")
