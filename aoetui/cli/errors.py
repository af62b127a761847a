"""How every command ends: an exit code, and for what went wrong one plain line on stderr, never a traceback."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

import click

from aoetui import logs
from aoetui.cli import running
from aoetui.cli.output import complain
from aoetui.engine.api import EngineError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130
"""128 + SIGINT: Ctrl-C where nothing had to be stopped in order."""


def guarded(action: Callable[[], int | None]) -> int:
    """Run `action`; whatever it raises becomes one line on stderr and the exit code of `api.ExitCode`."""
    stdout = sys.stdout
    try:
        code = action() or ExitCode.DONE
        sys.stdout.flush()
    except EngineError as error:
        complain(str(error))
        return error.exit_code
    except click.ClickException as error:
        complain(_usage_sentence(error))
        return error.exit_code
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit:
        if sys.stdout is stdout:
            raise
        sys.stdout = stdout  # click has seen EPIPE, wrapped stdout, and would end with 1
        return _reader_left()
    except OSError as error:
        return _reader_left() if error.errno == errno.EPIPE else _unexpected(error)
    except Exception as error:  # noqa: BLE001  the top edge: logged with its traceback, and shown as one line
        return _unexpected(error)
    return int(code)


def _usage_sentence(error: click.ClickException) -> str:
    sentence = " ".join(error.format_message().split()).rstrip(".")
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{sentence}; see {error.ctx.command_path} --help"
    return sentence


def _reader_left() -> int:
    """The reader of our output has what it wanted (`| head -1`): end in silence, at the interpreter's own flush too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.DONE


def _unexpected(error: Exception) -> int:
    path = running.log_file()
    logs.log.error("unexpected", exc_info=error)
    complain(f"unexpected {type(error).__name__}: {error}; {logs.describe(path)}")
    return ExitCode.NO
