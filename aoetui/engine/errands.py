"""Commands that wait for a disk or for the wire: each is carried out in a thread of its own, and holds up nothing else."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from aoetui.engine import backing
from aoetui.engine.api import EngineError, Errand, InspectBacking, ListBlockDevices
from aoetui.engine.commands.copying import CancelTask, ForgetTask, ReadSectors, StartBench, StartCopy
from aoetui.engine.commands.doctor import Examine, MakeBundle
from aoetui.engine.commands.paths import CheckPaths
from aoetui.engine.commands.trace import OpenTrace, ReadTrace, SaveTrace, ShowFrame
from aoetui.engine.conflicts import EndingError
from aoetui.engine.doctor.bundle import make_bundle
from aoetui.engine.doctor.examine import examine
from aoetui.engine.initiator.path_check import check_paths
from aoetui.engine.initiator.remote_handlers import remote_handlers
from aoetui.engine.initiator.sectors import read_sectors
from aoetui.engine.kernel.desk import KernelDesk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from aoetui.engine.core import Core
    from aoetui.engine.snapshot import EngineSnapshot

    Handler = Callable[[Any], object]

MAX_ERRANDS = 16
"""Under way at once: one that waits for a disk that does not answer keeps its thread."""
_log = logging.getLogger(__name__)


def handlers(core: Core, snapshot: Callable[[], EngineSnapshot]) -> Mapping[type[Errand[Any]], Handler]:
    """Who carries out which errand."""
    tracer = core.tracer
    return {
        Examine: lambda command: examine(core, command),
        MakeBundle: lambda command: make_bundle(core, snapshot, command),
        ReadTrace: lambda command: tracer.page(command.filter, command.first, command.count),
        ShowFrame: lambda command: tracer.detail(command.number),
        SaveTrace: tracer.save,
        OpenTrace: lambda command: tracer.open(command.path),
        InspectBacking: lambda command: backing.inspect(command.path, read_only=command.read_only),
        CheckPaths: lambda command: check_paths(core, command),
        ListBlockDevices: lambda _: backing.list_block_devices(),
        **KernelDesk(core.kernel, core.events, lambda: (snapshot().devices, core.asked())).handlers(),
        StartCopy: core.tasks.start,
        StartBench: core.tasks.start,
        ReadSectors: lambda command: read_sectors(core, command),
        CancelTask: lambda command: core.tasks.cancel(command.number),
        ForgetTask: lambda command: core.tasks.forget(command.number),
        **remote_handlers(core),
    }


class Errands:
    """Carries out errands until `stop`."""

    def __init__(self, core: Core, snapshot: Callable[[], EngineSnapshot]) -> None:
        self._handlers = handlers(core, snapshot)
        self._room = threading.Semaphore(MAX_ERRANDS)
        self._stopping = False

    def carry_out(self, command: Errand[Any], future: Future[Any]) -> None:
        """Begin, and return at once; the future has the result, or the EngineError that says why there is none."""
        if self._stopping:
            future.set_exception(EndingError())
        elif not self._room.acquire(blocking=False):
            text = f"{MAX_ERRANDS} things are being looked at and do not answer: check disks and cables before looking at more"
            future.set_exception(EngineError(text, field="path"))
        else:
            # A daemon: at its end the process does not wait for a disk that does not answer.
            name = type(command).__name__
            threading.Thread(target=self._body, args=(command, future), name=f"errand-{name}", daemon=True).start()

    def stop(self) -> None:
        """Begin none any more."""
        self._stopping = True

    def _body(self, command: Errand[Any], future: Future[Any]) -> None:
        try:
            carry_out(lambda: self._handlers[type(command)](command), future)
        finally:
            self._room.release()


def carry_out(act: Callable[[], object], future: Future[Any]) -> None:
    """Have the future hold what `act` returns, or the EngineError it raises."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(act())
    except EngineError as error:
        future.set_exception(error)
    except Exception as error:  # noqa: BLE001 - whoever waits for the future must hear of it
        _log.exception("a command failed")
        future.set_exception(EngineError(f"an internal error ({error}): see the log file"))
