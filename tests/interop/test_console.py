"""The whole way, by keys alone: an administrator makes an export in the console, and Linux mounts it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.tmux import Tmux

from .initiator import Initiator
from .lab import FAR_LINK, NEAR_LINK, TAP
from .test_linux import DISK_MIB, FILE_SYSTEM, LIBRARY, check_file

if TYPE_CHECKING:
    from pathlib import Path

    from .guest import Guest
    from .lab import Lab

CONSOLE = [sys.executable, "-m", "aoetui"]


def leave(console: Tmux) -> None:
    """Quit while something is served: the question stands on Cancel, so one step to the right."""
    console.press("q")
    console.shows("Leave, and stop serving 1 export?")
    console.press("Right", "Enter")
    console.shows("left with 0")


@pytest.mark.interop("tmux", "e2fsck", "debugfs")
def test_a_disk_made_by_keys_alone_is_mounted_by_linux(lab: Lab, guest: Guest, tmp_path: Path) -> None:
    disk = tmp_path / "new.img"
    with Tmux(lab.near, tmp_path, CONSOLE, lab.environment) as console:
        console.shows("Choose interfaces for AoE", NEAR_LINK)
        console.press("Space")
        console.shows(f"AoE will be spoken on {NEAR_LINK}.")
        console.press("Enter")
        console.shows(f"Nothing has answered on {NEAR_LINK} yet.")
        console.press("n")
        console.shows("Serve a disk", f"free on {NEAR_LINK}")
        console.type(str(disk))
        console.shows("does not exist: a file will be made")
        console.press("Tab")
        console.type(f"{DISK_MIB}M")
        console.shows("will be made: 67.1 MB sparse file", f"as e1.0 on {NEAR_LINK}")
        console.press("C-s")
        console.shows("[2 Exports]", "* serving", "1 served", "serving ends with this terminal")

        result = guest.run(LIBRARY + FILE_SYSTEM, namespace=lab.far, tap=TAP, env={"SHELF": "1", "SLOT": "0"})
        assert result.rc == 0, result.output
        assert result.output.count(": OK\n") == 9
        console.shows("* active")
        leave(console)
    check_file(disk, result.output, 9)

    with Tmux(lab.near, tmp_path, CONSOLE, lab.environment) as console:
        console.shows("1 served", "e1.0")
        initiator = Initiator(lab.far, FAR_LINK, 1, 0)
        initiator.find()
        initiator.close()
        leave(console)
