"""A host with many exports beside a host that loads one of them: where keys.py and console.py measure."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import netns
from tests.support.c_program import compiled_c
from tests.support.program import environment

from .loads import Measured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHELF = 1
SLOTS = 100
"""Exports of a shelf; further ones take the next shelf."""
SIZE = 64 << 20
"""Bytes of a backing: sparse, and small enough to stay in memory."""


@dataclass(frozen=True, slots=True)
class Rig:
    """`host` is to run aoetui with `home` as its home folder, `guest` loads it; a cable lies between their links."""

    host: netns.Namespace
    guest: netns.Namespace
    host_link: str
    guest_link: str
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """By which a program finds the config."""
        return environment(self.home)


@contextlib.contextmanager
def rig(exports: int) -> Iterator[Rig]:
    """A config of so many exports of sparse files, none of them served yet."""
    with tempfile.TemporaryDirectory() as folder, netns.veth_pair() as pair:
        home = Path(folder)
        made = Rig(pair.near, pair.far, pair.near_link, pair.far_link, home)
        (home / "config" / "aoetui").mkdir(parents=True)
        (home / "config" / "aoetui" / "config.toml").write_text("\n".join(_config(home, exports, made.host_link)))
        yield made


def _config(home: Path, exports: int, link: str) -> Iterator[str]:
    yield f'[engine]\ninterfaces = ["{link}"]'
    for number in range(exports):
        path = home / f"disk{number}.img"
        with path.open("wb") as file:
            file.truncate(SIZE)
        shelf, slot = SHELF + number // SLOTS, number % SLOTS
        yield f'[[export]]\nshelf = {shelf}\nslot = {slot}\npath = "{path}"\ninterfaces = ["{link}"]'


@contextlib.contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """The process, which is killed at the latest when this ends."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Load:
    """The load generator at work on the first export."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def measured(self) -> Measured:
        """Wait for its end, and return what it saw."""
        output, _ = self._process.communicate()
        assert self._process.returncode == 0, f"the load generator ended with {self._process.returncode}"
        return Measured(**json.loads(output))


@contextlib.contextmanager
def load(place: Rig, seconds: float, core: int | None = None, process: int = 0) -> Iterator[Load]:
    """Saturate the data path for so many seconds, on one core if asked: random reads, 64 in flight.

    `process`: the target, whose processor time is taken too.
    """
    generator = str(compiled_c(Path(__file__).with_name("load.c")))
    asked = ["--interface", place.guest_link, "--shelf", str(SHELF), "--slot", "0", "--random", "--window", "64"]
    command = pinned(core, [generator, *asked, "--seconds", str(seconds), "--process", str(process)])
    with ended(place.guest.popen(command, stdout=subprocess.PIPE, text=True)) as running:
        yield Load(running)


@contextlib.contextmanager
def many(place: Rig, count: int) -> Iterator[None]:
    """So many emulated targets on the guest's link: from shelf 100 on, 250 of a shelf, each of the model `emulated`."""
    program = str(compiled_c(Path(__file__).with_name("many.c")))
    command = [program, place.guest_link, str(count)]
    with ended(place.guest.popen(command, stdout=subprocess.PIPE, text=True)) as process, process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
        process.kill()


def pinned(core: int | None, command: Sequence[str]) -> list[str]:
    """The command, kept on one core if one is given."""
    return [*([] if core is None else ["taskset", "--cpu-list", str(core)]), *command]
