"""Which requests may wait for a disk: a buffer count for each initiator and interface, one bound on memory for all exports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from aoetui.engine.admission import MAX_CHANGES, Admission
from aoetui.engine.clock import Clock
from aoetui.engine.events import EventLog
from aoetui.engine.initiators import InitiatorRecord, Initiators
from aoetui.engine.jobs import Job
from aoetui.engine.memory import REQUEST, MemoryBudget
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.changes import EditMask, SetReservation
from aoetui.engine.protocol.facts import TargetState
from aoetui.engine.protocol.frames import Directive
from aoetui.engine.protocol.replies import ReadBlocks, WriteBlocks
from aoetui.engine.protocol.wire import MAX_LIST
from aoetui.engine.spec import ExportSpec
from tests.unit.protocol.asking import ADD, ask, ata, mask, reserve

if TYPE_CHECKING:
    from aoetui.engine.ports import Port

MAC = Mac.parse("02:00:00:00:00:01")
DATA = memoryview(bytes(1024))


class Engine:
    """What exports share."""

    def __init__(self, memory: int) -> None:
        self.memory = MemoryBudget(memory)
        self.events = EventLog(Clock())
        self.initiators = Initiators()

    def admission(self, slot: int = 1, buffer_count: int = 4) -> Admission:
        """Of an export."""
        path = Path("/srv/disk.img")
        spec = ExportSpec(address=Address(9, slot), path=path, interfaces=("eth1",), buffer_count=buffer_count)
        return Admission(spec, self.memory, self.events)

    def record(self, interface: str = "eth1", mac: Mac = MAC) -> InitiatorRecord:
        """Of an initiator."""
        return self.initiators.find(mac, interface, 0.0)

    @property
    def told(self) -> int:
        """How often it was told that requests are dropped."""
        return sum("requests are dropped" in event.text for event in self.events.since(0))


@pytest.fixture
def engine() -> Engine:
    """With memory for 100 reads."""
    return Engine(100 * REQUEST)


def reads(record: InitiatorRecord, count: int) -> list[Job]:
    """So many of one initiator. The port is not looked at."""
    return [Job(cast("Port", None), ReadBlocks(0, 1, b""), record, 0.0, TargetState()) for _ in range(count)]


def write(record: InitiatorRecord) -> Job:
    """Of two sectors."""
    return Job(cast("Port", None), WriteBlocks(0, 2, DATA, b""), record, 0.0, TargetState())


def test_requests_beyond_the_buffer_count_are_dropped(engine: Engine) -> None:
    admission, record = engine.admission(), engine.record()
    asked = reads(record, 6)
    assert admission.admit(asked) == asked[:4]
    assert (record.under_way, record.dropped, admission.dropped) == (4, 2, 2)
    assert admission.admit(reads(record, 1)) == []
    admission.release(asked[:1])
    assert len(admission.admit(reads(record, 2))) == 1
    assert engine.told == 0


def test_each_initiator_has_a_buffer_count_on_each_interface(engine: Engine) -> None:
    admission = engine.admission()
    records = [engine.record(), engine.record("eth2"), engine.record(mac=Mac(b"\x02" * 6))]
    mixed = [job for jobs in zip(*(reads(record, 5) for record in records), strict=True) for job in jobs]
    assert admission.admit(mixed) == mixed[:12]
    assert [(record.under_way, record.dropped) for record in records] == [(4, 1)] * 3


def test_one_bound_on_memory_is_behind_all_exports(engine: Engine) -> None:
    first, second = engine.admission(1, 200), engine.admission(2, 200)
    greedy, other = engine.record(), engine.record("eth2")
    waiting = first.admit(reads(greedy, 200))
    assert (len(waiting), first.dropped, engine.memory.free) == (100, 100, 0)
    assert second.admit(reads(other, 1)) == []
    first.release(waiting)
    assert engine.memory.free == 100 * REQUEST
    assert len(second.admit(reads(other, 1))) == 1


def test_data_that_waits_counts_as_memory(engine: Engine) -> None:
    admission, record = engine.admission(1, 200), engine.record()
    waiting = admission.admit([write(record) for _ in range(60)])
    assert len(waiting) == 100 * REQUEST // (REQUEST + 1024)
    admission.release(waiting)
    assert (engine.memory.free, record.under_way) == (100 * REQUEST, 0)


def test_few_changes_of_state_wait_whoever_asks(engine: Engine) -> None:
    """MACs can be made up, and each change waits for stable storage: reads and writes are not to stand behind thousands."""
    admission = engine.admission(1, 200)
    frame = reserve(1, MAC)
    intent = ask(frame)
    assert isinstance(intent, SetReservation)
    records = [engine.record(mac=Mac(number.to_bytes(6))) for number in range(MAX_CHANGES + 5)]
    asked = [Job(cast("Port", None), intent, record, 0.0, TargetState()) for record in records]
    waiting = admission.admit(asked)
    assert (len(waiting), admission.dropped) == (MAX_CHANGES, 5)
    assert len(admission.admit(reads(records[-1], 1))) == 1
    admission.release(waiting[:1])
    assert len(admission.admit(asked)) == 1


def size(frame: bytes, record: InitiatorRecord) -> int:
    """What the request of a frame counts for while it waits."""
    intent = ask(frame)
    assert isinstance(intent, WriteBlocks | EditMask | SetReservation)
    return Job(cast("Port", None), intent, record, 0.0, TargetState()).size


def test_a_write_counts_for_the_whole_frame_that_it_keeps(engine: Engine) -> None:
    """One sector, and what a jumbo frame may hold behind it: the data is a view of the frame."""
    frame = ata(0x34, count=1, data=bytes(8960))
    assert size(frame, engine.record()) > len(frame)


def test_the_macs_of_a_change_that_waits_count_as_memory(engine: Engine) -> None:
    macs = [Mac(number.to_bytes(6)) for number in range(MAX_LIST)]
    a_mac = sys.getsizeof(macs[0]) + sys.getsizeof(macs[0].raw)
    directives = mask(1, *((ADD, mac) for mac in macs))
    a_directive = sys.getsizeof(Directive(ADD, macs[0])) + a_mac
    assert size(reserve(1, *macs), engine.record()) > MAX_LIST * a_mac
    assert size(directives, engine.record()) > MAX_LIST * a_directive


def test_that_memory_is_short_is_told_once_until_there_is_enough_again(engine: Engine) -> None:
    admission, record = engine.admission(1, 200), engine.record()
    waiting = admission.admit(reads(record, 101))
    admission.admit(reads(record, 1))
    assert engine.told == 1
    admission.release(waiting)
    waiting = admission.admit(reads(record, 100))
    assert engine.told == 1
    admission.admit(reads(record, 1))
    assert engine.told == 2


def test_a_shortage_that_comes_and_goes_is_told_once(engine: Engine) -> None:
    """Under a load that fills the memory, each request that ends makes room for one."""
    admission, record = engine.admission(1, 200), engine.record()
    waiting = admission.admit(reads(record, 101))
    for ended in waiting[:40]:
        admission.release([ended])
        assert len(admission.admit(reads(record, 1))) == 1
        assert admission.admit(reads(record, 1)) == []
    assert engine.told == 1
