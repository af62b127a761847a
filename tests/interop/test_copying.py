"""Debian's vblade imaged, verified and restored, right to the byte, also through a wire that loses, repeats and reorders."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.lossy import Rates

from .copying import exercise

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.interop("vblade"), pytest.mark.usefixtures("private_network")]


def test_imaged_verified_and_restored(tmp_path: Path) -> None:
    for line in exercise(tmp_path, size=32, mtu=9000):
        sys.stdout.write(line + "\n")


def test_through_a_wire_that_loses(tmp_path: Path) -> None:
    for line in exercise(tmp_path, size=4, rates=Rates(drop=0.02)):
        sys.stdout.write(line + "\n")
