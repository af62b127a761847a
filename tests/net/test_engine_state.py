"""Config string, mask list and reservation: set over the wire or at the console, kept across a restart, or not set at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import EngineError, SetConfigString, SetMask, SetReservation
from aoetui.engine.protocol.address import BROADCAST_MAC, Address, Mac
from aoetui.engine.protocol.facts import TargetState
from aoetui.engine.protocol.frames import ConfigArgument, MaskArgument, ReserveArgument
from aoetui.engine.protocol.silence import Silence
from aoetui.engine.protocol.wire import AoeError, AtaOp, ConfigOp, MaskError, ReserveOp
from aoetui.engine.snapshot import Severity, StateLimits
from tests.support.engines import E91, PATIENCE, add, disk, engine_in, spec, the_export
from tests.support.initiator import initiator
from tests.support.netns import veth_pair as make_veth_pair
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from tests.support.initiator import Initiator
    from tests.support.netns import VethPair

FRIEND = Mac.parse("02:00:00:00:00:77")


def macs(count: int) -> tuple[Mac, ...]:
    """So many, none of them the initiator's."""
    return tuple(Mac(b"\x06\0\0\0" + number.to_bytes(2, "big")) for number in range(count))


def shown(engine: LocalEngine) -> TargetState:
    """The state of the only export as the console shows it."""
    export = the_export(engine)
    return TargetState(export.config_string, export.mask, export.reservation)


def answered(ini: Initiator) -> TargetState:
    """The same as the wire tells it."""
    config, mask, reservation = ini.config(ConfigOp.READ), ini.mask(), ini.reserve(ReserveOp.READ)
    assert isinstance(config.argument, ConfigArgument)
    assert isinstance(mask.argument, MaskArgument)
    assert isinstance(reservation.argument, ReserveArgument)
    lines = tuple(line.mac for line in mask.argument.directives)
    return TargetState(config.argument.string, lines, reservation.argument.macs)


def test_what_an_initiator_sets_is_there_after_a_restart(veth_pair: VethPair, tmp_path: Path) -> None:
    path, kept = disk(tmp_path), tmp_path / "state"
    mine = Mac.parse(veth_pair.far_mac)
    wanted = TargetState(b"web01 \x1b[2J\xff", (mine, FRIEND), (mine,))
    with initiator(veth_pair.far, "far0") as ini:
        with engine_in(veth_pair.near, state=kept) as engine:
            serial = add(engine, spec(path)).serial
            ini.find()
            assert ini.config(ConfigOp.SET, wanted.config_string).header.error is None
            assert ini.mask(add=wanted.mask).header.error is None
            assert ini.reserve(ReserveOp.SET, *wanted.reservation).header.error is None
            assert shown(engine) == wanted
            told = [event.text for event in engine.events(0) if str(mine) in event.text]
            assert len([text for text in told if text.endswith(f" by {mine} on near0")]) == 3
        with engine_in(veth_pair.near, state=kept) as engine:
            assert add(engine, spec(path)).serial == serial
            assert shown(engine) == answered(ini) == wanted


def test_another_disk_at_the_address_inherits_nothing(veth_pair: VethPair, tmp_path: Path) -> None:
    kept = tmp_path / "state"
    with initiator(veth_pair.far, "far0") as ini:
        for name in ("one.img", "two.img"):
            with engine_in(veth_pair.near, state=kept) as engine:
                add(engine, spec(disk(tmp_path, name)))
                ini.find()
                assert answered(ini) == TargetState()
                ini.config(ConfigOp.SET, name.encode())
                assert shown(engine).config_string == name.encode()
    assert len(list(kept.iterdir())) == 2


def test_what_cannot_be_kept_is_not_set_and_not_said_to_be(veth_pair: VethPair, tmp_path: Path) -> None:
    kept = tmp_path / "state"
    with initiator(veth_pair.far, "far0") as ini, engine_in(veth_pair.near, state=kept) as engine:
        add(engine, spec(disk(tmp_path)))
        ini.find()
        ini.config(ConfigOp.SET, b"before")
        kept.rename(tmp_path / "away")
        kept.write_text("a file where the folder should be, which refuses root too")
        before = engine.snapshot().last_event
        refused = [
            ini.config(ConfigOp.FORCE_SET, b"after"),
            ini.mask(add=[FRIEND]),
            ini.reserve(ReserveOp.SET, FRIEND),
        ]
        assert [frame.header.error for frame in refused] == [AoeError.DEVICE_UNAVAILABLE] * 3
        with pytest.raises(EngineError, match="state"):
            engine.submit(SetMask(E91, (FRIEND,))).result(PATIENCE)
        assert shown(engine) == answered(ini) == TargetState(b"before")
        told = [event for event in engine.events(before) if event.severity is Severity.WARNING]
        assert len(told) == 3
        assert all(event.text.startswith(f"{veth_pair.far_mac} changed nothing: ") for event in told)
        assert all(str(kept) in event.text for event in told)
        assert ini.config(ConfigOp.FORCE_SET, b"before").header.error is None, "what changes nothing needs no file"
        kept.unlink()
        (tmp_path / "away").rename(kept)
        assert ini.config(ConfigOp.FORCE_SET, b"after").header.error is None
        assert shown(engine).config_string == b"after"


def test_a_damaged_state_file_keeps_the_export_closed(veth_pair: VethPair, tmp_path: Path) -> None:
    path, kept = disk(tmp_path), tmp_path / "state"
    with engine_in(veth_pair.near, state=kept) as engine:
        add(engine, spec(path))
    (file,) = kept.iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    with engine_in(veth_pair.near, state=kept) as engine:
        with pytest.raises(EngineError, match="is damaged: restore it, or remove it"):
            add(engine, spec(path))
        file.unlink()
        add(engine, spec(path))


def test_a_mask_of_the_command_line_is_added_to_the_kept_one(veth_pair: VethPair, tmp_path: Path) -> None:
    path, kept = disk(tmp_path), tmp_path / "state"
    for given, wanted in (((FRIEND,), (FRIEND,)), (macs(2), (FRIEND, *macs(2))), ((), (FRIEND, *macs(2)))):
        with engine_in(veth_pair.near, state=kept) as engine:
            assert add(engine, spec(path, mask=given)).mask == wanted
    with engine_in(veth_pair.near, state=kept) as engine, pytest.raises(EngineError, match="keep at most 255"):
        add(engine, spec(path, mask=macs(255)))


def test_the_console_changes_what_initiators_see(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    ini.find()
    mine = ini.wire.mac
    for command in (
        SetConfigString(E91, b"rack 4"),
        SetMask(E91, (FRIEND, mine, FRIEND)),
        SetReservation(E91, (mine,)),
    ):
        near.submit(command).result(PATIENCE)
    assert answered(ini) == shown(near) == TargetState(b"rack 4", (FRIEND, mine), (mine,))
    assert [event.text for event in near.events(0) if event.text.endswith("by this console")] == [
        "config string set to 'rack 4' by this console",
        f"mask list set to {FRIEND}, {mine} by this console",
        f"reservation set to {mine} by this console",
    ]
    for command in (SetConfigString(E91, b""), SetMask(E91, ()), SetReservation(E91, ())):
        near.submit(command).result(PATIENCE)
    assert answered(ini) == shown(near) == TargetState()


def counts_up(engine: LocalEngine) -> Callable[[], bool]:
    """Whether more frames are refused than now."""
    before = the_export(engine).refused_frames
    return lambda: the_export(engine).refused_frames > before


def test_whoever_is_masked_out_is_answered_no_more_at_once(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    ini.find()
    for _ in range(20):
        near.submit(SetMask(E91, (FRIEND,))).result(PATIENCE)
        refused_once_more = counts_up(near)
        ini.wire.send([ini.request(AtaOp.READ_EXT, 0, 1, b"", 7)])
        wait_until(refused_once_more, "it is refused")
        near.submit(SetMask(E91, ())).result(PATIENCE)
        assert ini.meanwhile() == []
    (refused,) = the_export(near).refused
    assert (refused.mac, refused.interface, refused.why, refused.count) == (ini.wire.mac, "near0", Silence.MASKED, 20)


REFUSED: list[tuple[Callable[[], SetConfigString | SetMask | SetReservation], str, str]] = [
    (lambda: SetConfigString(E91, bytes(1025)), "config_string", "use at most 1024"),
    (lambda: SetMask(E91, macs(186)), "mask", "keep at most 185"),
    (lambda: SetReservation(E91, macs(249)), "reservation", "keep at most 248"),
    (lambda: SetMask(E91, (BROADCAST_MAC,)), "mask", "no address that a frame can come from"),
    (lambda: SetMask(E91, (Mac(bytes(6)),)), "mask", "no address that a frame can come from"),
    (lambda: SetReservation(E91, (Mac.parse("01:00:5e:00:00:01"),)), "reservation", "no address that a frame can come from"),
    (lambda: SetMask(Address(9, 2), ()), "address", "none of our exports"),
]


@pytest.mark.parametrize(("command", "field", "says"), REFUSED)
def test_what_the_console_may_not_set(
    near: LocalEngine, tmp_path: Path, command: Callable[[], SetConfigString | SetMask | SetReservation], field: str, says: str
) -> None:
    add(near, spec(disk(tmp_path)))
    with pytest.raises(EngineError, match=says) as refused:
        near.submit(command()).result(PATIENCE)
    assert refused.value.field == field
    assert shown(near) == TargetState()


def test_lists_are_as_long_as_a_reply_of_the_smallest_mtu_holds(near: LocalEngine, ini: Initiator, tmp_path: Path) -> None:
    add(near, spec(disk(tmp_path)))
    ini.find()
    mine = ini.wire.mac
    assert the_export(near).limits == StateLimits(1024, 185, 248)
    near.submit(SetMask(E91, (mine, *macs(184)))).result(PATIENCE)
    near.submit(SetReservation(E91, (mine, *macs(247)))).result(PATIENCE)
    assert answered(ini) == shown(near), "the longest lists fit their replies"
    full = ini.mask(add=[FRIEND]).argument
    assert isinstance(full, MaskArgument)
    assert (full.error, full.count) == (MaskError.LIST_FULL, 0)
    assert (len(shown(near).mask), len(shown(near).reservation)) == (185, 248)


def test_the_limits_follow_the_mtu(tmp_path: Path, private_network: None) -> None:  # noqa: ARG001  # it may skip
    with make_veth_pair(mtu=9000) as pair, engine_in(pair.near) as engine:
        add(engine, spec(disk(tmp_path)))
        assert the_export(engine).limits == StateLimits(1024, 255, 255)
        pair.near.set_link("near0", mtu=600)
        wait_until(lambda: the_export(engine).limits == StateLimits(582, 73, 98), "less fits")
        with pytest.raises(EngineError, match="use at most 582"):
            engine.submit(SetConfigString(E91, bytes(583))).result(PATIENCE)
        engine.submit(SetConfigString(E91, bytes(582))).result(PATIENCE)
