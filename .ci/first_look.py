"""`first_look.py COMMAND`: run README's first line on a terminal, see the demo's SAN, and leave by its keys."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

SECONDS = 300
STEPS = ((b"ours", b""), (b"e9.1", b"q"), (b"Leave, and stop serving", b"\x1b[C\r"))
"""What must come, and what is typed then: q, and at the question a step from Cancel to the verb."""


def start(command: str) -> tuple[int, int]:
    """The process of a shell on a new terminal of 24 x 80, and the terminal's other end."""
    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.environ["TERM"] = "xterm-256color"
        os.execvp("bash", ["bash", "-euc", command])  # noqa: S606, S607 - the shell is what a newcomer has
    return process, terminal


def more(terminal: int, limit: float) -> bytes:
    """What is drawn next; nothing at its end."""
    if not select.select([terminal], [], [], max(0.0, limit - time.monotonic()))[0]:
        sys.exit(f"not within {SECONDS} s")
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that nobody holds the terminal any more
        return b""


def main(command: str) -> None:
    """Follow the steps to the end; exit with the command's code, or with what did not come."""
    process, terminal = start(command)
    limit, output, steps = time.monotonic() + SECONDS, b"", list(STEPS)
    while data := more(terminal, limit):
        output += data
        while steps and steps[0][0] in output:
            os.write(terminal, steps.pop(0)[1])
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if steps:
        sys.stdout.write(output.decode(errors="replace"))
        sys.exit(f"never came: {steps[0][0].decode()}")
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
