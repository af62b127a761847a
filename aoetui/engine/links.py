"""The interfaces of this host, from netlink. The only module that imports pyroute2.

Events say that something changed, never what is true: after each burst of them, and every ten seconds without, everything is
asked for anew. Events and requests have sockets of their own, and all of it one thread. Netlink sends no events for counters:
those come from /proc/net/dev once a second, which costs far less than to ask and decode every link.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pyroute2 import AsyncIPRoute
from pyroute2.netlink import rtnl
from pyroute2.netlink.exceptions import NetlinkDecodeError, NetlinkError

from aoetui.engine.api import EngineError
from aoetui.engine.link_facts import (
    LinkCounters,
    LinkFacts,
    addresses_by_index,
    counters_by_name,
    default_route_indexes,
    link_facts,
)
from aoetui.engine.link_notes import candidates, notes_for, port_refusal, refusal_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "LinkCounters",
    "LinkFacts",
    "LinkSource",
    "LinkWatcher",
    "bring_up",
    "candidates",
    "lay_cable",
    "link_facts",
    "notes_for",
    "port_refusal",
    "read_links",
    "refusal_for",
]

_log = logging.getLogger(__name__)
_GROUPS = rtnl.RTMGRP_LINK | rtnl.RTMGRP_IPV4_IFADDR | rtnl.RTMGRP_IPV6_IFADDR | rtnl.RTMGRP_IPV4_ROUTE | rtnl.RTMGRP_IPV6_ROUTE
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_INTERVAL = 1.0
"""Seconds between counters."""
_ROUNDS = 10
"""Of counters, after which everything is asked for again."""
_SETTLE = 0.02
"""Seconds that a burst of events may go on before it is looked at."""
_ANSWER_TIME = 5.0
"""Seconds after which an unanswered request is given up: an overrun socket may have lost the answer's end."""
_ERRORS = (NetlinkError, NetlinkDecodeError, OSError, TimeoutError)


class LinkSource(Protocol):
    """Where the engine learns of interfaces."""

    def start(self, on_change: Callable[[Mapping[str, LinkFacts]], None]) -> None:
        """Begin, and return when the links are known. `on_change` is called in the source's thread, first for those it finds."""
        ...

    def current(self) -> Mapping[str, LinkFacts]:
        """The links by name, with counters at most about a second old; any thread."""
        ...

    def stop(self) -> None:
        """End; returns when the last `on_change` has."""
        ...


async def _read(netlink: AsyncIPRoute) -> dict[str, LinkFacts]:
    """Ask for links, addresses and default routes. Raises any of _ERRORS."""
    async with asyncio.timeout(_ANSWER_TIME):
        # each answer is taken whole at once: an unfinished one makes the next request fail with EBUSY
        messages = [message async for message in await netlink.get_links()]
        addresses = addresses_by_index([message async for message in await netlink.get_addr()])
        default = default_route_indexes(
            [message for family in _FAMILIES async for message in await netlink.get_default_routes(family=family)]
        )
    names = {message["index"]: str(message.get("ifname")) for message in messages}
    return {
        names[index]: link_facts(message, names, addresses.get(index, ()), default_route=index in default)
        for message in messages
        for index in (message["index"],)
    }


async def _read_once() -> dict[str, LinkFacts]:
    async with AsyncIPRoute(groups=0) as netlink:
        return await _read(netlink)


def read_links() -> dict[str, LinkFacts]:
    """The links of now, by name. Raises EngineError when the kernel does not tell. Not to be called in an event loop."""
    try:
        return asyncio.run(_read_once())
    except _ERRORS as failed:
        raise EngineError(f"cannot read the network interfaces: {failed}; is netlink allowed in this container?") from failed


async def _lay_cable(near: str, far: str, far_process: int, mtu: int) -> None:
    async with AsyncIPRoute(groups=0) as netlink:
        peer = {"ifname": far, "mtu": mtu, "net_ns_pid": far_process}
        await netlink.link("add", ifname=near, kind="veth", mtu=mtu, peer=peer)


async def _bring_up(name: str) -> None:
    async with AsyncIPRoute(groups=0) as netlink:
        await netlink.link("set", index=(await netlink.link_lookup(ifname=name))[0], state="up")


def lay_cable(near: str, far: str, *, far_process: int, mtu: int) -> None:
    """Make a veth pair: `near` in this network namespace, `far` in that of a process. Raises EngineError where it is refused."""
    try:
        asyncio.run(_lay_cable(near, far, far_process, mtu))
    except _ERRORS as failed:
        raise EngineError(f"cannot make the links {near} and {far}: {failed}; is the kernel's veth module there?") from failed


def bring_up(name: str) -> None:
    """Set a link up, as `ip link set NAME up` does. Raises EngineError where it is refused."""
    try:
        asyncio.run(_bring_up(name))
    except (*_ERRORS, IndexError) as failed:
        raise EngineError(f"cannot bring {name} up: {failed}") from failed


def _without_counters(links: Mapping[str, LinkFacts]) -> dict[str, LinkFacts]:
    none = LinkCounters()
    return {name: replace(link, counters=none) for name, link in links.items()}


class LinkWatcher:
    """The LinkSource of the real host: a thread that listens to netlink."""

    def __init__(self) -> None:
        self._links: Mapping[str, LinkFacts] = {}
        self._on_change: Callable[[Mapping[str, LinkFacts]], None] = lambda _: None
        self._known = threading.Event()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._look = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="links", daemon=True)

    def start(self, on_change: Callable[[Mapping[str, LinkFacts]], None]) -> None:
        """See LinkSource. Without an answer from the kernel it returns after 5 s, and goes on asking."""
        self._on_change = on_change
        self._thread.start()
        self._known.wait(_ANSWER_TIME)

    def current(self) -> Mapping[str, LinkFacts]:
        """See LinkSource."""
        return self._links

    def stop(self) -> None:
        """See LinkSource."""
        self._stopping = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._look.set)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            while not self._stopping:
                try:
                    runner.run(self._watch())
                except _ERRORS as failed:
                    _log.warning("netlink failed and is opened again: %s", failed)
                    runner.run(self._wait())

    async def _watch(self) -> None:
        """Listen and ask until stopped, on new sockets."""
        async with AsyncIPRoute(groups=0) as netlink, AsyncIPRoute(groups=_GROUPS) as events:
            listener = asyncio.create_task(self._listen(events))
            try:
                await self._follow(netlink, listener)
            finally:
                listener.cancel()
                await asyncio.gather(listener, return_exceptions=True)

    async def _listen(self, events: AsyncIPRoute) -> None:
        try:
            await events.bind()
            self._look.set()  # for what changed before the socket heard anything
            while True:  # one call of `get` ends with the batch it received
                async for message in events.get():
                    if "dst_len" not in message or message["dst_len"] == 0:  # of routes, only the default ones
                        self._look.set()
        finally:
            self._look.set()  # `_follow` shall learn at once that nobody listens

    async def _follow(self, netlink: AsyncIPRoute, listener: asyncio.Task[None]) -> None:
        while not self._stopping:
            links = await _read(netlink)
            changed = _without_counters(links) != _without_counters(self._links)
            self._links = links
            self._known.set()
            if changed:
                self._tell(links)
            for _ in range(_ROUNDS):
                if await self._wait():
                    break
                self._count()
            if listener.done():
                listener.result()

    def _count(self) -> None:
        table = Path("/proc/thread-self/net/dev").read_text()
        counters = counters_by_name(table)
        self._links = {name: replace(link, counters=counters.get(name, link.counters)) for name, link in self._links.items()}

    async def _wait(self) -> bool:
        """Until something may have changed (True), or it is time for counters."""
        try:
            async with asyncio.timeout(_INTERVAL):
                await self._look.wait()
        except TimeoutError:
            return False
        if not self._stopping:
            await asyncio.sleep(_SETTLE)
        self._look.clear()
        return True

    def _tell(self, links: Mapping[str, LinkFacts]) -> None:
        try:
            self._on_change(links)
        except Exception:  # noqa: BLE001  # the thread's edge: one bad listener must not end the watch
            _log.exception("a change of the links was not taken up")
