"""The Linux driver behind a wire that drops, repeats and reorders: what it wrote is what the disk holds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.lossy import Rates

from .lossy import exercise

if TYPE_CHECKING:
    from collections.abc import Callable

    from .guest import Guest
    from .lab import Lab


@pytest.mark.interop("fio", "e2fsck")
@pytest.mark.parametrize("mtu", [1500, 9000])
def test_linux_behind_a_lossy_wire(make_lab: Callable[[int], Lab], guest: Guest, mtu: int) -> None:
    figures = exercise(make_lab(mtu), guest, mtu=mtu, size=4, rates=Rates(), seed=1)
    sys.stdout.write(figures)
