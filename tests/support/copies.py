"""Copies of e9.1 by an engine: begun, watched and ended."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from aoetui.engine.commands.copying import StartCopy
from tests.support.engines import E91, PATIENCE
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from aoetui.engine.commands.copying import TaskKind, TaskSnapshot
    from aoetui.engine.local import LocalEngine

LARGE = 64 << 20


def start(engine: LocalEngine, kind: TaskKind, path: Path, **options: Any) -> int:  # noqa: ANN401  # the fields of StartCopy
    """Begin a copy with e9.1; the task's number."""
    return engine.submit(StartCopy(kind, E91, path, **options)).result(PATIENCE).number


def task_of(engine: LocalEngine, number: int) -> TaskSnapshot:
    """As it is now."""
    return next(task for task in engine.snapshot().tasks if task.number == number)


def ended(engine: LocalEngine, number: int) -> TaskSnapshot:
    """Once it has ended."""
    wait_until(lambda: not task_of(engine, number).running, "the end of the task")
    return task_of(engine, number)


def copy(engine: LocalEngine, kind: TaskKind, path: Path, **options: Any) -> TaskSnapshot:  # noqa: ANN401  # as above
    """From begin to end."""
    return ended(engine, start(engine, kind, path, **options))


def sparse_disk(folder: Path, size: int = LARGE, name: str = "disk.img") -> Path:
    """Bytes here and there, nothing between them: quick to make, and no two pieces alike."""
    path = folder / name
    dice = random.Random(1)  # noqa: S311  # a disk's content, no secret
    with path.open("wb") as file:
        file.truncate(size)
        for at in range(0, size, 1 << 16):
            file.seek(at + dice.randrange(1 << 14) * 4)
            file.write(dice.randbytes(3000)[: size - file.tell()])
    return path
