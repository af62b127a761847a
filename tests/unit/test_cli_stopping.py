"""OrderlyStop in small processes of its own: what it does when the engine or the rest of the process hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

DEADLINE = 60.0
BODY = """
    import sys, threading
    from aoetui.shutdown import OrderlyStop

    asked = threading.Event()
    never = threading.Event()

    def answer(timeout):
        print("stopping", flush=True)
        {answer}

    with OrderlyStop(answer, leave={leave}) as stop:
        print("ready", flush=True)
        {wait}
    print("reason", stop.reason, stop.in_time, flush=True)
"""

LOGGED = """
    import logging, pathlib, threading, time
    from aoetui import logs

    def tell():
        while any(isinstance(each, logs.LogLines) for each in logging.getLogger().handlers):
            time.sleep(0.01)
        print("finishing", flush=True)

    logs.FINISH_SECONDS = {seconds}
    logs.start(pathlib.Path({path!r}))
    logs.log.info("the last words")
    threading.Thread(target=tell, daemon=True).start()
"""


AWAKE = "while not never.wait(0.05): pass"
"""Waits for ever, as the console's loop does: Python misses a signal that comes just before its main thread falls asleep."""


def start(*, answer: str = "return True", leave: str = "asked.set", wait: str = "asked.wait()") -> subprocess.Popen[str]:
    script = textwrap.dedent(BODY).format(answer=answer, leave=leave, wait=wait)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    expect(process, "ready")
    return process


def expect(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == f"{line}\n"


def rest(process: subprocess.Popen[str]) -> str:
    """What it says until its end. Not by `communicate`, which passes over lines that came along with one that was read."""
    assert process.stdout is not None
    limit = threading.Timer(DEADLINE, process.kill)
    limit.start()
    said = process.stdout.read()
    process.wait()
    limit.cancel()
    return said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_stops_the_engine_and_the_process_goes_on_to_its_end(number: signal.Signals) -> None:
    process = start()
    process.send_signal(number)
    assert rest(process) == f"stopping\nreason {number.name} True\n"
    assert process.returncode == 0


def test_the_process_ends_with_0_when_the_console_never_leaves() -> None:
    process = start(leave="lambda: None", wait=AWAKE)
    process.send_signal(signal.SIGTERM)
    assert rest(process) == "stopping\n"
    assert process.returncode == 0


def test_the_process_ends_with_1_when_the_engine_never_stops() -> None:
    process = start(answer="never.wait()")
    process.send_signal(signal.SIGTERM)
    assert rest(process) == "stopping\n"
    assert process.returncode == 1


def test_an_engine_that_breaks_while_stopping_does_not_keep_the_process() -> None:
    process = start(answer="raise OSError('disk')", leave="lambda: None", wait=AWAKE)
    process.send_signal(signal.SIGTERM)
    assert "stopping the engine after SIGTERM" in rest(process)
    assert process.returncode == 1


def start_logging(path: Path) -> subprocess.Popen[str]:
    """A process that logs to `path`, and was asked to end."""
    script = f"{textwrap.dedent(LOGGED)}{textwrap.dedent(BODY)}"
    script = script.format(answer="return True", leave="lambda: None", wait=AWAKE, path=str(path), seconds=DEADLINE)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    expect(process, "ready")
    process.send_signal(signal.SIGTERM)
    expect(process, "stopping")
    return process


def test_what_was_logged_is_written_before_the_process_ends_without_the_console(tmp_path: Path) -> None:
    path = tmp_path / "aoetui.log"
    os.mkfifo(path)  # nothing can be written before the test reads
    process = start_logging(path)
    expect(process, "finishing")
    with path.open() as disk:  # held until the process has ended: the log opens its file again after the first line
        assert rest(process) == ""
        assert "the last words" in disk.read()
    assert process.returncode == 0


def test_a_log_whose_disk_is_full_does_not_keep_the_process() -> None:
    process = start_logging(Path("/dev/full"))
    assert rest(process) in {"", "finishing\n"}  # nothing holds it up: it may be gone before that is seen
    assert process.returncode == 0


def test_a_second_signal_ends_at_once() -> None:
    process = start(answer="never.wait()", leave="lambda: None", wait=AWAKE)
    process.send_signal(signal.SIGTERM)
    expect(process, "stopping")
    process.send_signal(signal.SIGINT)
    assert rest(process) == ""
    assert process.returncode == 128 + signal.SIGINT


def test_a_signal_that_nohup_ignores_stays_ignored() -> None:
    script = textwrap.dedent(BODY).format(answer="return True", leave="asked.set", wait="asked.wait()")
    ignoring = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{script}"
    process = subprocess.Popen([sys.executable, "-c", ignoring], stdout=subprocess.PIPE, text=True)
    expect(process, "ready")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert rest(process) == "stopping\nreason SIGTERM True\n"


def test_without_a_signal_nothing_is_stopped() -> None:
    process = start(wait="pass")
    assert rest(process) == "reason  True\n"
