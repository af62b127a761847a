"""Requests for the same sectors keep their order of arrival, over one interface and two; no durable write is answered early."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.protocol.frames import AtaArgument
from aoetui.engine.protocol.wire import SECTOR, AtaOp, AtaStatus
from aoetui.engine.spec import Durability
from tests.support.engines import E91, add, disk, engine_in, spec
from tests.support.initiator import Initiator, initiator
from tests.support.netns import join

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import VethPair

ROUNDS = 48


def content(number: int) -> bytes:
    """What the write of this number writes."""
    return number.to_bytes(4, "big") * (SECTOR // 4)


def answers(ini: Initiator, tags: set[int]) -> dict[int, AtaArgument]:
    """The ATA answers to these tags, once all are there."""
    found = ini.answers(sorted(tags))
    return {frame.header.tag: frame.argument for frame in found if isinstance(frame.argument, AtaArgument)}


@pytest.mark.parametrize("durability", Durability)
def test_a_read_sees_the_write_before_it_and_not_the_one_after(
    veth_pair: VethPair, tmp_path: Path, durability: Durability
) -> None:
    with engine_in(veth_pair.near) as engine, initiator(veth_pair.far, "far0") as ini:
        add(engine, spec(disk(tmp_path), durability=durability, buffer_count=2 * ROUNDS))
        ini.find()
        frames, reads = [], {}
        for number in range(ROUNDS):
            frames.append(ini.request(AtaOp.WRITE_EXT, 7, 1, content(number), 1000 + number))
            frames.append(ini.request(AtaOp.READ_EXT, 7, 1, b"", 2000 + number))
            reads[2000 + number] = content(number)
        assert ini.wire.send(frames) == len(frames)
        found = answers(ini, {*reads, *(tag - 1000 for tag in reads)})
        assert {tag: bytes(found[tag].data)[:SECTOR] for tag in reads} == reads
        assert {each.op_or_status for each in found.values()} == {AtaStatus.DRDY}


def test_two_interfaces_share_one_order(veth_pair: VethPair, tmp_path: Path) -> None:
    """A write that was answered on one link is what a read on the other link finds, however fast they follow."""
    join(veth_pair.near, "near1", veth_pair.far, "far1")
    path = disk(tmp_path)
    with (
        engine_in(veth_pair.near) as engine,
        initiator(veth_pair.far, "far0") as one,
        initiator(veth_pair.far, "far1") as other,
    ):
        add(engine, spec(path, interfaces=("near0", "near1")))
        one.find()
        other.find()
        for number in range(ROUNDS):
            writer, reader = (one, other) if number % 2 else (other, one)
            assert writer.write(7, content(number)) == AtaStatus.DRDY
            assert reader.read(7, 1) == content(number)
        assert len(engine.snapshot().exports[0].initiators) == 2


def test_a_durable_write_is_answered_after_its_flush(
    veth_pair: VethPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real fdatasync, which notes beside what was on its way by then."""
    events: list[str] = []
    real_sync, real_write = os.fdatasync, os.pwritev

    def fdatasync(descriptor: int) -> None:
        events.append("syncing")
        real_sync(descriptor)
        events.append("synced")

    def pwritev(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        done = real_write(descriptor, buffers, offset)
        events.extend("written" for _ in buffers)
        return done

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    monkeypatch.setattr(os, "pwritev", pwritev)
    with engine_in(veth_pair.near) as engine, initiator(veth_pair.far, "far0") as ini:
        add(engine, spec(disk(tmp_path), durability=Durability.DURABLE))
        port = engine._core.ports.require("near0")
        send = port.send

        def noting(frames: list[bytes]) -> int:
            events.extend("answered" for frame in ini.decoded(frames) if frame.header.response)
            return send(frames)

        ini.find()
        monkeypatch.setattr(port, "send", noting)
        ini.wire.send([ini.request(AtaOp.WRITE_EXT, lba, 1, content(lba), 100 + lba) for lba in range(ROUNDS)])
        answers(ini, {100 + lba for lba in range(ROUNDS)})
        assert engine._core.serving.get(E91) is not None
    written = syncing = safe = 0
    for event in events:
        match event:
            case "written":
                written += 1
            case "syncing":
                written, syncing = 0, written
            case "synced":
                safe += syncing
            case _:
                safe -= 1
                assert safe >= 0, "a write was answered before its flush"
    assert events.count("answered") == ROUNDS
    assert 1 <= events.count("synced") <= ROUNDS + 1
