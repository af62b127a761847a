"""Processors and processes: which core does what, what the host took away, and that nothing outlives its measurement."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TARGET_CORE, LOAD_CORE = 0, 1
_ENDS_WITHIN = 10.0
"""Seconds that a program has after SIGTERM."""
_STEAL = 8
"""Its place in the first line of /proc/stat (proc(5))."""


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """The command, kept on one core; as it is where there is but one."""
    return ["taskset", "--cpu-list", str(core), *command] if (os.cpu_count() or 1) > 1 else list(command)


def unpinned(process: int) -> None:
    """Let a process, with all its threads, run on every core."""
    subprocess.run(
        ["taskset", "--all-tasks", "--cpu-list", "-p", f"0-{(os.cpu_count() or 1) - 1}", str(process)],
        check=True,
        capture_output=True,
    )


@contextlib.contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """The process; it has ended when this does."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def stolen() -> float:
    """Seconds of all cores that the host has had for others, since it started."""
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
    return int(fields[_STEAL]) / os.sysconf("SC_CLK_TCK")


def memory(process: int) -> dict[str, int]:
    """Bytes that a process has in memory: VmRSS in all, RssAnon its own, RssFile mapped files (proc_pid_status(5))."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: int(fields[name].split()[0]) << 10 for name in ("VmRSS", "RssAnon", "RssFile")}
