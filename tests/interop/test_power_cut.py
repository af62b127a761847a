"""What an answered write is worth when the target's power goes. `python -m tests.interop.power_cut` does it more often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .power_cut import Backing, cut

if TYPE_CHECKING:
    from tests.support.netns import Namespace

    from .guest import DebianGuest

pytestmark = pytest.mark.interop("e2fsck", "debugfs")


@pytest.mark.parametrize("backing", Backing)
def test_durable_loses_no_answered_write(tap_namespace: Namespace, debian_guest: DebianGuest, backing: Backing) -> None:
    done = cut(debian_guest, tap_namespace, backing, seed=1, durable=True)
    assert done.answered > 0
    assert done.missing == 0


def test_cached_loses_answered_writes(tap_namespace: Namespace, debian_guest: DebianGuest) -> None:
    """Else the test above would prove nothing."""
    done = cut(debian_guest, tap_namespace, Backing.DEVICE, seed=1, durable=False)
    assert done.missing > 0
