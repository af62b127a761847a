"""The demo's other end, in a process and a network of its own. `python -m aoetui.demo.peer FOLDER` is what `start` runs.

It says `ready` once it has left the network, waits for a line that says the cables are laid, and ends when its stdin does: so it
cannot outlive the console, however that ends.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aoetui.demo import disks, namespace
from aoetui.demo.load import Load
from aoetui.engine.api import EngineError
from aoetui.engine.links import bring_up, lay_cable
from aoetui.engine.local import LocalEngine
from aoetui.engine.packet import PacketSocket

if TYPE_CHECKING:
    from collections.abc import Callable

CABLES = (("san0", "peer0", 9000), ("san1", "peer1", 1500))
"""Our end, the peer's end, the MTU."""
OURS = tuple(near for near, _, _ in CABLES)
THEIRS = tuple(far for _, far, _ in CABLES)


def start(folder: Path) -> tuple[LocalEngine, Callable[[], None]]:
    """Start the peer, lay the cables, start our engine. Returns it, and what ends the peer."""
    own, other = folder / "ours", folder / "theirs"
    own.mkdir()
    other.mkdir()
    argv = [sys.executable, "-m", "aoetui.demo.peer", str(other)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ourselves

    def end() -> None:
        process.kill()  # nothing to end in order: its disks are thrown away
        process.communicate()

    try:
        _join(process)
        engine = LocalEngine(config=disks.ours(own, OURS), host=disks.NO_DRIVER)
        engine.start()
        disks.name_them(engine)
    except BaseException:
        end()
        raise
    return engine, end


def _join(process: subprocess.Popen[str]) -> None:
    if process.stdout is None or process.stdin is None or process.stdout.readline() != "ready\n":
        raise EngineError("the demo's peer did not start: see the lines above")
    for near, far, mtu in CABLES:
        lay_cable(near, far, far_process=process.pid, mtu=mtu)
        bring_up(near)
    process.stdin.write("joined\n")
    process.stdin.flush()


def main(folder: Path) -> None:
    """The peer's own life."""
    namespace.leave_network()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if not sys.stdin.readline():
        return
    for name in THEIRS:
        bring_up(name)
    engine = LocalEngine(config=disks.theirs(folder, THEIRS), host=disks.NO_DRIVER)
    engine.start()
    load = Load(engine, PacketSocket, THEIRS)
    load.start()
    sys.stdin.read()
    load.stop()
    engine.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
