"""The log: made at the first line, set aside when full, and never the reason that something stops."""

from __future__ import annotations

import io
import logging
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from aoetui.logs import KEPT, JournalLines, LogLines, SharedLogFile, under_journal
from tests.support.waiting import DEADLINE, wait_until

if TYPE_CHECKING:
    from pathlib import Path


def record(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("aoetui", level, __file__, 1, text, (), None)


def test_a_log_is_made_at_its_first_line_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "aoetui.log"
    handler = SharedLogFile(path)
    assert not path.parent.exists()
    handler.emit(record("one"))
    handler.close()
    assert path.read_text() == "one\n"
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_full_log_is_set_aside_and_so_many_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "aoetui.log"
    handler = SharedLogFile(path, max_bytes=1)
    for number in range(10):
        handler.emit(record(str(number)))
    handler.close()
    kept = [path, *(path.with_name(f"aoetui.log.{number}") for number in range(1, KEPT + 1))]
    assert [each.read_text() for each in kept] == ["9\n", "8\n", "7\n", "6\n"]
    assert len(list(tmp_path.iterdir())) == len(kept)


def test_two_processes_may_share_a_log(tmp_path: Path) -> None:
    path = tmp_path / "aoetui.log"
    one, other = SharedLogFile(path, max_bytes=8), SharedLogFile(path, max_bytes=8)
    one.emit(record("one"))
    other.emit(record("other"))
    one.emit(record("again"))
    one.close()
    other.close()
    assert path.read_text() == "again\n"
    assert path.with_name("aoetui.log.1").read_text() == "one\nother\n"


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    handler = SharedLogFile(tmp_path / "file" / "aoetui.log")
    handler.emit(record("lost"))
    handler.close()
    assert capfd.readouterr() == ("", "")


def test_the_journal_is_known_by_its_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, journal = socket.socketpair()
    facts = os.fstat(ours.fileno())
    with ours, journal, ours.makefile("w") as stream:
        monkeypatch.setenv("JOURNAL_STREAM", f"{facts.st_dev}:{facts.st_ino}")
        assert under_journal(stream)
        monkeypatch.setenv("JOURNAL_STREAM", f"{facts.st_dev}:{facts.st_ino + 1}")
        assert not under_journal(stream)
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not under_journal(stream)


@pytest.mark.parametrize(("level", "priority"), [(logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6)])
def test_each_line_for_the_journal_has_its_priority(level: int, priority: int) -> None:
    stream = io.StringIO()
    JournalLines(stream).emit(record("one\ntwo", level))
    assert stream.getvalue() == f"<{priority}>one\n<{priority}>two\n"


def test_an_exception_in_a_thread_reaches_the_log_and_not_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "aoetui.log"
    script = (
        "import sys, threading, pathlib; from aoetui import logs; logs.start(pathlib.Path(sys.argv[1]));"
        "thread = threading.Thread(target=lambda: 1 / 0, name='disk'); thread.start(); thread.join()"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")
    assert "disk ended with an exception" in path.read_text()
    assert "ZeroDivisionError" in path.read_text()


@pytest.fixture
def hung(tmp_path: Path) -> Path:
    """A file that nobody can open for writing until somebody reads it, as on a disk that hangs."""
    path = tmp_path / "aoetui.log"
    os.mkfifo(path)
    return path


def test_a_log_that_hangs_holds_up_nobody_and_what_did_not_fit_is_counted(hung: Path) -> None:
    lines = LogLines(SharedLogFile(hung), max_waiting=2)
    lines.handle(record("first"))
    wait_until(lambda: not lines.waiting, "the first is at the disk")
    for number in range(10):
        lines.handle(record(str(number)))
    assert not lines.flush_within(0)
    with hung.open() as disk:
        assert lines.flush_within(DEADLINE)
        lines.handle(record("last"))
        lines.end_within(DEADLINE)
        said = disk.read().splitlines()
    assert said == ["first", "0", "1", "8 lines are missing here: the log was not written as fast as they came", "last"]


def test_an_end_waits_for_its_last_lines_but_not_for_a_disk_that_hangs(tmp_path: Path, hung: Path) -> None:
    script = (
        "import sys, pathlib; from aoetui import logs; logs.start(pathlib.Path(sys.argv[1]));"
        "[logs.log.info('line %d', number) for number in range(1000)]; print(logs.describe(pathlib.Path(sys.argv[1])))"
    )
    for path, told in ((tmp_path / "good.log", "the details are in"), (hung, "no log could be written to")):
        words = [sys.executable, "-c", script, str(path)]
        ended = subprocess.run(words, capture_output=True, text=True, check=True, timeout=DEADLINE)
        assert (ended.stdout, ended.stderr) == (f"{told} {path}\n", "")
    assert (tmp_path / "good.log").read_text().splitlines()[-1].endswith("line 999")


def test_a_journal_that_hangs_holds_up_neither_a_line_nor_the_end() -> None:
    script = (
        "import os, sys, pathlib; from aoetui import logs; facts = os.fstat(2);"
        "os.environ['JOURNAL_STREAM'] = f'{facts.st_dev}:{facts.st_ino}'; logs.start(pathlib.Path('/'));"
        "[logs.log.info('%s', 'x' * 4096) for number in range(1000)]"
    )
    ours, journal = socket.socketpair()
    with ours, journal:
        subprocess.run([sys.executable, "-c", script], stderr=journal.fileno(), check=True, timeout=DEADLINE)
        assert ours.recv(14) == b"<6>aoetui: xxx"
