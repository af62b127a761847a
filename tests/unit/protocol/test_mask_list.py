"""MAC mask list (AoEr11, section 3.3): read, edit, and edits that stop half way."""

from __future__ import annotations

import pytest

from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.facts import PortFacts
from aoetui.engine.protocol.frames import Directive, MaskArgument, decode
from tests.unit.protocol import golden
from tests.unit.protocol.asking import ADD, DELETE, MARK, gist, macs, mask, outcome, patched
from tests.unit.protocol.golden import INITIATOR, SOMEONE, TARGET, export

NOTHING = 0
US, THEM = INITIATOR, SOMEONE
MOST = 185
"""MACs of a list at MTU 1500."""
FIVE = macs(5)


def test_golden_read_of_the_mask_list() -> None:
    assert outcome(golden.MASK_READ).sent == golden.MASK_EMPTY
    assert outcome(golden.MASK_READ, export(mask=(US, THEM))).sent == golden.MASK_OF_TWO
    assert outcome(golden.MASK_READ + MARK, export(mask=(US, THEM))).sent == golden.MASK_OF_TWO


def test_golden_edit_of_the_mask_list() -> None:
    got = outcome(golden.MASK_EDIT)
    assert (got.sent, got.state.mask) == (golden.MASK_EDITED, (US, THEM))


@pytest.mark.parametrize("op", [2, 3, 0x7F, 0xFF])
def test_other_mask_ops_are_bad_arguments(op: int) -> None:
    assert outcome(mask(op, (ADD, US)), export(mask=(US,))).sent == golden.MASK_REFUSED


def test_directives_beyond_the_frame() -> None:
    for asked in (golden.MASK_EDIT[:-1], patched(golden.MASK_EDIT, 27, "03"), patched(golden.MASK_EDIT, 27, "ff")):
        got = outcome(asked, export(mask=(US,)))
        assert (got.sent, got.state.mask) == (golden.MASK_REFUSED, (US,))


@pytest.mark.parametrize(
    ("before", "directives", "after"),
    [
        ((), ((ADD, US),), (US,)),
        ((US,), ((ADD, US),), (US,)),
        ((US,), ((ADD, US), (ADD, US)), (US,)),
        ((US, THEM), ((ADD, US),), (US, THEM)),
        ((US, THEM), ((DELETE, US),), (THEM,)),
        ((US,), ((DELETE, US),), ()),
        ((US,), ((DELETE, THEM),), (US,)),
        ((), ((DELETE, THEM),), ()),
        ((US,), ((DELETE, US), (ADD, US)), (US,)),
        ((US,), ((ADD, THEM), (DELETE, US)), (THEM,)),
        ((), ((ADD, US), (DELETE, US)), ()),
        ((US,), ((NOTHING, THEM),), (US,)),
        ((), ((ADD, THEM),), (THEM,)),  # who asks may shut itself out
        ((US,), (), (US,)),
    ],
)
def test_mask_edit(before: tuple[Mac, ...], directives: tuple[tuple[int, Mac], ...], after: tuple[Mac, ...]) -> None:
    got = outcome(mask(1, *directives), export(mask=before))
    assert got.state.mask == after
    assert isinstance(got.sent, bytes)
    decoded = decode(got.sent)
    assert decoded.header == golden.response(2)
    assert decoded.argument == MaskArgument(1, 0, len(after), tuple(Directive(NOTHING, mac) for mac in after))


@pytest.mark.parametrize("what", [3, 4, 0x7F, 0xFF])
def test_bad_directive_keeps_those_before_it(what: int) -> None:
    got = outcome(mask(1, (ADD, THEM), (what, FIVE[0]), (ADD, FIVE[1])), export(mask=(US,)))
    assert (got.sent, got.state.mask) == (golden.MASK_BAD_DIRECTIVE, (US, THEM))


def test_full_list_keeps_the_directives_before() -> None:
    full = (US, *macs(MOST - 2))
    got = outcome(mask(1, (ADD, THEM), (ADD, Mac(b"\x02" * 6)), (DELETE, US)), export(mask=full))
    assert (got.sent, got.state.mask) == (golden.MASK_FULL, (*full, THEM))


def test_full_list_takes_what_it_has_and_what_it_gave_room_to() -> None:
    full = (US, *macs(MOST - 1))
    got = outcome(mask(1, (ADD, US), (DELETE, full[1]), (ADD, THEM)), export(mask=full))
    assert got.state.mask == (US, *full[2:], THEM)
    assert gist(mask(0), export(mask=got.state.mask)) == "answers"


def test_longest_mask_list_of_a_frame() -> None:
    """185 MACs are 1508 of a frame's 1514 bytes; a 186th needs 1516."""
    first = (US, *macs(MOST - 1))
    whole = outcome(mask(1, *((ADD, mac) for mac in first)))
    assert isinstance(whole.sent, bytes)
    assert (len(whole.sent), whole.sent[24:28]) == (1508, bytes([0, 1, 0, MOST]))
    over = outcome(mask(1, (ADD, THEM)), export(mask=first))
    assert isinstance(over.sent, bytes)
    assert (over.sent[14:16], over.sent[24:28], over.state.mask) == (b"\x18\0", bytes([0, 1, 3, 0]), first)


def test_longest_mask_list_of_all() -> None:
    jumbo = PortFacts(TARGET, sector_count=17, frame_limit=9014)
    most = (US, *macs(254))
    got = outcome(mask(1, *((ADD, mac) for mac in most)), export(frame_limit=9014), jumbo)
    assert isinstance(got.sent, bytes)
    assert (len(got.sent), got.sent[24:28], got.state.mask) == (28 + 255 * 8, b"\0\1\0\xff", most)
    over = outcome(mask(1, (ADD, THEM)), export(mask=most, frame_limit=9014), jumbo)
    assert isinstance(over.sent, bytes)
    assert (over.sent[24:28], over.state.mask) == (b"\0\1\3\0", most)


# ---- after the MTU was cut


@pytest.mark.parametrize("export_knows", [True, False])
def test_mask_list_that_no_longer_fits(*, export_knows: bool) -> None:
    """An AoE error means that nothing was done; a longer list cannot pass for a shorter one."""
    facts = export(mask=(US, *macs(199)), frame_limit=1514 if export_knows else 9014)
    for asked in (mask(0), mask(1), mask(1, (DELETE, facts.state.mask[9])), mask(1, (ADD, US))):
        got = outcome(asked, facts)
        assert (got.sent, got.state) == (golden.MASK_UNFIT, facts.state)
    added = outcome(mask(1, (ADD, THEM)), facts)
    assert isinstance(added.sent, bytes)
    assert (added.sent[24:28], added.state) == (b"\0\1\3\0", facts.state)
    fewer = outcome(mask(1, *((DELETE, mac) for mac in facts.state.mask[1:50])), facts)
    assert isinstance(fewer.sent, bytes)
    assert (fewer.sent[24:28], len(fewer.state.mask)) == (bytes([0, 1, 0, 151]), 151)


def test_an_edit_where_the_export_does_not_know_of_the_cut() -> None:
    port = PortFacts(TARGET, sector_count=1, frame_limit=548)
    got = outcome(mask(1, *((ADD, mac) for mac in macs(66))), export(), port)
    assert isinstance(got.sent, bytes)
    assert (got.sent[24:28], got.state.mask) == (bytes([0, 1, 3, 65]), macs(65))
