"""What to say when the kernel refuses a packet socket: the exact command that helps."""

from __future__ import annotations

import getpass
import os
import shlex
import sys
from pathlib import Path

from aoetui.engine.api import NoPermissionError


def own_command() -> str:
    """The command line of this process with the full path of its program, quoted for a shell."""
    program = Path(sys.argv[0]).absolute()
    start = [sys.executable, "-m", "aoetui"] if program.name in {"__main__.py", "-c", "-m"} else [str(program)]
    return shlex.join([*start, *sys.argv[1:]])


def own_user() -> str:
    """The name of the user of this process, or `USER` where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a numeric user without an entry: OSError from Python 3.13 on
        return "USER"


def raw_sockets_refused(interface: str) -> NoPermissionError:
    """The error for a packet socket that the kernel refused (CAP_NET_RAW is missing).

    It offers an ambient capability, never one on the file: that would reach the system's own Python.
    """
    start = f"no permission to send and receive frames on {interface}"
    if os.geteuid() == 0:
        return NoPermissionError(
            f"{start} although root: this container or service is without CAP_NET_RAW, start it with that capability",
            field="interfaces",
        )
    command, user = own_command(), own_user()
    as_user = f"setpriv --reuid={user} --regid={os.getegid()} --init-groups --inh-caps=+net_raw --ambient-caps=+net_raw"
    return NoPermissionError(
        f"{start}: run `sudo {command}`, or without root's other rights `sudo {as_user} {command}`, or"
        f" `sudo systemd-run --pty -p User={user} -p AmbientCapabilities=CAP_NET_RAW {command}`",
        field="interfaces",
    )
