"""Where an export stays served when a port follows another: only without a pause.

Ports are stand-ins: a real link that goes down and up between two looks of the engine cannot be timed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from aoetui.engine.acl import AccessLists
from aoetui.engine.clock import Clock
from aoetui.engine.events import EventLog
from aoetui.engine.serving import Serving
from aoetui.engine.state import StateStore
from tests.support.engines import spec

if TYPE_CHECKING:
    from aoetui.engine.ports import Port, Ports


@dataclass(frozen=True, slots=True)
class OnePort:
    """What is open on eth1."""

    presence: object
    interface: str = "eth1"

    def get(self, interface: str) -> OnePort | None:
        """As Ports."""
        return self if interface == self.interface else None


@pytest.mark.parametrize("paused", [False, True])
def test_an_export_stays_served_on_a_port_that_follows_without_a_pause(*, paused: bool) -> None:
    clock = Clock()
    serving = Serving(StateStore(None), AccessLists(), EventLog(clock), clock)
    held = serving.hold(spec(Path("/srv/disk.img"), interfaces=("eth1",)))
    presence = object()
    held.admitted = {"eth1": cast("Port", OnePort(presence))}
    follower = OnePort(object() if paused else presence)
    serving.drop_ports(cast("Ports", follower))
    assert list(held.admitted) == ([] if paused else ["eth1"])
