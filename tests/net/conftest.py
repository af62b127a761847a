"""Packet sockets at both ends of a cable."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.fast_path import fast_path
from aoetui.engine.packet import PacketSocket
from tests.support.engines import PREPARING, engine_in
from tests.support.initiator import Initiator, initiator
from tests.support.netns import veth_pair as make_veth_pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.local import LocalEngine
    from tests.support.netns import VethPair


@dataclass(frozen=True, slots=True)
class Cable:
    """A veth pair with an open wire at each end."""

    pair: VethPair
    near: PacketSocket
    far: PacketSocket

    def frame(self, body: bytes, *, to_near: bool = True) -> bytes:
        """An AoE frame between the two, with this body after the Ethernet header."""
        ends = (self.near.mac.raw, self.far.mac.raw)
        return b"".join(ends if to_near else reversed(ends)) + b"\x88\xa2" + body


@contextlib.contextmanager
def _wires(pair: VethPair) -> Iterator[Cable]:
    fast_path.wait(PREPARING)
    near = pair.near.run(lambda: PacketSocket(pair.near_link))
    far = pair.far.run(lambda: PacketSocket(pair.far_link))
    with contextlib.closing(near), contextlib.closing(far):
        yield Cable(pair, near, far)


@pytest.fixture
def near(veth_pair: VethPair) -> Iterator[LocalEngine]:
    """An engine at the near end."""
    with engine_in(veth_pair.near) as engine:
        yield engine


@pytest.fixture
def ini(veth_pair: VethPair) -> Iterator[Initiator]:
    """An initiator at the far end."""
    with initiator(veth_pair.far, "far0") as made:
        yield made


@pytest.fixture
def cable(veth_pair: VethPair) -> Iterator[Cable]:
    """Wires on a cable of MTU 1500."""
    with _wires(veth_pair) as cable:
        yield cable


@pytest.fixture
def jumbo_cable(private_network: None) -> Iterator[Cable]:  # noqa: ARG001  # it may skip
    """Wires on a cable of MTU 9000."""
    with make_veth_pair(mtu=9000) as pair, _wires(pair) as cable:
        yield cable


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiled loop: everything is received by `PacketSocket.receive`, and waits in an export's queue."""
    fast_path.wait(PREPARING)
    monkeypatch.setattr(fast_path, "lane", None)


@pytest.fixture
def freezer(tmp_path: Path) -> Iterator[Path]:
    """A file system that can be frozen: whoever writes to it then waits."""
    image, folder = tmp_path / "image", tmp_path / "mounted"
    if os.geteuid() or not all(map(shutil.which, ("mkfs.ext4", "mount", "fsfreeze"))):
        pytest.skip("a disk that hangs needs root, mkfs.ext4, mount and fsfreeze")
    with image.open("wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    folder.mkdir()
    mounted = subprocess.run(["mount", "-o", "loop", image, folder], check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["fsfreeze", "-u", folder], check=False, capture_output=True)
        subprocess.run(["umount", folder], check=True)
