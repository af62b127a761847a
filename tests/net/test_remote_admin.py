"""Config string, mask list and reservation of others' devices: read, compared and changed over a real wire.

The far end is an engine of ours, or a target that loses answers, refuses and lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from aoetui.engine.api import ChooseInterfaces, EngineError, NoAnswerError, SetConfigString, SetMask, SetReservation
from aoetui.engine.commands.remote import (
    CompareConfig,
    EditRemoteMask,
    ReadRemote,
    SetRemoteConfig,
    SetRemoteReservation,
    SurveyConfig,
)
from aoetui.engine.initiator import finding
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.protocol.ata import identify_page
from aoetui.engine.protocol.frames import ConfigArgument, Frame, MaskArgument, ReserveArgument, UnknownArgument
from aoetui.engine.protocol.wire import AoeError, Command, ConfigOp, MaskError, MaskOp, ReserveOp
from tests.support.bad_target import bad_target, losing
from tests.support.engines import E91, PATIENCE, add, disk, engine_in, knows, spec, the_export
from tests.support.netns import Namespace, join
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.api import Errand
    from aoetui.engine.commands.remote import RemoteState
    from aoetui.engine.local import LocalEngine
    from tests.support.bad_target import Answer, BadTarget
    from tests.support.netns import VethPair

STRANGER = Mac.parse("02:00:00:00:00:77")


@pytest.fixture
def asking(veth_pair: VethPair) -> Iterator[LocalEngine]:
    """An engine at the far end that has chosen its interface."""
    with engine_in(veth_pair.far) as engine:
        engine.submit(ChooseInterfaces(("far0",))).result(PATIENCE)
        yield engine


@pytest.fixture
def served(near: LocalEngine, tmp_path: Path) -> LocalEngine:
    """An engine at the near end that serves e9.1."""
    add(near, spec(disk(tmp_path)))
    return near


@pytest.fixture
def bad(veth_pair: VethPair) -> Iterator[BadTarget]:
    """A target at the near end that does as told."""
    with bad_target(veth_pair.near, veth_pair.near_link) as target:
        yield target


def done(engine: LocalEngine, command: Errand[Any]) -> Any:  # noqa: ANN401  # whatever the command's result is
    """Carry a command out."""
    return engine.submit(command).result(PATIENCE)


def our_mac(pair: VethPair) -> Mac:
    """Of the engine that asks."""
    return Mac.parse(pair.far_mac)


# ---- reading


def test_all_that_a_device_keeps_is_read(served: LocalEngine, asking: LocalEngine, veth_pair: VethPair) -> None:
    me = our_mac(veth_pair)
    served.submit(SetConfigString(E91, b"web01\x00")).result(PATIENCE)
    served.submit(SetMask(E91, (STRANGER, me))).result(PATIENCE)
    served.submit(SetReservation(E91, (STRANGER,))).result(PATIENCE)
    state: RemoteState = done(asking, ReadRemote(E91))
    (target,) = state.targets
    assert (str(target.mac), target.interfaces, target.size) == (veth_pair.near_mac, ("far0",), 1 << 20)
    assert (target.config_string, target.mask, target.reservation) == (b"web01\x00", (STRANGER, me), (STRANGER,))
    assert (target.buffer_count, target.sector_count, target.model) == (64, 2, "aoetui")
    assert state.here == (me,)
    assert [(each.mac, each.this_host, each.words) for each in state.known] == [(me, True, "this host, far0")]
    assert (state.limits.config_string, state.limits.mask, state.limits.reservation) == (1024, 185, 248)
    assert state.who(STRANGER) == ""


def test_a_full_mask_list_is_read(served: LocalEngine, asking: LocalEngine, veth_pair: VethPair) -> None:
    full = (our_mac(veth_pair), *(Mac(number.to_bytes(6, "big")) for number in range(2, 186)))
    served.submit(SetMask(E91, full)).result(PATIENCE)
    assert done(asking, ReadRemote(E91)).targets[0].mask == full


def test_those_who_use_our_exports_and_the_named_are_known(asking: LocalEngine, bad: BadTarget) -> None:
    asking._core.acl.groups = {"web": frozenset({STRANGER})}
    bad.mask = [STRANGER]
    assert done(asking, ReadRemote(E91)).who(STRANGER) == "group web"


def test_a_program_that_knows_no_lists_is_read_all_the_same(asking: LocalEngine, bad: BadTarget) -> None:
    def silent(request: Frame, answer: Answer) -> Answer:
        if request.header.command == Command.MAC_MASK:
            return bad.reply(request, UnknownArgument(b""), AoeError.UNRECOGNISED_COMMAND)
        return None if request.header.command == Command.RESERVE else answer

    bad.rules.append(silent)
    (target,) = done(asking, ReadRemote(E91)).targets
    assert (target.mask, target.reservation) == (None, None)
    with pytest.raises(EngineError, match=r"e9\.1 answers nothing about mask lists") as refused:
        done(asking, EditRemoteMask(E91, add=(STRANGER,), force=True))
    assert refused.value.field == "mask"
    with pytest.raises(EngineError, match=r"e9\.1 answers nothing about reservations"):
        done(asking, SetRemoteReservation(E91))


def test_who_is_not_there_is_no_answer(asking: LocalEngine) -> None:
    with pytest.raises(NoAnswerError):
        done(asking, ReadRemote(E91))


# ---- the config string


def test_it_is_set_once_and_replaced_by_force(served: LocalEngine, asking: LocalEngine) -> None:
    assert done(asking, SetRemoteConfig(E91, b"web01")).targets[0].config_string == b"web01"
    assert done(asking, SetRemoteConfig(E91, b"web01")).targets[0].config_string == b"web01"
    with pytest.raises(EngineError, match=r"e9\.1 has the config string 'web01' already: set it by force") as refused:
        done(asking, SetRemoteConfig(E91, b"web02"))
    assert refused.value.field == "config_string"
    assert done(asking, SetRemoteConfig(E91, b"web02", force=True)).targets[0].config_string == b"web02"
    assert the_export(served).config_string == b"web02"
    assert done(asking, SetRemoteConfig(E91, b"", force=True)).targets[0].config_string == b""


@pytest.mark.usefixtures("served")
def test_the_longest_string_goes_over(asking: LocalEngine) -> None:
    longest = bytes(range(256)) * 4
    assert done(asking, SetRemoteConfig(E91, longest)).targets[0].config_string == longest
    with pytest.raises(ValueError, match="at most 1024 bytes, not 1025"):
        SetRemoteConfig(E91, bytes(1025))


@pytest.mark.usefixtures("served")
def test_the_scanner_learns_it_at_once(asking: LocalEngine) -> None:
    """It would ask again after a minute by itself."""
    done(asking, SetRemoteConfig(E91, b"web01"))

    def known() -> bool:
        return [device.config_string for device in asking.snapshot().devices] == [b"web01"]

    wait_until(known, "the new config string")
    assert any("config string set to 'web01'" in event.text for event in asking.events(0))


@pytest.mark.parametrize(
    ("string", "prefix", "matches"),
    [(b"web01", False, True), (b"web", True, True), (b"", True, True), (b"web", False, False), (b"eb", True, False)],
)
def test_it_is_compared(served: LocalEngine, asking: LocalEngine, string: bytes, prefix: bool, matches: bool) -> None:
    """Silence means no only if the string can be read."""
    served.submit(SetConfigString(E91, b"web01")).result(PATIENCE)
    found = done(asking, CompareConfig(E91, string, prefix=prefix))
    assert (found.matches, found.answered, found.config_string) == (matches, matches, b"web01")


def test_a_target_that_never_answers_comparisons_is_compared_by_reading(asking: LocalEngine, bad: BadTarget) -> None:
    bad.string = b"web01"
    bad.rules.append(losing(Command.QUERY_CONFIG, ConfigOp.TEST, 99))
    found = done(asking, CompareConfig(E91, b"web01"))
    assert (found.matches, found.answered) == (True, False)


def test_everybody_is_asked_for_the_string(served: LocalEngine, asking: LocalEngine, tmp_path: Path) -> None:
    served.submit(SetConfigString(E91, b"web01")).result(PATIENCE)
    add(served, spec(disk(tmp_path, "other.img"), address=Address(10, 3)))

    def answers(**how: Any) -> list[tuple[str, bytes]]:  # noqa: ANN401  # the fields of SurveyConfig
        return [(str(each.address), each.config_string) for each in done(asking, SurveyConfig(0.4, **how))]

    assert answers() == [("e9.1", b"web01"), ("e10.3", b"")]
    assert answers(string=b"we", prefix=True) == [("e9.1", b"web01")]
    assert answers(string=b"") == [("e10.3", b"")]
    assert answers(string=b"no") == []


def test_an_edit_whose_answer_is_lost_is_asked_again_and_read(asking: LocalEngine, bad: BadTarget) -> None:
    bad.rules.append(losing(Command.QUERY_CONFIG, ConfigOp.SET, 2))
    assert done(asking, SetRemoteConfig(E91, b"web01")).targets[0].config_string == b"web01"
    tags = [each.header.tag for each in bad.asked if getattr(each.argument, "op", None) == ConfigOp.SET]
    assert len(tags) == 3
    assert len(set(tags)) == 3


def test_an_edit_that_is_never_answered_is_done_if_it_stands(asking: LocalEngine, bad: BadTarget) -> None:
    bad.rules.append(losing(Command.QUERY_CONFIG, ConfigOp.SET, 99))
    assert done(asking, SetRemoteConfig(E91, b"web01")).targets[0].config_string == b"web01"


def test_an_answer_that_lies_is_found_out(asking: LocalEngine, bad: BadTarget) -> None:
    """It says that it is done, and did nothing."""

    def lies(request: Frame, answer: Answer) -> Answer:
        match request.argument:
            case ConfigArgument(op=ConfigOp.SET, string=string):
                bad.string = b""
                return bad.reply(request, ConfigArgument(64, 1, 2, 1, ConfigOp.SET, string))
            case ReserveArgument(op=ReserveOp.SET, macs=macs):
                bad.reservation = ()
                return bad.reply(request, ReserveArgument(ReserveOp.SET, macs))
            case MaskArgument(op=MaskOp.EDIT, directives=lines):
                bad.mask = []
                return bad.reply(request, MaskArgument(MaskOp.EDIT, 0, len(lines), lines))
        return answer

    bad.rules.append(lies)
    with pytest.raises(EngineError, match=r"e9\.1 answered, and did not do it; its config string is empty now"):
        done(asking, SetRemoteConfig(E91, b"web01"))
    with pytest.raises(EngineError, match=r"e9\.1 answered, and did not do it; it is reserved for nobody now"):
        done(asking, SetRemoteReservation(E91))
    with pytest.raises(EngineError, match=r"e9\.1 answered as if it had done it; its mask list is empty now"):
        done(asking, EditRemoteMask(E91, add=(*done(asking, ReadRemote(E91)).here, STRANGER)))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (AoeError.UNRECOGNISED_COMMAND, "AoE error 1: its program knows no such command"),
        (AoeError.BAD_ARGUMENT, "AoE error 2: it finds the request wrong"),
        (AoeError.DEVICE_UNAVAILABLE, "AoE error 3: it cannot keep it now"),
        (AoeError.UNSUPPORTED_VERSION, "AoE error 5: it speaks another version"),
        (17, "AoE error 17: it does not say why"),
    ],
)
def test_each_refusal_is_told_in_words(asking: LocalEngine, bad: BadTarget, error: int, sentence: str) -> None:
    def refuses(request: Frame, answer: Answer) -> Answer:
        if isinstance(request.argument, ConfigArgument) and request.argument.op == ConfigOp.SET:
            bad.string = b""
            return bad.reply(request, request.argument, error)
        return answer

    bad.rules.append(refuses)
    with pytest.raises(EngineError, match=sentence):
        done(asking, SetRemoteConfig(E91, b"web01"))


# ---- the mask list


def test_macs_are_added_deleted_and_replaced(served: LocalEngine, asking: LocalEngine, veth_pair: VethPair) -> None:
    me = our_mac(veth_pair)

    def mask(**how: Any) -> tuple[Mac, ...]:  # noqa: ANN401  # the fields of EditRemoteMask
        found: tuple[Mac, ...] = done(asking, EditRemoteMask(E91, **how)).targets[0].mask
        assert the_export(served).mask == found
        return found

    assert mask(add=(me, STRANGER)) == (me, STRANGER)
    assert mask(add=(STRANGER,)) == (me, STRANGER)
    assert mask(delete=(STRANGER,)) == (me,)
    assert mask(add=(STRANGER, me), replace=True) == (me, STRANGER)
    assert mask(delete=(me, STRANGER)) == ()
    assert mask(replace=True) == ()


def test_this_host_is_not_shut_out_but_by_force(served: LocalEngine, asking: LocalEngine) -> None:
    with pytest.raises(EngineError, match=r"shut this host out of e9\.1.*02:00:00:00:00:02 \(this host, far0\)") as refused:
        done(asking, EditRemoteMask(E91, add=(STRANGER,)))
    assert refused.value.field == "mask"
    assert the_export(served).mask == ()
    state = done(asking, EditRemoteMask(E91, add=(STRANGER,), force=True))
    assert state.targets[0].mask == (STRANGER,) == the_export(served).mask
    with pytest.raises(NoAnswerError):
        done(asking, ReadRemote(E91))


def test_a_list_that_is_full_is_told_with_the_mac_that_had_no_room(
    served: LocalEngine, asking: LocalEngine, veth_pair: VethPair
) -> None:
    many = [our_mac(veth_pair), *(Mac(number.to_bytes(6, "big")) for number in range(2, 188))]
    with pytest.raises(EngineError, match=r"full: 00:00:00:00:00:ba was not added; its mask list is .* and 182 more now"):
        done(asking, EditRemoteMask(E91, add=tuple(many)))
    assert the_export(served).mask == tuple(many[:185])


def test_a_full_list_is_replaced_by_another(served: LocalEngine, asking: LocalEngine, veth_pair: VethPair) -> None:
    """In frames that each hold 185 directives; on its way the list is never empty, and this host never off it."""
    me = our_mac(veth_pair)
    before = (me, *(Mac(number.to_bytes(6, "big")) for number in range(2, 186)))
    after = (me, *(Mac(number.to_bytes(6, "big")) for number in range(1002, 1186)))
    done(asking, EditRemoteMask(E91, add=before))
    state = done(asking, EditRemoteMask(E91, add=after, replace=True))
    assert set(state.targets[0].mask) == set(after)
    assert set(the_export(served).mask) == set(after)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MaskError.UNSPECIFIED, r"did not change its mask list at 02:00:00:00:00:77 \(error 1\)"),
        (MaskError.BAD_DIRECTIVE, "does not understand what is to become of 02:00:00:00:00:77"),
        (MaskError.LIST_FULL, "is full: 02:00:00:00:00:77 was not added"),
    ],
)
def test_a_failing_directive_is_told_with_its_mac(
    asking: LocalEngine, bad: BadTarget, veth_pair: VethPair, error: MaskError, sentence: str
) -> None:
    def fails(request: Frame, answer: Answer) -> Answer:
        if isinstance(request.argument, MaskArgument) and request.argument.op == MaskOp.EDIT:
            bad.mask = [our_mac(veth_pair)]
            return bad.reply(request, MaskArgument(MaskOp.EDIT, error, 1, ()))
        return answer

    bad.rules.append(fails)
    with pytest.raises(EngineError, match=sentence + ".*; its mask list is 02:00:00:00:00:02 now"):
        done(asking, EditRemoteMask(E91, add=(STRANGER, our_mac(veth_pair))))


# ---- the reservation


def test_it_is_taken_named_and_released(served: LocalEngine, asking: LocalEngine, veth_pair: VethPair) -> None:
    me = our_mac(veth_pair)
    assert done(asking, SetRemoteReservation(E91)).targets[0].reservation == (me,)
    assert done(asking, SetRemoteReservation(E91, ())).targets[0].reservation == ()
    served.submit(SetReservation(E91, (STRANGER,))).result(PATIENCE)
    with pytest.raises(EngineError, match=r"reserved for 02:00:00:00:00:77: have it released there, or take it by force"):
        done(asking, SetRemoteReservation(E91))
    assert the_export(served).reservation == (STRANGER,)
    assert done(asking, SetRemoteReservation(E91, force=True)).targets[0].reservation == (me,)
    assert done(asking, SetRemoteReservation(E91, (STRANGER, me))).targets[0].reservation == (STRANGER, me)


def test_given_to_another_it_stands_although_the_answer_was_lost(asking: LocalEngine, bad: BadTarget) -> None:
    """Asked again, the target refuses: this host holds nothing any more. It is what was wanted all the same."""

    def once(request: Frame, answer: Answer) -> Answer:
        if not isinstance(request.argument, ReserveArgument) or request.argument.op != ReserveOp.SET:
            return answer
        asked = [each for each in bad.of(Command.RESERVE) if isinstance(each, ReserveArgument) and each.op == ReserveOp.SET]
        return None if len(asked) == 1 else bad.reply(request, ReserveArgument(1, bad.reservation), AoeError.TARGET_RESERVED)

    bad.rules.append(once)
    assert done(asking, SetRemoteReservation(E91, (STRANGER,))).targets[0].reservation == (STRANGER,)


# ---- several paths


@pytest.fixture
def both(
    asking: LocalEngine, bad: BadTarget, veth_pair: VethPair, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[BadTarget, BadTarget]]:
    """Two targets at one address, each on a cable of its own to the engine that asks: as two vblades on one disk."""
    monkeypatch.setattr(finding, "FURTHER_ANSWERS", 1.0)  # on a busy host either may take its time
    with Namespace() as other:
        join(other, "other0", veth_pair.far, "far1", near_mac="02:00:00:00:00:11")
        knows(asking, "far1")
        asking.submit(ChooseInterfaces(("far0", "far1"))).result(PATIENCE)
        with bad_target(other, "other0") as second:
            yield bad, second


def test_an_edit_goes_to_each_mac_of_a_device(asking: LocalEngine, both: tuple[BadTarget, BadTarget]) -> None:
    """This host is on the list by either of its MACs: it may be masked on the other interface."""
    state = done(asking, SetRemoteConfig(E91, b"web01"))
    assert [target.config_string for target in state.targets] == [b"web01", b"web01"]
    assert [each.string for each in both] == [b"web01", b"web01"]
    assert [target.interfaces for target in state.targets] == [("far0",), ("far1",)]
    state = done(asking, SetRemoteReservation(E91))
    assert [set(each.reservation) for each in both] == [set(state.here)] * 2
    done(asking, EditRemoteMask(E91, add=state.here))
    assert [set(each.mask) for each in both] == [set(state.here)] * 2


def test_an_edit_that_locks_out_on_one_path_alone_is_refused(asking: LocalEngine, both: tuple[BadTarget, BadTarget]) -> None:
    first, second = done(asking, ReadRemote(E91)).here
    with pytest.raises(EngineError, match="shut this host out"):
        done(asking, EditRemoteMask(E91, add=(first,)))
    assert both[0].mask == both[1].mask == []
    assert first != second


def test_two_disks_at_one_address_are_not_changed_but_by_mac(asking: LocalEngine, both: tuple[BadTarget, BadTarget]) -> None:
    both[1].page = identify_page(sectors=4096, serial="0002", firmware="1", write_cache=True)
    state = done(asking, ReadRemote(E91))
    assert "different disks answer at one address (02:00:00:00:00:01 and 02:00:00:00:00:11): Linux takes them" in state.conflict
    for command in (SetRemoteConfig(E91, b"x"), SetRemoteReservation(E91), EditRemoteMask(E91, add=state.here)):
        with pytest.raises(EngineError, match=r"nothing is changed: different disks .*, or name the MAC that is meant"):
            done(asking, command)
    assert not any(each.string or each.mask or each.reservation for each in both)
    (target,) = done(asking, SetRemoteConfig(E91, b"x", mac=both[1].mac)).targets
    assert (target.mac, both[0].string, both[1].string) == (both[1].mac, b"", b"x")
    with pytest.raises(NoAnswerError, match=r"02:00:00:00:00:77 does not answer for e9\.1, but 02:00:00:00:00:01, 02:"):
        done(asking, ReadRemote(E91, STRANGER))
