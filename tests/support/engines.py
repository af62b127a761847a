"""Engines for tests: in a namespace, with exports of real files."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from aoetui.engine.api import AddExport
from aoetui.engine.config import ConfigFile
from aoetui.engine.fast_path import fast_path
from aoetui.engine.local import LocalEngine
from aoetui.engine.protocol.address import Address
from aoetui.engine.protocol.wire import SECTOR
from aoetui.engine.spec import ExportSpec
from aoetui.engine.state import StateStore
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aoetui.engine.clock import Clock
    from aoetui.engine.exports import Export
    from aoetui.engine.protocol.facts import ExportFacts, TargetState
    from aoetui.engine.snapshot import ExportSnapshot
    from tests.support.initiator import Initiator
    from tests.support.netns import Namespace

E91 = Address(9, 1)
SIZE = 1 << 20
PATIENCE = 20.0
"""Seconds that a command may take before its test has failed."""
PREPARING = 300.0
"""Seconds that the compiled data path may take to be there: with AOETUI_COMPILED=0 none, for then it is not."""


@contextlib.contextmanager
def engine_in(
    namespace: Namespace, config: Path | None = None, *, state: Path | None = None, clock: Clock | None = None
) -> Iterator[LocalEngine]:
    """An engine whose threads live in a namespace; it keeps state in a folder of that name. It must end in time."""
    fast_path.wait(PREPARING)
    engine = LocalEngine(config=None if config is None else ConfigFile(config), state=StateStore(state), clock=clock)
    namespace.run(engine.start)
    try:
        yield engine
    finally:
        ended = engine.stop()
    assert ended


def disk(folder: Path, name: str = "disk.img", size: int = SIZE) -> Path:
    """A backing, no two sectors alike."""
    path = folder / name
    path.write_bytes(b"".join(number.to_bytes(4, "big") * (SECTOR // 4) for number in range(size // SECTOR)))
    return path


def spec(path: Path, **options: Any) -> ExportSpec:  # noqa: ANN401  # the fields of an ExportSpec
    """An export of `path`; as e9.1 on the near link unless told otherwise."""
    fields: dict[str, Any] = {"address": E91, "path": path, "interfaces": ("near0",)}
    return ExportSpec(**(fields | options))


def add(engine: LocalEngine, wanted: ExportSpec, **options: Any) -> ExportSnapshot:  # noqa: ANN401  # the fields of AddExport
    """Add an export and wait until it is served."""
    return engine.submit(AddExport(wanted, **options)).result(PATIENCE)


def the_export(engine: LocalEngine) -> ExportSnapshot:
    """The only one."""
    (export,) = engine.snapshot().exports
    return export


def at_work(engine: LocalEngine) -> Export:
    """The live part of e9.1."""
    held = engine._core.serving.get(E91)
    assert held is not None
    assert held.export is not None
    return held.export


def knows(engine: LocalEngine, link: str) -> None:
    """Wait until the engine has heard that a link is up."""

    def heard() -> bool:
        return any(each.name == link and each.usable for each in engine.snapshot().links)

    wait_until(heard, f"{link} is up")


class Held:
    """Keeps an export's thread from its queue until `go`."""

    def __init__(self, engine: LocalEngine) -> None:
        self.export = at_work(engine)
        self._waits, self._goes = threading.Event(), threading.Event()
        self.export.edit(self._wait, Future())
        assert self._waits.wait(PATIENCE)

    def _wait(self, facts: ExportFacts) -> TargetState:
        self._waits.set()
        assert self._goes.wait(PATIENCE)
        return facts.state

    def waits_for(self, ini: Initiator, count: int) -> None:
        """Until so many requests of the initiator wait."""
        record = next(each for each in self.export.initiators.values() if each.mac == ini.wire.mac)
        wait_until(lambda: record.under_way == count, f"{count} requests wait")

    def go(self) -> None:
        """Let it work on."""
        self._goes.set()
