"""`python -m tests.bench.engine INTERFACE PATH...`: one process that serves many disks, as 9.0, 9.1 ... 9.99, 10.0 and on."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.api import AddExport
from aoetui.engine.local import LocalEngine
from aoetui.engine.protocol.address import Address
from aoetui.engine.spec import ExportSpec

from .loads import SHELF

if TYPE_CHECKING:
    from collections.abc import Sequence

SLOTS = 100
"""Of a shelf; `load.c` counts alike."""
SERVING = "serving"
"""What it prints when all are served."""
_PATIENCE = 300.0


def serve(interface: str, paths: Sequence[Path]) -> None:
    """Serve until SIGTERM."""
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    engine = LocalEngine()
    engine.start()
    try:
        added = [engine.submit(AddExport(_spec(interface, number, path))) for number, path in enumerate(paths)]
        for each in added:
            each.result(_PATIENCE)
        print(SERVING, flush=True)  # noqa: T201
        signal.sigwait(ending)
    finally:
        engine.stop()


def _spec(interface: str, number: int, path: Path) -> ExportSpec:
    return ExportSpec(address=Address(SHELF + number // SLOTS, number % SLOTS), path=path, interfaces=(interface,))


if __name__ == "__main__":
    serve(sys.argv[1], [Path(word) for word in sys.argv[2:]])
