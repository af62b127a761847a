"""Runs in the Debian guest: starts commands for the host, and tells what they print and how they end.

One JSON object a line, both ways, on the virtio port `agent`. The host sends `{"id": 1, "run": "COMMAND"}` and
`{"id": 1, "signal": 15}`; the guest `{"ready": true}` once, `{"id": 1, "line": "TEXT"}`, and `{"id": 1, "rc": 0}` at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

PORT_NAME = "agent"
PORTS = Path("/sys/class/virtio-ports")


class Agent:
    """The commands that run, by the number that the host gave each."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sending = threading.Lock()
        self._running: dict[int, subprocess.Popen[str]] = {}

    def serve(self) -> None:
        """Until the host has gone, which is the end of the guest too."""
        self._say({"ready": True})
        with os.fdopen(os.dup(self._port), encoding="utf-8") as requests:
            for line in requests:
                self._obey(json.loads(line))

    def _obey(self, request: dict[str, int | str]) -> None:
        number = int(request["id"])
        if "run" in request:
            self._running[number] = subprocess.Popen(
                ["/bin/bash", "-c", str(request["run"])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            threading.Thread(target=self._follow, args=(number, self._running[number]), daemon=True).start()
        elif self._running[number].poll() is None:
            os.killpg(self._running[number].pid, int(request["signal"]))

    def _follow(self, number: int, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self._say({"id": number, "line": line.rstrip("\n")})
        self._say({"id": number, "rc": process.wait()})

    def _say(self, message: dict[str, object]) -> None:
        rest = json.dumps(message).encode() + b"\n"
        with self._sending:
            while rest:
                rest = rest[os.write(self._port, rest) :]


def main() -> None:
    """Serve, then switch the guest off."""
    (name,) = (path.parent.name for path in PORTS.glob("*/name") if path.read_text().strip() == PORT_NAME)
    Agent(os.open(f"/dev/{name}", os.O_RDWR)).serve()
    subprocess.run(["systemctl", "poweroff", "--force", "--force"], check=False)


if __name__ == "__main__":
    main()
