"""Reserve/release (AoEr11, section 3.4): who may, for whom, and for how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aoetui.engine.protocol.facts import PortFacts
from aoetui.engine.protocol.frames import ReserveArgument, decode
from tests.unit.protocol import golden
from tests.unit.protocol.asking import MARK, macs, outcome, patched, reserve
from tests.unit.protocol.golden import INITIATOR, SOMEONE, TARGET, export

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Mac

US, THEM = INITIATOR, SOMEONE
MOST = 248
"""MACs of a reservation at MTU 1500."""


def test_golden_read_of_the_reservation() -> None:
    assert outcome(golden.RESERVE_READ).sent == golden.RESERVE_EMPTY
    assert outcome(golden.RESERVE_READ + MARK, export(reservation=(US, THEM))).sent == patched(golden.RESERVE_OF_TWO, 24, "00")


def test_golden_reservation() -> None:
    got = outcome(golden.RESERVE_SET)
    assert (got.sent, got.state.reservation) == (golden.RESERVE_OF_TWO, (US, THEM))


def test_golden_refusal_carries_the_list() -> None:
    got = outcome(golden.RESERVE_SET, export(reservation=(THEM,)))
    assert (got.sent, got.state.reservation) == (golden.RESERVE_HELD, (THEM,))


def test_golden_release() -> None:
    got = outcome(reserve(1), export(reservation=(US, THEM)))
    assert (got.sent, got.state.reservation) == (golden.RESERVE_RELEASED, ())


@pytest.mark.parametrize("op", [3, 4, 0x7F, 0xFF])
def test_other_reserve_ops_are_bad_arguments(op: int) -> None:
    got = outcome(reserve(op, US), export(reservation=(US,)))
    assert (got.sent, got.state.reservation) == (golden.RESERVE_REFUSED, (US,))


def test_macs_beyond_the_frame() -> None:
    for asked in (golden.RESERVE_SET[:-1], patched(golden.RESERVE_SET, 25, "03"), patched(golden.RESERVE_SET, 24, "02ff")):
        got = outcome(asked, export(reservation=(US,)))
        assert (got.sent, got.state.reservation) == (golden.RESERVE_REFUSED, (US,))


@pytest.mark.parametrize(
    ("op", "before", "given", "after", "error"),
    [
        (1, (), (US,), (US,), None),
        (1, (), (THEM,), (THEM,), None),
        (1, (), (), (), None),
        (1, (US,), (US,), (US,), None),  # a repeat
        (1, (US, THEM), (US,), (US,), None),
        (1, (US,), (THEM,), (THEM,), None),
        (1, (US,), (), (), None),
        (1, (THEM,), (US,), (THEM,), 6),
        (1, (THEM,), (), (THEM,), 6),
        (1, (THEM,), (THEM,), (THEM,), 6),
        (1, (THEM,), macs(MOST + 1), (THEM,), 6),
        (1, (), (US, THEM, US), (US, THEM), None),
        (2, (), (US,), (US,), None),
        (2, (THEM,), (US,), (US,), None),
        (2, (THEM,), (), (), None),
        (2, (THEM,), (THEM, THEM), (THEM,), None),
        (2, (), (), (), None),
    ],
)
def test_reservation(op: int, before: tuple[Mac, ...], given: tuple[Mac, ...], after: tuple[Mac, ...], error: int | None) -> None:
    got = outcome(reserve(op, *given), export(reservation=before))
    assert got.state.reservation == after
    assert isinstance(got.sent, bytes)
    decoded = decode(got.sent)
    assert decoded.header == golden.response(3, error=error)
    assert decoded.argument == ReserveArgument(op, after)


def test_longest_reservation_of_a_frame() -> None:
    """248 MACs are 1514 bytes, a whole frame."""
    whole = outcome(reserve(1, *macs(MOST)))
    assert isinstance(whole.sent, bytes)
    assert (len(whole.sent), whole.state.reservation) == (1514, macs(MOST))
    over = outcome(reserve(2, *macs(MOST + 1)), export(reservation=(THEM,)))
    assert (over.sent, over.state.reservation) == (golden.RESERVE_REFUSED, (THEM,))


def test_longest_reservation_of_all() -> None:
    jumbo = PortFacts(TARGET, sector_count=17, frame_limit=9014)
    got = outcome(reserve(1, *macs(255)), export(frame_limit=9014), jumbo)
    assert isinstance(got.sent, bytes)
    assert (len(got.sent), got.state.reservation) == (26 + 255 * 6, macs(255))


# ---- after the MTU was cut


@pytest.mark.parametrize("export_knows", [True, False])
def test_reservation_that_no_longer_fits(*, export_knows: bool) -> None:
    facts = export(reservation=macs(250), frame_limit=1514 if export_knows else 9014)
    for asked in (reserve(0), reserve(1, US), reserve(1)):
        got = outcome(asked, facts)
        assert (got.sent, got.state) == (golden.RESERVE_UNFIT, facts.state)
    assert outcome(reserve(2, *macs(249)), facts).sent == golden.RESERVE_REFUSED
    assert outcome(reserve(2), facts).sent == patched(golden.RESERVE_RELEASED, 24, "02")
