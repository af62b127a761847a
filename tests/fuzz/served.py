"""The target of the wire runner: an engine in a process of its own, so that its memory can be measured.

`python -m tests.fuzz.served FOLDER [FAULT]` serves the windows of FOLDER/disk.img on near0, and obeys one word a line:
`clear` gives every export its first state, `look` does nothing. Each is answered by a line of JSON: what was raised so far. The
end of its input ends it.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from pathlib import Path

from aoetui.engine.api import ChooseInterfaces, SetConfigString, SetMask, SetReservation
from aoetui.engine.local import LocalEngine
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.state import StateStore
from tests.fuzz import faults
from tests.fuzz.layout import WINDOWS

_PATIENCE = 60.0


class Exceptions(logging.Handler):
    """Keeps what the engine's threads caught at their edges."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Every record comes here."""
        if record.exc_info and record.exc_info[1] is not None:
            self.texts.append("".join(traceback.format_exception(record.exc_info[1])))


def serve(folder: Path) -> LocalEngine:
    """Serve every window, and scan."""
    engine = LocalEngine(state=StateStore(folder / "state"))
    engine.start()
    engine.submit(ChooseInterfaces(("near0",))).result(_PATIENCE)
    for window in WINDOWS:
        engine.serve(window.spec(folder / "disk.img"), force=True)
    return engine


def clear(engine: LocalEngine) -> None:
    """What a person at the console can always do, even if initiators locked everybody out."""
    for window in WINDOWS:
        address = Address(window.shelf, window.slot)
        engine.submit(SetConfigString(address, b"")).result(_PATIENCE)
        engine.submit(SetMask(address, tuple(Mac(mac) for mac in window.mask))).result(_PATIENCE)
        engine.submit(SetReservation(address, ())).result(_PATIENCE)


def main(folder: Path, fault: str) -> None:
    """Until the input ends."""
    caught = Exceptions()
    logging.getLogger().addHandler(caught)
    with faults.broken(fault):
        engine = serve(folder)
        try:
            _obey(engine, caught)
        finally:
            ended = engine.stop(_PATIENCE)
    if not ended:
        sys.exit("the engine did not end in order")


def _obey(engine: LocalEngine, caught: Exceptions) -> None:
    print(json.dumps([]), flush=True)  # noqa: T201  # the runner reads it
    for line in sys.stdin:
        if line.strip() == "clear":
            clear(engine)
        print(json.dumps(caught.texts), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
