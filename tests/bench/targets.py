"""The targets that are compared: each a command line, at work on a cable of its own."""

from __future__ import annotations

import contextlib
import os
import shlex
import statistics
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.c_program import compiled_c
from tests.support.netns import veth_pair
from tests.support.program import environment

from .loads import SHELF, SLOT, Load, LoadError, Measured, measure
from .processors import TARGET_CORE, ended, pinned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.netns import VethPair

OURS, OURS_INTERPRETED, VBLADE, NULL = "aoetui", "aoetui interpreted", "vblade", "null"
ALONE = {"AOETUI_COMPILED": "0"}
"""The environment in which nothing is compiled."""
_ALIKE, _WINDOWS, _MOST_WINDOWS = 0.15, 3, 60
"""A target has settled when the processor time of a request was so much alike in so many loads in a row."""
_SETTLING = Load(window=64, random=True, seconds=0.5)
_BUFFER_COUNT = "64"
PIECE = 4096
"""Bytes of one write when a backing is made, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Target:
    """A program that serves `{path}`, of `{sectors}` sectors, as `{shelf}.{slot}` on `{interface}`."""

    name: str
    words: tuple[str, ...]
    extra: Mapping[str, str] = field(default_factory=dict)
    """Of its environment."""

    def command(self, values: Mapping[str, object]) -> list[str]:
        """The command line with its values filled in. Raises LoadError for a word in braces that means nothing."""
        try:
            return [word.format_map(values) for word in self.words]
        except (KeyError, ValueError, IndexError) as error:
            known = ", ".join(f"{{{name}}}" for name in values)
            raise LoadError(f"the command line of {self.name} has {error}: use {known}") from error


def ours(*options: str, name: str = OURS, extra: Mapping[str, str] | None = None) -> Target:
    """This target, with further options of `aoetui export`."""
    words = (sys.executable, "-m", "aoetui", "export", "-b", _BUFFER_COUNT, *options)
    return Target(name, (*words, "{shelf}", "{slot}", "{interface}", "{path}"), extra or {})


def vblade(*options: str) -> Target:
    """Vblade, with further options."""
    return Target(VBLADE, ("vblade", "-b", _BUFFER_COUNT, *options, "{shelf}", "{slot}", "{interface}", "{path}"))


def null() -> Target:
    """The responder that touches no disk."""
    program = str(compiled_c(Path(__file__).with_name("null.c")))
    return Target(NULL, (program, "{interface}", "{shelf}", "{slot}", "{sectors}"))


def other(text: str) -> Target:
    """One given as `NAME=COMMAND LINE`. Raises ValueError if it is not of that form."""
    name, given, command = text.partition("=")
    words = tuple(shlex.split(command))
    if not (name and given and words):
        raise ValueError(f"{text!r} is no target: write NAME=COMMAND LINE with {{shelf}} {{slot}} {{interface}} {{path}}")
    return Target(name, words)


@dataclass(frozen=True, slots=True)
class Running:
    """A target at work at the near end of a cable."""

    target: Target
    pair: VethPair
    process: subprocess.Popen[bytes]
    log: Path

    def load(self, load: Load) -> Measured:
        """Load it from the far end. Raises LoadError, with its last words."""
        try:
            return measure(self.pair.far, self.pair.far_link, load, self.process.pid)
        except LoadError as error:
            error.add_note(f"{self.target.name} said: {' / '.join(self.said().strip().splitlines()[-3:]) or 'nothing'}")
            raise

    def said(self) -> str:
        """All that it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def settle(self, load: Load = _SETTLING) -> None:
        """Load it until it costs the same a few times in a row: by then it has compiled what it compiles."""
        self.load(replace(load, warm=True, requests=1))
        costs = [self.load(load).cost for _ in range(_WINDOWS)]
        while len(costs) < _MOST_WINDOWS and not _alike(costs[-_WINDOWS:]):
            costs.append(self.load(load).cost)


def _alike(costs: list[float]) -> bool:
    return max(costs) - min(costs) <= _ALIKE * statistics.median(costs)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where targets work: their files in `folder`, so many bytes each, made by writes of `piece` bytes."""

    folder: Path
    size: int
    piece: int = PIECE

    @contextlib.contextmanager
    def at_work(self, target: Target, mtu: int = 1500, *, path: Path | None = None) -> Iterator[Running]:
        """Serve `path`, or a new file full of bytes, until the end."""
        with veth_pair(mtu) as pair, contextlib.ExitStack() as stack:
            if path is None:
                path = stack.enter_context(self.file(f"{target.name} {mtu}"))
            sectors = path.stat().st_size // 512
            values = {"shelf": SHELF, "slot": SLOT, "interface": pair.near_link, "path": path, "sectors": sectors}
            yield stack.enter_context(self.start(target, pair, values))

    @contextlib.contextmanager
    def start(self, target: Target, pair: VethPair, values: Mapping[str, object]) -> Iterator[Running]:
        """Run a target's command at the near end of a cable, on its core."""
        log = self.folder / f"{target.name}.log"
        surroundings = {**environment(self.folder), **target.extra}
        surroundings["PATH"] += ":/usr/sbin:/sbin"
        words = pinned(TARGET_CORE, target.command(values))
        with log.open("wb") as said:
            process = pair.near.popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=surroundings)
        with ended(process):
            yield Running(target, pair, process, log)

    @contextlib.contextmanager
    def file(self, name: str, size: int | None = None) -> Iterator[Path]:
        """A file without holes, whose bytes are not all the same, until the end."""
        path = self.folder / f"{name}.img"
        write_bytes(path, self.size if size is None else size, self.piece)
        try:
            yield path
        finally:
            path.unlink()


def write_bytes(path: Path, size: int, piece: int = PIECE) -> None:
    """Make a file of random bytes: no hole, nothing that could be left out.

    It is written in small pieces, as an initiator's are: what is written by the MiB ext4 keeps in page cache folios of that size,
    and each later write of a KiB then costs a walk through all blocks of its folio, whoever the target is.
    """
    noise = os.urandom(min(size, piece))
    with path.open("wb", buffering=0) as file:
        for start in range(0, size, len(noise)):
            file.write(noise[: size - start])
