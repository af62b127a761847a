"""The demo: it starts without a privilege, shows a SAN that is used, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aoetui.demo import Demo, memory
from aoetui.engine.protocol.address import Address
from tests.support.program import SETFCAP, Console, unprivileged, until
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from aoetui.engine.snapshot import EngineSnapshot
    from tests.support.netns import Namespace

WITH_CAPABILITIES = ["-m", "aoetui", "--demo"]
WITHOUT = ["-c", unprivileged("--demo", keep=SETFCAP)]


def processes_with(text: str) -> list[str]:
    """The command lines of this host's processes that name `text`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:  # it has ended since
            continue
        if text.encode() in command:
            found.append(command.decode(errors="replace"))
    return found


@pytest.mark.parametrize("program", [WITH_CAPABILITIES, WITHOUT], ids=["with capabilities", "without"])
def test_demo_shows_a_san_and_leaves_nothing_behind(namespace: Namespace, tmp_path: Path, program: list[str]) -> None:
    with Console(namespace, tmp_path, program=program) as console:
        console.shows(b"ours")
        console.shows(b"e9.1")
        (folder,) = tmp_path.glob("aoetui-demo-*")
        assert any("aoetui.demo.peer" in command for command in processes_with(str(folder))), "its links are not real"
        console.press(b"q")
        console.shows(b"Leave, and stop serving 3 exports?")
        console.press(b"\x1b[C\r")
        assert console.ends() == 0
    assert not list(tmp_path.glob("aoetui-demo-*"))
    until(lambda: not processes_with(str(folder)), "the end of the peer")


def used(snapshot: EngineSnapshot) -> bool:
    """Someone has read and written each disk of ours that can be written, and read the other."""
    exports = snapshot.exports
    return len(exports) == 3 and all(each.counters.reads and (each.spec.read_only or each.counters.writes) for each in exports)


def test_demo_in_memory_finds_devices_and_moves_data(tmp_path: Path) -> None:
    engine, end_peer = memory.start(tmp_path)
    try:
        theirs = {Address.parse(text) for text in ("e9.1", "e9.2", "e9.7", "e12.0")}

        def found() -> bool:
            return theirs <= {device.address for device in engine.snapshot().devices if not device.ours and device.size}

        wait_until(found, "the peer's devices with their sizes")
        wait_until(lambda: used(engine.snapshot()), "reads and writes of our exports")
        assert not engine.snapshot().alarms
    finally:
        engine.stop()
        end_peer()


def test_demo_is_stopped_once(tmp_path: Path) -> None:
    ended: list[str] = []
    engine, end_peer = memory.start(tmp_path)
    demo = Demo(engine, lambda: ended.append("ended"))
    demo.engine.stop()
    end_peer()
    demo.stop()
    demo.stop()
    assert ended == ["ended"]
