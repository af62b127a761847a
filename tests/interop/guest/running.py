"""A Debian guest that runs: commands in it, and its ends, the orderly one and the power cut."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from .machine import KERNEL_LOG_TAIL, GuestError

if TYPE_CHECKING:
    import signal
    import socket
    import subprocess
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

START_SECONDS = 240.0
COMMAND_SECONDS = 120.0


@dataclass(slots=True)
class Command:
    """A command in the guest. It ends when nobody holds its output any more."""

    guest: RunningGuest
    number: int
    text: str
    lines: list[str] = field(default_factory=list)
    """Its output so far, stdout and stderr together."""
    rc: int | None = None
    """Its exit code, or less the signal that ended it; None while it runs."""

    @property
    def output(self) -> str:
        """The lines, as one text."""
        return "".join(f"{line}\n" for line in self.lines)

    def says(self, text: str, timeout: float = COMMAND_SECONDS) -> None:
        """Wait until it has printed `text`. Raises GuestError if it ends before, or at the deadline."""
        self.guest.wait(lambda: text in self.output or self.rc is not None, f"{text!r} from `{self.text}`", timeout)
        if text not in self.output:
            raise GuestError(f"`{self.text}` ended with {self.rc} before it said {text!r}:\n{self.output}")

    def ends(self, timeout: float = COMMAND_SECONDS) -> int:
        """Wait for its end, and return its exit code. Raises GuestError at the deadline."""
        self.guest.wait(lambda: self.rc is not None, f"the end of `{self.text}`", timeout)
        return -1 if self.rc is None else self.rc

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to all that it started."""
        self.guest.send({"id": self.number, "signal": int(number)})


class RunningGuest:
    """The guest, until `power_off`, `power_cut` or the end of the `with`."""

    def __init__(
        self, qemu: subprocess.Popen[bytes], port: socket.socket, log: Path, lifetime: float, belongings: ExitStack
    ) -> None:
        self._qemu, self._port, self._log, self._belongings = qemu, port, log, belongings
        self._heard = threading.Condition()
        self._ready = self._gone = False
        self._kept_log = ""
        self._commands: list[Command] = []
        self._clock = threading.Timer(lifetime, qemu.kill)
        self._clock.start()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.power_cut()

    def up(self, links: int, mtu: int) -> Self:
        """Wait until it answers, and bring its links up. Raises GuestError, and ends it, if that fails."""
        try:
            self.wait(lambda: self._ready, "the guest's first word", START_SECONDS)
            for number in range(links):
                self.check(f"ip link set eth{number} mtu {mtu} up")
        except BaseException:
            self.power_cut()
            raise
        return self

    def begin(self, command: str) -> Command:
        """Start a command of bash's."""
        made = Command(self, len(self._commands), command)
        self._commands.append(made)
        self.send({"id": made.number, "run": command})
        return made

    def run(self, command: str, timeout: float = COMMAND_SECONDS) -> Command:
        """Run a command to its end. Raises GuestError at the deadline."""
        made = self.begin(command)
        made.ends(timeout)
        return made

    def check(self, command: str, timeout: float = COMMAND_SECONDS) -> str:
        """Run a command that must end with 0, and return what it printed. Raises GuestError if it does not."""
        made = self.run(command, timeout)
        if made.rc != 0:
            raise GuestError(f"`{command}` ended with {made.rc}:\n{made.output}")
        return made.output

    def power_cut(self) -> None:
        """Kill it as a power cut does: nothing is flushed."""
        self._qemu.kill()
        self._end()

    def power_off(self, timeout: float = COMMAND_SECONDS) -> None:
        """Shut it down in order. Raises GuestError if it does not end."""
        self.begin("[ -d /run/systemd/system ] && exec systemctl poweroff; exec systemctl poweroff --force --force")
        self.wait(lambda: self._gone, "the end of the guest", timeout, alive=False)
        self._end()

    @property
    def kernel_log(self) -> str:
        """What its kernel has said."""
        return self._kept_log or (self._log.read_text(errors="replace") if self._log.exists() else "")

    def send(self, message: dict[str, int | str]) -> None:
        """One message to its agent."""
        try:
            self._port.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise GuestError("the guest is gone" + self._last_words()) from error

    def wait(self, condition: Callable[[], bool], what: str, timeout: float, *, alive: bool = True) -> None:
        """Wait until `condition` holds, which the guest's words can change; `alive` if its end is a failure."""
        end = time.monotonic() + timeout
        with self._heard:
            while not condition():
                if alive and self._gone:
                    raise GuestError(f"the guest ended before {what}" + self._last_words())
                if not self._heard.wait(end - time.monotonic()):
                    raise GuestError(f"{what} did not come within {timeout:.0f} s" + self._last_words())

    def _read(self) -> None:
        with self._port.makefile("r", encoding="utf-8", errors="replace") as words:
            try:
                for word in words:
                    self._hear(json.loads(word))
            except (OSError, ValueError):  # it was cut off in the middle of a word
                pass
        with self._heard:
            self._gone = True
            self._heard.notify_all()

    def _hear(self, message: dict[str, object]) -> None:
        with self._heard:
            match message:
                case {"ready": True}:
                    self._ready = True
                case {"id": int(number), "line": str(line)}:
                    self._commands[number].lines.append(line)
                case {"id": int(number), "rc": int(rc)}:
                    self._commands[number].rc = rc
            self._heard.notify_all()

    def _end(self) -> None:
        self._qemu.wait()
        self._clock.cancel()
        self._reader.join()
        self._port.close()
        self._kept_log = self.kernel_log
        self._belongings.close()

    def _last_words(self) -> str:
        running = "".join(f"\n`{command.text}` said:\n{command.output}" for command in self._commands if command.rc is None)
        log = "\n".join(self.kernel_log.splitlines()[-KERNEL_LOG_TAIL:])
        return f"{running}\nand its kernel:\n{log}"
