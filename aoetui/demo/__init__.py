"""`--demo`: a SAN of its own to look at, with real frames on real links, and no privilege.

The process enters a user and network namespace. A second process, the peer, has another; two cables (veth) join them. Each runs
an engine: ours serves disks that the peer reads and writes, the peer serves disks that ours finds. Where the kernel forbids that,
both engines run in this process, over a wire in memory.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from aoetui.demo import namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from aoetui.engine.local import LocalEngine

_refusal = ""
"""Why there is no namespace; empty where there is one."""


@dataclass(slots=True)
class Demo:
    """A running demo: `engine` is the one to show."""

    engine: LocalEngine
    _end: Callable[[], None]
    _ending: threading.Lock = field(default_factory=threading.Lock)
    _ended: bool = False

    def stop(self) -> None:
        """End the peer and remove the disks; once, however often it is called, and from any thread. Stop the engine first."""
        with self._ending:
            if not self._ended:
                self._ended = True
                self._end()


def enter() -> None:
    """Enter the demo's namespace. To be called before any thread starts: a process with threads may not."""
    global _refusal  # noqa: PLW0603 - a process enters once, before there is anything to keep it in
    _refusal = namespace.enter()


def start() -> Demo:
    """Start both engines. Raises EngineError."""
    from aoetui.demo import memory, peer  # noqa: PLC0415 - they import what starts threads, and `enter` comes before

    folder = TemporaryDirectory(prefix="aoetui-demo-")
    try:
        make = memory.start if _refusal else peer.start
        engine, end_peer = make(Path(folder.name))
    except BaseException:
        folder.cleanup()
        raise
    if _refusal:
        engine.note(f"the demo's wire is in this process's memory, not on real links: {_refusal}")

    def end() -> None:
        end_peer()
        folder.cleanup()

    return Demo(engine, end)
