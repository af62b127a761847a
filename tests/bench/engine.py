"""`python -m tests.bench.engine INTERFACE QUEUES PATH...`: one process serves the disks as 9.0 ... 9.99, 10.0 and on."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.engine.config import ConfigFile
from aoetui.engine.local import LocalEngine
from aoetui.engine.snapshot import ExportState

from .loads import SHELF

if TYPE_CHECKING:
    from collections.abc import Sequence

SLOTS = 100
"""Of a shelf; `load.c` counts alike."""
_LOOKS = 1.0
"""Seconds between two looks, which cost something with many exports."""
SERVING = "serving"
"""What it prints when all are served."""


def serve(interface: str, queues: int, paths: Sequence[Path]) -> None:
    """Serve until SIGTERM."""
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.toml"
        exports = "\n".join(_export(interface, number, path) for number, path in enumerate(paths))
        config.write_text(f"[engine]\nqueues = {queues}\n\n{exports}", encoding="utf-8")
        engine = LocalEngine(config=ConfigFile(config))
        engine.start()
        try:
            while not _served(engine):
                time.sleep(_LOOKS)
            print(SERVING, flush=True)  # noqa: T201
            signal.sigwait(ending)
        finally:
            engine.stop()


def _served(engine: LocalEngine) -> bool:
    exports = engine.snapshot().exports
    return bool(exports) and all(export.state is ExportState.SERVING for export in exports)


def _export(interface: str, number: int, path: Path) -> str:
    shelf, slot = SHELF + number // SLOTS, number % SLOTS
    return f'[[export]]\nshelf = {shelf}\nslot = {slot}\npath = "{path}"\ninterfaces = ["{interface}"]\n'


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), [Path(word) for word in sys.argv[3:]])
