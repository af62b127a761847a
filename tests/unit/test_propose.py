"""The address that the export form proposes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.protocol.address import Address
from aoetui.propose import propose_address

ADDRESSES = st.builds(Address, st.integers(0, 0xFFFE), st.integers(0, 0xFE))


def test_starts_at_the_first_shelf() -> None:
    assert propose_address(()) == Address(1, 0)


def test_fills_the_first_gap_of_the_shelf_used_last() -> None:
    taken = {Address(9, 0), Address(9, 1), Address(9, 3), Address(1, 0)}
    assert propose_address(taken, last_shelf=9) == Address(9, 2)


def test_goes_to_the_next_shelf_when_one_is_full() -> None:
    assert propose_address({Address(9, slot) for slot in range(255)}, last_shelf=9) == Address(10, 0)


def test_passes_the_shelf_that_linux_refuses() -> None:
    assert propose_address((), last_shelf=4095) == Address(4096, 0)


def test_wraps_round_after_the_last_shelf() -> None:
    assert propose_address({Address(65534, slot) for slot in range(255)}, last_shelf=65534) == Address(0, 0)


@given(st.sets(ADDRESSES, max_size=50), st.integers(0, 0xFFFE))
def test_proposes_nothing_that_is_taken(taken: set[Address], shelf: int) -> None:
    assert propose_address(taken, shelf) not in taken
