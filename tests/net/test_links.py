"""The watcher on a real kernel's netlink, in a namespace of its own."""

from __future__ import annotations

import errno
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

from aoetui.engine import links as links_module
from aoetui.engine.links import LinkFacts, LinkWatcher, candidates, read_links, refusal_for
from aoetui.engine.packet import PacketSocket
from tests.support.netns import join
from tests.support.waiting import DEADLINE, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.support.netns import Namespace, VethPair


class Watched:
    """A watcher inside a namespace, and what it told."""

    def __init__(self, namespace: Namespace) -> None:
        self.watcher = LinkWatcher()
        self.told: list[Mapping[str, LinkFacts]] = []
        self._condition = threading.Condition()
        namespace.run(lambda: self.watcher.start(self._take))

    def _take(self, links: Mapping[str, LinkFacts]) -> None:
        with self._condition:
            self.told.append(links)
            self._condition.notify_all()

    def until(self, holds: Callable[[Mapping[str, LinkFacts]], bool]) -> Mapping[str, LinkFacts]:
        """Wait until the latest told links are so."""
        with self._condition:
            assert self._condition.wait_for(lambda: bool(self.told) and holds(self.told[-1]), DEADLINE), self.told[-1:]
            return self.told[-1]


@pytest.fixture
def watched(namespace: Namespace) -> Iterator[Watched]:
    """A watcher in `namespace`."""
    watched = Watched(namespace)
    yield watched
    watched.watcher.stop()


def test_after_start_the_links_are_known(watched: Watched) -> None:
    assert watched.watcher.current()["lo"].kind == "loopback"
    assert "lo" in watched.until(bool)


def test_a_link_is_seen_from_its_making_to_its_end(namespace: Namespace, watched: Watched) -> None:
    namespace.add_link("v0", kind="veth", peer="v1")
    made = watched.until(lambda links: "v0" in links and "v1" in links)["v0"]
    assert (made.kind, made.admin_up, made.carrier, made.parent, made.mtu) == ("veth", False, False, None, 1500)
    namespace.set_link("v0", state="up")
    assert not watched.until(lambda links: links["v0"].admin_up)["v0"].carrier
    namespace.set_link("v1", state="up")
    watched.until(lambda links: links["v0"].carrier)
    namespace.set_link("v0", mtu=9000)
    watched.until(lambda links: links["v0"].mtu == 9000)
    namespace.set_link("v0", address="02:00:00:00:00:07")
    watched.until(lambda links: str(links["v0"].mac) == "02:00:00:00:00:07")
    namespace.delete_link("v0")
    watched.until(lambda links: "v0" not in links and "v1" not in links)


def test_addresses_and_the_default_route_are_seen_to_come_and_go(namespace: Namespace, watched: Watched) -> None:
    namespace.add_link("v0", kind="veth", peer="v1")
    for name in ("v0", "v1"):
        namespace.set_link(name, state="up")
    namespace.add_address("v0", "192.0.2.1", 24)
    watched.until(lambda links: "v0" in links and links["v0"].addresses == ("192.0.2.1/24",))
    namespace.route(lambda netlink: netlink.route("add", dst="default", gateway="192.0.2.254"))
    links = watched.until(lambda links: links["v0"].default_route)
    assert not links["v1"].default_route
    assert candidates(links) == ("v1", "v0")
    namespace.route(lambda netlink: netlink.route("del", dst="default", gateway="192.0.2.254"))
    watched.until(lambda links: not links["v0"].default_route)
    namespace.route(lambda netlink: netlink.flush_addr(index=links["v0"].index))
    watched.until(lambda links: not links["v0"].addresses)


def test_a_bridge_port_is_seen_and_refused_until_it_leaves(namespace: Namespace, watched: Watched) -> None:
    namespace.add_link("v0", kind="veth", peer="v1")
    bridge = namespace.add_link("br0", kind="bridge")
    for name in ("v0", "v1", "br0"):
        namespace.set_link(name, state="up")
    namespace.set_link("v0", master=bridge)
    links = watched.until(lambda links: "v0" in links and links["v0"].bridge == "br0" and links["br0"].admin_up)
    assert refusal_for("v0", links) == "v0 is a port of br0 and hears no AoE: use br0"
    assert refusal_for("br0", links) == ""
    namespace.set_link("v0", master=0)
    watched.until(lambda links: links["v0"].bridge is None)


def test_a_macvlan_names_what_it_stands_on(namespace: Namespace) -> None:
    namespace.add_link("v0", kind="veth", peer="v1")
    namespace.add_link("m0", kind="macvlan", link=namespace.index("v0"))
    found = namespace.run(read_links)
    assert (found["m0"].kind, found["m0"].parent, found["v0"].parent) == ("macvlan", "v0", None)


def test_a_link_with_its_other_end_elsewhere_has_no_parent(veth_pair: VethPair) -> None:
    assert veth_pair.near.run(read_links)["near0"].parent is None


def test_counters_go_on_without_being_told_as_a_change(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_module, "_ROUNDS", 1 << 30)  # nothing but the counters is looked at without an event
    join(namespace, "v0", namespace, "v1")
    watched = Watched(namespace)
    try:
        before = watched.until(lambda links: links["v0"].carrier)["v0"].counters
        told = len(watched.told)
        wire = namespace.run(lambda: PacketSocket("v0"))
        for count in (10, 20, 30):
            wire.send([bytes(60)] * 10)
            expected = replace(before, tx_packets=before.tx_packets + count, tx_bytes=before.tx_bytes + 60 * count)
            wait_until(lambda: watched.watcher.current()["v0"].counters == expected, f"{count} frames counted")  # noqa: B023  # it is called here
        wire.close()
        assert len(watched.told) == told
        assert namespace.run(read_links)["v0"].counters == expected
    finally:
        watched.watcher.stop()


def test_after_a_netlink_error_it_listens_again(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    failed, again = threading.Event(), threading.Event()

    class OverrunOnce(AsyncIPRoute):  # type: ignore[misc]  # pyroute2 has no types
        """The kernel's ENOBUFS, which cannot be had at will: the first socket that listens fails so."""

        async def get(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  # as the original
            if self.spec["groups"]:  # the requests' socket is left in peace
                if not failed.is_set():
                    failed.set()
                    raise NetlinkError(errno.ENOBUFS)
                again.set()
            async for message in super().get(*arguments, **options):
                yield message

    monkeypatch.setattr(links_module, "AsyncIPRoute", OverrunOnce)
    watched = Watched(namespace)
    try:
        assert failed.wait(DEADLINE)
        assert again.wait(DEADLINE)
        namespace.add_link("v0", kind="veth", peer="v1")
        watched.until(lambda links: "v0" in links)
    finally:
        watched.watcher.stop()


def test_a_listener_that_fails_does_not_end_the_watch(namespace: Namespace) -> None:
    watcher = LinkWatcher()
    calls: list[int] = []

    def fail(links: Mapping[str, LinkFacts]) -> None:
        calls.append(len(links))
        raise ValueError("a listener's own fault")

    namespace.run(lambda: watcher.start(fail))
    namespace.add_link("v0", kind="veth", peer="v1")
    wait_until(lambda: "v0" in watcher.current() and 3 in calls, "the new link")
    watcher.stop()


def test_stop_ends_the_thread_and_may_come_first_or_twice(namespace: Namespace) -> None:
    LinkWatcher().stop()
    watched = Watched(namespace)
    watched.watcher.stop()
    watched.watcher.stop()
    assert not watched.watcher._thread.is_alive()
