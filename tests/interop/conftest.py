"""What the interop tests stand on. Each says the name of the tool that it misses, and skips."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.support.netns import Namespace

from .guest import DEBIAN_HOST_TOOLS, HOST_TOOLS, DebianGuest, Guest, NoKernelError, built_debian_guest, built_guest
from .lab import TAP, Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")


@pytest.fixture(autouse=True)
def tools(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip where a program is missing that the test's `interop` marks name."""
    monkeypatch.setenv("PATH", os.environ["PATH"] + ":/usr/sbin:/sbin")  # an ordinary user's PATH lacks them
    wanted = [name for mark in request.node.iter_markers("interop") for name in mark.args]
    missing = [name for name in wanted if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.fixture
def make_lab(private_network: None, tools: None, tmp_path: Path) -> Iterator[Callable[[int], Lab]]:  # noqa: ARG001  # they may skip
    """Makes the network, for an MTU."""
    _need_tun()
    made: list[Lab] = []

    def make(mtu: int) -> Lab:
        made.append(Lab(tmp_path, mtu))
        return made[-1]

    yield make
    for lab in made:
        lab.__exit__()


@pytest.fixture
def lab(make_lab: Callable[[int], Lab]) -> Lab:
    """The network, at an MTU of 1500."""
    return make_lab(1500)


@pytest.fixture
def tap_namespace(private_network: None, tools: None) -> Iterator[Namespace]:  # noqa: ARG001  # they may skip
    """A network with a tap for a guest in it, and nothing else: what is sent on TAP the guest hears, and the other way round."""
    _need_tun()
    with Namespace() as made:
        made.add_link(TAP, kind="tuntap", mode="tap")
        made.set_link(TAP, state="up")
        yield made


def _need_tun() -> None:
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("/dev/net/tun cannot be opened here: no tap for a guest")


def _built(build: Callable[[], T | None], host_tools: tuple[str, ...]) -> T:
    missing = [name for name in host_tools if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    try:
        built = build()
    except NoKernelError as reason:
        pytest.skip(str(reason))
    if built is None:
        pytest.skip("there is no guest yet: run `python -m tests.interop.guest`, as root")
    return built


@pytest.fixture(scope="session")
def guest() -> Guest:
    """The tiny guest, which `python -m tests.interop.guest` has built."""
    return _built(built_guest, HOST_TOOLS)


@pytest.fixture(scope="session")
def debian_guest() -> DebianGuest:
    """Debian with aoetui in it, which `python -m tests.interop.guest` has built."""
    return _built(built_debian_guest, DEBIAN_HOST_TOOLS)
