"""Private networks for tests: network namespaces that need root or a user namespace, and harm nobody's links.

`enter()` is called once, by tests/conftest.py. From then on every test process has a network of its own (empty but for a
loopback that is down), and `Namespace` makes further ones. Each `Namespace.run` is a thread inside it: sockets, threads and
processes made there belong to it for good, from wherever they are used later.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pyroute2 import IPRoute

from tests.support import privilege

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

_NEWUSER = 0x10000000
_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_refusal: str | None = None


def _call(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def enter() -> str:
    """Give this process a network of its own, as an ordinary user within a new user namespace where it has every capability.

    It stays that user there, not root, so that the tests see what the user would.

    Returns why that cannot be had, or nothing. Once per process; the workers of pytest-xdist inherit the user namespace.
    """
    global _refusal  # noqa: PLW0603  # a process enters once
    if _refusal is None:
        try:
            _enter()
            _refusal = ""
        except OSError as failed:
            _refusal = f"no network namespace can be made here ({failed}): run as root or allow user namespaces"
    return _refusal


def _enter() -> None:
    try:
        _call("unshare", _NEWNET)
    except PermissionError:
        user, group = os.geteuid(), os.getegid()
        _call("unshare", _NEWUSER | _NEWNET)  # EINVAL if this process has threads: conftest comes before them
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        privilege.hand_on()


def in_thread(call: Callable[[], T]) -> T:
    """Call in a thread of its own, and return or raise what it does."""
    outcome: list[T] = []
    raised: list[BaseException] = []

    def body() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            raised.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return outcome[0]


class Namespace:
    """A network namespace. It lives until `close` and the last socket, link or process in it."""

    def __init__(self) -> None:
        """Make it. Raises OSError where the kernel refuses."""
        self._fd = in_thread(self._make)

    @staticmethod
    def _make() -> int:
        _call("unshare", _NEWNET)
        for which in ("all", "default"):
            # no router solicitation nor multicast report shall disturb a test; where the file is read-only they do no harm
            with contextlib.suppress(OSError):
                Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("1")
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The file descriptor that holds the namespace, as `net_ns_fd` of pyroute2 takes it."""
        return self._fd

    def run(self, call: Callable[[], T]) -> T:
        """Call inside, in a thread of its own; returns or raises what it does. Threads it starts stay inside."""

        def body() -> T:
            _call("setns", self._fd, _NEWNET)
            return call()

        return in_thread(body)

    def popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:  # noqa: ANN401  # Popen's own options
        """Start a process inside."""
        return self.run(lambda: subprocess.Popen(argv, **options))

    def route(self, act: Callable[[Any], T]) -> T:
        """Call `act` with a pyroute2 IPRoute of this namespace."""

        def body() -> T:
            with IPRoute() as netlink:
                return act(netlink)

        return self.run(body)

    def index(self, name: str) -> int:
        """The index of a link here. Raises IndexError if there is none."""
        return int(self.route(lambda netlink: netlink.link_lookup(ifname=name)[0]))

    def add_link(self, name: str, **attributes: Any) -> int:  # noqa: ANN401  # netlink's own attributes
        """Make a link (`kind`, ...) and return its index."""
        self.route(lambda netlink: netlink.link("add", ifname=name, **attributes))
        return self.index(name)

    def set_link(self, name: str, **attributes: Any) -> None:  # noqa: ANN401  # netlink's own attributes
        """Change a link: `state="up"`, `mtu=9000`, `master=index`, `address="02:..."`."""
        index = self.index(name)
        self.route(lambda netlink: netlink.link("set", index=index, **attributes))

    def delete_link(self, name: str) -> None:
        """Delete a link; of a veth pair both ends go."""
        index = self.index(name)
        self.route(lambda netlink: netlink.link("del", index=index))

    def add_address(self, name: str, address: str, prefix_length: int) -> None:
        """Give a link an IP address."""
        index = self.index(name)
        self.route(lambda netlink: netlink.addr("add", index=index, address=address, prefixlen=prefix_length))

    def close(self) -> None:
        """Let the namespace go."""
        os.close(self._fd)


@dataclass(frozen=True, slots=True)
class VethPair:
    """Two namespaces joined by a cable: `near_link` is in `near`, `far_link` in `far`. Both ends are up."""

    near: Namespace
    far: Namespace
    near_link: str = "near0"
    far_link: str = "far0"
    near_mac: str = "02:00:00:00:00:01"
    far_mac: str = "02:00:00:00:00:02"


def join(near: Namespace, near_link: str, far: Namespace, far_link: str, *, mtu: int = 1500, near_mac: str = "") -> None:
    """Lay a cable (a veth pair) between two namespaces, and bring both ends up. Without `near_mac` the kernel makes one up."""
    peer = {"ifname": far_link, "net_ns_fd": far.fileno(), "mtu": mtu}
    near.add_link(near_link, kind="veth", mtu=mtu, peer=peer, **({"address": near_mac} if near_mac else {}))
    near.set_link(near_link, state="up")
    far.set_link(far_link, state="up")


@contextlib.contextmanager
def veth_pair(mtu: int = 1500) -> Iterator[VethPair]:
    """Two new namespaces with a cable between them."""
    with Namespace() as near, Namespace() as far:
        pair = VethPair(near, far)
        join(near, pair.near_link, far, pair.far_link, mtu=mtu)
        near.set_link(pair.near_link, address=pair.near_mac)
        far.set_link(pair.far_link, address=pair.far_mac)
        yield pair
