"""A device of ours imaged, compared and restored over real wires, and what goes wrong on the way."""

from __future__ import annotations

import itertools
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from aoetui.engine.api import ChooseInterfaces, DeleteExport, EngineError, NoAnswerError, SetReservation
from aoetui.engine.commands.copying import CancelTask, ForgetTask, ReadSectors, StartBench, StartCopy, TaskKind, TaskState
from aoetui.engine.initiator.image_file import note_path, read_note
from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.ata import identify_page
from aoetui.engine.protocol.frames import AtaArgument
from aoetui.engine.protocol.wire import SECTOR, AtaFlag, AtaOp, Command
from tests.support.bad_target import bad_target, holding
from tests.support.copies import LARGE, copy, ended, sparse_disk, start, task_of
from tests.support.engines import E91, PATIENCE, add, disk, engine_in, spec
from tests.support.mounts import small_file_system
from tests.support.netns import Namespace, join
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.commands.copying import TaskSnapshot
    from aoetui.engine.local import LocalEngine
    from aoetui.engine.protocol.frames import Frame
    from tests.support.bad_target import BadTarget
    from tests.support.netns import VethPair


@pytest.fixture
def copying(veth_pair: VethPair) -> Iterator[LocalEngine]:
    """An engine at the far end that has chosen its interface."""
    with engine_in(veth_pair.far) as engine:
        engine.submit(ChooseInterfaces(("far0",))).result(PATIENCE)
        yield engine


def sees_up(engine: LocalEngine, link: str) -> bool:
    """Whether it knows that this link is up."""
    facts = engine._core.links.current().get(link)
    return facts is not None and facts.admin_up and facts.carrier


def test_imaged_compared_and_restored(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    backing, image = disk(tmp_path), tmp_path / "image"
    original = backing.read_bytes()
    add(near, spec(backing))
    done = copy(copying, TaskKind.IMAGE, image)
    assert (done.state, done.done, done.total) == (TaskState.DONE, len(original), len(original))
    assert image.read_bytes() == original
    assert not note_path(image).exists()
    assert copy(copying, TaskKind.COMPARE, image).state is TaskState.DONE
    changed = bytearray(original)
    changed[5 * SECTOR + 7] ^= 1
    changed[-1] ^= 1
    image.write_bytes(changed)
    differing = copy(copying, TaskKind.COMPARE, image)
    assert differing.state is TaskState.FAILED
    assert [(each.start, each.end) for each in differing.ranges] == [(5, 6), (2047, 2048)]
    assert "differ in 2 sectors in 2 ranges, the first of them 5" in differing.text
    assert copy(copying, TaskKind.RESTORE, image).state is TaskState.DONE
    assert backing.read_bytes() == changed


def test_a_part_of_the_device(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    backing, image = disk(tmp_path), tmp_path / "image"
    original = backing.read_bytes()
    add(near, spec(backing))
    assert copy(copying, TaskKind.IMAGE, image, offset=100, length=7).state is TaskState.DONE
    assert image.read_bytes() == original[100 * SECTOR : 107 * SECTOR]
    assert copy(copying, TaskKind.COMPARE, image, offset=100, length=7).state is TaskState.DONE
    assert copy(copying, TaskKind.RESTORE, image, offset=2041).state is TaskState.DONE
    assert backing.read_bytes() == original[: 2041 * SECTOR] + image.read_bytes()


def test_zeros_become_holes(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    backing, image, whole = sparse_disk(tmp_path, 8 << 20), tmp_path / "image", tmp_path / "whole"
    add(near, spec(backing))
    copy(copying, TaskKind.IMAGE, image)
    copy(copying, TaskKind.IMAGE, whole, sparse=False)
    assert image.read_bytes() == whole.read_bytes() == backing.read_bytes()
    assert image.stat().st_blocks < whole.stat().st_blocks / 3


def test_what_is_refused(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    backing, image = disk(tmp_path), tmp_path / "image"
    add(near, spec(backing))
    (tmp_path / "odd").write_bytes(bytes(700))
    (tmp_path / "large").write_bytes(bytes((1 << 20) + SECTOR))
    refused: list[tuple[TaskKind, Path, dict[str, Any], str]] = [
        (TaskKind.IMAGE, tmp_path / "odd", {}, "odd exists: name another file, or add --overwrite"),
        (TaskKind.IMAGE, tmp_path / "no" / "image", {}, "cannot be written: No such file"),
        (TaskKind.IMAGE, image, {"resume": True}, "there is nothing to resume"),
        (TaskKind.IMAGE, image, {"offset": 2048}, "e9.1 has 2048 sectors: sector 2048 are not all there"),
        (TaskKind.IMAGE, image, {"serial": "other"}, "e9.1 is another disk now"),
        (TaskKind.IMAGE, backing, {"overwrite": True}, "is in use, by an export or by another copy"),
        (TaskKind.RESTORE, tmp_path / "odd", {}, "is no whole number of sectors"),
        (TaskKind.RESTORE, tmp_path / "large", {}, "does not fit: 2049 sectors"),
        (TaskKind.RESTORE, tmp_path / "none", {}, "cannot be read: No such file"),
        (TaskKind.COMPARE, tmp_path, {}, "is neither a file nor a block device"),
    ]
    for kind, path, options, why in refused:
        with pytest.raises(EngineError, match=why):
            start(copying, kind, path, **options)
    assert not image.exists()
    assert backing.stat().st_size == 1 << 20


def test_a_reserved_device_names_its_holder(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    near.submit(SetReservation(E91, (Mac.parse("02:00:00:00:00:77"),))).result(PATIENCE)
    with pytest.raises(EngineError, match=r"e9\.1 is reserved for 02:00:00:00:00:77"):
        start(copying, TaskKind.IMAGE, tmp_path / "image")


def test_a_read_only_device_cannot_be_restored(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path), read_only=True))
    (tmp_path / "image").write_bytes(bytes(SECTOR))
    failed = copy(copying, TaskKind.RESTORE, tmp_path / "image")
    assert failed.state is TaskState.FAILED
    assert "e9.1 refuses sector 0 (ABRT): its target serves it read-only" in failed.text


def test_different_disks_at_one_address_are_not_mixed(
    near: LocalEngine, copying: LocalEngine, veth_pair: VethPair, tmp_path: Path
) -> None:
    """The second one is another engine on a cable of its own."""
    backing = disk(tmp_path)
    add(near, spec(backing))
    with Namespace() as third:
        join(third, "third0", veth_pair.far, "far1")
        with engine_in(third) as other:
            add(other, spec(disk(tmp_path, "other.img", 2 << 20), interfaces=("third0",)))
            copying.submit(ChooseInterfaces(("far0", "far1"))).result(PATIENCE)
            wait_until(lambda: {"far0", "far1"} <= copying._core.ports.all().keys(), "both ports")
            with pytest.raises(EngineError, match=r"different disks answer at e9\.1 \(.* has size .*--mac"):
                start(copying, TaskKind.IMAGE, tmp_path / "image")
            mac = next(port.facts.mac for port in near._core.ports.all().values())
            assert copy(copying, TaskKind.IMAGE, tmp_path / "image", macs=(mac,)).state is TaskState.DONE
    assert (tmp_path / "image").read_bytes() == backing.read_bytes()


def test_the_other_cable_takes_over(near: LocalEngine, copying: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    """Two cables; one is pulled in the middle, and nobody waits for it."""
    backing = sparse_disk(tmp_path)
    join(veth_pair.near, "near1", veth_pair.far, "far1")
    wait_until(lambda: sees_up(near, "near1") and sees_up(copying, "far1"), "the second cable")
    add(near, spec(backing, interfaces=("near0", "near1")))
    copying.submit(ChooseInterfaces(("far0", "far1"))).result(PATIENCE)
    wait_until(lambda: {"far0", "far1"} <= copying._core.ports.all().keys(), "both ports")
    number = start(copying, TaskKind.IMAGE, tmp_path / "image")
    wait_until(lambda: task_of(copying, number).done > LARGE // 50, "some of the image")
    assert {path.interface for path in task_of(copying, number).paths} == {"far0", "far1"}
    veth_pair.far.delete_link("far1")
    done = ended(copying, number)
    assert done.state is TaskState.DONE
    assert {path.interface: path.answers for path in done.paths} == {"far0": True, "far1": False}
    assert (tmp_path / "image").read_bytes() == backing.read_bytes()


def test_an_interface_that_comes_back_is_gone_on_with(
    near: LocalEngine, copying: LocalEngine, veth_pair: VethPair, tmp_path: Path
) -> None:
    backing = sparse_disk(tmp_path)
    add(near, spec(backing))
    number = start(copying, TaskKind.IMAGE, tmp_path / "image", window=1)
    wait_until(lambda: task_of(copying, number).done > 0, "some of the image")
    veth_pair.far.set_link("far0", state="down")
    wait_until(lambda: "no path answers" in task_of(copying, number).text, "that it waits")
    veth_pair.far.set_link("far0", state="up")
    wait_until(lambda: not task_of(copying, number).text, "that it goes on")
    copying.submit(CancelTask(number)).result(PATIENCE)
    note = read_note(tmp_path / "image")
    assert (tmp_path / "image").read_bytes()[: note.next * SECTOR] == backing.read_bytes()[: note.next * SECTOR]
    assert note.next > 0


def test_cancelled_then_resumed(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    backing, image = sparse_disk(tmp_path), tmp_path / "image"
    add(near, spec(backing))
    number = start(copying, TaskKind.IMAGE, image)
    wait_until(lambda: task_of(copying, number).done > LARGE // 50, "some of the image")
    copying.submit(CancelTask(number)).result(PATIENCE)
    stopped = task_of(copying, number)
    assert stopped.state is TaskState.CANCELLED
    note = read_note(image)
    assert stopped.text == f"stopped: {note.next} of {LARGE // SECTOR} sectors are in {image}"
    assert 0 < note.next < LARGE // SECTOR
    assert stopped.again is not None
    assert ended(copying, copying.submit(stopped.again).result(PATIENCE).number).state is TaskState.DONE
    assert image.read_bytes() == backing.read_bytes()
    for each in (number, number + 1):
        copying.submit(ForgetTask(each)).result(PATIENCE)
    assert copying.snapshot().tasks == ()


def test_an_image_of_another_device_is_not_gone_on_with(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    image = tmp_path / "image"
    add(near, spec(sparse_disk(tmp_path)))
    number = start(copying, TaskKind.IMAGE, image, window=1)
    copying.submit(CancelTask(number)).result(PATIENCE)
    note = note_path(image)
    note.write_text(note.read_text().replace('"serial": "', '"serial": "x'))
    with pytest.raises(EngineError, match="is the beginning of another image"):
        start(copying, TaskKind.IMAGE, image, resume=True)
    note.write_text("{")
    with pytest.raises(EngineError, match="is no note that can be resumed from"):
        start(copying, TaskKind.IMAGE, image, resume=True)


def test_a_restore_stopped_and_gone_on_with(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    backing = tmp_path / "empty.img"
    with backing.open("wb") as file:
        file.truncate(LARGE)
    image = sparse_disk(tmp_path)
    add(near, spec(backing))
    number = start(copying, TaskKind.RESTORE, image)
    wait_until(lambda: task_of(copying, number).done > LARGE // 50, "some of it")
    copying.submit(CancelTask(number)).result(PATIENCE)
    stopped = task_of(copying, number)
    assert stopped.again is not None
    assert stopped.again.first is not None
    assert f"all before sector {stopped.again.first}" in stopped.text
    assert backing.read_bytes()[: stopped.again.first * SECTOR] == image.read_bytes()[: stopped.again.first * SECTOR]
    done = ended(copying, copying.submit(stopped.again).result(PATIENCE).number)
    assert done.state is TaskState.DONE
    assert backing.read_bytes() == image.read_bytes()


def test_a_device_that_is_cut_short_loses_what_is_gone_and_no_more(
    near: LocalEngine, copying: LocalEngine, tmp_path: Path
) -> None:
    """Our target keeps its size then, and answers UNC for what is gone."""
    backing, image = disk(tmp_path), tmp_path / "image"
    original = backing.read_bytes()
    add(near, spec(backing))
    os.truncate(backing, 600 << 10)
    failed = copy(copying, TaskKind.IMAGE, image)
    assert failed.state is TaskState.FAILED
    bad = "848 sectors of e9.1 that cannot be read, the first of them 1200"
    assert failed.text == f"{image} is whole but for {bad}: zeros stand for them"
    assert [(each.start, each.end) for each in failed.ranges] == [(1200, 2048)]
    assert image.read_bytes() == original[: 600 << 10].ljust(1 << 20, b"\0")
    backing.write_bytes(original)
    assert failed.again is not None


def test_who_does_not_answer_any_more(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    backing, image = sparse_disk(tmp_path), tmp_path / "image"
    add(near, spec(backing))
    number = start(copying, TaskKind.IMAGE, image, patience=1.0)
    wait_until(lambda: task_of(copying, number).done > 0, "some of the image")
    near.stop()
    failed = ended(copying, number)
    assert failed.state is TaskState.FAILED
    assert failed.no_answer
    assert failed.text.startswith("e9.1 has not answered for 1 s")  # and how many late answers came, if any did
    assert ": look at the cable, at the target, and whether its mask list" in failed.text
    assert f"{read_note(image).next} of {LARGE // SECTOR} sectors are in {image}" in failed.text


def test_nobody_there(copying: LocalEngine, tmp_path: Path) -> None:
    with pytest.raises(NoAnswerError, match=r"e9\.1 does not answer on far0"):
        start(copying, TaskKind.IMAGE, tmp_path / "image")


# ---- the program


def test_a_full_disk(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    """It says exactly how far it came, and goes on once there is room."""
    backing = disk(tmp_path, size=8 << 20)
    add(near, spec(backing))
    with small_file_system(tmp_path / "small", "3m") as folder:
        image = folder / "image"
        failed = copy(copying, TaskKind.IMAGE, image)
        note = read_note(image)
        assert failed.state is TaskState.FAILED
        assert failed.text == f"there is no room left for {image}: make room; {note.next} of 16384 sectors are in {image}"
        assert note.next * SECTOR > 2 << 20
        assert image.read_bytes()[: note.next * SECTOR] == backing.read_bytes()[: note.next * SECTOR]
        assert failed.again is not None
        subprocess.run(["mount", "-o", "remount,size=20m", folder], check=True)
        assert ended(copying, copying.submit(failed.again).result(PATIENCE).number).state is TaskState.DONE
        assert image.read_bytes() == backing.read_bytes()


# ---- write, sectors and bench, as commands


# ---- what must not be taken for right


def test_an_image_that_is_not_whole_is_not_written_to_a_device(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    """It is as long as a whole one, and zeros stand for the rest."""
    backing, image = sparse_disk(tmp_path), tmp_path / "image"
    add(near, spec(backing))
    number = start(copying, TaskKind.IMAGE, image, window=1)
    copying.submit(CancelTask(number)).result(PATIENCE)
    assert image.stat().st_size == LARGE
    before = backing.read_bytes()
    with pytest.raises(EngineError, match=r"image is no whole image.*finish it.*--resume.*or remove .*\.aoetui-part"):
        start(copying, TaskKind.RESTORE, image)
    assert backing.read_bytes() == before


def test_what_was_not_compared_is_not_called_the_same(near: LocalEngine, copying: LocalEngine, tmp_path: Path) -> None:
    backing = sparse_disk(tmp_path)
    add(near, spec(backing))
    number = start(copying, TaskKind.COMPARE, backing, window=1)
    copying.submit(CancelTask(number)).result(PATIENCE)
    stopped = task_of(copying, number)
    assert stopped.state is TaskState.CANCELLED
    assert f"hold the same in {LARGE // SECTOR} sectors" not in stopped.text
    assert stopped.again is not None
    assert stopped.again.first is not None
    assert f"hold the same in {stopped.again.first} sectors" in stopped.text


@pytest.fixture
def alike(copying: LocalEngine, veth_pair: VethPair) -> Iterator[tuple[BadTarget, BadTarget]]:
    """Two targets at one address that say the same of themselves and hold different bytes, sorted by MAC."""
    join(veth_pair.near, "near1", veth_pair.far, "far1")
    wait_until(lambda: sees_up(copying, "far1"), "the second cable")
    copying.submit(ChooseInterfaces(("far0", "far1"))).result(PATIENCE)
    wait_until(lambda: {"far0", "far1"} <= copying._core.ports.all().keys(), "both ports")
    with bad_target(veth_pair.near, "near0") as one, bad_target(veth_pair.near, "near1") as other:
        one.page = other.page = identify_page(sectors=2048, serial="", firmware="1", write_cache=True)
        first, second = sorted((one, other), key=lambda each: each.mac)
        first.rules.append(holding(1))
        second.rules.append(holding(2))
        yield first, second


def test_of_two_that_may_be_two_disks_one_alone_is_read(
    alike: tuple[BadTarget, BadTarget], copying: LocalEngine, tmp_path: Path
) -> None:
    """An image with a part of each would be of neither: it is of one, says so, and is finished from that one or not at all."""
    first, second = alike
    whole = copy(copying, TaskKind.IMAGE, tmp_path / "whole", sparse=False)
    assert (tmp_path / "whole").read_bytes() == bytes([1]) * (2048 * SECTOR)
    assert f"read from {first.mac} alone: nothing proves that {second.mac} there is the same disk" in whole.text
    assert copy(copying, TaskKind.COMPARE, tmp_path / "whole").state is TaskState.DONE
    assert copy(copying, TaskKind.COMPARE, tmp_path / "whole", macs=(second.mac,)).bad_sectors == 2048


def mute(target: BadTarget) -> None:
    """It answers nothing from now on."""
    target.rules.append(lambda _request, _answer: None)


def stopped_at_20(copying: LocalEngine, target: BadTarget, kind: TaskKind, path: Path) -> TaskSnapshot:
    """A copy with this target, which answers the first 20 reads or writes; it answers again once the copy has failed."""
    asked = itertools.count()

    def rule(request: Frame, answer: Frame | None) -> Frame | None:
        identify = getattr(request.argument, "op_or_status", 0) == AtaOp.IDENTIFY
        return answer if request.header.command != Command.ATA or identify or next(asked) < 20 else None

    target.rules.append(rule)
    stopped = copy(copying, kind, path, patience=1.0, window=1)
    target.rules.remove(rule)
    assert stopped.state is TaskState.FAILED
    assert stopped.again is not None
    assert stopped.again.macs == (target.mac,)
    return stopped


def test_an_image_is_finished_from_where_it_was_begun_or_not_at_all(
    alike: tuple[BadTarget, BadTarget], copying: LocalEngine, tmp_path: Path
) -> None:
    """Also where the other was not there at the beginning, or is named now."""
    first, second = alike
    first.rules.append(away := lambda _request, _answer: None)
    part = tmp_path / "part"
    stopped_at_20(copying, second, TaskKind.IMAGE, part)
    first.rules.remove(away)
    with pytest.raises(EngineError, match=f"was begun from {second.mac}, and nothing proves that {first.mac} at e9.1"):
        start(copying, TaskKind.IMAGE, part, resume=True, macs=(first.mac,))
    finished = copy(copying, TaskKind.IMAGE, part, resume=True, sparse=False)
    assert part.read_bytes() == bytes([2]) * (2048 * SECTOR)
    assert f"read from {second.mac} alone: nothing proves that {first.mac} there" in finished.text
    stopped_at_20(copying, first, TaskKind.IMAGE, tmp_path / "other")
    mute(first)
    with pytest.raises(EngineError, match=f"was begun from {first.mac}, and nothing proves that {second.mac} at e9.1"):
        start(copying, TaskKind.IMAGE, tmp_path / "other", resume=True)


def test_a_restore_goes_on_to_where_it_was_begun(
    alike: tuple[BadTarget, BadTarget], copying: LocalEngine, tmp_path: Path
) -> None:
    """The other disk, which was away at the beginning, is not written to."""
    first, second = alike
    (tmp_path / "image").write_bytes(bytes(2048 * SECTOR))
    first.rules.append(away := lambda _request, _answer: None)
    again = stopped_at_20(copying, second, TaskKind.RESTORE, tmp_path / "image").again
    first.rules.remove(away)
    mute(second)
    assert again is not None
    with pytest.raises(NoAnswerError, match=f"does not answer from {second.mac}"):
        copying.submit(again).result(PATIENCE)
    assert not writes(first)


def test_the_sectors_that_are_shown_are_of_one(alike: tuple[BadTarget, BadTarget], copying: LocalEngine) -> None:
    """Who looks on asks the same one."""
    first, second = alike
    report = copying.submit(ReadSectors(E91)).result(PATIENCE)
    assert (report.macs, report.left_out, report.surely) == ((first.mac,), (second.mac,), ())
    other = copying.submit(ReadSectors(E91, macs=(second.mac,))).result(PATIENCE)
    assert (set(other.data), other.macs, other.surely) == ({2}, (second.mac,), (second.mac,))


def writes(target: BadTarget) -> list[AtaArgument]:
    """What it was asked to write."""
    asked = target.of(Command.ATA)
    return [each for each in asked if isinstance(each, AtaArgument) and each.flags & AtaFlag.WRITE]


def test_two_that_may_be_two_disks_are_not_both_written_to(
    alike: tuple[BadTarget, BadTarget], copying: LocalEngine, tmp_path: Path
) -> None:
    """Their kind of target has no serial of its own: each would get a part."""
    (tmp_path / "image").write_bytes(bytes(SECTOR))
    for command in (StartCopy(TaskKind.RESTORE, E91, tmp_path / "image"), StartBench(E91, write=True)):
        with pytest.raises(EngineError, match=r"nothing proves that they are one disk.*--mac"):
            copying.submit(command).result(PATIENCE)
    assert not writes(alike[0])
    assert not writes(alike[1])


def test_a_disk_larger_than_its_commands_reach_is_left_alone(copying: LocalEngine, veth_pair: VethPair, tmp_path: Path) -> None:
    """Its 29th bit would be lost on the way, and sector 0 written instead of sector 2**28."""
    (tmp_path / "image").write_bytes(bytes(SECTOR))
    page = bytearray(identify_page(sectors=1 << 29, serial="1", firmware="1", write_cache=True))
    page[120:124] = (1 << 29).to_bytes(4, "little")
    page[166:168] = page[172:174] = bytes(2)
    with bad_target(veth_pair.near, "near0") as target:
        target.page = bytes(page)
        with pytest.raises(EngineError, match="claims 536870912 sectors and knows 28-bit commands alone"):
            start(copying, TaskKind.RESTORE, tmp_path / "image", offset=1 << 28)


@pytest.mark.parametrize("kind", [TaskKind.RESTORE, TaskKind.COMPARE])
def test_a_file_that_changes_in_the_middle_is_told(
    near: LocalEngine, copying: LocalEngine, tmp_path: Path, kind: TaskKind
) -> None:
    """The device may hold a part of the one and a part of the other."""
    backing, image = sparse_disk(tmp_path, 8 << 20), tmp_path / "image"
    image.write_bytes(backing.read_bytes())
    add(near, spec(backing))
    number = start(copying, kind, image, window=1)
    with image.open("r+b") as file:
        file.write(b"changed")
    told = ended(copying, number)
    assert told.state is TaskState.FAILED
    assert f"{image} was changed meanwhile" in told.text


def test_a_device_that_becomes_another_in_the_middle_is_not_gone_on_with(
    near: LocalEngine, copying: LocalEngine, tmp_path: Path
) -> None:
    """Its target goes on at once, with another disk: nobody is missed."""
    backing, other, image = sparse_disk(tmp_path), sparse_disk(tmp_path, name="other.img"), tmp_path / "image"
    add(near, spec(backing))
    number = start(copying, TaskKind.IMAGE, image, window=1)
    wait_until(lambda: task_of(copying, number).done > 0, "some of the image")
    near.submit(DeleteExport(E91)).result(PATIENCE)
    add(near, spec(other))
    failed = ended(copying, number)
    assert failed.state is TaskState.FAILED
    assert "another disk answers at e9.1 now" in failed.text
    claimed = read_note(image).next * SECTOR
    assert image.read_bytes()[:claimed] == backing.read_bytes()[:claimed]
