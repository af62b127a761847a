"""Edits of a mask list: whatever is wanted comes about, and on the way nobody is let in or shut out who should not be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.protocol.address import Mac
from aoetui.engine.protocol.mask_edits import applied, batches, directives_for, wanted_list
from aoetui.engine.protocol.wire import DirectiveOp

if TYPE_CHECKING:
    from aoetui.engine.protocol.frames import Directive

MACS = [Mac(bytes([2, 0, 0, 0, 0, number])) for number in range(1, 25)]
LISTS = st.lists(st.sampled_from(MACS), unique=True, max_size=16)
ONE, TWO, THREE, FOUR = MACS[:4]


@given(LISTS, LISTS, LISTS, st.integers(16, 20), st.integers(1, 8))
def test_the_wanted_list_comes_about_and_is_never_empty_on_its_way(
    current: list[Mac], wanted: list[Mac], own: list[Mac], limit: int, most: int
) -> None:
    """An empty list lets everybody in. It never grows beyond the limit either."""
    directives = directives_for(current, wanted, limit=limit, own=own)
    frames = batches(directives, most=most, own=())
    assert [each for frame in frames for each in frame] == list(directives)
    standing = frozenset(current)
    for number, directive in enumerate(directives, 1):
        standing = applied(tuple(standing), [directive])
        assert len(standing) <= limit
        assert standing or number == len(directives)
    assert standing == set(wanted)


@given(LISTS, LISTS, LISTS, st.integers(1, 8))
def test_own_macs_are_put_on_first_and_taken_off_in_a_frame_of_their_own(
    current: list[Mac], wanted: list[Mac], own: list[Mac], most: int
) -> None:
    frames = batches(directives_for(current, wanted, limit=255, own=own), most=most, own=own)
    assert all(0 < len(frame) <= most for frame in frames)
    adds = [each.mac in own for frame in frames for each in frame if each.op == DirectiveOp.ADD]
    assert adds == sorted(adds, reverse=True)

    def leaves(each: Directive) -> bool:
        return each.op == DirectiveOp.DELETE and each.mac in own

    assert all(len({leaves(each) for each in frame}) == 1 for frame in frames)
    left = [leaves(frame[0]) for frame in frames]
    assert left == sorted(left)


def test_what_is_wanted_is_read_from_the_list_as_it_is() -> None:
    assert wanted_list([ONE, TWO], add=[TWO, THREE], delete=[ONE], replace=False) == (TWO, THREE)
    assert wanted_list([ONE, TWO], add=[THREE, TWO], delete=[], replace=True) == (TWO, THREE)
    assert wanted_list([ONE, TWO], add=[], delete=[], replace=True) == ()
    assert wanted_list([ONE], add=[TWO], delete=[TWO], replace=False) == (ONE,)


def test_a_full_list_is_changed_one_by_one() -> None:
    directives = directives_for([ONE, TWO], [THREE, FOUR], limit=2, own=[])
    assert [(each.op.name if isinstance(each.op, DirectiveOp) else each.op, each.mac) for each in directives] == [
        ("DELETE", ONE),
        ("ADD", THREE),
        ("DELETE", TWO),
        ("ADD", FOUR),
    ]
