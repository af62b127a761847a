"""The real program as a process: in a namespace of a test, with its own home folder, and if asked on a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.support.netns import Namespace

DEADLINE = 60.0
"""Seconds after which a test gives up waiting. Nothing is measured by it."""


def environment(home: Path) -> dict[str, str]:
    """What the program sees: nothing of the user's own folders."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "TMPDIR": str(home),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }


SETFCAP = 1 << 31
"""CAP_SETFCAP: user_namespaces(7) asks it of a process that maps its user 0, and of no other."""


def unprivileged(*arguments: str, keep: int = 0) -> str:
    """A script that gives every capability up (capset(2)) but those in `keep`, of the first 32; then is `aoetui ARGUMENTS`."""
    return (
        "import ctypes, sys; libc = ctypes.CDLL(None);"
        f"header = (ctypes.c_uint32 * 2)(0x20080522, 0); kept = (ctypes.c_uint32 * 6)({keep}, {keep});"
        "assert libc.capset(header, kept) == 0;"
        f"sys.argv = {['/usr/bin/aoetui', *arguments]!r};"
        "from aoetui.__main__ import main; main()"
    )


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until `condition` holds; fail, saying `what` did not come, after the deadline."""
    limit = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < limit, f"{what} did not come within {DEADLINE:.0f} s"
        time.sleep(0.01)


class Program:
    """`aoetui ARGUMENTS` with its output in files, so that it never waits for its reader."""

    def __init__(self, namespace: Namespace, home: Path, *arguments: str, program: Sequence[str] = ("-m", "aoetui")) -> None:
        self._out, self._err = home / "stdout", home / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = namespace.popen(
                [sys.executable, *program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment(home),
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def stdout(self) -> str:
        """What it has printed."""
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        """What it has complained about."""
        return self._err.read_text()

    def says(self, text: str) -> None:
        """Wait until it has printed `text` on stdout or stderr."""

        def said() -> bool:
            if text in self.stdout or text in self.stderr:
                return True
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.stdout}{self.stderr}"
            return False

        until(said, repr(text))

    def ends(self) -> int:
        """Wait for its end and return its exit code."""
        return int(self.process.wait(DEADLINE))


class Console:
    """The program on a pseudo terminal of 24 x 80, read by a thread until `stall`."""

    def __init__(self, namespace: Namespace, home: Path, *arguments: str, program: Sequence[str] = ("-m", "aoetui")) -> None:
        self.master, self.terminal = os.openpty()
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.settings: list[Any] = termios.tcgetattr(self.terminal)
        self.output = bytearray()
        self._reading = threading.Event()
        self._reading.set()
        self._closed = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.process: subprocess.Popen[bytes] = namespace.popen(
            [sys.executable, *program, *arguments],
            env=environment(home),
            preexec_fn=lambda: os.login_tty(os.dup(self.terminal)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()
        self._closed.set()
        self._reading.set()
        self._reader.join()
        for descriptor in {self.master, self.terminal} - {-1}:
            os.close(descriptor)

    def shows(self, text: bytes) -> None:
        """Wait until `text` has been drawn."""

        def drawn() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {bytes(self.output)!r}"
            return text in self.output

        until(drawn, repr(text))

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.master, keys)

    def stall(self) -> None:
        """Stop reading, and have it redraw until its terminal takes no more."""
        self._reading.clear()
        poll = select.poll()
        poll.register(self.terminal, select.POLLOUT)
        columns = iter(range(10**9))

        def full() -> bool:
            width = 80 + next(columns) % 2
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
            return not poll.poll(0)

        until(full, "a full terminal")

    def resume(self) -> None:
        """Read again, until nothing is left."""
        self._reading.set()
        until(lambda: not select.select([self.master], [], [], 0)[0], "the rest of the output")

    def hang_up(self) -> None:
        """Close the terminal's window."""
        self._closed.set()
        self._reader.join()
        os.close(self.terminal)
        os.close(self.master)
        self.master = self.terminal = -1

    def ends(self) -> int:
        """Wait for its end and return its exit code."""
        return int(self.process.wait(DEADLINE))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def _read(self) -> None:
        while not self._closed.is_set():
            self._reading.wait()
            if select.select([self.master], [], [], 0.02)[0] and self._reading.is_set():
                self.output += os.read(self.master, 65536)


def run(
    namespace: Namespace,
    home: Path,
    *arguments: str,
    program: Sequence[str] = (sys.executable, "-m", "aoetui"),
    stdout: int = subprocess.PIPE,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.CompletedProcess[str]:
    """Run `aoetui ARGUMENTS` in a namespace to its end."""

    def body() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program, *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(home),
            timeout=DEADLINE,
            check=False,
        )

    return namespace.run(body)
