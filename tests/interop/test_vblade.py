"""Debian's vblade beside us: our scanner sees it, and we never serve an address that it serves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.program import run

from .lab import FAR_LINK, NEAR_LINK, SHELF, SLOT

if TYPE_CHECKING:
    from .lab import Lab

pytestmark = pytest.mark.interop("vblade")


def refusal(lab: Lab) -> str:
    """What `aoetui export` complains about, at the address of the lab."""
    ended = run(lab.near, lab.folder, "export", str(SHELF), str(SLOT), NEAR_LINK, str(lab.disk(4, "ours.img")))
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return ended.stderr


def test_seen(lab: Lab) -> None:
    lab.vblade(lab.far, FAR_LINK, lab.disk(4))
    lab.initiator(lab.near, NEAR_LINK)
    found = json.loads(run(lab.near, lab.folder, "discover", "-i", NEAR_LINK, "--json").stdout)
    (device,) = found["devices"]
    assert found["version"] == 1
    assert (device["address"], device["size"], device["state"]) == (f"e{SHELF}.{SLOT}", 4 << 20, "up")
    assert device["model"] == "Coraid EtherDrive vblade"
    (path,) = device["paths"]
    assert (path["interface"], path["state"], path["sector_count"]) == (NEAR_LINK, "up", 2)


def test_listed_by_stat(lab: Lab) -> None:
    lab.vblade(lab.far, FAR_LINK, lab.disk(4))
    lab.initiator(lab.near, NEAR_LINK)
    ended = run(lab.near, lab.folder, "stat", "-i", NEAR_LINK)
    assert ended.stdout.split() == [f"e{SHELF}.{SLOT}", "0.004GB", NEAR_LINK, "1024", "up"]


def test_its_address_is_refused_across_the_wire(lab: Lab) -> None:
    lab.vblade(lab.far, FAR_LINK, lab.disk(4))
    initiator = lab.initiator(lab.near, NEAR_LINK)
    initiator.close()  # or it would be refused for this test's own socket
    assert initiator.target in refusal(lab)


def test_its_address_is_refused_on_the_same_interface(lab: Lab) -> None:
    process = lab.vblade(lab.near, NEAR_LINK, lab.disk(4))
    lab.initiator(lab.far, FAR_LINK)
    complaint = refusal(lab)
    assert "vblade" in complaint
    assert str(process.pid) in complaint
