"""When all of the garbage is collected."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from aoetui.collector import FULL_EVERY, QUIET, Collector, hold_back

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def threshold() -> Iterator[None]:
    """As it was, afterwards."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Ring:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.me = self


def test_it_is_collected_once_in_a_while_and_while_nobody_types() -> None:
    """Old garbage is found then, frozen or not."""
    now = [100.0]
    collector = Collector(lambda: now[0])
    ring = Ring()
    hold_back()
    gone = weakref.ref(ring)
    del ring
    now[0] += FULL_EVERY - 1
    assert not collector.rest()
    collector.typed()
    now[0] += QUIET - 1
    assert not collector.rest(), "somebody typed"
    assert gone() is not None
    now[0] += 1
    assert collector.rest()
    assert gone() is None
    now[0] += QUIET
    assert not collector.rest(), "it was done just now"
