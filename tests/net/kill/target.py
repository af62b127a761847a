"""The process that is killed: an engine with config and state, whose config changes without end.

`python -m tests.net.kill.target CONFIG STATE SPARE` serves what CONFIG holds. Over and over it adds the disk SPARE as e9.2 with
a new number for its label, stops it and deletes it, and prints what the config then holds once the engine has said so.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aoetui.engine.api import AddExport, DeleteExport, StopExport
from aoetui.engine.config import ConfigFile
from aoetui.engine.local import LocalEngine
from aoetui.engine.protocol.address import Address
from aoetui.engine.spec import ExportSpec
from aoetui.engine.state import StateStore
from aoetui.shutdown import OrderlyStop

if TYPE_CHECKING:
    from aoetui.engine.api import Command

SPARE = Address(9, 2)
NONE = "none"
_PATIENCE = 30.0


def spare_in(exports: list[ExportSpec]) -> str:
    """What is held of e9.2: its number and whether it is enabled."""
    found = [each for each in exports if each.address == SPARE]
    return f"{found[0].label} {'enabled' if found[0].enabled else 'disabled'}" if found else NONE


def next_of(holds: str, last: int) -> str:
    """What follows `holds`, where `last` is the last number that was used."""
    number, _, word = holds.partition(" ")
    if holds == NONE:
        return f"{last + 1} enabled"
    return f"{number} disabled" if word == "enabled" else NONE


def main(config: Path, state: Path, spare: Path, last: int) -> None:
    """Until a signal."""
    file = ConfigFile(config)
    engine = LocalEngine(config=file, state=StateStore(state))
    ended = threading.Event()
    holds = spare_in(list(file.load().exports))
    with OrderlyStop(engine.stop, leave=ended.set):
        engine.start()
        while not ended.is_set():
            holds = next_of(holds, last)
            last = last if holds == NONE else int(holds.split()[0])
            engine.submit(_command(holds, spare)).result(_PATIENCE)
            print(holds, flush=True)  # noqa: T201  # whoever kills it reads it


def _command(holds: str, spare: Path) -> Command[Any]:
    """What makes the config hold this."""
    number, _, word = holds.partition(" ")
    if word == "enabled":
        wanted = ExportSpec(address=SPARE, path=spare, interfaces=("near0",), label=number)
        return AddExport(wanted, force=True)  # to ask for the address would take 0.6 s each time
    return StopExport(SPARE) if word else DeleteExport(SPARE)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
