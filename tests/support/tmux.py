"""A terminal that a test types into and reads: tmux, with a server of its own."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING, Self

from tests.support.program import until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.netns import Namespace


class Tmux:
    """One pane of 80x24 in a namespace, running a command; when that ends, the pane says `left with N`, its exit code."""

    def __init__(self, namespace: Namespace, folder: Path, command: list[str], environment: Mapping[str, str]) -> None:
        self._socket = str(folder / "tmux")
        self._namespace = namespace
        variables = [f"{name}={value}" for name, value in environment.items() if name != "TERM"]
        # Said by a shell, for tmux itself may miss the end of a pane's process.
        line = f"env {shlex.join([*variables, *command])}; echo left with $?; exec sleep infinity"
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._tmux("kill-server")

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names, as `Enter`, `C-s`."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._tmux("send-keys", "-l", text)

    def pane(self) -> str:
        """What the pane shows."""
        return self._tmux("capture-pane", "-p")

    def shows(self, *texts: str) -> str:
        """Wait until the pane shows all of these; returns it."""
        last = ""

        def found() -> bool:
            nonlocal last
            last = self.pane()
            return all(text in last for text in texts)

        try:
            until(found, f"{texts} on the pane")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{last}") from error
        return last

    def _tmux(self, *arguments: str) -> str:
        def body() -> str:
            command = ["tmux", "-S", self._socket, *arguments]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

        return self._namespace.run(body)
